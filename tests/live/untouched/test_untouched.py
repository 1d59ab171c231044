# SPDX-License-Identifier: Apache-2.0
"""Where AuthStatus is Off nothing changes, and the provider does what provider ldap does."""
import base64
import hashlib
import re
from pathlib import Path

import pytest

from lab.process import reserve_port
from lab.slapd import Database

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
HASH = "{SHA}" + base64.b64encode(hashlib.sha1(RIGHT.encode()).digest()).decode()

HTACCESS = """AuthType Basic
AuthName "the inner lab"
AuthBasicProvider file
AuthUserFile /nonexistent
Require valid-user
"""


# -- loaded and not used ----------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def pair(start):
    """(without the module, with it)"""
    pair = []
    for loaded in (False, True):
        httpd = start.make(HERE / "site.conf", authstatus=loaded, modules=("auth_digest",),
                           files={"inner/.htaccess": HTACCESS, "inner/index.html": "x"})
        (httpd.workdir / "users").write_text(f"ann:{HASH}\n")
        (httpd.workdir / "digest").write_text("")
        pair.append(httpd.start())
    return pair


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize("path", ["/", "/missing", "/in/file", "/in/group", "/in/denied", "/in/digest", "/in/document",
                                  "/inner/"])
@pytest.mark.parametrize("authorization", [None, ("ann", RIGHT), ("ann", WRONG), ("nobody", RIGHT), b"Basic !!",
                                           b"Bearer x", b"Basic " + base64.b64encode(b"no colon")],
                         ids=["none", "right", "wrong", "unknown", "malformed", "bearer", "no-colon"])
def test_loaded_and_not_used(pair, path, method, authorization):
    answers = []
    for httpd in pair:
        httpd.log.allow("AH01614", "AH0161[78]", "AH01620", "AH0163[01]", "AH01627", "AH0178", "AH0179")
        key = "login" if isinstance(authorization, tuple) else "authorization"
        answer = httpd.get(path, method=method, **{key: authorization})
        access = httpd.access(answer)
        answers.append((normal(answer), access.status, access.user, access.outcome))
    assert answers[0] == answers[1]


def normal(answer):
    """Digest's nonces differ from one request to the next, and the order of methods from one process to the next."""
    raw = re.sub(rb'nonce="[^"]*"', b"", answer.comparable())
    return re.sub(rb"Allow: [^\r]*", lambda allow: b",".join(sorted(allow[0][7:].split(b","))), raw)


# -- Off --------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=off", HERE / "people.ldif", ("ppolicy_use_lockout",)))


@pytest.fixture(scope="module")
def off(start, slapd):
    return start(HERE / "off.conf", ldap=True, defines={"LDAP": slapd.port, "NOBODY": reserve_port()})


ROWS = [
    ("", "ann", RIGHT, 200),
    ("", "ann", WRONG, 401),
    ("", "ann", "", 401),
    ("", "nobody", RIGHT, 401),
    ("", "locked", RIGHT, 401),
    ("", "expired", RIGHT, 401),
    ("/group", "ann", RIGHT, 401),
    ("/gone", "ann", RIGHT, 500),
]


@pytest.mark.parametrize("place, user, password, status", ROWS,
                         ids=["-".join(map(str, row)).replace("Pw!", "").strip("/-") for row in ROWS])
def test_off_is_as_ldap(off, place, user, password, status):
    off.log.allow("AH0161[78]", "AH01631", r"AS00\d\d")
    theirs, ours = [off.get(f"/in/{provider}{place}", login=(user, password)) for provider in ("ldap", "authstatus")]
    assert ours.status == status
    assert ours.comparable() == theirs.comparable()


def test_off_and_a_refused_service_account(off):
    """Theirs blames the user; ours does not, Off or On."""
    off.log.expect("AS0060")
    answer = off.get("/in/authstatus/service", login=("ann", RIGHT))
    assert answer.status == 500 and not answer.all("WWW-Authenticate")


def test_off_is_the_default(off):
    off.log.allow("AH0161[78]", r"AS00\d\d")
    assert off.get("/in/silent", login=("ann", RIGHT)).status == 200
    for user in ("locked", "expired", "nobody"):
        answer = off.get("/in/silent", login=(user, RIGHT))
        assert (answer.status, answer.header("WWW-Authenticate")) == (401, 'Basic realm="the lab"')
