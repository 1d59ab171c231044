# SPDX-License-Identifier: Apache-2.0
"""The one table of outcomes, as the module has it: for tags and levels. What an outcome is and which status it gets
is written in the tests' own rows, from the contract."""
import os
import re
import sys
from collections import namedtuple
from pathlib import Path

SOURCE = Path(os.environ.get("AUTHSTATUS_SOURCE", Path(__file__).resolve().parents[3]))
sys.path.insert(0, str(SOURCE / "tests"))
import table  # noqa: E402, F401: other tables of the source

Outcome = namedtuple("Outcome", "name of tag level sentence")


def _read():
    text = (SOURCE / "include/authstatus/outcome.def").read_text()
    rows = re.findall(r'^AS_OUTCOME\(\w+, "([^"]+)", (\w+), "(AS\d{4})", (\w+),\s*"([^"]+)"\)', text, re.M)
    table = {row[0]: Outcome(*row) for row in rows}
    classes = re.findall(r'^AS_CLASS\(\w+, "([^"]+)"', text, re.M)
    if len(table) < 29 or len(classes) < 7 or text.count("\nAS_OUTCOME(") != len(table):
        raise RuntimeError(f"outcome.def: read {len(table)} outcomes and {len(classes)} classes")
    return table, classes


OUTCOMES, CLASSES = _read()
TAGS = {outcome.tag: outcome.name for outcome in OUTCOMES.values()}
