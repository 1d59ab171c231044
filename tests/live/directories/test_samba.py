# SPDX-License-Identifier: Apache-2.0
"""Active Directory, as Samba plays it: every state of an account, the ways of naming a user, the global catalog, logins
without a service account, TLS and what AD wants of it."""
from pathlib import Path

import pytest

from directories import states
from lab import tls
from lab.explain import Explain
from lab.samba import BASE, DAY, DOMAIN, REALM, SERVICE, SERVICE_PASSWORD, Account, Samba, filetime, policy
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = states.PASSWORDS["right"], states.PASSWORDS["wrong"]
NORMAL, DISABLED, SMART_CARD = 0x200, 0x2, 0x40000  # userAccountControl

# Attributes of an account in each state.
STATES = {
    "good": {},
    "disabled": {"userAccountControl": str(NORMAL | DISABLED)},
    "account-expired": {"accountExpires": filetime(DAY)},
    "expired": {"forced": {"pwdLastSet": filetime(100 * DAY)}},
    "must-change": {"pwdLastSet": "0"},
    "logon-hours": {"logonHours": "\0" * 21},
    "other-workstation": {"userWorkstations": "elsewhere"},
    "locked-by-failures": {"policy": "failures"},
    "smart-card": {"userAccountControl": str(NORMAL | SMART_CARD)},
}
ENABLED = "(&(objectCategory=person)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))"
POLICIES = [policy("failures", PasswordSettingsPrecedence="1", LockoutThreshold="3")]

SITE = """
Include "{here}/site.conf"
LDAPTrustedGlobalCert CA_BASE64 {ca}

Use States /in/samba "ldap://{address}/{base}?sAMAccountName" {service}

# By other names
Use States /in/principal "ldap://{address}/{base}?userPrincipalName" {service}
Use States /in/mail "ldap://{address}/{base}?mail" {service}
Use States /in/filter "ldap://{address}/{base}?sAMAccountName?sub?{filter}" {service}
Use States /in/catalog "ldap://{address}:3268/{base}?sAMAccountName" {service}
# As in httpd's manual: all domains of the forest
Use States /in/forest "ldap://{address}:3268/?userPrincipalName?sub" {service}
Use States /in/domain-service "ldap://{address}/{base}?sAMAccountName" "{domain}\\\\service"
Use States /in/no-referrals "ldap://{address}/{base}?sAMAccountName" {service}
<Location /in/no-referrals>
    LDAPReferrals Off
</Location>

# REMOTE_USER in the directory's spelling
Use States /in/remote-user "ldap://{address}/{base}?sAMAccountName" {service}
<Location /in/remote-user>
    AuthLDAPRemoteUserAttribute sAMAccountName
</Location>
Use States /in/remote-mail "ldap://{address}/{base}?sAMAccountName" {service}
<Location /in/remote-mail>
    AuthLDAPRemoteUserAttribute mail
</Location>

# Without a service account
Use States /in/as-user "ldap://{address}/{base}?sAMAccountName" "cn=nobody"
<Location /in/as-user>
    AuthLDAPInitialBindAsUser On
    AuthLDAPInitialBindPattern (.+) $1@{realm}
</Location>
Use States /in/typed "ldap://{address}/{base}?sAMAccountName" "cn=nobody"
<Location /in/typed>
    AuthLDAPInitialBindAsUser On
</Location>
<Location /in/anonymous>
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider authstatus
    AuthLDAPURL "ldap://{address}/{base}?sAMAccountName"
    AuthStatus On
    Require valid-user
</Location>
Use States /in/service-refused "ldap://{address}/{base}?sAMAccountName" "nobody@{realm}"
Use States /in/no-such-base "ldap://{address}/DC=elsewhere,DC=test?sAMAccountName" {service}

Use States /in/ldaps "ldaps://{address}/{base}?sAMAccountName" {service}
Use States /in/ldaps-catalog "ldaps://{address}:3269/{base}?sAMAccountName" {service}
Use States /in/ldaps-other-name "ldaps://{other}/{base}?sAMAccountName" {service}
Use States /in/starttls "ldap://{address}/{base}?sAMAccountName" {service}
<Location /in/starttls>
    AuthLDAPURL "ldap://{address}/{base}?sAMAccountName" STARTTLS
    AuthLDAPBindDN {service}
    AuthLDAPBindPassword "Pw!service"
</Location>
Use States /in/starttls-other-name "ldap://{other}/{base}?sAMAccountName" {service}
<Location /in/starttls-other-name>
    AuthLDAPURL "ldap://{other}/{base}?sAMAccountName" STARTTLS
    AuthLDAPBindDN {service}
    AuthLDAPBindPassword "Pw!service"
</Location>
"""


@pytest.fixture(scope="module")
def samba(workdirs, authority):
    accounts = []
    for state in states.names("samba"):
        for name in (f"{state}.{account}" for account in states.ACCOUNTS):
            attributes = {"userPrincipalName": f"{name}@{REALM}", "mail": f"{name}@mail.test", **STATES[state]}
            forced, policy_name = attributes.pop("forced", {}), attributes.pop("policy", None)
            accounts.append(Account(name, "people", RIGHT, attributes, forced, policy_name))
    accounts.append(Account("MixedCase", "people", RIGHT, {"userPrincipalName": f"MixedCase@{REALM}",
                                                           "mail": "Mixed.Case@mail.test"}))
    accounts.append(Account("NoMail", "people", RIGHT))
    accounts += [Account(name, "people", RIGHT, {"mail": "twin@mail.test"}) for name in ("twin1", "twin2")]
    samba = Samba(workdirs.new("samba"), accounts, POLICIES, authority)
    try:
        samba.start()
        for account in states.ACCOUNTS:
            samba.lock_out(f"locked-by-failures.{account}")
        yield samba
    finally:
        samba.stop()


def configuration(samba, ca):
    return SITE.format(here=HERE, ca=ca.cert, address=samba.address, other=samba.other_address, base=BASE,
                       service=SERVICE, realm=REALM, domain=DOMAIN, filter=ENABLED)


@pytest.fixture(scope="module")
def site(start, samba, authority):
    return start(configuration(samba, authority))


@states.rows("samba")
def test_proven(site, row):
    states.check_proven(site, row)


@states.rows("samba")
def test_always(site, row):
    states.check_always(site, row)


# -- authstatus-explain -----------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def explain(workdirs, samba, authority):
    return Explain(workdirs.new("explain"), "-o", f"tls_cacert={authority.cert}", service=(SERVICE, SERVICE_PASSWORD))


@states.rows("samba")
def test_explained(explain, samba, row):
    states.check_explained(lambda *login: explain.run(f"ldap://{samba.address}/{BASE}?sAMAccountName", *login), row)


@pytest.mark.parametrize("scheme, options", [("ldaps", ()), ("ldap", ("-Z",))])
def test_explained_over_tls(explain, samba, scheme, options):
    story = explain.run(f"{scheme}://{samba.address}/{BASE}?sAMAccountName", "expired.explained", RIGHT, options)
    assert story["outcome"] == "password-expired" and story["ldap"] == "49/532"
    tls_step = next(step for step in story["steps"] if step["step"] == "tls")
    assert tls_step["protocol"].startswith("TLS") and "CN=samba" in tls_step["certificate"]["subject"]
    story = explain.run(f"{scheme}://{samba.other_address}/{BASE}?sAMAccountName", "good.explained", RIGHT, options)
    assert story["outcome"] == "tls-failed" and "name" in story["reason"]


def test_the_limit_of_the_domain(explain, samba, start, workdirs):
    """How many failures lock an account, and that AuthStatusThrottle must be below it: from the domain's head, wherever in it
    the URL's base is."""
    url = f"ldap://{samba.address}/OU=people,{BASE}?sAMAccountName"
    where = f"lockoutThreshold of {BASE}"
    assert explain.run(url)["lockout"] == {"from": where, "failures": 0}
    samba.set_lockout_threshold(7)
    try:
        assert explain.run(url, "good.explained", RIGHT)["lockout"] == {"from": where, "failures": 7}
        # Who may not look is told so, and nothing else changes.
        nobody = Explain(workdirs.new("nobody")).run(f"ldap://{samba.address}/{BASE}?sAMAccountName", "good.explained")
        assert "lockout" not in nobody and nobody["outcome"] == "directory-misconfigured"
        for failures, warned in ((6, False), (7, True)):
            said = states.dump(start, f"""
                <Location /x>
                    AuthLDAPURL "{url}"
                    AuthLDAPBindDN "{SERVICE}"
                    AuthLDAPBindPassword "{SERVICE_PASSWORD}"
                    AuthStatus On
                    AuthStatusThrottle {failures} 5min
                </Location>""")
            assert f"the directory locks an account after 7 failures ({where})" in said
            assert (f"lets {failures} failures of a user reach the directory" in said) == warned
    finally:
        samba.set_lockout_threshold(0)


# -- naming a user ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path, user, password, outcome, status, ldap", [
    ("principal", f"good.proven@{REALM}", RIGHT, "granted", 200, "0"),
    ("principal", f"good.proven@{REALM}", WRONG, "wrong-password", 401, "49/52e"),
    ("principal", f"disabled.proven@{REALM}", RIGHT, "account-disabled", 403, "49/533"),
    ("principal", "good.proven", RIGHT, "unknown-user", 401, "0"),
    ("mail", "good.proven@mail.test", RIGHT, "granted", 200, "0"),
    ("mail", "GOOD.Proven@Mail.Test", RIGHT, "granted", 200, "0"),
    ("mail", "nobody@mail.test", RIGHT, "unknown-user", 401, "0"),
    ("mail", "twin@mail.test", RIGHT, "ambiguous-user", 401, "0"),
    ("filter", "good.proven", RIGHT, "granted", 200, "0"),
    ("filter", "disabled.proven", RIGHT, "unknown-user", 401, "0"),
    ("catalog", "good.proven", RIGHT, "granted", 200, "0"),
    ("catalog", "good.proven", WRONG, "wrong-password", 401, "49/52e"),
    ("catalog", "must-change.proven", RIGHT, "password-must-change", 403, "49/773"),
    ("forest", f"good.proven@{REALM}", RIGHT, "granted", 200, "0"),
    ("forest", f"nobody@{REALM}", RIGHT, "unknown-user", 401, "0"),
    ("no-referrals", "good.proven", RIGHT, "granted", 200, "0"),
    ("no-referrals", "unknown", RIGHT, "unknown-user", 401, "0"),
    ("domain-service", "good.proven", RIGHT, "granted", 200, "0"),
    # Samba has no logon servers for a group of BUILTIN, whose name anybody may type: no outage
    ("samba", "Administrators", RIGHT, "wrong-password", 401, "49/51f"),
    ("typed", f"CN=Users, CN=\\42uiltin,{BASE}", RIGHT, "wrong-password", 401, "49/51f"),
    ("typed", "S-1-5-32-544", RIGHT, "wrong-password", 401, "49/51f"),
    ("typed", f"{REALM}/Builtin/Guests", RIGHT, "wrong-password", 401, "49/51f"),
    # The attribute does not have the domain in it: a name like any other, with a backslash that a filter must escape
    ("samba", f"{DOMAIN}\\good.proven", RIGHT, "unknown-user", 401, "0"),
    # The user binds for the search: what AD says of the account comes from there
    ("as-user", "good.proven", RIGHT, "granted", 200, "0"),
    ("as-user", "good.proven", WRONG, "wrong-password", 401, "49/52e"),
    ("as-user", "unknown", RIGHT, "wrong-password", 401, "49/52e"),
    ("as-user", "disabled.proven", RIGHT, "account-disabled", 403, "49/533"),
    ("as-user", "must-change.proven", RIGHT, "password-must-change", 403, "49/773"),
    ("as-user", "must-change.proven", WRONG, "wrong-password", 401, "49/52e"),
    ("as-user", "locked-by-failures.proven", RIGHT, "account-locked", 401, "49/775"),
    # Never the user's fault
    ("anonymous", "good.proven", RIGHT, "directory-misconfigured", 500, "1"),
    ("service-refused", "good.proven", RIGHT, "service-account-refused", 500, "49/52e"),
    ("no-such-base", "good.proven", RIGHT, "directory-misconfigured", 500, None),
])
def test_names(site, path, user, password, outcome, status, ldap):
    answer = site.get(f"/in/{path}", login=(user, password))
    verify(site, answer, outcome, status, ldap=ldap)


def test_a_search_from_the_root_brings_continuation_references(samba):
    """Else the logins above have not shown that these do no harm."""
    assert samba.references("good.proven")


@pytest.mark.parametrize("path, user, remote_user", [
    ("remote-user", "mixedcase", "MixedCase"),
    ("remote-user", "MIXEDCASE", "MixedCase"),
    ("remote-mail", "mixedcase", "Mixed.Case@mail.test"),
    ("samba", "mixedcase", "mixedcase"),
])
def test_remote_user(site, path, user, remote_user):
    record = verify(site, site.get(f"/in/{path}", login=(user, RIGHT)), "granted", 200)
    assert record.user == remote_user


def test_remote_user_that_the_entry_does_not_have(site):
    """The typed name would stand for another identity than the configured one."""
    verify(site, site.get("/in/remote-mail", login=("nomail", RIGHT)), "directory-misconfigured", 500)


# -- TLS --------------------------------------------------------------------------------------------------------------

SECURE = ["ldaps", "ldaps-catalog", "starttls"]


def refused(site, path, reason):
    site.log.expect(rf"AS0061: .*({reason})")
    verify(site, site.get(f"/in/{path}", login=("good.proven", RIGHT)), "tls-failed", 500)


@pytest.mark.parametrize("path", SECURE)
def test_tls(site, path):
    verify(site, site.get(f"/in/{path}", login=("good.proven", RIGHT)), "granted", 200)
    verify(site, site.get(f"/in/{path}", login=("good.proven", WRONG)), "wrong-password", 401, ldap="49/52e")
    verify(site, site.get(f"/in/{path}", login=("expired.proven", RIGHT)), "password-expired", 403, ldap="49/532")


@pytest.mark.parametrize("path", ["ldaps-other-name", "starttls-other-name"])
def test_tls_with_another_name(site, path):
    refused(site, path, "name")


@pytest.fixture(scope="module")
def distrustful(start, samba, workdirs):
    return start(configuration(samba, tls.Authority(workdirs.new("ca"), "stranger")))


@pytest.mark.parametrize("path", SECURE)
def test_tls_of_a_stranger(distrustful, path):
    refused(distrustful, path, "issuer|signer|unknown|trust|authority")


# -- a domain controller that is not as it was ------------------------------------------------------------------------

def test_expired_certificate_and_strong_auth(site, samba, authority):
    """Samba starts anew for this, so it is one test: with an expired certificate, and as it is by default, which wants
    TLS for a password and says so to the service account already. Sessions that httpd had kept are gone each time."""
    with samba.otherwise(authority.issue("samba-expired", f"IP:{samba.address}", expired=True), strong=True):
        for path in ("ldaps", "starttls"):
            refused(site, path, "expired|not valid")
        for user, password in (("good.proven", RIGHT), ("good.proven", WRONG), ("unknown", RIGHT)):
            verify(site, site.get("/in/samba", login=(user, password)), "directory-misconfigured", 500, ldap="8")
        verify(site, site.get("/in/as-user", login=("good.proven", RIGHT)), "directory-misconfigured", 500, ldap="8")
    with samba.otherwise(strong=True):
        for path in SECURE:
            verify(site, site.get(f"/in/{path}", login=("good.proven", RIGHT)), "granted", 200)
    for path in ("samba", "as-user", "ldaps"):
        verify(site, site.get(f"/in/{path}", login=("good.proven", RIGHT)), "granted", 200)
