# SPDX-License-Identifier: Apache-2.0
"""Directories that refuse, reset, hang, lie and mumble, at each step: one fake and one Location for each row."""
from collections import namedtuple
from pathlib import Path

import pytest

from lab.fake import (Fake, answer, close, drip, entries, half_then_close, half_then_hang, hang, huge, notice, reset,
                      rubbish, well, wrong_id)
from lab.httpd import SLACK
from lab.process import reserve_port
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
# Of what does not answer. The others have time: a machine that is busy may take a second for any of them.
DEADLINE = 1.0
SHORT = f"AuthStatusDeadline {DEADLINE:.0f}s"

PPOLICY, NS_EXPIRED, NS_EXPIRING = "1.3.6.1.4.1.42.2.27.8.5.1", "2.16.840.1.113730.3.4.4", "2.16.840.1.113730.3.4.5"


def ad(data):
    return answer(49, f"80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {data}, v1db1\0")


def policy(code, octets, more=()):
    return answer(code, "", [(PPOLICY, bytes.fromhex(octets)), *more])


def refer(connection, message_id, tag):
    """To a directory that is there, and would take it."""
    answer(10, referrals=[f"ldap://127.0.0.1:{connection.fake.elsewhere}/"])(connection, message_id, tag)


Row = namedtuple("Row", "name script outcome status ldap tls password", defaults=(None, None, RIGHT))

DOWN, TIMEOUT = ("directory-down", 503), ("directory-timeout", 503)

HANGING = [
    Row("accept-and-hang", {"accept": hang}, *TIMEOUT),
    Row("hang-before-tls", {"tls": hang}, *TIMEOUT, tls="ldaps"),
    Row("hang-after-tls", {"service-bind": hang}, *TIMEOUT, tls="ldaps"),
    Row("hang-at-starttls", {"starttls": hang}, *TIMEOUT, tls="starttls"),
    Row("hang-after-service-bind", {"search": hang}, *TIMEOUT),
    Row("hang-after-search", {"user-bind": hang}, *TIMEOUT),
    Row("half-a-search-and-hang", {"search": half_then_hang}, *TIMEOUT),
    Row("half-a-bind-and-hang", {"user-bind": half_then_hang}, *TIMEOUT),
    Row("drip-service-bind", {"service-bind": drip}, *TIMEOUT),
    Row("drip-search", {"search": drip}, *TIMEOUT),
    Row("drip-user-bind", {"user-bind": drip}, *TIMEOUT),
    Row("wrong-id-at-search", {"search": wrong_id}, *TIMEOUT),
    Row("wrong-id-at-user-bind", {"user-bind": wrong_id}, *TIMEOUT),
]

BROKEN = [
    Row("close-at-accept", {"accept": close}, *DOWN),
    Row("reset-at-accept", {"accept": reset}, *DOWN),
    Row("reset-at-service-bind", {"service-bind": reset}, *DOWN),
    Row("reset-at-search", {"search": reset}, *DOWN),
    Row("reset-at-user-bind", {"user-bind": reset}, *DOWN),
    Row("close-at-user-bind", {"user-bind": close}, *DOWN),
    Row("reset-before-tls", {"tls": reset}, *DOWN, tls="ldaps"),
    Row("half-a-service-bind", {"service-bind": half_then_close}, *DOWN),
    Row("half-a-search", {"search": half_then_close}, *DOWN),
    Row("half-a-user-bind", {"user-bind": half_then_close}, *DOWN),
    Row("rubbish-at-accept", {"accept": rubbish}, *DOWN),
    Row("rubbish-at-search", {"search": rubbish}, *DOWN),
    Row("rubbish-at-user-bind", {"user-bind": rubbish}, *DOWN),
    Row("notice-at-service-bind", {"service-bind": notice}, *DOWN),
    Row("notice-at-search", {"search": notice}, *DOWN),
    Row("notice-at-user-bind", {"user-bind": notice}, *DOWN),
]

SAYING = [
    # Active Directory: proven, and not
    Row("ad-52e", {"user-bind": ad("52e")}, "wrong-password", 401, "49/52e"),
    Row("ad-525", {"user-bind": ad("525")}, "unknown-user", 401, "49/525"),
    Row("ad-530", {"user-bind": ad("530")}, "logon-hours", 403, "49/530"),
    Row("ad-531", {"user-bind": ad("531")}, "logon-host", 403, "49/531"),
    Row("ad-532", {"user-bind": ad("532")}, "password-expired", 403, "49/532"),
    Row("ad-533", {"user-bind": ad("533")}, "account-disabled", 403, "49/533"),
    Row("ad-701", {"user-bind": ad("701")}, "account-expired", 403, "49/701"),
    Row("ad-773", {"user-bind": ad("773")}, "password-must-change", 403, "49/773"),
    Row("ad-775", {"user-bind": ad("775")}, "account-locked", 401, "49/775"),
    Row("ad-51f", {"user-bind": ad("51f")}, "directory-down", 503, "49/51f"),
    # OpenLDAP and 389 DS
    Row("expired", {"user-bind": policy(49, "3003810100")}, "password-expired", 403, "49/pp0"),
    Row("long-lengths", {"user-bind": policy(49, "308400000003810101")}, "account-locked", 401, "49/pp1"),
    Row("must-change-and-no-grace", {"user-bind": policy(0, "3008a003800100810102")}, "password-must-change", 403,
        "0/pp2"),
    Row("success-with-an-error", {"user-bind": policy(0, "3003810101")}, "unknown-result", 500, "0/pp1"),
    Row("success-with-rubbish", {"user-bind": policy(0, "30ff")}, "unknown-result", 500, "0"),
    Row("success-twice-told", {"user-bind": policy(0, "3000", [(PPOLICY, bytes.fromhex("3000"))])}, "unknown-result",
        500, "0"),
    Row("success-with-ns-expired", {"user-bind": answer(0, "", [(NS_EXPIRED, b"0")])}, "password-must-change", 403),
    Row("389-expired", {"user-bind": answer(49, "password expired!", [(NS_EXPIRED, b"0")])}, "password-expired", 403),
    Row("389-inactivated", {"user-bind": answer(53, "Account inactivated. Contact system administrator.")},
        "account-disabled", 401),
    Row("389-retry-limit", {"user-bind": answer(19, "Exceed password retry limit. Please try later.")},
        "account-locked", 401, "19"),
    Row("nds-669", {"user-bind": answer(49, "NDS error: failed authentication (-669)")}, "wrong-password", 401,
        "49/-669"),
    # Not about the account
    Row("busy", {"user-bind": answer(51)}, "directory-busy", 503, "51"),
    Row("unavailable", {"user-bind": answer(52)}, "directory-down", 503, "52"),
    Row("other", {"user-bind": answer(80)}, "directory-down", 503, "80"),
    Row("strong-auth", {"user-bind": answer(8, "Transport encryption required.")}, "directory-misconfigured", 500, "8"),
    Row("confidentiality", {"user-bind": answer(13)}, "directory-misconfigured", 500, "13"),
    Row("critical-extension", {"user-bind": answer(12)}, "directory-misconfigured", 500, "12"),
    Row("unknown-code", {"user-bind": answer(4711)}, "unknown-result", 500, "4711"),
    Row("negative-code", {"user-bind": answer(-1)}, "directory-down", 503),
    Row("referral-at-bind", {"user-bind": refer},
        "directory-misconfigured", 500, "10"),
    Row("referral-at-search", {"search": refer},
        "directory-misconfigured", 500, "10"),
    Row("busy-at-search", {"search": answer(51)}, "directory-busy", 503, "51"),
    Row("busy-at-service-bind", {"service-bind": answer(51)}, "directory-busy", 503, "51"),
    Row("size-limit", {"search": answer(4)}, "directory-misconfigured", 500, "4"),
    Row("service-locked", {"service-bind": policy(49, "3003810101")}, "service-account-refused", 500),
    Row("service-must-change", {"search": answer(50)}, "service-account-refused", 500, "50"),
    # Searches
    Row("continuation-beside-the-entry",
        {"search": entries("uid=ann,dc=fake", references=["ldap://elsewhere.invalid/dc=x"])}, "granted", 200),
    Row("continuation-alone", {"search": entries(references=["ldap://elsewhere.invalid/dc=x"])}, "unknown-user", 401),
    Row("two-entries", {"search": entries("uid=ann,dc=fake", "uid=bob,dc=fake")}, "ambiguous-user", 401),
    Row("ten-entries", {"search": entries(*[f"uid=u{n},dc=fake" for n in range(10)])}, "ambiguous-user", 401),
    Row("a-thousand-entries", {"search": entries(*[f"uid=u{n},dc=fake" for n in range(1000)])},
        "ambiguous-user", 401, "4"),
    Row("entry-without-a-name", {"search": entries("")}, "unknown-user", 401),
    Row("long-text", {"user-bind": answer(49, "x" * 100000)}, "wrong-password", 401, "49"),
    Row("text-with-controls", {"user-bind": answer(49, "\r\n[error] \x1b[31m")}, "wrong-password", 401),
    Row("text-with-a-nul", {"user-bind": answer(49, "a\0b")}, *DOWN),
    # TLS asked for, and not given
    Row("starttls-refused", {"starttls": answer(2, "unsupported")}, "tls-failed", 500, tls="starttls"),
    Row("starttls-unavailable", {"starttls": answer(52)}, "directory-down", 503, tls="starttls"),
]

# What may become of a session that was kept: the next login must not notice.
KEPT = [
    Row("idle", {}, "granted", 200),
    Row("idle-tls", {}, "granted", 200, tls="ldaps"),
    Row("idle-starttls", {}, "granted", 200, tls="starttls"),
]

KEPT_ONCE = [
    Row("second-search-resets", {"search": [well, reset, well]}, "granted", 200),
    Row("second-bind-resets", {"user-bind": [well, reset, well]}, "granted", 200),
    Row("second-search-closes", {"search": [well, close, well]}, "granted", 200),
    Row("second-search-notices", {"search": [well, notice, well]}, "granted", 200),
    Row("second-bind-notices", {"user-bind": [well, notice, well]}, "granted", 200),
]

LOCATION = """
Use Login /in/{name} "ldap{s}://127.0.0.1:{port}" dc=fake
<Location /in/{name}>
    AuthLDAPURL "ldap{s}://127.0.0.1:{port}/dc=fake?uid" {mode}
    Use Account dc=fake
    {more}
</Location>
"""


@pytest.fixture(scope="module")
def fakes(good_certificate):
    fakes = {}
    for row in HANGING + BROKEN + SAYING + KEPT + KEPT_ONCE:
        assert row.name not in fakes
        fakes[row.name] = Fake(row.script, certificate=good_certificate if row.tls else None, ldaps=row.tls == "ldaps")
    elsewhere = fakes["elsewhere"] = Fake()
    for one in fakes.values():
        one.elsewhere = elsewhere.port
    yield fakes
    for one in fakes.values():
        one.stop()


@pytest.fixture(scope="module")
def site(start, fakes, authority):
    rows = HANGING + BROKEN + SAYING + KEPT + KEPT_ONCE
    text = f'Include "{HERE}/site.conf"\n'
    for row in rows:
        text += LOCATION.format(name=row.name, port=fakes[row.name].port, s="s" if row.tls == "ldaps" else "",
                                mode={"starttls": "STARTTLS", "ldaps": "SSL", None: ""}[row.tls], more=SHORT if row in HANGING else "")
    text += LOCATION.format(name="refused", port=reserve_port(), s="", mode="", more="AuthStatusRetryAfter 2min")
    text += LOCATION.format(name="unreachable", port=389, s="", mode="", more=SHORT).replace("127.0.0.1:389", "192.0.2.1")
    text += LOCATION.format(name="no-such-host", port=389, s="", mode="", more=SHORT).replace("127.0.0.1", "host.invalid")
    return start(text, defines={"DEADLINE": "20s", "CA": authority.cert})


def name(row):
    return row.name


@pytest.mark.parametrize("row", HANGING, ids=name)
def test_hanging(site, fakes, row):
    used = site.cpu_seconds()
    got = site.get(f"/in/{row.name}", login=("ann", row.password))
    used = site.cpu_seconds() - used
    site.log.expect("AS0051")
    verify(site, got, row.outcome, row.status)
    assert got.seconds < DEADLINE + SLACK
    assert used < DEADLINE / 2, "it spins instead of waiting"


@pytest.mark.parametrize("row", BROKEN, ids=name)
def test_broken(site, fakes, row):
    got = site.get(f"/in/{row.name}", login=("ann", row.password))
    site.log.expect("AS0050")
    verify(site, got, row.outcome, row.status)
    assert got.seconds < DEADLINE + SLACK


@pytest.mark.parametrize("row", SAYING, ids=name)
def test_saying(site, fakes, row):
    if row.name == "ad-51f":
        site.log.expect("AS0335: directory-down for this name alone")
    for attempt in ("first", "on a kept session"):
        got = site.get(f"/in/{row.name}", login=("ann", row.password))
        verify(site, got, row.outcome, row.status, ldap=row.ldap)
    assert fakes["elsewhere"].operations == [], "a referral was followed, with a password"


@pytest.mark.parametrize("action", [close, reset, notice])
@pytest.mark.parametrize("row", KEPT, ids=name)
def test_ended_when_idle(site, fakes, row, action):
    """A known user stays one, with the right password and the wrong, however his directory treats idle sessions."""
    path = f"/in/{row.name}"
    for password, outcome, status in ((RIGHT, "granted", 200), (WRONG, "wrong-password", 401)) * 2:
        verify(site, site.get(path, login=("ann", password)), outcome, status)
        assert fakes[row.name].open_connections() == 2, "sessions are kept"
        fakes[row.name].hang_up(action)


@pytest.mark.parametrize("row", KEPT_ONCE, ids=name)
def test_ended_in_use(site, fakes, row):
    path = f"/in/{row.name}"
    with site.connection() as connection:  # under prefork: to one child, which has used its session before
        for _ in range(4):
            verify(site, connection.request(path, login=("ann", RIGHT)), "granted", 200)
        verify(site, connection.request(path, login=("ann", WRONG)), "wrong-password", 401)


def test_refused(site):
    got = site.get("/in/refused", login=("ann", RIGHT))
    site.log.expect("AS0050")
    verify(site, got, "directory-down", 503, retry_after="120")
    assert got.seconds < DEADLINE + SLACK


@pytest.mark.parametrize("where", ["unreachable", "no-such-host"])
def test_no_way_there(site, where):
    got = site.get(f"/in/{where}", login=("ann", RIGHT))
    site.log.expect("AS005[01]")
    record = site.access(got)
    assert record.outcome in ("directory-down", "directory-timeout")
    verify(site, got, record.outcome, 503)
    assert got.seconds < DEADLINE + SLACK


def test_nothing_is_asked_without_credentials(site, fakes):
    fakes["ad-52e"].forget()
    verify(site, site.get("/in/ad-52e"), "no-credentials", 401)
    assert fakes["ad-52e"].operations == []


def test_the_policy_control_is_asked_for_and_never_critical(site, fakes):
    """A directory that does not know it must not be given a reason to refuse (draft-behera 6.1)."""
    fakes["expired"].forget()
    site.get("/in/expired", login=("ann", RIGHT))
    site.log.expect("AS0023")
    (controls,) = [operation.controls for operation in fakes["expired"].operations if operation.step == "user-bind"]
    assert (PPOLICY, False) in controls
    assert all(not critical for _, critical in controls)


def test_one_breaks_and_the_others_do_not(site):
    verify(site, site.get("/in/idle", login=("ann", RIGHT)), "granted", 200)
