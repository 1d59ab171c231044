# SPDX-License-Identifier: Apache-2.0
"""AuthLDAPCompareAsUser and AuthLDAPSearchAsUser bind as the user behind a login that may be cached. When the password
was changed elsewhere, that bind is refused: it counts, it is the last one of its transaction, and it ends the login."""
from concurrent.futures import ThreadPoolExecutor

import ldap
import pytest

from throttle.shared import LIMIT, LOCKED, RIGHT, Account, root_of, wrong_binds

NEW = "Pw!new"
SUFFIX = "o=staff"
SECTION = """<Location /in/{name}>
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider authstatus
    AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/{suffix}?uid"
    AuthLDAPBindDN "cn=service,{suffix}"
    AuthLDAPBindPassword "Pw!service"
    AuthLDAPCompareAsUser On
    AuthLDAPSearchAsUser On
    AuthStatus {on}
    AuthStatusDisclose Always
    {lines}
</Location>
"""
# "plain" asks nothing, and brings the login into the cache.
LINES = {"plain": "Require valid-user",
         "filter": "Require ldap-filter objectClass=*",
         "attribute": "Require ldap-attribute sn=x cn=nobody",
         "several": "Require ldap-filter cn=nobody\n    Require ldap-attribute sn=x\n    Require ldap-filter objectClass=*",
         "any": "<RequireAny>\n        Require ldap-filter objectClass=*\n        Require valid-user\n    </RequireAny>",
         "none": "<RequireAll>\n        Require valid-user\n        Require not ldap-filter cn=nobody\n    </RequireAll>",
         "page": "ErrorDocument 401 /in/filter/\n    Require ldap-attribute sn=x"}
PAGES = 12


def section(name, lines, on="On"):
    return SECTION.format(name=name, lines=lines, suffix=SUFFIX, on=on)


@pytest.fixture
def make(start, slapd):
    def make(conf="", cache="shmcb", times="1h 1h", on="On", **options):
        text = f"AuthStatusThrottle {LIMIT} 1h\nAuthStatusCacheTime {times}\n{conf}" + "".join(section(*row, on) for row in LINES.items())
        text += "".join(section(f"page{number}", f"Require ldap-filter !(cn=nobody{number})", on) for number in range(PAGES))
        httpd = start(text, defines={"LDAP": slapd.port}, cache=cache, modules=("socache_shmcb",), **options)
        httpd.log.allow("AH0161[78]", "AH01631", "AS0040")
        return httpd
    return make


@pytest.mark.parametrize("kind", ["event", "prefork"])
@pytest.mark.parametrize("name", ["filter", "attribute", "several", "any", "none", "page"])
def test_a_password_that_was_changed_elsewhere(make, slapd, account, name, kind):
    """One refused bind, and then the login itself is refused: from memory, for as long as a refusal is kept."""
    httpd = make(mpm=kind)
    for path in ("plain", "plain"):
        assert httpd.get(f"/in/{path}/", login=(account.uid, RIGHT)).status == 200
    account.set_password(NEW, SUFFIX)
    answers = [httpd.get(f"/in/{name}/", login=(account.uid, RIGHT)) for _ in range(2 * LOCKED)]
    assert [answer.status for answer in answers] == [401] * len(answers)
    assert {httpd.access(answer).outcome for answer in answers} == {"wrong-password"}
    assert all(answer.all("WWW-Authenticate") for answer in answers)
    assert wrong_binds(slapd, account.dns[0]) == 1 and not account.is_locked()
    assert httpd.get("/in/plain/", login=(account.uid, RIGHT)).status == 401
    assert httpd.get("/in/filter/", login=(account.uid, NEW)).status == 200
    httpd.stop()


def test_each_refusal_counts(make, slapd, account):
    """Refusals are not cached: each old password is a failure, and then it is throttled."""
    httpd = make(times="1h 0s")
    assert httpd.get("/in/plain/", login=(account.uid, RIGHT)).status == 200
    account.set_password(NEW, SUFFIX)
    statuses = [httpd.get(f"/in/{path}/", login=(account.uid, RIGHT)).status for path in ("filter", "page0", "none", "plain", "several", "any")]
    assert statuses == [401] * LIMIT + [429] * 2
    assert wrong_binds(slapd, account.dns[0]) == LIMIT and not account.is_locked()
    httpd.stop()


def test_a_client_is_counted_once(make, slapd, account):
    httpd = make("AuthStatusThrottle 3 1h Client\n")
    assert httpd.get("/in/plain/", login=(account.uid, RIGHT)).status == 200
    account.set_password(NEW, SUFFIX)
    assert httpd.get("/in/several/", login=(account.uid, RIGHT)).status == 401
    statuses = [httpd.get("/in/plain/", login=(f"nobody{number}", RIGHT)).status for number in range(3)]
    assert statuses == [401, 401, 429], "one failure by the old password, two by names that nobody has"
    httpd.stop()


@pytest.mark.parametrize("kind", ["event", "prefork"])
def test_all_lines_of_a_page_at_once(make, slapd, kind):
    """However many sections are requested at one moment, no more binds are refused than the throttle allows."""
    httpd = make(mpm=kind)
    for _ in range(3):
        one = Account(slapd, SUFFIX)
        assert httpd.get("/in/plain/", login=(one.uid, RIGHT)).status == 200
        one.set_password(NEW, SUFFIX)
        with ThreadPoolExecutor(PAGES) as threads:
            statuses = list(threads.map(lambda number: httpd.get(f"/in/page{number}/", login=(one.uid, RIGHT)).status, range(PAGES)))
        assert set(statuses) <= {401, 429} and 401 in statuses
        assert 1 <= wrong_binds(slapd, one.dns[0]) <= LIMIT and not one.is_locked()
    httpd.stop()


def test_right_passwords_leave_no_count(make, slapd, account):
    httpd = make(cache="Off")
    for number in range(3 * LIMIT):
        assert httpd.get(f"/in/{'filter' if number % 2 else 'none'}/", login=(account.uid, RIGHT)).status == 200
    with ThreadPoolExecutor(PAGES) as threads:
        assert set(threads.map(lambda number: httpd.get(f"/in/page{number}/", login=(account.uid, RIGHT)).status, range(PAGES))) == {200}
    httpd.stop()


def test_what_the_directory_says_of_the_account(make, slapd, account):
    """The account was locked, or its password reset, elsewhere: the outcome is a login's."""
    httpd = make()
    directory = slapd.client(root_of(SUFFIX))
    policy = f"cn=reset,ou=policies,{SUFFIX}"
    directory.add_s(policy, [("objectClass", [b"organizationalRole", b"pwdPolicy"]), ("pwdAttribute", [b"userPassword"]),
                             ("pwdMustChange", [b"TRUE"]), ("pwdLockout", [b"TRUE"])])
    httpd.log.allow("AS002[04]")
    for attribute, value, status, outcome in (("pwdAccountLockedTime", b"000001010000Z", 403, "account-locked"),
                                              ("pwdReset", b"TRUE", 403, "password-must-change")):
        one = Account(slapd, SUFFIX, pwdPolicySubentry=policy)
        assert httpd.get("/in/plain/", login=(one.uid, RIGHT)).status == 200
        directory.modify_s(one.dns[0], [(ldap.MOD_REPLACE, attribute, [value])])
        for path in ("filter", "filter", "plain"):
            answer = httpd.get(f"/in/{path}/", login=(one.uid, RIGHT))
            assert (answer.status, httpd.access(answer).outcome) == (status, outcome), path
    httpd.stop()


def test_where_authstatus_is_off(make, slapd, account):
    """As httpd answers a login that is refused."""
    httpd = make(on="Off")
    httpd.log.allow(r"AS00\d\d")
    assert httpd.get("/in/plain/", login=(account.uid, RIGHT)).status == 200
    account.set_password(NEW, SUFFIX)
    for _ in range(LOCKED):
        answer = httpd.get("/in/several/", login=(account.uid, RIGHT))
        assert answer.status == 401 and answer.all("WWW-Authenticate")
    assert wrong_binds(slapd, account.dns[0]) == 1
    httpd.stop()
