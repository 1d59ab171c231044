# SPDX-License-Identifier: Apache-2.0
"""An answer cached for one is never served to another: virtual host, directory, URL, service account."""
import random
from collections import namedtuple

import pytest

from lab.fake import BASE, Fake
from lab.verify import verify
from memory.shared import NOTHING, RIGHT, SHMCB, WRONG, cost

Row = namedtuple("Row", "name lines same", defaults=(False,))

ROWS = [
    Row("the-same", "", True),
    Row("the-same-url-written-otherwise", 'AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=memory?uid?sub?(objectClass=*)" NONE', True),
    Row("what-says-nothing-of-the-directory", "AuthName other\\nAuthStatusDisclose Always\\nAuthStatusDeadline 3s", True),
    Row("base", 'AuthLDAPURL "ldap://127.0.0.1:${LDAP}/ou=people,o=memory?uid"'),
    Row("scope", 'AuthLDAPURL "ldap://127.0.0.1:${LDAP}/ou=people,o=memory?uid?one"'),
    Row("attribute", 'AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=memory?cn"'),
    Row("attributes", 'AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=memory?uid,mail"'),
    Row("filter", 'AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=memory?uid?sub?(cn=*)"'),
    Row("server", 'AuthLDAPURL "ldap://localhost:${LDAP}/o=memory?uid"\nUse Account o=memory'),
    Row("servers", 'AuthLDAPURL "ldap://127.0.0.1:${LDAP} 127.0.0.1:${LDAP}/o=memory?uid"'),
    Row("bind-dn", 'AuthLDAPBindDN "cn=auditor,o=memory"'),
    Row("remote-user-attribute", "AuthLDAPRemoteUserAttribute sn"),
    Row("aliases", "AuthLDAPDereferenceAliases never"),
    Row("timing", "AuthStatusUniformTiming Off"),
]


def sections():
    for row in ROWS:
        lines = row.lines.replace("\\n", "\n")
        yield (f'Use Login /in/{row.name} "ldap://127.0.0.1:${{LDAP}}" o=memory\n'
               f"<Location /in/{row.name}>\n{lines}\n</Location>\n")


@pytest.fixture(scope="module")
def site(start, slapd):
    return start('LogLevel warn authstatus:trace8\nUse Login /in/first "ldap://127.0.0.1:${LDAP}" o=memory\n'
                 + "".join(sections()), defines={"LDAP": slapd.port}, **SHMCB)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_section(site, slapd, row):
    """The right password and a wrong one, first there, then here."""
    site.log.expect("AH01617")
    with site.connection() as connection:
        for password, status in ((RIGHT, 200), (WRONG, 401)):
            assert cost(slapd, connection, "ann", password, path="/in/first/")[0] == status
            got, queried = cost(slapd, connection, "ann", password, path=f"/in/{row.name}/")
            assert got == status
            assert (queried == NOTHING) if row.same else queried["user_binds"] > 0


HOSTS = """LogLevel warn authstatus:trace8
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName one.test
    Use Login /in "ldap://127.0.0.1:${LDAP}" o=memory
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName two.test
    Use Login /in "ldap://127.0.0.1:${LDAP}" o=memory
</VirtualHost>
<VirtualHost 127.0.0.1:${OTHER}>
    ServerName one.test
    Use Login /in "ldap://127.0.0.1:${LDAP}" o=memory
</VirtualHost>
"""


def test_virtual_host(start, slapd):
    httpd = start(HOSTS, listen=("HTTP", "OTHER"), defines={"LDAP": slapd.port}, **SHMCB)
    for port, host in (("HTTP", "one.test"), ("HTTP", "two.test"), ("OTHER", "one.test")):
        mark = slapd.mark()
        for _ in range(2):
            verify(httpd, httpd.get("/in/", login=("ann", RIGHT), host=host, port=port), "granted", 200)
        assert slapd.operations(mark)["user_binds"] == 1, f"{port}, {host}"
    httpd.stop()


def test_two_directories_with_one_name(start):
    """Each has an ann, with a password of her own."""
    one = Fake(people={f"uid=ann,{BASE}": "Pw!one"})
    two = Fake(people={f"uid=ann,{BASE}": "Pw!two"})
    httpd = start('LogLevel warn authstatus:trace8\n'
                  f'Use Login /in/one "ldap://127.0.0.1:${{ONE}}" {BASE}\n'
                  f'Use Login /in/two "ldap://127.0.0.1:${{TWO}}" {BASE}\n',
                  defines={"ONE": one.port, "TWO": two.port}, **SHMCB)
    for _ in range(2):
        for path, password, outcome, status in (
                ("one", "Pw!one", "granted", 200), ("two", "Pw!one", "wrong-password", 401),
                ("two", "Pw!two", "granted", 200), ("one", "Pw!two", "wrong-password", 401)):
            verify(httpd, httpd.get(f"/in/{path}/", login=("ann", password)), outcome, status)
    httpd.stop()
    one.stop()
    two.stop()


@pytest.mark.parametrize("one, two", [
    (("ann", "bob:Pw!right"), ("ann:bob", "Pw!right")),
    (("ann", "Pw!right "), ("ann", "Pw!right")),
    (("ANN", "Pw!right"), ("ann", "Pw!righT")),
    (("ann", "Pw!r\u00eeght"), ("ann", "Pw!ri\u0302ght")),
])
def test_logins_that_look_alike(start, slapd, one, two):
    """Neither is answered with what was said of the other."""
    httpd = start('Use Login /in "ldap://127.0.0.1:${LDAP}" o=memory', defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.allow("AH0161[78]")
    mark = slapd.mark()
    httpd.get("/in/", login=one)
    before = slapd.operations(mark)["user_binds"]
    httpd.get("/in/", login=two)
    # "ann:bob" is no name that Basic can send: it is ann with the password "bob:Pw!right", and answered for her.
    assert slapd.operations(mark)["user_binds"] == before + (":" not in two[0])
    httpd.stop()


# -- .htaccess --------------------------------------------------------------------------------------------------------

HTACCESS = """AuthType Basic
AuthName x
AuthBasicProvider authstatus
AuthLDAPURL "ldap://127.0.0.1:{port}/ou={unit},o=memory?uid"
AuthLDAPBindDN cn=service,o=memory
AuthLDAPBindPassword Pw!service
Require valid-user
"""


def test_htaccess_is_read_anew(start, slapd):
    """What it says lives as long as a request; a later one's may lie where this one's did, and say something else. At random, as
    memory is used again in turns."""
    httpd = start('<Directory "${DOCS}">\nAllowOverride AuthConfig\nAuthStatus On\n</Directory>', files={"own/index.html": "x"}, **SHMCB)
    httpd.log.expect("AH01618")
    with httpd.connection() as connection:
        for unit in random.Random(1).choices(("people", "others"), k=60):
            httpd.write("own/.htaccess", HTACCESS.format(port=slapd.port, unit=unit))
            assert connection.request("/own/", login=("ann", RIGHT)).status == (200 if unit == "people" else 401)
    httpd.stop()
