# SPDX-License-Identifier: Apache-2.0
"""Every state that slapd's password policy knows, as slapd reports it by default, with ppolicy_use_lockout, and with
Netscape's controls as well."""
import re
from pathlib import Path

import ldap
import pytest

from directories import states
from lab.slapd import TOP, Database
from lab.verify import verify

HERE = Path(__file__).parent
SERVERS = {
    "openldap": (),
    "openldap-lockout": ("ppolicy_use_lockout",),
    "openldap-netscape": ("ppolicy_use_lockout", "ppolicy_send_netscape_controls"),
}
DAY = 86400

UNITS = TOP + """dn: ou=policies,@SUFFIX@
objectClass: organizationalUnit

dn: ou=people,@SUFFIX@
objectClass: organizationalUnit

dn: ou=more,@SUFFIX@
objectClass: organizationalUnit
"""

POLICIES = {
    "default": {"pwdLockout": "TRUE", "pwdMustChange": "TRUE"},
    "failures": {"pwdLockout": "TRUE", "pwdMaxFailure": 3, "pwdLockoutDuration": DAY},
    "idle": {"pwdLockout": "TRUE", "pwdMaxIdle": DAY},
    "aging": {"pwdMaxAge": DAY, "pwdMustChange": "TRUE"},
    "grace": {"pwdMaxAge": DAY, "pwdGraceAuthNLimit": 5},
    "last-grace": {"pwdMaxAge": DAY, "pwdGraceAuthNLimit": 1},
    "warning": {"pwdMaxAge": 10 * DAY, "pwdExpireWarning": 7 * DAY},
}


def ago(seconds):
    return f"@AGO:{seconds}@"


# Operational attributes of an account, or its policy, in each state.
STATES = {
    "good": {},
    "ambiguous": {},
    "no-password": {"userPassword": None},
    "locked-by-failures": {"policy": "failures"},
    "locked-by-administrator": {"pwdAccountLockedTime": "000001010000Z"},
    "lock-run-out": {"policy": "failures", "pwdAccountLockedTime": ago(2 * DAY)},
    "not-yet-valid": {"pwdStartTime": ago(-DAY)},
    "no-longer-valid": {"pwdEndTime": ago(DAY)},
    "idle": {"policy": "idle", "pwdLastSuccess": ago(10 * DAY)},
    "expired": {"policy": "aging", "pwdChangedTime": ago(10 * DAY)},
    "grace": {"policy": "grace", "pwdChangedTime": ago(10 * DAY)},
    "last-grace": {"policy": "last-grace", "pwdChangedTime": ago(10 * DAY)},
    "grace-used-up": {"policy": "last-grace", "pwdChangedTime": ago(10 * DAY), "pwdGraceUseTime": ago(5 * DAY)},
    "must-change": {"pwdReset": "TRUE"},
    "must-change-expired": {"policy": "aging", "pwdReset": "TRUE", "pwdChangedTime": ago(10 * DAY)},
    "expiring": {"policy": "warning", "pwdChangedTime": ago(7 * DAY)},
}


def entry(dn, object_class, attributes):
    lines = [f"dn: {dn},@SUFFIX@", *(f"objectClass: {name}" for name in object_class.split())]
    return "\n".join([*lines, *(f"{name}: {value}" for name, value in attributes.items() if value is not None)]) + "\n"


def people(server):
    entries = [UNITS]
    for name, settings in POLICIES.items():
        entries.append(entry(f"cn={name},ou=policies", "organizationalRole pwdPolicy",
                             {"pwdAttribute": "userPassword", **settings}))
    for state in states.names(server):
        attributes = dict(STATES[state])
        if policy := attributes.pop("policy", None):
            attributes["pwdPolicySubentry"] = f"cn={policy},ou=policies,@SUFFIX@"
        for name in (f"{state}.{disclose}" for disclose in states.DISCLOSE):
            for unit in ("people", "more") if state == "ambiguous" else ("people",):
                entries.append(entry(f"uid={name},ou={unit}", "inetOrgPerson", {
                    "cn": name, "sn": name, "userPassword": states.PASSWORDS["right"], **attributes}))
    return "\n".join(entries).lstrip("\n")


def lock_out(slapd, dn):
    """By failures; a slapd without ppolicy_use_lockout does not report when the account is locked."""
    for _ in range(3):
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            slapd.client(dn, states.PASSWORDS["wrong"])
    assert is_locked(slapd, dn)


def is_locked(slapd, dn):
    client = slapd.client(suffix=dn.rpartition(",")[2])
    (_, entry), = client.search_s(dn, ldap.SCOPE_BASE, attrlist=["pwdAccountLockedTime"])
    client.unbind_s()
    return bool(entry.get("pwdAccountLockedTime"))


@pytest.fixture(scope="module")
def slapd(start_slapd, workdirs):
    workdir = workdirs.new("ldif")
    databases = []
    for server, options in SERVERS.items():
        path = workdir / f"{server}.ldif"
        path.write_text(people(server))
        # ppolicy writes what it counts as the rootdn, and loses some of it where there is none.
        databases.append(Database(f"o={server}", path, (f"rootdn cn=root,o={server}", "lastbind on", *options)))
    slapd = start_slapd(*databases)
    for server in SERVERS:
        for disclose in states.DISCLOSE:
            lock_out(slapd, f"uid=locked-by-failures.{disclose},ou=people,o={server}")
    return slapd


@pytest.fixture(scope="module")
def site(start, slapd):
    logins = "\n".join(f'Use States /in/{server} "ldap://127.0.0.1:{slapd.port}/o={server}?uid" cn=service,o={server}'
                       for server in SERVERS)
    as_user = "\n".join(f'<Location /in/{server}/as-user>\nAuthLDAPInitialBindAsUser On\n'
                        f'AuthLDAPInitialBindPattern "^(.+)$" "uid=$1,ou=people,o={server}"\n</Location>' for server in SERVERS)
    return start(f'Include "{HERE}/site.conf"\n{logins}\n{as_user}\n<Location /in/openldap-lockout/hasty>\n'
                 "    AuthStatusUniformTiming Off\n</Location>\n")


@states.rows(*SERVERS)
def test_proven(site, row):
    states.check_proven(site, row)


@states.rows(*SERVERS)
def test_always(site, row):
    states.check_always(site, row)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("user, password, outcome, status", [
    ("good", "right", "granted", 200),
    ("good", "wrong", "wrong-password", 401),
    ("unknown", "right", "wrong-password", 401),
    # The bind says so; the search that comes next is only refused.
    ("must-change", "right", "password-must-change", 403),
])
def test_bound_as_the_user(site, server, user, password, outcome, status):
    answer = site.get(f"/in/{server}/as-user/", login=(f"{user}.proven", states.PASSWORDS[password]))
    verify(site, answer, outcome, status)


def shown(site, server, state, more=""):
    site.log.allow("AS0002", "AS0003")
    return site.get(f"/in/{server}{more}", login=(f"{state}.proven", states.PASSWORDS["right"])).variables()


@pytest.mark.parametrize("server", SERVERS)
def test_expiring_tells_when(site, server):
    told = shown(site, server, "expiring")
    assert told["outcome"] == "password-expiring" and "grace" not in told
    assert 2 * DAY < int(told["expires"]) <= 3 * DAY


@pytest.mark.parametrize("server", SERVERS)
def test_grace_tells_how_many(site, server):
    told = [shown(site, server, "grace") for _ in range(2)]
    left = [int(one["grace"]) for one in told]
    assert all(one["outcome"] == "grace-login" and "expires" not in one for one in told)
    assert 0 < left[0] < 5 and left[1] == left[0] - 1


@pytest.mark.parametrize("disclose", states.DISCLOSE)
@pytest.mark.parametrize("server", SERVERS)
def test_the_right_password_does_not_open_a_lock(site, slapd, server, disclose):
    """Where slapd does not report it, only its own records show that the account of the rows above was locked."""
    assert is_locked(slapd, f"uid=locked-by-failures.{disclose},ou=people,o={server}")


# -- what the directory has to do: AuthStatusUniformTiming ------------------------------------------------------------

def work(site, slapd, path, state, password="wrong"):
    """slapd's operations for a login, and the bind names, once the sessions are open."""
    site.log.allow("AS00", "AH0161[78]")
    for _ in range(2):
        mark = slapd.mark()
        site.get(path, login=(f"{state}.proven", states.PASSWORDS[password]))
    queried = slapd.operations(mark)
    names = re.findall(r' BIND dn="([^"]*)" method=', "\n".join(slapd.lines(mark)))
    return {name: queried[name] for name in ("service_binds", "user_binds", "searches", "other")}, names


ONE_OF_EACH = {"service_binds": 0, "user_binds": 1, "searches": 1, "other": 0}


@pytest.mark.parametrize("state", ["good", "locked-by-administrator", "expired", "no-password", "ambiguous", "unknown"])
def test_every_refusal_costs_the_same_work(site, slapd, state):
    queried, _ = work(site, slapd, "/in/openldap-lockout", state)
    assert queried == ONE_OF_EACH


@pytest.mark.parametrize("state", ["ambiguous", "unknown"])
def test_the_decoy_is_nobody(site, slapd, state):
    """It is another one than any entry, so it can never succeed and locks nobody, whatever the password."""
    _, (decoy,) = work(site, slapd, "/in/openldap-lockout", state, "right")
    client = slapd.client(suffix="o=openldap-lockout")
    with pytest.raises(ldap.NO_SUCH_OBJECT):
        client.search_s(decoy, ldap.SCOPE_BASE)
    client.unbind_s()


@pytest.mark.parametrize("state, binds", [("good", 1), ("ambiguous", 0), ("unknown", 0)])
def test_without_uniform_timing_nobody_is_bound(site, slapd, state, binds):
    queried, _ = work(site, slapd, "/in/openldap-lockout/hasty", state)
    assert queried == {**ONE_OF_EACH, "user_binds": binds}
