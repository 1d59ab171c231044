# SPDX-License-Identifier: Apache-2.0
"""The throttle in front of Active Directory (Samba) and 389 Directory Server, as each of them counts: no more wrong passwords
than AuthStatusThrottle allows, in whatever spelling, section, port or provider, and no right password is refused."""
import itertools
import struct

import ldap
import pytest

from lab.dirsrv import BASE as DS_BASE, SERVICE as DS_SERVICE, Dirsrv
from lab.samba import BASE as AD_BASE, DOMAIN, REALM, SERVICE as AD_SERVICE, SERVICE_PASSWORD, Account, Samba, policy
from throttle.shared import LIMIT, LOCKED, RIGHT, WRONG, spellings

NAMES = [f"person{number}" for number in range(8)]
COUNTED = {"passwordLockout": "on", "passwordMaxFailure": str(LOCKED), "passwordLockoutDuration": "3600",
           "passwordResetFailureCount": "3600", "passwordUnlock": "on"}
MACROS = """
AuthStatusThrottle 4 1h
AuthStatusInFlight 64
# Samba takes its time on a machine that is busy: an outage is not what is looked for here.
AuthStatusDeadline 30s
LDAPTimeout 30
LDAPConnectionTimeout 30
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
AliasMatch "^/(ad|ds|both)/" "${DOCS}/index.html"
<Macro Place $path $url $service>
    <Location "$path">
        AuthType Basic
        AuthName "the lab"
        AuthBasicProvider authstatus
        AuthLDAPURL "$url"
        AuthLDAPBindDN "$service"
        AuthLDAPBindPassword "Pw!service"
        AuthStatus On
        Require valid-user
    </Location>
</Macro>
<Macro Self $path $url $service $dn>
    Use Place "$path" "$url" "$service"
    <Location "$path">
        AuthLDAPInitialBindAsUser On
        AuthLDAPInitialBindPattern "^(.*)$" "$dn"
    </Location>
</Macro>
<Macro Provider $name $url $service>
    <AuthnProviderAlias authstatus $name>
        AuthLDAPURL "$url"
        AuthLDAPBindDN "$service"
        AuthLDAPBindPassword "Pw!service"
        AuthLDAPBindAuthoritative Off
    </AuthnProviderAlias>
</Macro>
<Macro Both $path $throttle>
    <Location "$path">
        AuthType Basic
        AuthName "the lab"
        AuthBasicProvider ad ds
        AuthStatus On
        AuthStatusThrottle $throttle
        Require valid-user
    </Location>
</Macro>
"""
numbers = itertools.count()


@pytest.fixture(scope="module")
def samba(workdirs):
    people = [Account(name, "people", RIGHT, {"userPrincipalName": f"{name}@{REALM}"}, policy="eight")
              for name in NAMES]
    samba = Samba(workdirs.new("samba"), people, [policy("eight", LockoutThreshold=str(LOCKED))]).start()
    yield samba
    samba.stop()


@pytest.fixture(scope="module")
def dirsrv(workdirs):
    ldif = "".join(f"dn: cn={name},{DS_BASE}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: x\nuid: {name}\nmail: {name}@lab.test\n"
                   f"userPassword: {RIGHT}\n\n" for name in (*NAMES, *(f"partner{number}" for number in range(8))))
    dirsrv = Dirsrv(workdirs.new("389ds"), ldif, COUNTED).start()
    yield dirsrv
    dirsrv.stop()


@pytest.fixture(scope="module")
def site(start, samba, dirsrv):
    ad, ds = f"ldap://{samba.address}", f"ldap://127.0.0.1:{dirsrv.port}"
    places = {"ad/account": f"{ad}/{AD_BASE}?sAMAccountName", "ad/principal": f"{ad}/{AD_BASE}?userPrincipalName",
              "ad/filter": f"{ad}/{AD_BASE}?cn?sub?(objectClass=user)",
              "ad/catalog": f"{ad}:3268/{AD_BASE}?sAMAccountName", "ad/list": f"{ad} {samba.other_address}/{AD_BASE}?sAMAccountName",
              "ds/uid": f"{ds}/{DS_BASE}?uid", "ds/mail": f"{ds}/{DS_BASE}?mail?one",
              "ds/filter": f"{ds}/{DS_BASE}?cn?sub?(objectClass=inetOrgPerson)"}
    text = MACROS
    for path, url in places.items():
        text += f'Use Place "/{path}" "{url}" "{AD_SERVICE if path.startswith("ad") else DS_SERVICE}"\n'
    text += (f'Use Provider ad "{places["ad/account"]}" "{AD_SERVICE}"\nUse Provider ds "{places["ds/uid"]}" "{DS_SERVICE}"\n'
             'Use Both /both/user "4 1h"\nUse Both /both/client "3 1h Client"\n')
    text += (f'Use Self /ds/self "{places["ds/uid"]}" "{DS_SERVICE}" "cn=$1,{DS_BASE}"\n'
             f'Use Self /ad/self "{places["ad/account"]}" "{AD_SERVICE}" "cn=$1,OU=people,{AD_BASE}"\n'
             f'Use Self /ad/typed "{places["ad/principal"]}" "{AD_SERVICE}" "$1"\n')
    return start(text, modules=("socache_shmcb", "remoteip"), cache="shmcb")


KINDS = {"ad": {"account": "{}", "principal": "{}@" + REALM, "filter": "{}", "catalog": "{}", "list": "{}"},
         "ds": {"uid": "{}", "mail": "{}@lab.test", "filter": "{}"}}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def read_from_ad(samba, name, attribute):
    client = ldap.initialize(f"ldap://{samba.address}")
    client.set_option(ldap.OPT_REFERRALS, 0)
    client.simple_bind_s(AD_SERVICE, SERVICE_PASSWORD)
    found = client.search_s(f"CN={name},OU=people,{AD_BASE}", 0, attrlist=[attribute])
    client.unbind_s()
    return found


@pytest.fixture
def wrong(samba, dirsrv):
    """wrong(kind, name): how many wrong passwords the directory has counted since the last right one."""
    def count(kind, name):
        if kind == "ad":
            found = read_from_ad(samba, name, "badPwdCount")
        else:
            client = dirsrv.client()
            found = client.search_s(f"cn={name},{DS_BASE}", 0, attrlist=["passwordRetryCount"])
            client.unbind_s()
        return int(next(iter(found[0][1].values()), [b"0"])[0])
    return count


@pytest.fixture
def guess(site):
    site.log.allow("AH0161[78]", "AS0040")

    def one(path, name, password=None, **options):
        return site.get(f"/{path}/", login=(name, password or f"{WRONG}{next(numbers)}"), **options).status
    return one


def test_one_account_in_all_spellings_and_sections(guess, wrong, kind):
    name, statuses = NAMES[0], []
    for spelled in spellings(name)[:4]:
        for place, form in KINDS[kind].items():
            statuses.append(guess(f"{kind}/{place}", form.format(spelled)))
    assert statuses.count(429) >= len(statuses) // 2, statuses
    assert 1 <= wrong(kind, name) <= LIMIT, statuses
    assert {guess(f"{kind}/{place}", form.format(name), RIGHT) for place, form in KINDS[kind].items()} == {429}


def test_a_success_ends_the_count(guess, wrong, kind):
    """A typo and the right one, again and again, in any section."""
    name = NAMES[1]
    for turn in range(3):
        for place, form in KINDS[kind].items():
            assert [guess(f"{kind}/{place}", form.format(name)) for _ in range(2)] == [401, 401]
            assert guess(f"{kind}/{place}", form.format(name), RIGHT) == 200
    assert wrong(kind, name) == 0


def test_right_passwords_of_the_second_provider_are_no_failures(guess):
    """389's people, whom Active Directory does not know."""
    assert [guess("both/client", f"partner{number}", RIGHT) for number in range(8)] == [200] * 8
    assert [guess("both/user", "partner1", RIGHT) for _ in range(8)] == [200] * 8


def test_both_providers_refuse(guess, wrong):
    name = NAMES[2]
    statuses = [guess("both/user", name) for _ in range(LIMIT + 2)]
    assert statuses == [401] * LIMIT + [429] * 2
    assert wrong("ad", name) == LIMIT and wrong("ds", name) == LIMIT


def test_one_account_in_spellings_that_389_alone_reads(guess, wrong):
    """In a DN it skips a backslash before any character, escaped ends of lines, and whatever follows quotes: that is not sent."""
    name = NAMES[3]
    names = [f"\\{name}", f"{name[:2]}\\{name[2:]}", f"\\p\\e\\r{name[3:]}", f"{name}\\0a", f"\\0d{name}\\0a\\0a", f'"{name[:3]}\\{name[3:]}"']
    names += [f'"{name}"{number}' for number in range(LIMIT)] + [f'"{name}"\\,', f'"{name}"\\2c']
    statuses = [guess("ds/self", spelled) for spelled in names for _ in range(2)]
    assert 1 <= wrong("ds", name) <= LIMIT, statuses
    assert set(statuses) == {401, 429}


def test_one_account_in_spellings_that_samba_alone_reads(guess, wrong):
    """In a value of a DN it skips an escaped NUL, and whatever follows: that is not sent."""
    name = NAMES[4]
    names = [f"{name}\\00{number}" for number in range(LOCKED + 1)] + [f"\\{ord(name[0]):02x}{name[1:]}", f" {name} ", name.upper()]
    statuses = [guess("ad/self", spelled) for spelled in names for _ in range(2)]
    assert 1 <= wrong("ad", name) <= LIMIT, statuses
    assert set(statuses) == {401, 429}


def make_name_of_sid(samba, name):
    sid = read_from_ad(samba, name, "objectSid")[0][1]["objectSid"][0]
    return "-".join(["S", str(sid[0]), str(int.from_bytes(sid[2:8], "big")), *map(str, struct.unpack(f"<{sid[1]}I", sid[8:]))])


@pytest.mark.parametrize("kind", ["escapes", "end", "sid", "middle", "spaces"])
def test_one_account_in_any_number_of_names_that_are_no_dn(samba, guess, wrong, kind):
    """Samba undoes escapes in user@domain and skips what follows a NUL there; it skips what follows a SID, and the middle of a
    canonical name. None of these is sent."""
    name = NAMES[5]
    principal = f"{name}@{REALM}"
    names = {"escapes": [f"{principal[:at]}\\{principal[at:]}" for at in range(LOCKED)],
             "end": [f"{principal}\\0{number}" for number in range(LOCKED)],
             "sid": [f"{make_name_of_sid(samba, name)} {number}" for number in range(LOCKED)],
             "middle": [f"{REALM}/{number}/{name}" for number in range(LOCKED)],
             "spaces": [f"{name}{before}@{after}{REALM}" for before in ("", " ") for after in ("", " ")] * 2}[kind]
    assert guess("ad/typed", principal, RIGHT) == 200
    statuses = [guess("ad/typed", spelled) for spelled in names]
    if kind == "spaces":
        assert statuses == [401] * LIMIT + [429] * LIMIT and wrong("ad", name) == LIMIT
    else:
        assert wrong("ad", name) == 0 and set(statuses) == {401}


def test_a_name_with_its_domain_is_sent(guess, wrong):
    assert guess("ad/typed", f"{DOMAIN}\\{NAMES[7]}") == 401
    assert wrong("ad", NAMES[7]) == 1
