# SPDX-License-Identifier: Apache-2.0
"""The manual's configurations for Active Directory, logged in through at a real domain controller: names of hosts, the domain and the
account's password are the lab's, and nothing else."""
import re
import textwrap
from collections import namedtuple

import ldap
import pytest

from lab.outcomes import SOURCE
from lab.samba import BASE, DAY, REALM, SERVICE_PASSWORD, Account, Samba, filetime
from test_manual import BLOCKS, MODULES

RIGHT, WRONG = "Pw!right", "Pw!wrong"


def person(name, **more):
    return Account(name, "people", RIGHT, {"userPrincipalName": f"{name}@{REALM}", "mail": f"{name}@mail.test"}, **more)


PEOPLE = [person("alice"), person("bob"), person("carol"), person("expired", forced={"pwdLastSet": filetime(100 * DAY)}),
          Account("httpd", "services", SERVICE_PASSWORD, {"userPrincipalName": f"httpd@{REALM}"})]
GROUPS = {"inner": ("CN=alice,OU=people",), "staff": ("CN=inner,OU=groups", "CN=carol,OU=people"), "board": ("CN=inner,OU=groups",)}
# directories.md shows lines to choose from.
LINES = textwrap.dedent(re.search(r"^## Active Directory\n\n((?:(?:    .*)?\n)+)", (SOURCE / "docs/directories.md").read_text(), re.M)[1])
ACCOUNT = '    AuthLDAPBindPassword "exec:/etc/apache2/corp-password"\n'


def chosen(url, *more):
    """A section of lines of directories.md; each has to be there."""
    lines = [next(line for line in LINES.splitlines() if line.startswith(start)) for start in (url, *more)]
    return ('<Location "/intranet/">\nAuthType Basic\nAuthName x\nAuthBasicProvider authstatus\nRequire valid-user\nAuthStatus On\n' +
            "\n".join(lines) + "\n" + (ACCOUNT if any("BindDN" in line for line in more) else "") + "</Location>\n")


URL = 'AuthLDAPURL "ldaps://dc1.corp.example'
BY_LINES = {
    "lines-name": chosen(f"{URL}/DC=corp,DC=example?sAMAccountName", "AuthLDAPBindDN"),
    "lines-principal": chosen(f"{URL}/DC=corp,DC=example?userPrincipalName", "AuthLDAPBindDN"),
    "lines-mail": chosen(f"{URL}/DC=corp,DC=example?mail", "AuthLDAPBindDN"),
    "lines-forest": chosen(f"{URL}:3269/", "AuthLDAPBindDN"),
    "lines-as-user": chosen(f"{URL}/DC=corp,DC=example?sAMAccountName", "AuthLDAPInitialBindAsUser", "AuthLDAPInitialBindPattern"),
}
BY_LINES["lines-domain"] = BY_LINES["lines-name"].replace("httpd@corp.example", r"CORP\\httpd")
TEXTS = {**{key: block.text for key, block in BLOCKS.items()}, **BY_LINES}

Login = namedtuple("Login", "block path user password status who", defaults=(None,))
UPN = f"alice@{REALM}"
LOGINS = [
    *[Login(block, path, "alice", RIGHT, 200) for block, path in (
        ("active-directory-1", "/intranet/"), ("active-directory-2", "/intranet/"), ("active-directory-4", "/intranet/board/"),
        ("groups-5", "/intranet/"), ("lines-name", "/intranet/"), ("lines-domain", "/intranet/"), ("lines-as-user", "/intranet/"))],
    *[Login(block, path, UPN, RIGHT, 200) for block, path in (
        ("active-directory-2", "/intranet/"), ("active-directory-3", "/forest/"), ("lines-principal", "/intranet/"),
        ("lines-forest", "/intranet/"))],
    Login("active-directory-2", "/intranet/", UPN, RIGHT, 200, "alice"), Login("active-directory-2", "/intranet/", "ALICE", RIGHT, 200, "ALICE"),
    Login("lines-mail", "/intranet/", "alice@mail.test", RIGHT, 200),
    Login("active-directory-1", "/intranet/", "expired", RIGHT, 403), Login("lines-as-user", "/intranet/", "expired", RIGHT, 403),
    Login("active-directory-1", "/intranet/", UPN, RIGHT, 401), Login("lines-domain", "/intranet/", r"LAB\alice", RIGHT, 401),
    Login("active-directory-4", "/intranet/board/", "bob", RIGHT, 403), Login("groups-5", "/intranet/", "bob", RIGHT, 403),
    *[Login(block, path, "alice", WRONG, 401) for block, path in (
        ("active-directory-1", "/intranet/"), ("active-directory-3", "/forest/"), ("groups-5", "/intranet/"), ("lines-as-user", "/intranet/"))],
    # Two domains: of README the second one is the lab's.
    Login("README-indented-2", "/", "alice", RIGHT, 200), Login("groups-7", "/shared/", "carol", RIGHT, 200),
    # Nested, and AuthLDAPSubGroupClass does not name the class.
    Login("groups-7", "/shared/", "alice", RIGHT, 403),
    Login("groups-7", "/shared/", "bob", RIGHT, 403),
]


def add_groups(samba):
    client = ldap.initialize(f"ldap://{samba.address}")
    client.simple_bind_s(f"Administrator@{REALM}", "Pw!administrator-1")
    client.add_s(f"OU=groups,{BASE}", [("objectClass", [b"organizationalUnit"])])
    for name, members in GROUPS.items():
        client.add_s(f"CN={name},OU=groups,{BASE}", [("objectClass", [b"group"]), ("sAMAccountName", [name.encode()]),
                                                     ("member", [f"{member},{BASE}".encode() for member in members])])
    client.unbind_s()


@pytest.fixture(scope="module")
def samba(workdirs, authority):
    samba = Samba(workdirs.new("samba"), PEOPLE, authority=authority).start()
    try:
        add_groups(samba)
        yield samba
    finally:
        samba.stop()


@pytest.fixture(scope="module")
def site(start, samba, authority, workdirs):
    """One httpd for each configuration, when it is first asked for. A directory of example.org has nobody here."""
    running = {}
    workdir = workdirs.new("manual")
    (workdir / "password").write_text(f"#!/bin/sh\necho '{SERVICE_PASSWORD}'\n")
    (workdir / "password").chmod(0o755)
    names = {"dc1.corp.example dc2.corp.example": samba.address, "dc1.corp.example": samba.address, "@corp.example": f"@{REALM}",
             "CORP\\": "LAB\\", "dc=corp,dc=example": BASE, "DC=corp,DC=example": BASE, "ldap.example.org": samba.address,
             "ou=partners,dc=example,dc=org?mail": f"OU=services,{BASE}?mail", "ou=people,dc=example,dc=org?uid": f"OU=services,{BASE}?uid",
             "cn=httpd,ou=services,dc=example,dc=org": f"httpd@{REALM}", "/etc/apache2/ldap-password": workdir / "password",
             "/etc/apache2/corp-password": workdir / "password", "/etc/ssl/certs/ca-certificates.crt": authority.cert}

    def make(block):
        if block not in running:
            text = TEXTS[block]
            for name, value in names.items():
                text = text.replace(name, str(value))
            if "LDAPTrustedGlobalCert" not in text:
                text = f'LDAPTrustedGlobalCert CA_BASE64 "{authority.cert}"\n{text}'
            text = 'AliasMatch "^/(intranet|forest|shared)/" "${DOCS}/index.html"\n' + text
            running[block] = start(text, modules=MODULES, cache=None)
        return running[block]
    return make


@pytest.mark.parametrize("row", LOGINS, ids=lambda row: f"{row.block}-{row.user}-{row.status}")
def test_login(site, row):
    httpd = site(row.block)
    httpd.log.allow("AH0161[78]", "AH01631", r"\bAS00\d\d: ")
    answer = httpd.get(row.path, login=(row.user, row.password))
    assert answer.status == row.status, answer
    assert (answer.header("WWW-Authenticate") is not None) == (row.status == 401)
    if row.who:
        assert httpd.access(answer).user == row.who


def test_no_configuration_is_left_out():
    """Each that names a domain controller is logged in through: but for lines to choose from, which BY_LINES has, and for Kerberos, whose
    tickets lab.kerberos has."""
    others = {key for key, block in BLOCKS.items() if LINES.strip() in block.text or "AuthType GSSAPI" in block.text}
    assert len(others) == 2
    assert {key for key, block in BLOCKS.items() if "dc1.corp.example" in block.text} - others <= {row.block for row in LOGINS}
