# SPDX-License-Identifier: Apache-2.0
"""AUTHENTICATE_*: an application sees all values of an attribute, from the directory and from the cache alike."""
from pathlib import Path

import pytest

from lab.slapd import Database

RIGHT = "Pw!right"
SITE = """
Use Login /in/x "ldap://127.0.0.1:${LDAP}" o=values
<Location /in/x>
    AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=values?uid,mail,cn"
    Header always set X-Values "%{AUTHENTICATE_UID}e|%{AUTHENTICATE_MAIL}e|%{AUTHENTICATE_CN}e"
</Location>
Use Login /in/remote "ldap://127.0.0.1:${LDAP}" o=values
<Location /in/remote>
    AuthLDAPRemoteUserAttribute mail
</Location>
"""


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=values", Path(__file__).parent / "people.ldif"))


@pytest.fixture(scope="module")
def site(start, slapd):
    return start(SITE, defines={"LDAP": slapd.port}, modules=("socache_shmcb",), cache="shmcb")


@pytest.mark.parametrize("user, values", [
    ("ann", 'ann|ann@lab.test; "a; b"@lab.test; ann@example.org|Ann'),
    ("bob", "bob||Bob"),
])
def test_all_values(site, slapd, user, values):
    for searches in (1, 0, 0):
        mark = slapd.mark()
        answer = site.get("/in/x", login=(user, RIGHT))
        assert answer.status == 200 and slapd.operations(mark)["searches"] == searches
        assert answer.header("X-Values").replace("(null)", "") == values


def test_a_user_has_one_name(site):
    """AuthLDAPRemoteUserAttribute: the first value, not a list of them."""
    for _ in range(2):
        answer = site.get("/in/remote", login=("ann", RIGHT))
        assert answer.status == 200 and site.access(answer).user == "ann@lab.test"
