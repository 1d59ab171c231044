# SPDX-License-Identifier: Apache-2.0
"""Known, and not allowed: 403 and no dialog, with any provider and any Require that says no."""
import base64
import hashlib
import sqlite3
from pathlib import Path

import pytest

from lab.fake import Fake, hang
from lab.httpd import SLACK, has_module
from lab.process import reserve_port
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
HASH = "{SHA}" + base64.b64encode(hashlib.sha1(RIGHT.encode()).digest()).decode()

PLAIN = ["user", "group", "expr", "all", "none", "limited"]
LDAP = ["ldap-user", "ldap-group", "ldap-dn", "ldap-attribute", "ldap-filter"]
SQLITE = has_module("authn_dbd") and any(
    Path(workdir).glob("apr_dbd_sqlite3*.so") for workdir in
    ("/usr/lib/x86_64-linux-gnu/apr-util-1", "/usr/lib/aarch64-linux-gnu/apr-util-1", "/usr/lib64/apr-util-1"))
PROVIDERS = ["authstatus", "file", "ldap", pytest.param("dbd", marks=pytest.mark.skipif(
    not SQLITE, reason="provider dbd: needs mod_authn_dbd and libaprutil1-dbd-sqlite3"))]


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=authz", HERE / "people.ldif"))


@pytest.fixture(scope="module")
def hanging():
    fake = Fake({"accept": hang})
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def site(start, slapd, hanging):
    httpd = start.make(HERE / "site.conf", ldap=True, modules=("authz_groupfile", "dbd", "authn_dbd"),
                       defines={"LDAP": slapd.port, "NOBODY": reserve_port(), "HANGING": hanging.port})
    (httpd.workdir / "users").write_text(f"ann:{HASH}\nbob:{HASH}\n")
    (httpd.workdir / "groups").write_text("staff: ann\n")
    with sqlite3.connect(httpd.workdir / "users.db") as database:
        database.execute("CREATE TABLE users (user TEXT, password TEXT)")
        database.executemany("INSERT INTO users VALUES (?, ?)", [("ann", HASH), ("bob", HASH)])
    return httpd.start()


@pytest.mark.parametrize("require", PLAIN + LDAP)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_require(site, provider, require):
    path = f"/in/{provider}/{require}"
    verify(site, site.get(path, login=("ann", RIGHT)), "granted", 200, user="ann")
    site.log.expect("AH01631|AH01629")
    verify(site, site.get(path, login=("bob", RIGHT)), "not-authorized", 403, user="bob")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_wrong_password(site, provider):
    outcome = "wrong-password" if provider == "authstatus" else "denied"
    for password in (WRONG, RIGHT):
        user = "ann" if password == WRONG else "nobody"
        if user == "nobody" and provider == "authstatus":
            outcome = "unknown-user"
        verify(site, site.get(f"/in/{provider}/user", login=(user, password)), outcome, 401, user=user)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_nobody_sent_anything(site, provider):
    verify(site, site.get(f"/in/{provider}/user"), "no-credentials", 401)
    verify(site, site.get(f"/in/{provider}/ldap-group"), "no-credentials", 401)


@pytest.mark.parametrize("require", LDAP)
@pytest.mark.parametrize("user", ["ann", "bob"])
def test_the_directory_is_gone(site, require, user):
    site.log.allow("AS0050")
    answer = site.get(f"/in/gone/{require}", login=(user, RIGHT))
    verify(site, answer, "directory-down", 503, user=user)
    assert not any("AH01631" in line.text for line in site.log.of(answer.row)), "nobody was refused"


@pytest.mark.parametrize("require", ["ldap-group"])
def test_the_directory_hangs(site, require):
    """The deadline is that of the section, 1 s."""
    site.log.expect("AS0051")
    answer = site.get(f"/in/hanging/{require}", login=("bob", RIGHT))
    verify(site, answer, "directory-timeout", 503)
    assert answer.seconds < 1 + SLACK


@pytest.mark.parametrize("require", PLAIN)
def test_a_directory_that_is_not_asked_may_be_gone(site, require):
    verify(site, site.get(f"/in/gone/{require}", login=("ann", RIGHT)), "granted", 200)
    site.log.expect("AH01631|AH01629")
    verify(site, site.get(f"/in/gone/{require}", login=("bob", RIGHT)), "not-authorized", 403)


@pytest.mark.parametrize("require", LDAP)
def test_renamed(site, require):
    path = f"/in/renamed/{require}"
    assert verify(site, site.get(path, login=("ann", RIGHT)), "granted", 200).user == "ann@lab.test"
    site.log.expect("AH01631|AH01629")
    verify(site, site.get(path, login=("bob", RIGHT)), "not-authorized", 403)


def test_forbidden_on_failure(site):
    site.log.expect("AH01631|AH01629")
    verify(site, site.get("/in/forbidden-on-failure", login=("bob", RIGHT)), "not-authorized", 403)


def test_mapped(site):
    site.log.expect("AH01631|AH01629")
    verify(site, site.get("/in/mapped/user", login=("bob", RIGHT)), "not-authorized", 404)
    verify(site, site.get("/in/mapped/user", login=("ann", RIGHT)), "granted", 200)
