# SPDX-License-Identifier: Apache-2.0
"""The core rows under each MPM, with mod_ldap and mod_authnz_ldap loaded and without."""
from pathlib import Path

import pytest

from lab.httpd import MPMS
from lab.process import reserve_port
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
SITE = """LogLevel warn authstatus:trace8
Use Login /in/proven "ldap://127.0.0.1:${LDAP}" o=core
Use Login /in/always "ldap://127.0.0.1:${LDAP}" o=core
<Location /in/always>
    AuthStatusDisclose Always
</Location>
Use Login /in/group "ldap://127.0.0.1:${LDAP}" o=core
<Location /in/group>
    Require user nobody
</Location>
Use Login /in/gone "ldap://127.0.0.1:${NOBODY}" o=core
Use Login /in/bad "ldap://127.0.0.1:${LDAP}" o=core
<Location /in/bad>
    AuthLDAPBindPassword Pw!other
</Location>
"""
ROWS = [
    ("proven", ("ann", RIGHT), "granted", 200),
    ("proven", ("ann", WRONG), "wrong-password", 401),
    ("proven", None, "no-credentials", 401),
    ("proven", ("ann", ""), "empty-password", 401),
    ("proven", ("nobody", RIGHT), "unknown-user", 401),
    ("proven", ("locked", RIGHT), "account-locked", 401),
    ("always", ("locked", RIGHT), "account-locked", 403),
    ("proven", ("expired", RIGHT), "password-expired", 403),
    ("group", ("ann", RIGHT), "not-authorized", 403),
    ("gone", ("ann", RIGHT), "directory-down", 503),
    ("bad", ("ann", RIGHT), "service-account-refused", 500),
]


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=core", HERE / "people.ldif", ("ppolicy_use_lockout",)))


@pytest.fixture(scope="module", params=[(mpm, ldap) for mpm in MPMS for ldap in (False, True)],
                ids=lambda param: param[0] + ("-beside-mod_ldap" if param[1] else "-alone"))
def site(request, start, slapd):
    mpm, ldap = request.param
    return start(SITE, mpm=mpm, ldap=ldap, defines={"LDAP": slapd.port, "NOBODY": reserve_port()})


@pytest.mark.parametrize("path, login, outcome, status", ROWS, ids=[f"{row[0]}-{row[2]}" for row in ROWS])
def test_core(site, path, login, outcome, status):
    site.log.allow("AH01631")
    for _ in range(3):
        verify(site, site.get(f"/in/{path}", login=login), outcome, status)


def test_graceful_restart_and_stop(site, slapd):
    site.reload()
    verify(site, site.get("/in/proven", login=("ann", RIGHT)), "granted", 200)
    site.stop()
    site.start()
    verify(site, site.get("/in/proven", login=("ann", RIGHT)), "granted", 200)
