# SPDX-License-Identifier: Apache-2.0
"""What who may write .htaccess can do, where AllowOverride lets him do all: nothing to the policy, nothing to the server,
and with a directory of his own nothing that was cached of another's."""
from pathlib import Path

import pytest

from lab.outcomes import SOURCE, table
from lab.slapd import Database

HERE = Path(__file__).parent
RIGHT = "Pw!right"

# A line that would be taken where it is allowed, for each directive that .htaccess must not have: the policy, and what
# is the server's. The manual of httpd lets it have a directory's address, and how to log in there.
DIRECTIVES = table.directives(SOURCE)
LINES = {one.name: one.example for one in DIRECTIVES if one.where != "OVERRIDE"}


def test_rows_are_all_there_is():
    """Each directive of ours, and of mod_ldap's those that httpd's manual keeps from .htaccess."""
    assert len(DIRECTIVES) > 25 and {one.name for one in DIRECTIVES if one.name.startswith("AuthStatus")} <= set(LINES)
    assert {name for name in LINES if not name.startswith("AuthStatus")} == {
        "LDAPConnectionPoolTTL", "LDAPConnectionTimeout", "LDAPTimeout", "LDAPTrustedGlobalCert", "LDAPTrustedMode",
        "LDAPVerifyServerCert",
        # without effect
        "AuthLDAPCharsetConfig", "LDAPCacheEntries", "LDAPCacheTTL", "LDAPLibraryDebug", "LDAPOpCacheEntries", "LDAPOpCacheTTL",
        "LDAPRetries", "LDAPRetryDelay", "LDAPSharedCacheFile", "LDAPSharedCacheSize"}


def directory(slapd):
    return (f'AuthType Basic\nAuthName x\nAuthBasicProvider authstatus\nAuthLDAPURL "ldap://127.0.0.1:{slapd.port}/o=isolation?uid"\n'
            'AuthLDAPBindDN cn=service,o=isolation\nAuthLDAPBindPassword Pw!service\nRequire valid-user\n')


@pytest.fixture(scope="module")
def slapds(start_slapd):
    """The administrator's, and that of who may write .htaccess: there ann's password is his."""
    one, two = [start_slapd(Database("o=isolation", HERE / "people.ldif", ('rootdn "cn=root,o=isolation"', "rootpw Pw!service")))
                for _ in range(2)]
    two.client("cn=root,o=isolation").modify_s("uid=ann,o=isolation", [(2, "userPassword", [b"Pw!his"])])
    return one, two


@pytest.fixture(scope="module")
def site(start, slapds):
    one, two = slapds
    files = {f"tree/{name}/.htaccess": f"{name} {value}\n" for name, value in LINES.items()}
    files |= {f"tree/{name}/x.html": "secret\n" for name in LINES}
    files |= {"tree/x.html": "secret\n", "tree/his/x.html": "his\n", "tree/his/.htaccess": directory(two),
              "none/x.html": "none\n", "none/.htaccess": "AuthStatus Off\nAuthLDAPURL nonsense\n",
              "files/x.html": "files\n", "files/.htaccess": directory(two)}
    return start(f'LogLevel warn authstatus:trace8\nAuthStatusThrottle 9 1h\n<Directory "${{DOCS}}/tree">\nAllowOverride All\nAuthStatus On\n'
                 f'{directory(one)}</Directory>\n<Directory "${{DOCS}}/none">\nAllowOverride None\nAuthStatus On\n{directory(one)}'
                 '</Directory>\n<Directory "${DOCS}/files">\nAllowOverride FileInfo\nAuthStatus On\n</Directory>',
                 files=files, cache="shmcb", modules=("socache_shmcb",))


@pytest.mark.parametrize("name", LINES)
def test_refused(site, name):
    site.log.expect(rf"{name} not allowed here")
    for login in (None, ("ann", RIGHT)):
        answer = site.get(f"/tree/{name}/x.html", login=login)
        assert answer.status == 500 and b"secret" not in answer.body


def test_allow_override_none(site):
    """It is not even read."""
    site.log.allow("AH0161[78]")
    assert site.get("/none/x.html", login=("ann", RIGHT)).body == b"none\n"
    assert site.get("/none/x.html", login=("ann", "Pw!his")).status == 401


def test_without_authconfig(site):
    site.log.expect("AuthType not allowed here")
    assert site.get("/files/x.html", login=("ann", "Pw!his")).status == 500


def test_his_directory_is_his_alone(site, slapds):
    """Granted and cached there, and no grant here; and the other way round."""
    site.log.allow("AH0161[78]")
    for _ in range(3):
        for path, password, status in (("/tree/x.html", RIGHT, 200), ("/tree/his/x.html", RIGHT, 401),
                                       ("/tree/his/x.html", "Pw!his", 200), ("/tree/x.html", "Pw!his", 401)):
            assert site.get(path, login=("ann", password)).status == status, (path, password)


def test_his_throttle_is_that_of_the_server(site):
    """What the outer policy says stays in force where he names a directory of his own."""
    site.log.allow("AH0161[78]", "AS0040")
    statuses = [site.get("/tree/his/x.html", login=("bob", f"Pw!guess{number}")).status for number in range(11)]
    assert statuses == [401] * 9 + [429] * 2
