#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every line of ours in the error log has a tag (AS0015) of the register, tag.def; no two kinds of line share one, and one
that is retired does not come back."""

import re

from guard import Guard, outcome_table, table, without_comments

guard = Guard()
_, outcomes = outcome_table(guard)
guard.text("include", "authstatus", "tag.def")
used, retired = table.tags(guard.source)
numbers = [one.tag for one in used + retired]
own = [one.tag for one in used][len(outcomes) :]

literals = []
calls = []
logged = []
for path in guard.code():
    code = without_comments(path.read_text())
    name = guard.name(path)
    for number, line in enumerate(code.splitlines(), 1):
        literals += [f"{name}:{number}: {tag}" for tag in re.findall(r"\bAS\d{4}\b", line)]
    # The one line that has its tag from a variable is that of an outcome.
    for call in re.finditer(r'\bap_log_\w*error\((?:[^";]|\n)*?APLOG_MARK([^"]*?)"([^"]*)"([^;]*)', code):
        if not ("outcome->tag" in call.group(3) and call.group(2).startswith("%s: ")):
            calls.append(f"{name}:{code.count(chr(10), 0, call.start()) + 1}: {call.group(2)!r}")
    if not path.name == "log_tags.h":
        logged += [f"AS{number}" for number in re.findall(r"\bAS_LOG_(?:REQUEST|SERVER)\((\d{4}),", code)]

guard.floor("tags", used, 45)
guard.check("no tag is there twice", sorted({f"{tag}: it is" for tag in numbers if numbers.count(tag) > 1}))
guard.check("each tag has four digits", sorted(tag for tag in numbers if not re.fullmatch(r"AS\d{4}", tag)))
guard.check("the register is in order", [f"{one} stands before {two}" for one, two in zip(own, own[1:]) if one > two])
guard.check("no tag is written elsewhere than in the register", literals)
guard.check("each line in the log is one of the register: AS_LOG_REQUEST or AS_LOG_SERVER", calls)
guard.check("each tag is logged, or is retired", sorted(set(own) - set(logged)))
known = {one.tag for one in used}
mentioned = [
    (guard.name(path), tag)
    for path in [guard.source / "README", *guard.files(".md", ".7", ".8", ".json", ".conf", ".py", below=["docs", "tests/live"])]
    for tag in re.findall(r"\bAS\d{4}\b", path.read_text(encoding="utf-8"))
    if guard.name(path) != "docs/log-tags.md"
]
guard.floor("tags in documents and tests", mentioned, 20)
guard.check(
    "documents and tests name tags that are used",
    sorted({f"{name}: {tag} is not" for name, tag in mentioned if tag not in known}),
)
guard.end()
