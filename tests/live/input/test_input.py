# SPDX-License-Identifier: Apache-2.0
"""Credentials that are not, user names that bite, and directories that the administrator described wrong."""
import base64
from pathlib import Path

import pytest

from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=names", HERE / "people.ldif"))


@pytest.fixture(scope="module")
def site(start, slapd):
    return start(HERE / "site.conf", defines={"LDAP": slapd.port})


def encoded(octets):
    return b"Basic " + base64.b64encode(octets)


# -- Authorization ----------------------------------------------------------------------------------------------------

HEADERS = [
    # header, outcome
    ("no value", b"Basic", "no-credentials"),
    ("blank value", b"Basic ", "no-credentials"),
    ("empty", b"", "no-credentials"),
    ("another scheme", b"Bearer abcdef", "no-credentials"),
    ("a scheme that begins alike", b"Basically YTpi", "no-credentials"),
    ("not base64", b"Basic !!!!", "malformed-credentials"),
    ("base64 and more", encoded(b"alice:Pw!right") + b" x", "malformed-credentials"),
    ("base64 cut short", b"Basic YWxpY2U6U", "malformed-credentials"),
    ("padding within", b"Basic YWxp=Y2U6UHchcmlnaHQ=", "malformed-credentials"),
    ("8-bit octets", b"Basic \xe4\xf6\xfc", "malformed-credentials"),
    ("no colon", encoded(b"alice"), "malformed-credentials"),
    ("nothing but a colon", encoded(b":"), "malformed-credentials"),
    ("no user", encoded(b":Pw!right"), "malformed-credentials"),
    ("newline in user", encoded(b"ali\nce:Pw!right"), "malformed-credentials"),
    ("tab in user", encoded(b"ali\tce:Pw!right"), "malformed-credentials"),
    ("escape in user", encoded(b"\x1b[31malice:Pw!right"), "malformed-credentials"),
    ("DEL in user", encoded(b"alice\x7f:Pw!right"), "malformed-credentials"),
    ("control in password", encoded(b"alice:Pw!right\x01"), "malformed-credentials"),
    ("newline behind the password", encoded(b"alice:Pw!right\n"), "malformed-credentials"),
    ("NUL in user", encoded(b"alice\0x:Pw!right"), "malformed-credentials"),
    ("NUL before the colon", encoded(b"alice\0:Pw!right"), "malformed-credentials"),
    ("NUL in password", encoded(b"alice:Pw!right\0x"), "malformed-credentials"),
    ("NUL alone", encoded(b"\0"), "malformed-credentials"),
    ("Latin-1", encoded(b"j\xfcrgen:Pw!right"), "malformed-credentials"),
    ("over-long slash", encoded(b"a\xc0\xaf:Pw!right"), "malformed-credentials"),
    ("surrogate", encoded(b"a\xed\xa0\x80:Pw!right"), "malformed-credentials"),
    ("beyond U+10FFFF", encoded(b"a\xf4\x90\x80\x80:Pw!right"), "malformed-credentials"),
    ("cut UTF-8", encoded(b"alice:Pw!\xe2\x98"), "malformed-credentials"),
    ("no password", encoded(b"alice:"), "empty-password"),
    ("8 KiB of no base64", b"Basic " + b"!" * 8000, "malformed-credentials"),
    ("8 KiB of no colon", encoded(b"a" * 5900), "malformed-credentials"),
    ("8 KiB of user", encoded(b"u" * 5900 + b":Pw!right"), "unknown-user"),
    ("8 KiB of stars", encoded(b"*" * 5900 + b":Pw!right"), "unknown-user"),
    ("8 KiB of password", encoded(b"alice:Pw!" + b"w" * 5900), "wrong-password"),
    ("8 KiB of colons", encoded(b"alice:" + b":" * 5900), "wrong-password"),
]


@pytest.mark.parametrize("header, outcome", [row[1:] for row in HEADERS], ids=[row[0].replace(" ", "-") for row in HEADERS])
def test_header(site, slapd, header, outcome):
    mark = slapd.mark()
    answer = site.get("/in/uid", authorization=header)
    verify(site, answer, outcome, 401)
    queried = slapd.operations(mark)
    if outcome in ("no-credentials", "malformed-credentials", "empty-password"):
        assert queried == {"connections": 0, "service_binds": 0, "user_binds": 0, "searches": 0, "other": 0}
    else:
        assert queried["searches"] == 1


@pytest.mark.parametrize("header", [
    b"basic " + base64.b64encode(b"alice:Pw!right"),
    b"BASIC " + base64.b64encode(b"alice:Pw!right"),
    b"Basic   " + base64.b64encode(b"alice:Pw!right"),
    b"Basic " + base64.b64encode(b"alice:Pw!right").rstrip(b"="),
], ids=["lower-case", "upper-case", "spaces", "no-padding"])
def test_header_that_is_well(site, header):
    verify(site, site.get("/in/uid", authorization=header), "granted", 200)


def test_two_headers_are_one_too_many(site):
    """httpd joins them with a comma, which is no base64."""
    answer = site.get("/in/uid", headers=[("Authorization", encoded(b"alice:Pw!right")),
                                          ("Authorization", encoded(b"alice:Pw!right"))])
    verify(site, answer, "malformed-credentials", 401)


def test_nine_kilobytes_are_httpds_own_400(site):
    site.log.allow("AH00561")
    assert site.get("/in/uid", authorization=b"Basic " + b"A" * 9000).status == 400


# -- user names -------------------------------------------------------------------------------------------------------

NAMES = ["alice", "star*name", "par(en)s", r"LAB\ann", "Doe, Jane", "#hash", 'plus+semi;<angle>"quote"=',
         "ann@lab.test"]


@pytest.mark.parametrize("password, outcome, status", [(RIGHT, "granted", 200), (WRONG, "wrong-password", 401)])
@pytest.mark.parametrize("user", NAMES)
def test_user_name(site, user, password, outcome, status):
    record = verify(site, site.get("/in/uid", login=(user, password)), outcome, status)
    if status == 200:
        assert record.user == user.replace("\\", r"\\").replace('"', r"\"")


def test_name_and_password_in_utf8(site):
    verify(site, site.get("/in/uid", login=("jürgen", "Pw!:☃:right")), "granted", 200)
    verify(site, site.get("/in/uid", login=("jürgen", "Pw!:☃:wrong")), "wrong-password", 401)


NOBODY = ["*", "al*", "a*e", "(", ")", "alice)(uid=*", "*)(uid=alice", "alice)(|(uid=*", "&(uid=alice", r"\2a",
          r"al\2a", "\\", "alice\\", r"\00", r"LAB\alice", r"lab.test\alice", "alice@lab.test", "alice,o=names",
          "uid=alice", "=alice", "#616c696365", "alice#", "alice;x", "alice+uid=bob", "\u202ealice"]


@pytest.mark.parametrize("user", NOBODY)
def test_nobodys_name(site, user):
    verify(site, site.get("/in/uid", login=(user, RIGHT)), "unknown-user", 401)


def test_leading_space_is_insignificant_to_uid(site):
    """The directory ignores it (RFC 4518 2.6.1); the query has the space, escaped or not, and never leaves it out."""
    verify(site, site.get("/in/uid", login=(" alice", RIGHT)), "granted", 200)
    verify(site, site.get("/in/uid", login=("  alice", WRONG)), "wrong-password", 401)


def test_user_principal_name(site):
    verify(site, site.get("/in/mail", login=("alice@lab.test", RIGHT)), "granted", 200)
    verify(site, site.get("/in/mail", login=("alice@lab.test", WRONG)), "wrong-password", 401)
    verify(site, site.get("/in/mail", login=("alice", RIGHT)), "unknown-user", 401)


def test_a_name_cannot_forge_a_line_of_the_log(site):
    name = '"] AS0001 granted, user "root'
    answer = site.get("/in/uid", login=(name, RIGHT))
    verify(site, answer, "unknown-user", 401)
    assert all("user \"root" not in line.text for line in site.outcome_lines(answer))


# -- what the administrator got wrong: never the user's fault ---------------------------------------------------------

@pytest.mark.parametrize("password", [RIGHT, WRONG], ids=["right", "wrong"])
@pytest.mark.parametrize("path, outcome, ldap", [
    ("no-base", "directory-misconfigured", "32"),
    ("no-suffix", "directory-misconfigured", "32"),
    ("service-password", "service-account-refused", "49"),
    ("service-name", "service-account-refused", "49"),
    ("service-no-dn", "service-account-refused", "34"),
    ("no-url", "directory-misconfigured", "-"),
])
def test_misconfigured(site, slapd, path, outcome, ldap, password):
    mark = slapd.mark()
    site.log.expect("AS006[02]")
    verify(site, site.get(f"/in/{path}", login=("alice", password)), outcome, 500, ldap=ldap, user="alice")
    assert not any('BIND dn="uid=' in line for line in slapd.lines(mark))


def test_other_places_are_not_concerned(site):
    verify(site, site.get("/in/uid", login=("alice", RIGHT)), "granted", 200)
