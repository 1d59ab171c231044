# SPDX-License-Identifier: Apache-2.0
"""A cached answer serves only where every setting of the directory is the same. memory/test_isolation.py has
the parts of AuthLDAPURL in clear text; here are the rest: how a directory is reached, as whom, through whom."""
from collections import namedtuple
from pathlib import Path

import pytest

from lab.fake import Fake, entries
from lab.slapd import Database
from lab.stores import Redis, key_file

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"

# `one` and `two`: what is said in two sections that are alike otherwise. `binds`: of the user, by each login there.
Row = namedtuple("Row", "name one two")
ROWS = [
    Row("starttls", "", 'AuthLDAPURL "ldap://localhost:${LDAP}/o=isolation?uid" STARTTLS\nUse Account o=isolation'),
    Row("ldaps", "", 'AuthLDAPURL "ldaps://localhost:${LDAPS}/o=isolation?uid"\nUse Account o=isolation'),
    Row("bind-password", "", "AuthLDAPBindPassword Pw!no-longer"),
    Row("referrals", "LDAPReferrals Off", "LDAPReferrals On"),
    Row("bound-as-user", "", 'AuthLDAPInitialBindAsUser On\nAuthLDAPInitialBindPattern "^(.+)$" "uid=$1,o=isolation"'),
    Row("bound-as-user-by-another-pattern", 'AuthLDAPInitialBindAsUser On\nAuthLDAPInitialBindPattern "^(.+)$" "uid=$1,o=isolation"',
        'AuthLDAPInitialBindAsUser On\nAuthLDAPInitialBindPattern "^(.+)$" "uid=$1,ou=people,o=isolation"'),
    Row("client-certificate", "", 'LDAPTrustedClientCert CERT_BASE64 "${CERT}"\nLDAPTrustedClientCert KEY_BASE64 "${KEY}"\n'
        'AuthLDAPURL "ldap://localhost:${LDAP}/o=isolation?uid" STARTTLS\nUse Account o=isolation'),
    Row("remote-user-attribute", "AuthLDAPRemoteUserAttribute cn", "AuthLDAPRemoteUserAttribute sn"),
]
SECTION = """
Use Login /in/{name}/{which} "ldap://localhost:${{LDAP}}" o=isolation
<Location /in/{name}/{which}>
    {lines}
</Location>
"""


@pytest.fixture(scope="module")
def slapd(start_slapd, good_certificate, authority):
    return start_slapd(Database("o=isolation", HERE / "people.ldif"), tls=good_certificate, authority=authority)


@pytest.fixture(scope="module")
def site(start, slapd, authority, good_certificate):
    text = 'LogLevel warn authstatus:trace8\nLDAPTrustedGlobalCert CA_BASE64 "${CA}"\n'
    for row in ROWS:
        for which, lines in (("one", row.one), ("two", row.two)):
            text += SECTION.format(name=row.name, which=which, lines=lines)
    return start(text, defines={"LDAP": slapd.port, "LDAPS": slapd.tls_port, "CA": authority.cert,
                                "CERT": good_certificate.cert, "KEY": good_certificate.key},
                 cache="shmcb", modules=("socache_shmcb",))


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_sections(site, slapd, row):
    """The second section queries its own directory; a second login at the first section queries none."""
    site.log.allow("AH0161[78]", r"AS00\d\d")
    for password in (RIGHT, WRONG):
        first = site.get(f"/in/{row.name}/one/", login=("ann", password))
        mark = slapd.mark()
        assert site.get(f"/in/{row.name}/one/", login=("ann", password)).status == first.status
        assert slapd.operations(mark)["searches"] == 0, "the rows can fail: what is the same is cached"
        mark = slapd.mark()
        site.get(f"/in/{row.name}/two/", login=("ann", password))
        queried = slapd.operations(mark)
        assert any(queried.values()), "the directory was not asked"


def test_a_service_account_that_is_refused_gets_nothing_of_the_others(site):
    """Right and cached there, and here the service account's password is wrong: nobody gets in."""
    site.log.expect("AS0060")
    assert site.get("/in/bind-password/one/", login=("ann", RIGHT)).status == 200
    assert site.get("/in/bind-password/two/", login=("ann", RIGHT)).status == 500


def test_who_may_not_search_himself_is_not_let_in_by_the_service_account(site):
    """Granted and cached where the pattern leads to the user, and refused where it leads to nobody."""
    site.log.allow("AH0161[78]")
    for _ in range(2):
        assert site.get("/in/bound-as-user-by-another-pattern/one/", login=("ann", RIGHT)).status == 200
        assert site.get("/in/bound-as-user-by-another-pattern/two/", login=("ann", RIGHT)).status == 401


# -- aliases, hosts, groups -------------------------------------------------------------------------------------------

MORE = """LogLevel warn authstatus:trace8
<AuthnProviderAlias authstatus first>
    Use Directory "ldap://127.0.0.1:${ONE}" o=isolation
</AuthnProviderAlias>
<AuthnProviderAlias authstatus second>
    Use Directory "ldap://127.0.0.1:${TWO}" o=isolation
</AuthnProviderAlias>
<Macro Aliased $path $providers>
    <Location $path>
        AuthType Basic
        AuthName x
        AuthBasicProvider $providers
        AuthStatus On
        Require valid-user
    </Location>
</Macro>
Use Aliased /in/alias/first "first"
Use Aliased /in/alias/second "second"
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName one.test
    Use Login /in/host "ldap://127.0.0.1:${ONE}" o=isolation
    Use Login /in/group/a "ldap://127.0.0.1:${ONE}" o=isolation
    <Location /in/group/a>
        Require user ann
    </Location>
    Use Login /in/group/b "ldap://127.0.0.1:${ONE}" o=isolation
    <Location /in/group/b>
        Require user bob
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName two.test
    Use Login /in/host "ldap://127.0.0.1:${TWO}" o=isolation
</VirtualHost>
"""


@pytest.fixture(scope="module")
def other(start_slapd):
    """Of the same suffix, with the same ann; another password."""
    slapd = start_slapd(Database("o=isolation", HERE / "people.ldif", ('rootdn "cn=root,o=isolation"', "rootpw Pw!service")))
    slapd.client("cn=root,o=isolation").modify_s("uid=ann,o=isolation", [(2, "userPassword", [b"Pw!other"])])
    return slapd


@pytest.fixture(scope="module")
def sites(start, slapd, other):
    return start(MORE, defines={"ONE": slapd.port, "TWO": other.port}, cache="shmcb", modules=("socache_shmcb",))


@pytest.mark.parametrize("one, two", [("/in/alias/first/", "/in/alias/second/"), (("/in/host/", "one.test"), ("/in/host/", "two.test"))],
                         ids=["alias", "virtual-host"])
def test_another_directory(sites, one, two):
    """In turn, twice: cached or not, each answers by its own directory."""
    sites.log.allow("AH0161[78]")
    for _ in range(3):
        for place, password, status in ((one, RIGHT, 200), (two, RIGHT, 401), (two, "Pw!other", 200), (one, "Pw!other", 401)):
            path, host = place if isinstance(place, tuple) else (place, "one.test")
            assert sites.get(path, login=("ann", password), host=host).status == status, (path, host, password)


def test_groups(sites):
    """The same login, granted and cached: each place evaluates its own Require."""
    sites.log.allow("AH01631", "AS00\\d\\d")
    for _ in range(3):
        for path, user, password, status in (("a", "ann", RIGHT, 200), ("b", "ann", RIGHT, 403), ("b", "bob", "Pw!bob", 200),
                                             ("a", "bob", "Pw!bob", 403)):
            assert sites.get(f"/in/group/{path}/", login=(user, password), host="one.test").status == status


# -- a key that is changed --------------------------------------------------------------------------------------------

def test_a_new_key_forgets_everything(start, workdirs, slapd):
    """By a graceful restart, with the store still full of records under the key before."""
    store = Redis(workdirs.new("store")).start()
    path = key_file(store.workdir)
    httpd = start(f'AuthStatusCacheKey "{path}"\nAuthStatusThrottle 3 1h\nUse Login /in "ldap://127.0.0.1:{slapd.port}" o=isolation',
                  cache=store.cache, modules=store.modules)
    httpd.log.allow("AH0161[78]", "AS00\\d\\d")

    def fetch():
        mark = slapd.mark()
        assert httpd.get("/in/", login=("ann", RIGHT)).status == 200
        assert httpd.get("/in/", login=("bob", WRONG)).status == 401
        return slapd.operations(mark)["user_binds"]
    assert fetch() == 2 and fetch() == 0
    for number in range(2):
        assert httpd.get("/in/", login=("bob", f"{WRONG}{number}")).status == 401
    assert httpd.get("/in/", login=("bob", "Pw!bob")).status == 429
    before = set(store.keys())
    httpd.reload()
    assert fetch() == 0 and httpd.get("/in/", login=("bob", "Pw!bob")).status == 429, "with the same key it is cached"
    path.chmod(0o600)
    key_file(store.workdir, octets=48)
    httpd.reload()
    mark = slapd.mark()
    assert httpd.get("/in/", login=("ann", RIGHT)).status == 200
    assert slapd.operations(mark)["user_binds"] == 1, "what was cached under the key before"
    assert httpd.get("/in/", login=("bob", "Pw!bob")).status == 429, "failures are no answers: this machine counts on"
    assert before <= set(store.keys()), "they are all there still: the key makes the difference"
    httpd.stop()
    store.stop()


def test_another_entry_than_the_one_that_was_bound(start):
    """AuthLDAPInitialBindAsUser: where the search finds another entry, the password is tested with that one, too."""
    own, other = [Fake({"search": entries(f"uid={name},dc=fake")}, people={"uid=ann,dc=fake": RIGHT, "uid=eve,dc=fake": "Pw!eve"})
                  for name in ("ann", "eve")]
    httpd = start("".join(f'''Use Login /in/{port} "ldap://127.0.0.1:${{{port}}}" dc=fake
<Location /in/{port}>
    AuthLDAPInitialBindAsUser On
    AuthLDAPInitialBindPattern "^(.+)$" "uid=$1,dc=fake"
</Location>
''' for port in ("OWN", "OTHER")), defines={"OWN": own.port, "OTHER": other.port})
    httpd.log.allow("AH01617", "wrong-password")
    assert httpd.get("/in/OWN/", login=("ann", RIGHT)).status == 200
    assert own.binds() == [("uid=ann,dc=fake", RIGHT)]
    assert httpd.get("/in/OTHER/", login=("ann", RIGHT)).status == 401
    assert other.binds() == [("uid=ann,dc=fake", RIGHT), ("uid=eve,dc=fake", RIGHT)]
    httpd.stop()
    own.stop(), other.stop()
