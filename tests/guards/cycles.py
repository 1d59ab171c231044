#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""No file of the module calls, by way of others, a file that calls it: each can be read behind those that it stands on."""

import re

from guard import Guard, without_comments

# What a file lends to others: functions with the brace in the first column, and variables with a value.
FUNCTION = re.compile(r"^(?!static\b|typedef\b|extern\b|struct\b|#)[A-Za-z_][\w \*]*?\b(\w+)\((?:[^;{}])*?\)\n\{", re.MULTILINE)
VARIABLE = re.compile(r"^(?!static\b|typedef\b|extern\b|#)(?:[A-Za-z_]\w*[ \*]+)+(\w+)(?:\[\w*\])? = ", re.MULTILINE)


def calls_of(codes):
    """{file: files that it calls}, and how many names are lent."""
    owners = {}
    for name, code in codes.items():
        for match in [*FUNCTION.finditer(code), *VARIABLE.finditer(code)]:
            owners.setdefault(match.group(1), set()).add(name)
    # A name that two programs have (main) says nothing.
    owner = {word: next(iter(files)) for word, files in owners.items() if len(files) == 1}
    calls = {}
    for name, code in codes.items():
        words = set(re.findall(r"\b[a-z]\w+\b", re.sub(r'"(?:\\.|[^"\\\n])*"', '""', code)))
        calls[name] = {owner[word] for word in words if word in owner} - {name}
    return calls, owner


def cycles(calls):
    """One cycle for each call that closes one."""
    found, state, path = [], {}, []

    def visit(name):
        state[name] = "open"
        path.append(name)
        for called in sorted(calls[name]):
            if state.get(called) == "open":
                found.append([*path[path.index(called) :], called])
            elif called not in state:
                visit(called)
        path.pop()
        state[name] = "done"

    for name in sorted(calls):
        if name not in state:
            visit(name)
    return found


guard = Guard()
codes = {guard.name(path): without_comments(path.read_text()) for path in guard.code() if path.suffix == ".c"}
calls, lent = calls_of(codes)
guard.floor("functions that other files call", lent, 500)
guard.check("no files call each other in a circle", [" -> ".join(cycle) for cycle in cycles(calls)])
guard.end()
