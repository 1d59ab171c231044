#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""No file of the module is longer than 500 lines, no function longer than 60: what is longer is two things. No function has more than
six parameters: what belongs together is a struct."""

import re

from guard import Guard, without_comments

FILE_LINES = 500
FUNCTION_LINES = 60
PARAMETERS = 6
CALLBACKS = {"on_header", "read_body"}  # whose parameters a library decides (nghttp2)


def functions(text):
    """(name, lines, number of parameters) of each function. The style puts a function's braces, and no others, alone in the first column."""
    head = []
    start = None
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        if line == "{" and start is None:
            start = number
        elif line == "}" and start is not None:
            name, _, parameters = " ".join(head).partition("(")
            # Parameters of a parameter that is a function are not counted.
            parameters = re.sub(r"\([^()]*\)", "", parameters.rstrip()[:-1])
            yield (name.split()[-1].lstrip("*") if name else "?", number - start + 1, parameters.count(",") + 1)
            start, head = None, []
        elif start is None:
            if not line.strip() or line.rstrip().endswith((";", "}")) or line.startswith("#"):
                head = []
            else:
                head.append(line)


guard = Guard()
files = guard.code()
guard.floor("files", files, 20)
guard.check(
    f"no file has more than {FILE_LINES} lines",
    [
        f"{guard.name(path)} has {lines}"
        for path, lines in ((path, len(path.read_text().splitlines())) for path in files)
        if lines > FILE_LINES
    ],
)
found = [(guard.name(path), *function) for path in files if path.suffix == ".c" for function in functions(path.read_text())]
guard.floor("functions", found, 100)
guard.check(
    f"no function has more than {FUNCTION_LINES} lines",
    [f"{path}: {name} has {lines}" for path, name, lines, _ in found if lines > FUNCTION_LINES],
)
guard.check(
    f"no function has more than {PARAMETERS} parameters",
    [f"{path}: {name} has {count}" for path, name, _, count in found if count > PARAMETERS and name not in CALLBACKS],
)
guard.end()
