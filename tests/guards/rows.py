#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each row of the contract of authorization (tests/live/authorization/rows.tsv) has its tests, on the directories that it names; and no two
files of live tests share a name, as pytest, which imports them by it, would then run none. No unit test uses what cmocka 2 deprecates:
-Werror refuses it there."""

import ast
import re

from guard import Guard

TABLE = ("tests", "live", "authorization", "rows.tsv")
ROWS = 80
# A directory, and what a file of tests with a real one of it uses.
DIRECTORIES = {"OL": r"\b(Slapd|start_slapd|slapd)\b", "AD": r"\bSamba\b", "389": r"\b(Dirsrv|dirsrv)\b", "FK": r"\bFake\b", "-": r""}


def tests_of(text):
    """The functions of a file that pytest runs."""
    return {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def complaints(guard, number, directories, tests):
    texts = []
    for test in tests:
        file, _, name = test.partition("::")
        path = guard.source / "tests" / file
        if not path.is_file():
            yield f"row {number}: there is no tests/{file}"
            continue
        texts.append(path.read_text(encoding="utf-8"))
        if name and name not in tests_of(texts[-1]):
            yield f"row {number}: tests/{file} has no {name}"
        if not name and path.suffix == ".py":
            yield f"row {number}: {test} names no test"
    for directory in directories:
        if directory not in DIRECTORIES:
            yield f"row {number}: {directory} is no directory"
        elif not any(re.search(DIRECTORIES[directory], text) for text in texts):
            yield f"row {number}: no test has a real {directory}"


guard = Guard()
rows = [line.split("\t") for line in guard.text(*TABLE).splitlines() if line and not line.startswith("#")]
guard.floor("rows", rows, ROWS)
guard.check("each row has four columns", [f"{row}" for row in rows if len(row) != 4])
rows = [row for row in rows if len(row) == 4]
numbers = [row[0] for row in rows]
guard.check("each row is there once", [f"row {number}: {numbers.count(str(number))} times" for number in range(1, ROWS + 1)
                                       if numbers.count(str(number)) != 1])
guard.check("each row has tests on its directories",
            [problem for number, directories, _, tests in rows
             for problem in complaints(guard, number, directories.split(), tests.split())])
names = [path.name for path in guard.files(".py", below=["tests/live"]) if path.name.startswith("test_")]
guard.floor("files of live tests", names, 100)
guard.check("no two files of live tests share a name",
            [f"{name}: {names.count(name)} files" for name in sorted(set(names)) if names.count(name) > 1])
units = guard.files(".c", ".h", below=["tests/unit"])
guard.floor("files of unit tests", units, 50)
guard.check("no unit test uses a macro that cmocka 2 deprecates (within.h has another)",
            [f"{path.name}: {name}" for path in units for name in re.findall(r"\bassert_(?:not_)?in_(?:range|set)\b", path.read_text(encoding="utf-8"))])
guard.end()
