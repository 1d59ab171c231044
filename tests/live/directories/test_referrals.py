# SPDX-License-Identifier: Apache-2.0
"""LDAPReferrals: one real slapd that refers to another (RFC 3296), for a part of the tree and for all queries."""
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

import ldap
import pytest
from ldap.controls.simple import ManageDSAITControl

from lab.process import reserve_port
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
SUFFIX = "o=refer"
ROOT = f"cn=root,{SUFFIX}"
SECTION = """
<Location "/in/{name}">
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider authstatus
    AuthLDAPURL "ldap://127.0.0.1:${{HERE{mode}}}/{base}?uid" {mode}
    AuthLDAPBindDN "cn=service,o=refer"
    AuthLDAPBindPassword "Pw!service"
    LDAPReferrals {referrals}
    AuthStatusUniformTiming {uniform}
    AuthStatus On
    Require valid-user
</Location>
"""
SECTIONS = (  # name, base, mode, referrals, uniform
    ("on", SUFFIX, "", "On", "Off"),
    ("uniform", SUFFIX, "", "On", "On"),
    ("off", SUFFIX, "", "Off", "On"),
    ("default", SUFFIX, "", "default", "On"),
    ("base", f"ou=there,{SUFFIX}", "", "On", "On"),
    ("base-off", f"ou=there,{SUFFIX}", "", "Off", "On"),
    ("starttls", SUFFIX, "STARTTLS", "On", "Off"),
    ("ssl", SUFFIX, "SSL", "On", "Off"),
)


@pytest.fixture(scope="module")
def there(start_slapd):
    return start_slapd(Database(SUFFIX, HERE / "referrals-there.ldif", (f'rootdn "{ROOT}"', "rootpw Pw!service")))


@pytest.fixture(scope="module")
def here(start_slapd, authority, good_certificate):
    return start_slapd(Database(SUFFIX, HERE / "referrals-here.ldif", (f'rootdn "{ROOT}"', "rootpw Pw!service")),
                       tls=good_certificate, authority=authority)


@pytest.fixture(scope="module")
def site(start, here, authority):
    keys = "name base mode referrals uniform".split()
    return start(f"LogLevel warn authstatus:debug\nLDAPTrustedGlobalCert CA_BASE64 {authority.cert}\n"
                 + "".join(SECTION.format(**dict(zip(keys, row))) for row in SECTIONS),
                 defines={"HERE": here.port, "HERESTARTTLS": here.port, "HERESSL": here.tls_port})


@contextmanager
def referring(slapd, **references):
    """While it lasts the slapd refers for ou=NAME to these URLs. A name may say where: ou__there is ou=...,ou=there."""
    connection = slapd.client(ROOT)
    names = []
    for name, urls in references.items():
        dn = ",".join(f"ou={part}" for part in name.split("__")) + f",{SUFFIX}"
        connection.add_ext_s(dn, [("objectClass", [b"referral", b"extensibleObject"]), ("ou", [name.split("__")[0].encode()]),
                                  ("ref", [url.encode() for url in urls])], serverctrls=[ManageDSAITControl()])
        names.append(dn)
    try:
        yield
    finally:
        for dn in names:
            connection.delete_ext_s(dn, serverctrls=[ManageDSAITControl()])
        connection.unbind_s()


def to(slapd, base=f"ou=there,{SUFFIX}", host="127.0.0.1", scheme="ldap"):
    return f"{scheme}://{host}:{slapd.port}/{base}"


Row = namedtuple("Row", "path user password outcome status")
ROWS = [
    Row("on", "bob", RIGHT, "granted", 200),
    Row("on", "bob", WRONG, "wrong-password", 401),
    Row("on", "nobody", RIGHT, "unknown-user", 401),
    Row("uniform", "bob", RIGHT, "granted", 200),
    Row("uniform", "bob", WRONG, "wrong-password", 401),
    Row("uniform", "nobody", RIGHT, "unknown-user", 401),
    # What the directory has itself is the user; nobody else is asked.
    Row("on", "ann", RIGHT, "granted", 200),
    Row("on", "both", RIGHT, "granted", 200),
    # The whole base is elsewhere: the result itself is a referral.
    Row("base", "bob", RIGHT, "granted", 200),
    Row("base", "bob", WRONG, "wrong-password", 401),
    Row("base", "nobody", RIGHT, "unknown-user", 401),
    Row("base-off", "bob", RIGHT, "directory-misconfigured", 500),
    # What is not followed is not there.
    Row("off", "bob", RIGHT, "unknown-user", 401),
    Row("default", "bob", RIGHT, "unknown-user", 401),
    Row("off", "ann", RIGHT, "granted", 200),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.path}-{row.user}-{row.outcome}" for row in ROWS])
def test_one_part_is_elsewhere(site, here, there, row):
    marks = here.mark(), there.mark()
    with referring(here, there=[to(there)]):
        verify(site, site.get(f"/in/{row.path}/", login=(row.user, row.password)), row.outcome, row.status)
    queried = there.operations(marks[1])
    if row.user in ("ann", "both") or row.path in ("off", "default", "base-off"):
        assert queried["searches"] == queried["user_binds"] == 0, queried
    else:
        assert queried["searches"] == 1 and queried["user_binds"] == (row.user == "bob"), queried
    if row.user == "bob":
        assert f'BIND dn="uid=bob' not in "\n".join(here.lines(marks[0])), "the password is for the one who has the entry"


@pytest.mark.parametrize("uniform", ["On", "Off"])
def test_the_place_of_an_entry_elsewhere_is_not_kept(start, here, there, uniform):
    """The first server has no such entry, and refuses a bind as it: after a wrong password, and at the next login, it is searched anew."""
    httpd = start("AuthStatusCacheTime 1ms 60s\n" + SECTION.format(name="kept", base=SUFFIX, mode="", referrals="On", uniform=uniform),
                  defines={"HERE": here.port}, cache="shmcb", modules=("socache_shmcb",))
    httpd.log.allow("AH0161[78]")
    with referring(here, there=[to(there)]):
        assert httpd.get("/in/kept/", login=("bob", WRONG)).status == 401
        for _ in range(3):
            assert httpd.get("/in/kept/", login=("bob", RIGHT)).status == 200
    httpd.stop()


def test_several_urls_are_one_place(site, here, there):
    """RFC 4511 4.5.3: any of them will do. They lead to the same entry, so it is no second one."""
    with referring(here, there=[to(there), to(there, host="localhost")]):
        verify(site, site.get("/in/on/", login=("bob", RIGHT)), "granted", 200)
        verify(site, site.get("/in/on/", login=("nobody", RIGHT)), "unknown-user", 401)


def test_two_entries_are_ambiguous(site, here, there):
    with referring(here, there=[to(there)], more=[to(there, f"ou=more,{SUFFIX}")]):
        verify(site, site.get("/in/on/", login=("twice", RIGHT)), "ambiguous-user", 401)
        verify(site, site.get("/in/on/", login=("bob", RIGHT)), "granted", 200)


def test_a_circle_ends(site, here, there):
    with referring(here, there=[to(there)]), referring(there, back__there=[to(here, SUFFIX)]):
        mark = here.mark()
        verify(site, site.get("/in/on/", login=("bob", RIGHT)), "granted", 200)
        verify(site, site.get("/in/on/", login=("nobody", RIGHT)), "unknown-user", 401)
        assert here.operations(mark)["searches"] < 60


def test_one_who_does_not_answer_is_an_outage(site, here, there):
    """He may have the user. Who is found is found all the same."""
    with referring(here, there=[to(there)], more=[f"ldap://127.0.0.1:{reserve_port()}/ou=more,{SUFFIX}"]):
        verify(site, site.get("/in/on/", login=("bob", RIGHT)), "granted", 200)
        verify(site, site.get("/in/on/", login=("nobody", RIGHT)), "directory-down", 503)


def test_what_leads_nowhere_is_left_out(site, here, there):
    """Another protocol, an extension that is critical, no host."""
    with referring(here, there=[to(there)], more=["http://127.0.0.1/", f"{to(there)}????!x=y", f"ldap:///ou=more,{SUFFIX}"]):
        verify(site, site.get("/in/on/", login=("bob", RIGHT)), "granted", 200)
        verify(site, site.get("/in/on/", login=("nobody", RIGHT)), "unknown-user", 401)


def test_service_account_is_unknown_there(site, here, there):
    connection = there.client(ROOT)
    connection.modify_s(f"cn=service,{SUFFIX}", [(ldap.MOD_REPLACE, "userPassword", [b"Pw!other"])])
    try:
        with referring(here, there=[to(there)]):
            verify(site, site.get("/in/on/", login=("bob", RIGHT)), "service-account-refused", 500)
    finally:
        connection.modify_s(f"cn=service,{SUFFIX}", [(ldap.MOD_REPLACE, "userPassword", [b"Pw!service"])])


@pytest.mark.parametrize("mode", ["starttls", "ssl"])
def test_no_less_security(site, here, there, mode):
    """Asked over TLS, it leads to one that has none: no password goes there, not even the service account's."""
    mark = there.mark()
    with referring(here, there=[to(there)]):
        verify(site, site.get(f"/in/{mode}/", login=("ann", RIGHT)), "granted", 200)
        verify(site, site.get(f"/in/{mode}/", login=("bob", RIGHT)), "tls-failed", 500)
    queried = there.operations(mark)
    assert queried["service_binds"] == queried["user_binds"] == queried["searches"] == 0, queried
