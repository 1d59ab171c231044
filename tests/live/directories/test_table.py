# SPDX-License-Identifier: Apache-2.0
"""The manual's tables against states.tsv, which the live tests are made from, both ways."""
import re

import pytest

from directories import states
from lab.outcomes import OUTCOMES, SOURCE

HEADER = ("State", "What it is", "Right password", "Proven", "Wrong password", "Status", "LDAP")
LEAST = {"openldap": 17, "openldap-lockout": 17, "openldap-netscape": 17, "samba": 10, "389ds": 18}


def manual():
    """{directory: {state: the row of the manual without its name and description}}"""
    text = (SOURCE / "docs/directories.md").read_text()
    tables = {}
    for directory, body in re.findall(r"^### [^\n]*\(`([^`]+)`\)\n(.*?)(?=^#|\Z)", text, re.M | re.S):
        lines = [tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
                 for line in body.splitlines() if line.startswith("|")]
        assert lines[0] == HEADER, f"{directory}: {lines[0]}"
        assert directory not in tables
        tables[directory] = {}
        for state, what, *cells in lines[2:]:
            assert what and state not in tables[directory], f"{directory}: {state}"
            tables[directory][state] = tuple(cells)
    return tables


def expected():
    """The same from states.tsv."""
    logins = {(row.directory, row.state, row.password): row for row in states.table()}
    nothing = states.Row("", "", "", "-", "-", "-", "-")
    tables = {}
    for directory, state, _ in logins:
        right, wrong = (logins.get((directory, state, password), nothing) for password in ("right", "wrong"))
        proven = {"proven": "yes", "unproven": "no", "-": "-"}[right.proven]
        tables.setdefault(directory, {})[state] = (right.outcome, proven, wrong.outcome,
                                                   f"{right.status} / {wrong.status}", f"{right.ldap} / {wrong.ldap}")
    return tables


def test_manual_and_table_agree():
    assert manual() == expected()


@pytest.mark.parametrize("directory", LEAST)
def test_no_state_is_lost(directory):
    assert len(expected()[directory]) >= LEAST[directory]


def test_no_directory_is_lost():
    assert set(expected()) == set(LEAST)


def test_rows_are_of_the_contract():
    """Outcomes exist; what a wrong password brings out is not proven; unproven is answered as a wrong password; a proven
    refusal as itself."""
    for row in states.table():
        assert row.outcome in OUTCOMES, row
        assert row.password == "right" or row.proven == "unproven", row
        assert (row.status == "401") == (row.proven == "unproven"), row
        assert row.proven == "unproven" or int(row.status) == states.status_when_all_is_told(row), row


def test_the_manual_names_every_outcome_of_an_account_that_a_directory_told():
    told = {row.outcome for row in states.table()}
    assert told >= {"granted", "password-expiring", "grace-login", "unknown-user", "ambiguous-user", "wrong-password",
                    "account-locked", "account-disabled", "account-expired", "password-expired",
                    "password-must-change", "logon-hours", "logon-host"}
