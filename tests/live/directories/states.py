# SPDX-License-Identifier: Apache-2.0
"""The table of states, and a login as each of its rows says. A state has an account for each setting of
AuthStatusDisclose, and one for authstatus-explain, so that no login of one row changes what another row finds: NAME.proven,
NAME.always and NAME.explained."""
from collections import namedtuple
from pathlib import Path

import pytest

from lab.verify import verify

HERE = Path(__file__).parent
PASSWORDS = {"right": "Pw!right", "wrong": "Pw!wrong"}
DISCLOSE = ("proven", "always")
ACCOUNTS = (*DISCLOSE, "explained")
COLUMNS = ("directory", "state", "password", "outcome", "proven", "status", "ldap")
GRANTED = ("granted", "grace-login", "password-expiring")
UNAUTHENTICATED = ("wrong-password", "unknown-user", "ambiguous-user")

Row = namedtuple("Row", COLUMNS)


def table():
    lines = [line for line in (HERE / "states.tsv").read_text().splitlines() if not line.startswith("#")]
    if tuple(lines[0].split("\t")) != COLUMNS:
        raise RuntimeError(f"states.tsv has the columns {lines[0]}")
    rows = [Row(*line.split("\t")) for line in lines[1:]]
    wrong = [row for row in rows if row.proven not in ("proven", "unproven") or row.password not in PASSWORDS]
    logins = [(row.directory, row.state, row.password) for row in rows]
    if wrong or len(set(logins)) != len(logins):
        raise RuntimeError(f"states.tsv: {wrong}, or a login that is there twice")
    return rows


def rows(*directories):
    """pytest parameters."""
    found = [row for row in table() if row.directory in directories]
    if {row.directory for row in found} != set(directories):
        raise RuntimeError(f"states.tsv does not have all of {directories}")
    return pytest.mark.parametrize("row", found, ids=lambda row: f"{row.directory}-{row.state}-{row.password}")


def names(*directories):
    """The states of these directories that are in the table and need an account."""
    return list(dict.fromkeys(row.state for row in table()
                              if row.directory in directories and row.state != "unknown"))


def login(site, row, disclose):
    path = f"/in/{row.directory}" + ("/always" if disclose == "always" else "")
    return site.get(path, login=(f"{row.state}.{disclose}", PASSWORDS[row.password]))


def status_when_all_is_told(row):
    if row.outcome in GRANTED:
        return 200
    return 401 if row.outcome in UNAUTHENTICATED else 403


def check_proven(site, row):
    """Told is what the password has proven; the rest is a wrong password to the last octet."""
    answer = login(site, row, "proven")
    verify(site, answer, row.outcome, int(row.status), ldap=row.ldap, user=f"{row.state}.proven")
    if row.proven == "proven":
        assert answer.status == status_when_all_is_told(row)
        assert answer.variables()["outcome"] == row.outcome
        return
    site.log.allow("AS0015", "AH01617")
    wrong = site.get(f"/in/{row.directory}", login=("good.proven", PASSWORDS["wrong"]))
    assert wrong.status == answer.status == 401
    assert answer.comparable() == wrong.comparable()
    assert answer.variables() == {"outcome": "wrong-password", "status": "401"}


def check_always(site, row):
    answer = login(site, row, "always")
    verify(site, answer, row.outcome, status_when_all_is_told(row), ldap=row.ldap, user=f"{row.state}.always")
    told = answer.variables()
    code, _, subcode = row.ldap.partition("/")
    assert told["outcome"] == row.outcome and told["status"] == str(answer.status)
    assert (told.get("code"), told.get("subcode", "")) == (code, subcode)


def check_explained(explain, row):
    """authstatus-explain comes to the same: `explain` runs it for (user, password)."""
    story = explain(f"{row.state}.explained", PASSWORDS[row.password])
    assert (story["outcome"], story["ldap"], story["proven"], story["status"]) == \
        (row.outcome, row.ldap, row.proven == "proven", int(row.status) if int(row.status) != 200 else 0), story
    assert all(step["ok"] for step in story["steps"][:-1])
    last = story["steps"][-1]
    assert last["step"] == ("search" if row.outcome in ("unknown-user", "ambiguous-user") else "user-bind")
    assert all(control["name"] for control in last["controls"]), last


def dump(start, conf):
    """What httpd -t -D DUMP_AUTHSTATUS says of a configuration."""
    httpd = start.make(conf, cache=None)
    done = httpd.run("-t", "-D", "DUMP_AUTHSTATUS")
    assert done.returncode == 0 and "Syntax OK" in done.stderr and "Pw!" not in done.stdout, done
    return done.stdout
