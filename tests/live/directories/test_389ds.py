# SPDX-License-Identifier: Apache-2.0
"""389 Directory Server: every state that its password policy and its Account Policy plugin know, and TLS."""
import time
from pathlib import Path

import ldap
import pytest

from directories import states
from lab import tls
from lab.dirsrv import BASE, MANAGER, MANAGER_PASSWORD, SERVICE, SERVICE_PASSWORD, Dirsrv
from lab.explain import Explain
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = states.PASSWORDS["right"], states.PASSWORDS["wrong"]
DAY = 86400

POLICIES = {
    "failures": {"passwordLockout": "on", "passwordMaxFailure": 3, "passwordLockoutDuration": DAY,
                 "passwordResetFailureCount": DAY, "passwordUnlock": "on"},
    "early": {"passwordLockout": "on", "passwordMaxFailure": 3, "passwordLockoutDuration": DAY,
              "passwordResetFailureCount": DAY, "passwordUnlock": "on", "passwordLegacyPolicy": "off"},
    "for-ever": {"passwordLockout": "on", "passwordMaxFailure": 3, "passwordResetFailureCount": DAY,
                 "passwordUnlock": "off"},
    "aging": {"passwordExp": "on", "passwordMaxAge": 100 * DAY, "passwordWarning": 7 * DAY},
    "grace": {"passwordExp": "on", "passwordMaxAge": 100 * DAY, "passwordWarning": 0, "passwordGraceLimit": 5},
    "last-grace": {"passwordExp": "on", "passwordMaxAge": 100 * DAY, "passwordWarning": 0, "passwordGraceLimit": 1},
    "reset": {"passwordMustChange": "on"},
    "reset-aging": {"passwordMustChange": "on", "passwordExp": "on", "passwordMaxAge": 3 * DAY,
                    "passwordWarning": 7 * DAY},
    "temporary": {"passwordMustChange": "on", "passwordTPRMaxUse": 1},
}
ACCOUNT_POLICY = "cn=idle,ou=policies"


def stamp(seconds):
    """A generalized time, so many seconds from now."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))


# Operational attributes of an account in each state, its policy, and what is done to it when the server runs.
STATES = {
    "good": {},
    "ambiguous": {},
    "no-password": {"userPassword": None},
    "inactivated": {"nsAccountLock": "true"},
    "last-try": {"policy": "early", "failures": 2},
    "locked-by-failures": {"policy": "failures", "failures": 3},
    "locked-for-ever": {"policy": "for-ever", "failures": 3},
    "idle": {"acctPolicySubentry": f"{ACCOUNT_POLICY},{BASE}", "lastLoginTime": stamp(-10 * DAY)},
    "temporary-used-up": {"policy": "temporary", "reset": True, "logins": 2},
    "expired": {"policy": "aging", "passwordExpirationTime": stamp(-DAY), "passwordExpWarned": "1"},
    "grace": {"policy": "grace", "passwordExpirationTime": stamp(-DAY), "passwordExpWarned": "1"},
    "last-grace": {"policy": "last-grace", "passwordExpirationTime": stamp(-DAY), "passwordExpWarned": "1"},
    "grace-used-up": {"policy": "last-grace", "passwordExpirationTime": stamp(-DAY), "passwordExpWarned": "1",
                      "passwordGraceUserTime": "1"},
    "must-change": {"policy": "reset", "reset": True},
    "must-change-expiring": {"policy": "reset-aging", "reset": True},
    "expiring": {"policy": "aging", "passwordExpirationTime": stamp(3 * DAY)},
    "expiring-warned": {"policy": "aging", "passwordExpirationTime": stamp(3 * DAY), "passwordExpWarned": "1"},
}
OURS = ("policy", "failures", "reset", "logins")

SITE = """
Include "{here}/site.conf"
LDAPTrustedGlobalCert CA_BASE64 {ca}

Use States /in/389ds "ldap://127.0.0.1:{port}/{base}?uid" {service}
Use States /in/ldaps "ldaps://127.0.0.1:{tls_port}/{base}?uid" {service}
Use States /in/ldaps-other-name "ldaps://localhost:{tls_port}/{base}?uid" {service}
Use States /in/starttls "ldap://127.0.0.1:{port}/{base}?uid" {service}
<Location /in/starttls>
    AuthLDAPURL "ldap://127.0.0.1:{port}/{base}?uid" STARTTLS
    AuthLDAPBindDN {service}
    AuthLDAPBindPassword "Pw!service"
</Location>
Use States /in/starttls-other-name "ldap://localhost:{port}/{base}?uid" {service}
<Location /in/starttls-other-name>
    AuthLDAPURL "ldap://localhost:{port}/{base}?uid" STARTTLS
    AuthLDAPBindDN {service}
    AuthLDAPBindPassword "Pw!service"
</Location>
"""


def dn_of(state, account):
    return f"uid={state}.{account},ou=people,{BASE}"


def entry(dn, object_class, attributes):
    lines = [f"dn: {dn}", *(f"objectClass: {name}" for name in object_class.split())]
    return "\n".join([*lines, *(f"{name}: {value}" for name, value in attributes.items() if value is not None)]) + "\n"


def people():
    entries = [entry(f"ou={name},{BASE}", "organizationalUnit", {"ou": name}) for name in ("people", "more", "policies")]
    entries.append(entry(f"{ACCOUNT_POLICY},{BASE}", "extensibleObject ldapSubentry accountPolicy",
                         {"cn": "idle", "accountInactivityLimit": DAY}))
    for name, settings in POLICIES.items():
        entries.append(entry(f"cn={name},ou=policies,{BASE}", "ldapSubentry extensibleObject passwordPolicy",
                             {"cn": name, **settings}))
    for state in states.names("389ds"):
        attributes = {name: value for name, value in STATES[state].items() if name not in OURS}
        if policy := STATES[state].get("policy"):
            attributes["pwdPolicySubentry"] = f"cn={policy},ou=policies,{BASE}"
        for name in (f"{state}.{account}" for account in states.ACCOUNTS):
            for unit in ("people", "more") if state == "ambiguous" else ("people",):
                entries.append(entry(f"uid={name},ou={unit},{BASE}", "inetOrgPerson", {
                    "uid": name, "cn": name, "sn": name, "userPassword": RIGHT, **attributes}))
    return "\n".join(entries)


def provoke(dirsrv):
    manager = dirsrv.client()
    for state in states.names("389ds"):
        for dn in (dn_of(state, account) for account in states.ACCOUNTS):
            if STATES[state].get("reset"):
                manager.modify_s(dn, [(ldap.MOD_REPLACE, "userPassword", RIGHT.encode())])
            for _ in range(STATES[state].get("failures", 0)):
                assert dirsrv.refusal(dn, WRONG)
            for _ in range(STATES[state].get("logins", 0)):
                dirsrv.refusal(dn, RIGHT)
    manager.unbind_s()


@pytest.fixture(scope="module")
def dirsrv(workdirs, authority):
    plugin = "cn=Account Policy Plugin,cn=plugins,cn=config"
    dirsrv = Dirsrv(
        workdirs.new("389ds"), people(), authority=authority,
        config={"nsslapd-pwpolicy-local": "on"},
        changes={plugin: {"nsslapd-pluginEnabled": "on"},
                 f"cn=config,{plugin}": {"alwaysrecordlogin": "yes", "stateattrname": "lastLoginTime",
                                         "altstateattrname": "createTimestamp", "specattrname": "acctPolicySubentry",
                                         "limitattrname": "accountInactivityLimit"}})
    try:
        dirsrv.start()
        provoke(dirsrv)
        yield dirsrv
    finally:
        dirsrv.stop()


def configuration(dirsrv, ca):
    return SITE.format(here=HERE, ca=ca.cert, port=dirsrv.port, tls_port=dirsrv.tls_port, base=BASE, service=SERVICE)


@pytest.fixture(scope="module")
def site(start, dirsrv, authority):
    return start(configuration(dirsrv, authority))


@states.rows("389ds")
def test_proven(site, row):
    states.check_proven(site, row)


@states.rows("389ds")
def test_always(site, row):
    states.check_always(site, row)


# -- authstatus-explain -----------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def explain(workdirs, authority):
    return Explain(workdirs.new("explain"), "-o", f"tls_cacert={authority.cert}", service=(SERVICE, SERVICE_PASSWORD))


@states.rows("389ds")
def test_explained(explain, dirsrv, row):
    states.check_explained(lambda *login: explain.run(f"ldap://127.0.0.1:{dirsrv.port}/{BASE}?uid", *login), row)


@pytest.mark.parametrize("options", [(), ("-Z",)], ids=["ldaps", "starttls"])
def test_explained_over_tls(explain, dirsrv, options):
    url = f"ldap://127.0.0.1:{dirsrv.port}/{BASE}?uid" if options else f"ldaps://127.0.0.1:{dirsrv.tls_port}/{BASE}?uid"
    story = explain.run(url, "expired.explained", RIGHT, options)
    assert (story["outcome"], story["ldap"]) == ("password-expired", "49/pp0")
    assert any("CN=389ds" in step["certificate"]["subject"] for step in story["steps"] if step["step"] == "tls")
    says = [control["says"] for control in story["steps"][-1]["controls"]]
    assert "the password has expired" in says and len(says) >= 2


def test_the_limit_of_the_server(explain, dirsrv, workdirs):
    """It is in cn=config: the service account may not read it, and the program reports that; another account reads it."""
    url = f"ldap://127.0.0.1:{dirsrv.port}/ou=people,{BASE}?uid"
    assert explain.run(url)["lockout"] == {"from": "the service account may not read it"}
    manager = Explain(workdirs.new("manager"), service=(MANAGER, MANAGER_PASSWORD))
    assert manager.run(url)["lockout"] == {"from": "passwordLockout of cn=config is off", "failures": 0}
    client = dirsrv.client()
    client.modify_s("cn=config", [(ldap.MOD_REPLACE, "passwordLockout", b"on"), (ldap.MOD_REPLACE, "passwordMaxFailure", b"9")])
    try:
        assert manager.run(url)["lockout"] == {"from": "passwordMaxFailure of cn=config", "failures": 9}
    finally:
        client.modify_s("cn=config", [(ldap.MOD_REPLACE, "passwordLockout", b"off")])
        client.unbind_s()


def shown(site, state):
    site.log.allow("AS0002", "AS0003")
    return site.get("/in/389ds", login=(f"{state}.proven", RIGHT)).variables()


@pytest.mark.parametrize("state, days", [("expiring", 7), ("expiring-warned", 3)])
def test_expiring_tells_when(site, state, days):
    """389 lengthens a password's life to the warning time when it warns for the first time."""
    told = shown(site, state)
    assert told["outcome"] == "password-expiring" and "grace" not in told
    assert (days - 1) * DAY < int(told["expires"]) <= days * DAY


def test_grace_tells_how_many(site):
    told = [shown(site, "grace") for _ in range(2)]
    left = [int(one["grace"]) for one in told]
    assert all(one["outcome"] == "grace-login" and "expires" not in one for one in told)
    assert 0 < left[0] < 5 and left[1] == left[0] - 1


# -- TLS --------------------------------------------------------------------------------------------------------------

SECURE = ["ldaps", "starttls"]


def refused(site, path, reason):
    site.log.expect(rf"(?i)AS0061: .*({reason})")
    verify(site, site.get(f"/in/{path}", login=("good.proven", RIGHT)), "tls-failed", 500)


@pytest.mark.parametrize("path", SECURE)
def test_tls(site, path):
    verify(site, site.get(f"/in/{path}", login=("good.proven", RIGHT)), "granted", 200)
    verify(site, site.get(f"/in/{path}", login=("good.proven", WRONG)), "wrong-password", 401, ldap="49")
    verify(site, site.get(f"/in/{path}", login=("expired.proven", RIGHT)), "password-expired", 403, ldap="49/pp0")


@pytest.mark.parametrize("path", SECURE)
def test_tls_with_another_name(site, path):
    refused(site, f"{path}-other-name", "name")


@pytest.fixture(scope="module")
def distrustful(start, dirsrv, workdirs):
    return start(configuration(dirsrv, tls.Authority(workdirs.new("ca"), "stranger")))


@pytest.mark.parametrize("path", SECURE)
def test_tls_of_a_stranger(distrustful, path):
    refused(distrustful, path, "issuer|signer|unknown|trust|authority")


def test_tls_with_an_expired_certificate(site, dirsrv, authority):
    """And a server that was started anew: sessions that httpd had kept are gone."""
    with dirsrv.otherwise(authority.issue("389ds-expired", "IP:127.0.0.1", expired=True)):
        for path in SECURE:
            refused(site, path, "expired|not valid")
        verify(site, site.get("/in/389ds", login=("good.proven", RIGHT)), "granted", 200)
    for path in ("389ds", *SECURE):
        verify(site, site.get(f"/in/{path}", login=("good.proven", RIGHT)), "granted", 200)
