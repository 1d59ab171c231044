#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every line of ours in the error log has a tag (AS0015), and no two kinds of line share one."""

import re
from collections import defaultdict

from guard import Guard, outcome_table, without_comments

guard = Guard()
places = defaultdict(list)
untagged = []
for path in guard.code():
    code = without_comments(path.read_text())
    for number, line in enumerate(code.splitlines(), 1):
        for tag in re.findall(r"\bAS\d{4}\b", line):
            places[tag].append(f"{guard.name(path)}:{number}")
    # A logging call's format is the first string after its arguments; a tag that is an argument ("%s: ") is fine too.
    for call in re.finditer(r'\bap_log_(?:r|c|)?error\((?:[^";]|\n)*?APLOG_MARK[^"]*?"([^"]*)"', code):
        if not re.match(r"AS\d{4}: |%s", call.group(1)):
            untagged.append(f"{guard.name(path)}:{code.count(chr(10), 0, call.start()) + 1}: {call.group(1)!r}")

_, outcomes = outcome_table(guard)
guard.floor("tags", places, 29)
guard.check("no tag is used twice", sorted(f"{tag}: {', '.join(used)}" for tag, used in places.items() if len(used) > 1))
guard.check(
    "each outcome's tag is one",
    sorted(f"{name}: {tag}" for name, (_, tag) in outcomes.items() if not re.fullmatch(r"AS\d{4}", tag)),
)
guard.check("each line in the log begins with its tag", untagged)
guard.end()
