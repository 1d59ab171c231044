# SPDX-License-Identifier: Apache-2.0
"""No password of a user is left in the memory of a child once he is answered, but for what is httpd's own: the request's
Authorization field, and its decoded copy, "user:password", which mod_auth_basic makes. Both can be told from ours: the
field is base64, and no copy of ours stands behind a name and a colon."""
from collections import namedtuple
from pathlib import Path

import pytest

from lab.client import basic
from lab.fake import BASE, Fake, close, hang
from lab.httpd import SANITIZE
from lab.slapd import Database
from process_memory import find

HERE = Path(__file__).parent
RIGHT = "Pw!right"
# What all marked passwords begin with, and no more than that of it is looked for.
MARK = "Pw!5b1f7c02e94a4b0f"
# Long: what is put over the beginning of a copy that was freed leaves the colon.
USER = "somebody-whose-name-is-long-enough-to-be-found-again"
OTHER = "somebody-else-whose-right-password-is-marked-too"
CONF = """LogLevel warn authstatus:trace8
AuthStatusDeadline 20s
LDAPTrustedGlobalCert CA_BASE64 ${CA}
Use Login /in "${URL}" o=secrets
<Location /in>
    AuthLDAPURL "${URL}/o=secrets?uid" ${MODE}
    Use Account o=secrets
    ${MORE}
</Location>
"""

Row = namedtuple("Row", "name mode cache modules more", defaults=("NONE", "shmcb", ("socache_shmcb",), "AuthStatus On"))
ROWS = [
    Row("plain"),
    Row("starttls", "STARTTLS"),
    Row("without-a-cache", cache="Off"),
    Row("bound-as-user", more='AuthLDAPInitialBindAsUser On\nAuthLDAPInitialBindPattern "^(.+)$" "uid=$1,o=secrets"'),
    Row("throttled", more="AuthStatusThrottle 4 1h"),
    Row("off", more="AuthStatus Off"),
]


@pytest.fixture(scope="module")
def slapd(start_slapd, good_certificate, authority):
    return start_slapd(Database("o=secrets", HERE / "people.ldif"), tls=good_certificate, authority=authority)


def left_by_us(httpd):
    """Where a marked password is found, but for httpd's own copies; those are counted."""
    found = find(httpd.children(), MARK.encode())
    ours = [place for place in found if not place[2].endswith(b":")]
    return ours, len(found) - len(ours)


def start_row(start, row, slapd, authority):
    conf = CONF.replace("${MORE}", row.more).replace("AuthStatus On\n</Location>", "</Location>")
    url = f"ldap://localhost:{slapd.port}" if row.mode != "NONE" else f"ldap://127.0.0.1:{slapd.port}"
    return start(conf, defines={"URL": url, "MODE": row.mode, "CA": authority.cert}, cache=row.cache, modules=row.modules)


@pytest.mark.skipif(SANITIZE, reason="the memory of a process: AddressSanitizer keeps what was freed, of others as well")
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_nothing_is_left(start, slapd, authority, row):
    httpd = start_row(start, row, slapd, authority)
    httpd.log.allow("AH0161[78]", "AS00\\d\\d")
    with httpd.connection() as connection:
        for number in range(6):
            assert connection.request("/in/", login=(USER, f"{MARK}-{number}")).status in (401, 429)
        assert connection.request("/in/", login=(USER, RIGHT)).status in (200, 429)
        ours, _ = left_by_us(httpd)
        assert not ours, f"in the memory of a child: {ours}"
        # What is there is found: the field of the last request, which no later one of its connection has overwritten.
        assert find(httpd.children(), basic(USER, RIGHT)[20:]), "not even httpd's own copy is found"
    httpd.stop()


@pytest.mark.skipif(SANITIZE, reason="the memory of a process: AddressSanitizer keeps what was freed, of others as well")
def test_nothing_is_left_of_a_line_as_the_user(start, slapd):
    """The login is remembered by its header: only the line needs the password, and asks with each request."""
    httpd = start(f'''Use Login /in "ldap://127.0.0.1:{slapd.port}" o=secrets
<Location /in>
    AuthLDAPSearchAsUser On
    AuthMerging And
    Require ldap-filter %{{HTTP:X-Filter}}
</Location>''', cache="shmcb", modules=("socache_shmcb",))
    with httpd.connection() as connection:
        for name in ("cn=x", "sn=x", "objectClass=person", "objectClass=*"):
            assert connection.request("/in/", login=(OTHER, f"{MARK}-right"), headers=[("X-Filter", name)]).status == 200
    ours, _ = left_by_us(httpd)
    assert not ours, f"in the memory of a child: {ours}"
    httpd.stop()


@pytest.mark.skipif(SANITIZE, reason="the memory of a process: AddressSanitizer keeps what was freed, of others as well")
@pytest.mark.parametrize("step, action", [("user-bind", hang), ("user-bind", close), ("search", close)],
                         ids=["hung", "closed-at-bind", "closed-at-search"])
def test_nothing_is_left_of_who_was_not_answered(start, step, action):
    fake = Fake({step: action}, people={f"uid={USER},{BASE}": RIGHT})
    httpd = start(f'AuthStatusDeadline 500ms\nLogLevel warn authstatus:trace8\nUse Login /in "ldap://127.0.0.1:{fake.port}" {BASE}',
                  cache="shmcb", modules=("socache_shmcb",))
    httpd.log.allow("AS005[01]")
    with httpd.connection() as connection:
        for number in range(4):
            assert connection.request("/in/", login=(USER, f"{MARK}-{number}")).status == 503
    ours, _ = left_by_us(httpd)
    assert not ours, f"in the memory of a child: {ours}"
    httpd.stop()
    fake.stop()
