# SPDX-License-Identifier: Apache-2.0
"""The configurations of the manual are what people copy: each is loaded as it stands there, with nothing but names of hosts and
files replaced by the lab's, and those that the guides are about are logged in through."""
import re
import textwrap
from collections import namedtuple
from pathlib import Path

import pytest

from lab.outcomes import SOURCE
from lab.process import reserve_port
from lab.slapd import SERVICE_PASSWORD, Database, Slapd

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
GUIDES = sorted((SOURCE / "docs").glob("*.md"))
# Where code is indented: what has a directive in it. Examples of directives are tried for themselves.
INDENTED = {"README": SOURCE / "README", **{guide.stem: guide for guide in GUIDES}}
DIRECTIVE = re.compile(r"^ +(?:</|(?:Auth|LDAP)[A-Z]\w+ |Require [\w-]+(?: |$)|SetHandler |LogFormat )", re.MULTILINE)
# Modules that a configuration needs and that are packages of their own.
PACKAGES = {"Gssapi": "auth_gssapi"}
# Modules that the configurations may use beside the lab's own.
MODULES = ("socache_shmcb", "socache_redis", "socache_memcache", "include", "remoteip", "status", "rewrite", "proxy",
           "expires", "negotiation", "autoindex", "cgid", "setenvif", "filter", "substitute")
Block = namedtuple("Block", "guide number text")


def in_a_section(text):
    """Lines of a section, printed without it."""
    return text if re.search(r"^ *<(Location|Directory|Files|VirtualHost|Authn|Authz)", text, re.MULTILINE) else f'<Location "/lines/">\n{text}\n</Location>\n'


def packages_of(text):
    """The modules of other packages that a configuration needs."""
    return tuple(module for word, module in PACKAGES.items() if word in text)


def blocks():
    found = []
    for guide in GUIDES:
        for number, text in enumerate(re.findall(r"^```apache\n(.*?)^```$", guide.read_text(), re.MULTILINE | re.DOTALL), 1):
            found.append(Block(guide.stem, number, text))
    for name, path in INDENTED.items():
        text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        # Those within a paragraph that is indented itself go first.
        inner = [block for block in re.findall(r"(?:^(?: {8}.*)?\n)+", text, re.MULTILINE) if "<Location" in block]
        for block in inner:
            text = text.replace(block, "\n")
        outer = [block for block in re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.MULTILINE) if DIRECTIVE.search(block)]
        found += [Block(f"{name}-indented", number, in_a_section(textwrap.dedent(block))) for number, block in enumerate(outer + inner, 1)]
    return found


BLOCKS = {f"{block.guide}-{block.number}": block for block in blocks()}


def test_there_are_guides():
    """A guide that was renamed, or blocks of another name, would leave nothing to test."""
    found = {block.guide for block in BLOCKS.values()}
    assert {"from-mod_authnz_ldap", "active-directory", "several-machines", "error-page", "what-to-do-when", "reference"} <= found
    assert len(BLOCKS) >= 20
    assert {"README-indented", "monitoring-indented", "groups-indented", "directories-indented"} <= found


class Ldif:
    """people.ldif for the suffix of a guide."""

    def __init__(self, dc):
        self.dc = dc

    def read_text(self):
        return (HERE / "people.ldif").read_text().replace("@DC@", self.dc)


@pytest.fixture(scope="module")
def lab(workdirs, start_slapd, authority, good_certificate):
    """What in a guide becomes what in the lab, in this order."""
    slapd = start_slapd(Database("dc=example,dc=org", Ldif("example"), ("ppolicy_use_lockout",)),
                        Database("dc=corp,dc=example", Ldif("corp"), ("ppolicy_use_lockout",)),
                        tls=good_certificate, authority=authority)
    workdir = workdirs.new("manual")
    for name, text in {"ldap-password": f"#!/bin/sh\necho '{SERVICE_PASSWORD}'\n", "authstatus.key": "k" * 64}.items():
        (workdir / name).write_text(text)
    (workdir / "ldap-password").chmod(0o755)
    (workdir / "authstatus.key").chmod(0o600)
    page = SOURCE / "docs/examples/login-failed.html.var"
    (workdir / "errors").mkdir()
    (workdir / "errors/login-failed.html.var").write_text(page.read_text())
    here = f"localhost:{slapd.tls_port}"
    dead = f"localhost:{reserve_port()}"
    return {
        "dc1.corp.example:3269": here,
        "dc1.corp.example dc2.corp.example": f"{dead} {here}",
        "ldap1.example.org ldap2.example.org": f"{dead} {here}",
        "ldap.example.org": here,
        "/etc/ssl/certs/ca-certificates.crt": str(authority.cert),
        "/etc/apache2/ldap-password": str(workdir / "ldap-password"),
        "/etc/apache2/corp-password": str(workdir / "ldap-password"),
        "/etc/apache2/authstatus.key": str(workdir / "authstatus.key"),
        "/var/www/errors": str(workdir / "errors"),
        "/var/log/apache2": str(workdir),
        "redis:10.0.0.5:6379": f"redis:127.0.0.1:{reserve_port()}",
        "memcache:10.0.0.5:11211,10.0.0.6:11211": f"memcache:127.0.0.1:{reserve_port()}",
        "*:443": "*:${HTTP}",
        "/srv/www": "${DOCS}",
        "sAMAccountName": "uid",
        "userPrincipalName": "mail",
        "CA": str(authority.cert),
    }


def in_the_lab(text, lab):
    for name, value in lab.items():
        if name != "CA":
            text = text.replace(name, value)
    trusted = "" if "LDAPTrustedGlobalCert" in text else f'LDAPTrustedGlobalCert CA_BASE64 "{lab["CA"]}"\n'
    # An instance of the lab loads the module itself; a path that is protected is a page.
    lines = [line for line in text.splitlines() if "LoadModule authstatus" not in line]
    return trusted + 'AliasMatch "^/(wiki|shared|intranet|forest)/" "${DOCS}/index.html"\n' + "\n".join(lines)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_is_taken(start, lab, needs_module, block):
    text = BLOCKS[block].text
    needs_module(*packages_of(text))
    cache = None if "AuthStatusCache " in text or "Throttle" in text else "Off"
    httpd = start.make(in_the_lab(text, lab), modules=(*MODULES, *packages_of(text)), ldap=True, cache=cache)
    code, said = httpd.configtest()
    assert code == 0, said
    assert "Syntax OK" in said


def examples():
    """The directives' examples in the reference."""
    return re.findall(r"^    Example:  (.*)$", (SOURCE / "docs/reference.md").read_text(), re.MULTILINE)


def test_the_examples_of_directives(start, lab):
    lines = examples()
    assert len(lines) >= 15
    code, said = start.make(in_the_lab("\n".join(lines), lab), modules=MODULES, cache=None).configtest()
    assert code == 0 and "Syntax OK" in said, said


Login = namedtuple("Login", "block path user password status body", defaults=("",))

LOGINS = [
    Login("from-mod_authnz_ldap-1", "/wiki/", "alice", RIGHT, 200),
    Login("from-mod_authnz_ldap-1", "/wiki/", "expired", RIGHT, 401),
    Login("from-mod_authnz_ldap-2", "/wiki/", "alice", RIGHT, 200),
    Login("from-mod_authnz_ldap-2", "/wiki/", "alice", WRONG, 401),
    Login("from-mod_authnz_ldap-2", "/wiki/", "expired", RIGHT, 403),
    Login("from-mod_authnz_ldap-3", "/wiki/board/", "alice", RIGHT, 200),
    Login("from-mod_authnz_ldap-3", "/wiki/board/", "bob", RIGHT, 403),
    Login("from-mod_authnz_ldap-4", "/shared/", "alice", RIGHT, 200),
    Login("from-mod_authnz_ldap-4", "/shared/", "carol@partner.example", RIGHT, 200),
    Login("from-mod_authnz_ldap-4", "/shared/", "carol@partner.example", WRONG, 401),
    Login("active-directory-1", "/intranet/", "alice", RIGHT, 200),
    Login("active-directory-1", "/intranet/", "expired", RIGHT, 403, "https://password.corp.example/"),
    Login("active-directory-2", "/intranet/", "alice", RIGHT, 200),
    Login("active-directory-2", "/intranet/", "alice@example.org", RIGHT, 200),
    Login("active-directory-2", "/intranet/", "nobody@example.org", RIGHT, 401),
    Login("error-page-1", "/wiki/", "alice", RIGHT, 200),
    Login("error-page-1", "/wiki/", "alice", WRONG, 401, "<h1>Please sign in</h1>"),
    Login("error-page-1", "/wiki/", "locked", RIGHT, 401, "<h1>Please sign in</h1>"),
    Login("error-page-1", "/wiki/", "expired", RIGHT, 403, "<p>Your password has expired.</p>"),
    Login("error-page-1", "/wiki/", "expired", RIGHT, 403, '<a href="https://password.example.org/">Get help with this</a>'),
    Login("README-indented-1", "/", "alice", RIGHT, 200),
    Login("README-indented-1", "/", "alice", WRONG, 401),
    Login("README-indented-1", "/", "expired", RIGHT, 403),
    Login("what-to-do-when-1", "/wiki/", "alice", RIGHT, 200),
    Login("several-machines-3", "/intranet/", "alice", RIGHT, 200),
    Login("several-machines-3", "/intranet/", "alice", WRONG, 401),
]


@pytest.fixture(scope="module")
def sites(start, lab):
    """One httpd for each block with logins, started at its first use."""
    running = {}

    def site(block):
        if block not in running:
            httpd = start.make(in_the_lab(BLOCKS[block].text, lab), modules=MODULES, ldap=True, cache=None)
            httpd.log.allow("LDAP: ", "LDAP SSL support", r"AH\d+: .*(RSA|ssl)")
            running[block] = httpd.start()
        return running[block]
    return site


@pytest.mark.parametrize("row", LOGINS, ids=lambda row: f"{row.block}-{row.user}-{row.status}-{len(row.body)}")
def test_login(sites, row):
    site = sites(row.block)
    site.log.allow("AH01617", "AH01618", "AH01631", r"\bAS00\d\d: ", "LDAP", "AH0171", "AH0169")
    answer = site.get(row.path, login=(row.user, row.password))
    assert answer.status == row.status, answer
    assert row.body in answer.body.decode()
    assert "[an error occurred" not in answer.body.decode()
    assert (answer.header("WWW-Authenticate") is not None) == (row.status == 401)


@pytest.mark.parametrize("accept, language, sentence", [
    ("de", "de", "Ihr Passwort ist abgelaufen."), ("ja,en;q=0.5", "ja", "パスワード"), ("pt-BR", "pt-br", "senha"),
    ("tlh", "en", "Your password has expired."), ("", "en", "Your password has expired."),
])
def test_error_page_in_the_language_of_the_browser(sites, accept, language, sentence):
    site = sites("error-page-1")
    site.log.allow(r"\bAS00\d\d: ", "AH0171")
    answer = site.get("/wiki/", login=("expired", RIGHT), headers=[("Accept-Language", accept)] if accept else [])
    assert answer.status == 403 and answer.header("Content-Language") == language
    assert sentence in answer.body.decode() and f'<html lang="{language}"' in answer.body.decode()
    assert "accept-language" in answer.header("Vary").lower()


def test_error_page_without_a_login_and_in_an_outage(start, lab, sites):
    site = sites("error-page-1")
    assert "<h1>Please sign in</h1>" in site.get("/wiki/").body.decode()
    text = in_the_lab(BLOCKS["error-page-1"].text, {**lab, "ldap.example.org": f"localhost:{reserve_port()}"})
    away = start(text, modules=MODULES, ldap=True)
    away.log.expect(r"\bAS0050: directory-down")
    away.log.allow("AH01")
    answer = away.get("/wiki/", login=("alice", RIGHT))
    assert answer.status == 503 and "<h1>Please try again soon</h1>" in answer.body.decode()
    assert answer.header("Retry-After") == "10"
