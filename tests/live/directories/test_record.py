# SPDX-License-Identifier: Apache-2.0
"""The recorder of tests/unit/directory-answers.tsv finds again what is recorded there."""
import subprocess
import sys
from pathlib import Path

from lab.outcomes import SOURCE

RECORD = Path(__file__).parent / "record"
# State here, state in the recorded table.
ROWS = {"good": "good", "expired": "expired, no grace", "must-change": "must change (pwdReset)",
        "locked-by-administrator": "admin lock 000001010000Z"}


def test_the_lab_is_recorded_as_ever():
    done = subprocess.run([sys.executable, RECORD, "--lab"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    recorded = [line.split("\t") for line in (SOURCE / "tests/unit/directory-answers.tsv").read_text().splitlines()
                if not line.startswith("#")]
    assert lines[0] == recorded[0] and len(lines) > 150
    compared = 0
    for state, known in ROWS.items():
        for kind in ("right", "wrong"):
            for requested in ("0", "1"):
                wanted = [row[4:] for row in recorded if row[:4] == ["openldap", f"{known} [use_lockout=on]", kind, requested]]
                found = [row[4:] for row in lines if row[:4] == ["openldap-lockout", state, kind, requested]]
                compared += len(wanted)
                assert not wanted or found == wanted, (state, kind, requested)
    assert compared >= 12


def test_accounts_that_are_none(tmp_path):
    accounts = tmp_path / "accounts.tsv"
    accounts.write_text("good\tuid=x\n")
    done = subprocess.run([sys.executable, RECORD, "x", "ldap://127.0.0.1:1", accounts], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode != 0 and "a line is a state" in done.stderr
