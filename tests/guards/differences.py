#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/hiding-a-tree.md, "Remaining differences": each row has its test in tests/live/masking/test_differences.py, and each test its row."""

import re

from guard import Guard

TABLE = "docs/hiding-a-tree.md"
TESTS = "tests/live/masking/test_differences.py"

guard = Guard()
rows = re.findall(r"^\| (?!what \||---)(.+?) \| ", guard.text(TABLE).split("## Remaining differences")[-1], re.MULTILINE)
tests = guard.text(TESTS)
table = re.search(r"^SHOWN = \{\n(.*?)^\}", tests, re.MULTILINE | re.DOTALL)
shown = dict(re.findall(r'"([^"]+)": (\w+)', table[1] if table else ""))
functions = set(re.findall(r"^def (\w+)\(site\):", tests, re.MULTILINE))

guard.floor("rows of the remaining differences", rows, 15)
guard.check(
    "each row has one test",
    [f"{TABLE}: {row[:60]!r} has {count} in {TESTS}" for row in rows if (count := sum(row.startswith(begin) for begin in shown)) != 1],
)
guard.check(
    "each test has a row",
    [f"{TESTS}: {begin!r} is no row" for begin in shown if not any(row.startswith(begin) for row in rows)],
)
guard.check("each test is there", [f"{TESTS}: {name} is not" for name in shown.values() if name not in functions])
guard.end()
