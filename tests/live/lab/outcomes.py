# SPDX-License-Identifier: Apache-2.0
"""The one table of outcomes, as the module has it: for tags and levels. What an outcome is and which status it gets
is written in the tests' own rows, from the contract."""
import os
import sys
from pathlib import Path

SOURCE = Path(os.environ.get("AUTHSTATUS_SOURCE", Path(__file__).resolve().parents[3]))
sys.path.insert(0, str(SOURCE / "tests"))
import table  # noqa: E402


def _read():
    found = {one.name: one for one in table.outcomes(SOURCE)}
    classes = [one.name for one in table.classes(SOURCE)]
    if len(found) < 29 or len(classes) < 7:
        raise RuntimeError(f"outcome.def: read {len(found)} outcomes and {len(classes)} classes")
    return found, classes


OUTCOMES, CLASSES = _read()
TAGS = {outcome.tag: outcome.name for outcome in OUTCOMES.values()}
