# SPDX-License-Identifier: Apache-2.0
"""What looks like an outage of the server and is none: an entry that is too large, a session that was forgotten on the
way, a name that is no DN. Nobody else is refused because of it, and the breaker stays closed."""
from collections import namedtuple
from pathlib import Path

import pytest

from lab.ber import DONE, ENTRY, message, result, tlv
from lab.fake import BASE, Fake, answer, entries, hang, huge
from lab.httpd import SLACK
from lab.process import poll
from lab.relay import Relay
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
LOG = "LogLevel warn authstatus:trace8\n"
# More than the breaker takes.
OFTEN = 6
UNBIND = 8  # octets of an UnbindRequest, at the most


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=innocent", HERE / "people.ldif", ('rootdn "cn=root,o=innocent"', "rootpw Pw!service")))


# -- an entry -----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def big(slapd):
    """Somebody with a description of 1.1 MB, which he may have written himself."""
    slapd.client("cn=root,o=innocent").add_s("uid=big,o=innocent", [
        ("objectClass", [b"inetOrgPerson"]), ("cn", [b"Big"]), ("sn", [b"Big"]), ("userPassword", [RIGHT.encode()]),
        ("description", [b"x" * 1_100_000])])
    return "big"


def test_entry_that_is_too_large(start, slapd, big):
    """Only the login of that entry fails, with the bound in the log."""
    httpd = start(LOG + f'''AuthStatusBreaker 5 1h
                  Use Login /in "ldap://127.0.0.1:{slapd.port}" o=innocent
                  <Location /in>
                      AuthLDAPURL "ldap://127.0.0.1:{slapd.port}/o=innocent?uid,description"
                  </Location>''')
    for number in range(OFTEN):
        got = httpd.get("/in/", login=(big, RIGHT if number % 2 else WRONG))
        verify(httpd, got, "unknown-result", 500)
        if not number:
            assert "1048576" in httpd.outcome_lines(got)[0].text
        verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    httpd.stop()


def truncated_entry(connection, message_id, tag):
    """Its length is right, what is in it is not."""
    connection.send(message(message_id, tlv(ENTRY, b"\x04\x7fuid=ann")))
    connection.send(message(message_id, result(DONE, 0)))


def many_references(connection, message_id, tag):
    for _ in range(200):
        connection.send(message(message_id, tlv(0x73, b"\x04\x09ldap://a/")))
    answer(0)(connection, message_id, tag)


Row = namedtuple("Row", "name script bound")
ANSWERS = [
    Row("truncated-entry", {"search": truncated_entry}, "cannot be read"),
    Row("too-large-search", {"search": huge}, "1048576"),
    Row("too-large-bind", {"user-bind": huge}, "1048576"),
    Row("references", {"search": many_references}, "100"),
]


@pytest.mark.parametrize("row", ANSWERS, ids=[row.name for row in ANSWERS])
def test_answer_that_is_not_taken(start, row):
    fake, other = Fake(row.script), Fake()
    httpd = start(LOG + f'AuthStatusDeadline 20s\nAuthStatusBreaker 2 1h\n'
                  f'Use Login /in "ldap://127.0.0.1:{fake.port} 127.0.0.1:{other.port}" {BASE}')
    for number in range(OFTEN):
        got = httpd.get("/in/", login=("ann", RIGHT))
        verify(httpd, got, "unknown-result", 500)
        if not number:
            assert row.bound in httpd.outcome_lines(got)[0].text
    fake.act_out({})
    verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    assert not other.operations, "it is no reason to ask another server"
    httpd.stop()
    fake.stop()
    other.stop()


# -- a session ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tls", [False, True], ids=["plain", "starttls"])
def test_relay_that_forgets(start, start_slapd, authority, good_certificate, tls):
    """What is sent on a kept session is acknowledged, and no answer comes: it gets its share of the deadline, then a
    fresh connection is used. The other sessions are not tried one by one."""
    slapd = start_slapd(Database("o=relay", HERE / "people.ldif"), tls=good_certificate, authority=authority)
    relay = Relay(slapd.port)
    httpd = start(LOG + f'''AuthStatusDeadline 8s
                  AuthStatusBreaker 2 1h
                  LDAPTrustedGlobalCert CA_BASE64 {authority.cert}
                  Use Login /in "ldap://localhost:{relay.port}" o=relay
                  <Location /in>
                      AuthLDAPURL "ldap://localhost:{relay.port}/o=relay?uid" {"STARTTLS" if tls else "NONE"}
                      AuthLDAPBindDN "cn=service,o=relay"
                      AuthLDAPBindPassword "Pw!service"
                  </Location>''')
    verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    for password, outcome, status in ((RIGHT, "granted", 200), (WRONG, "wrong-password", 401)) * 2:
        poll(lambda: relay.open_connections() == 2, 10, "two sessions")
        assert relay.forget() == 2
        relay.swallowed.clear()
        verify(httpd, httpd.get("/in/", login=("ann", password)), outcome, status)
        poll(lambda: relay.open_connections() == 2 and relay.swallowed, 10, "the end of the forgotten sessions")
        if not tls:
            queried = [octets for octets in relay.swallowed if len(octets) > UNBIND]
            assert len(queried) == 1, "one share, not one for each session"
        accepted = relay.accepted
        assert httpd.get("/in/", login=("ann", RIGHT)).status == 200
        assert relay.accepted == accepted, "the new sessions are kept"
    httpd.stop()
    relay.stop()


def test_silent_session_in_front_of_a_server_that_hangs(start):
    """A fresh connection that brings no answer either is an outage, and one alone."""
    fake = Fake()
    httpd = start(LOG + f'AuthStatusDeadline 5s\nAuthStatusBreaker 2 1h\nUse Login /in "ldap://127.0.0.1:{fake.port}" {BASE}')
    verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    fake.act_out({"search": hang})
    got = httpd.get("/in/", login=("ann", RIGHT))
    verify(httpd, got, "directory-timeout", 503)
    assert fake.count("search") == 3 and got.seconds < 5 + SLACK
    fake.act_out({})
    verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    httpd.stop()
    fake.stop()


@pytest.mark.parametrize("seconds", [0.9, 1.35])
def test_server_that_takes_its_time(start, seconds):
    """It is known to: its sessions are not taken for forgotten ones, and no bind is sent twice."""
    def slowly(connection, message_id, tag):
        connection.ended(seconds)
        answer(0)(connection, message_id, tag)
    fake = Fake({"user-bind": slowly})
    httpd = start(LOG + f'AuthStatusDeadline 4500ms\nUse Login /in "ldap://127.0.0.1:{fake.port}" {BASE}')
    for _ in range(4):
        verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    assert fake.count("user-bind") <= 5
    httpd.stop()
    fake.stop()


# -- a name -------------------------------------------------------------------------------------------------------------

NAMES = ["ann", "no dn", "uid", "=,=", "cn=\\zz", "uid=ann,,o=innocent", "u" * 2000]


def test_name_that_is_no_dn(start, slapd):
    """With AuthLDAPInitialBindAsUser it is what the user typed: as wrong as any other."""
    httpd = start(LOG + f'''Use Login /in "ldap://127.0.0.1:{slapd.port}" o=innocent
                  <Location /in>
                      AuthLDAPInitialBindAsUser On
                  </Location>''')
    for name in NAMES:
        verify(httpd, httpd.get("/in/", login=(name, RIGHT)), "wrong-password", 401)
    httpd.stop()


@pytest.mark.parametrize("initial", ["On", "Off"])
def test_credentials_that_are_too_long(start, slapd, initial):
    """slapd ends the connection of a request of more than 262143 octets: they are not sent."""
    httpd = start(LOG + f'''LimitRequestFieldSize 1000000
                  AuthStatusBreaker 2 1h
                  Use Login /in "ldap://127.0.0.1:{slapd.port}" o=innocent
                  <Location /in>
                      AuthLDAPInitialBindAsUser {initial}
                      AuthLDAPInitialBindPattern "^(.*)$" "uid=$1,o=innocent"
                  </Location>''')
    for _ in range(OFTEN):
        verify(httpd, httpd.get("/in/", login=("ann", "x" * 270_000)), "malformed-credentials", 401)
    verify(httpd, httpd.get("/in/", login=("ann", "x" * 60_000)), "wrong-password", 401)
    verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    httpd.stop()


TOO_LONG = [sign.join(["l=b"] * 65) + end for sign, end in ((",", ""), ("+", ""), (" ; ", f",{BASE}"), (",", "," * 1000))]
NOT_TOO_LONG = [",".join(["l=b"] * 64), "l=" + "\\," * 500, "x," * 500, 'l="b",' * 63 + "l=b"]


def test_name_of_many_parts(start):
    """389 DS walks through the parents of a name that it does not have, for seconds where there are a thousand: such a
    name is not sent."""
    fake = Fake({"user-bind": answer(49)})
    httpd = start(LOG + f'''Use Login /in "ldap://127.0.0.1:{fake.port}" {BASE}
                  <Location /in>
                      AuthLDAPInitialBindAsUser On
                  </Location>''')
    for name in TOO_LONG + NOT_TOO_LONG:
        verify(httpd, httpd.get("/in/", login=(name, RIGHT)), "wrong-password", 401)
    assert [operation.detail for operation in fake.operations if operation.step == "user-bind"] == NOT_TOO_LONG
    httpd.stop()
    fake.stop()


@pytest.mark.parametrize("code, outcome, status", [(51, "directory-busy", 503), (52, "directory-down", 503),
                                                   (13, "directory-misconfigured", 500), (10, "wrong-password", 401)])
def test_name_that_leads_elsewhere(start, code, outcome, status):
    """A DN that the user typed may be of another database of the server, whose own server is away: what he gets for it
    neither opens the breaker nor is an outage in the log."""
    found = entries(f"uid=ann,{BASE}")
    fake = Fake({"user-bind": answer(code), "search": found})
    httpd = start(LOG + f'''
                  AuthStatusBreaker 2 1h
                  Use Login /in "ldap://127.0.0.1:{fake.port}" {BASE}
                  <Location /in>
                      AuthLDAPInitialBindAsUser On
                  </Location>''')
    for _ in range(OFTEN):
        got = httpd.get("/in/", login=("cn=x, dc=elsewhere", RIGHT))
        verify(httpd, got, outcome, status)
        if status != 401:
            httpd.log.expect(f'AS0335: {outcome} for this name alone, .*user "cn=x, dc=elsewhere", LDAP {code} ')
    fake.act_out({"search": found})
    verify(httpd, httpd.get("/in/", login=(f"uid=ann,{BASE}", RIGHT)), "granted", 200)
    httpd.stop()
    fake.stop()


def test_base_that_is_no_dn(start, slapd):
    """That is the administrator's text."""
    httpd = start(LOG + f'''Use Login /in "ldap://127.0.0.1:{slapd.port}" o=innocent
                  <Location /in>
                      AuthLDAPURL "ldap://127.0.0.1:{slapd.port}/nothing?uid"
                  </Location>''')
    verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "directory-misconfigured", 500)
    httpd.stop()
