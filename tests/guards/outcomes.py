#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Outcomes against the manual, both ways.

docs/reference.md has a row for each outcome of outcome.def: a line that begins with its name, then at least two blanks or a bar,
then the status it has by default; a dash for an outcome that grants. A row of a whole class may be there too.
"""

import re

from guard import Guard, outcome_table, table, without_comments

ROW = re.compile(r"^\s*\|?\s*[*`]*([a-z]+(?:-[a-z]+)*)[*`]*(?:\s*\|\s*|\s{2,}|\t\s*)(\d{3}|-)(?=[\s|]|$)", re.MULTILINE)

guard = Guard()
classes, outcomes = outcome_table(guard)
rows = ROW.findall(guard.text("docs", "reference.md"))
documented = {name: status for name, status in rows}

expected = {name: status for name, status in classes.values()}
expected.update({name: classes[class_id][1] for name, (class_id, _) in outcomes.items()})

guard.floor("rows of outcomes in docs/reference.md", documented, 29)
guard.check("each outcome has a row", sorted(f"{name} has none" for name in outcomes if name not in documented))
code = "\n".join(without_comments(path.read_text()) for path in guard.files(".c", below=["src"]))
tests = "\n".join(path.read_text() for path in guard.files(".py", ".c", ".tsv", below=["tests/live", "tests/unit"]))
identifiers = {one.name: one.id for one in table.outcomes(guard.source)}
guard.check(
    "each outcome is found by the code",
    sorted(f"{name}: AS_OUTCOME_{one} is nowhere" for name, one in identifiers.items() if not re.search(rf"\bAS_OUTCOME_{one}\b", code)),
)
guard.check(
    "each outcome is in a test",
    sorted(f"{name} is in none" for name, one in identifiers.items() if not re.search(rf"(?<![\w-]){name}(?![\w-])|\b(?:AS_OUTCOME_)?{one}\b", tests)),
)
guard.check("each row is of an outcome or a class", sorted(f"{name} is neither" for name in documented if name not in expected))
guard.check("no outcome has two statuses", sorted({f"{name} has" for name, status in rows if documented[name] != status}))
guard.check(
    "each row has the default status",
    sorted(
        f"{name}: docs/reference.md says {status}, outcome.def {expected[name]}"
        for name, status in documented.items()
        if name in expected and (0 if status == "-" else int(status)) != expected[name]
    ),
)
guard.end()
