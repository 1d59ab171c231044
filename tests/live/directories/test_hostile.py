# SPDX-License-Identifier: Apache-2.0
"""A directory that means harm: controls that are no BER or contradict themselves, texts and names that want to be a line
of the log, a header or a format. Whatever it says with success is no login; the log has one bounded line, and the answer
is HTTP. Directories that refuse, reset and hang are in outages/."""
import re
from collections import namedtuple
from pathlib import Path

import pytest

from lab import ber
from lab.fake import Fake, answer
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT = "Pw!right"
PPOLICY, NS_EXPIRED, NS_EXPIRING = "1.3.6.1.4.1.42.2.27.8.5.1", "2.16.840.1.113730.3.4.4", "2.16.840.1.113730.3.4.5"
LONGEST_LINE = 2000
KIB = 1024

# -- what the password policy control may hold: octets, and what they make of a success -------------------------------

NO_POLICY = {
    "lies-too-long": "3005810101",
    "lies-too-short": "3002810101",
    "lies-within": "3003810501",
    "lies-in-warning": "3006a0048001058101",
    "four-gigabytes": "3084ffffffff810101",
    "long-length-of-nothing": "3081",
    "length-of-126-octets": "30fe" + "01" * 126,
    "indefinite-length": "30808101010000",
    "nothing-at-all": "",
    "a-tag-alone": "30",
    "no-sequence": "040100",
    "behind-the-sequence": "3000ff",
    "unknown-element": "3003820101",
    "error-of-no-octets": "30028100",
    "error-of-nine-octets": "300b8109000000000000000001",
    "error-that-nobody-knows": "300381010a",
    "negative-error": "30038101ff",
    "warning-of-no-octets": "3004a0028000",
    "negative-grace": "3005a0038101ff",
    "negative-expiry": "3005a0038001ff",
    "huge-expiry": "300da00b800901ffffffffffffffff",
    "both-warnings": "3008a006800101810101",
    "two-warnings": "300aa003800101a003810101",
    "two-errors": "3006810102810102",
    "error-before-warning": "3008810102a003800101",
    "zeros": "00" * 64,
    "ones": "ff" * 64,
}
DEEP = {
    "nested-sequences": b"\x30\x80" * 30000,
    "nested-with-lengths": b"",
    "64-kib-of-zeros": bytes(64 * KIB),
    "64-kib-of-policy": ber.tlv(0x30, *[ber.tlv(0x82, b"x" * 100)] * 640),
}
nest = b""
for _ in range(2000):
    nest = ber.tlv(0x30, nest)
DEEP["nested-with-lengths"] = nest

POLICIES = {**{name: bytes.fromhex(octets) for name, octets in NO_POLICY.items()}, **DEEP}
EXPIRED, EMPTY = bytes.fromhex("3003810100"), bytes.fromhex("3000")

# -- controls as a whole: each list goes with a success ---------------------------------------------------------------

CONTROLS = {
    "twice-the-same": [(PPOLICY, EMPTY)] * 2,
    "twice-and-different": [(PPOLICY, EMPTY), (PPOLICY, EXPIRED)],
    "without-a-value": [(PPOLICY, None)],
    "netscape-twice": [(NS_EXPIRING, b"60"), (NS_EXPIRING, b"6000")],
    "netscape-no-number": [(NS_EXPIRING, b"%n%n%n%n")],
    "netscape-negative": [(NS_EXPIRING, b"-1")],
    "netscape-nul": [(NS_EXPIRING, b"60\0")],
    "netscape-huge": [(NS_EXPIRING, b"9" * 64 * KIB)],
}

# -- texts ------------------------------------------------------------------------------------------------------------

FORGED = b"\r\n[Tue Nov 24 06:00:00.000000 2026] [authstatus:error] [pid 1] [client 127.0.0.1] AS0001: granted\r\n"
TEXTS = {
    "64-kib": b"x" * 64 * KIB,
    "64-kib-of-formats": b"%s%n%x%p" * 8 * KIB,
    "formats": b"%s%n%s%n%999999999d%hhn",
    "crlf": b"text\r\nX-Evil: 1\r\n\r\n<html>",
    "forged-line": FORGED,
    "escapes": b"\x1b[2J\x1b]0;title\x07\x9b31m",
    "not-utf8": b"\xff\xfe\xc0\xaf\xed\xa0\x80",
    "right-to-left": "\u202ednatsrednu ton\u202c".encode(),
    "quotes": b'", answered 200", user "root',
    "data-far-behind": b"x" * 5000 + b", data 532, v1db1",
    "data-across-the-bound": b"x" * 4090 + b" data 532, v1db1",
    "data-of-64-kib": b"AcceptSecurityContext error, data " + b"5" * 64 * KIB,
    "data-too-large": b"AcceptSecurityContext error, data 100000532, v1db1",
    "data-negative": b"AcceptSecurityContext error, data -532, v1db1",
}

Row = namedtuple("Row", "name script outcome status ldap", defaults=(None,))


def bind(code, text=b"", controls=(), **options):
    return {"user-bind": answer(code, text, controls, **options)}


def raw(controls):
    """A success with octets where its controls should be."""
    def act(connection, message_id, tag):
        connection.send(ber.tlv(0x30, ber.integer(message_id), ber.result(tag, 0), controls))
    return {"user-bind": act}


def told(operation, controls=b""):
    """Octets where the response should be; libldap by itself takes each of these for a success."""
    def act(connection, message_id, tag):
        connection.send(ber.tlv(0x30, ber.integer(message_id), operation, controls))
    return {"user-bind": act}


def found(dn, attributes):
    def act(connection, message_id, tag):
        connection.send(ber.message(message_id, ber.entry(dn, attributes)))
        connection.send(ber.message(message_id, ber.result(tag, 0)))
    return {"search": act, "user-bind": answer(0)}


FAILS_CLOSED, BROKEN = ("unknown-result", 500), ("directory-down", 503)

SUCCESS = [
    *[Row(f"success-{name}", bind(0, controls=[(PPOLICY, value)]), *FAILS_CLOSED) for name, value in POLICIES.items()],
    *[Row(f"success-{name}", bind(0, controls=controls), *FAILS_CLOSED) for name, controls in CONTROLS.items()],
    Row("success-locked", bind(0, controls=[(PPOLICY, bytes.fromhex("3003810101"))]), *FAILS_CLOSED, "0/pp1"),
    Row("success-expired", bind(0, controls=[(PPOLICY, EXPIRED)]), *FAILS_CLOSED, "0/pp0"),
    Row("success-of-ad-that-is-none", bind(0, b"AcceptSecurityContext error, data 52e, v1db1"), *FAILS_CLOSED),
    Row("raw-control-lies", raw(b"\xa0\x7f\x30\x03\x04\x01x"), *BROKEN),
    Row("raw-control-no-sequence", raw(b"\xa0\x03\x04\x01x"), *BROKEN),
    Row("raw-control-oid-lies", raw(b"\xa0\x05\x30\x03\x04\x7fx"), *BROKEN),
    # libldap reads the value behind the end of its control.
    Row("raw-control-value-is-behind-it", raw(ber.tlv(0xA0, ber.tlv(0x30, ber.octets(PPOLICY), b"\x04\x02"), EMPTY)), *BROKEN),
    Row("raw-code-of-no-octets", told(b"\x61\x06\x0a\0\x04\0\x04\0"), *BROKEN),
    Row("raw-code-of-another-type", told(b"\x61\x07\x02\x01\0\x04\0\x04\0"), *BROKEN),
    Row("raw-text-runs-into-the-controls",
        told(b"\x61\x07\x0a\x01\0\x04\0\x04\x02", ber.tlv(0xA0, ber.control(PPOLICY, EXPIRED))), *BROKEN),
    Row("raw-controls-end-early",
        told(ber.result(ber.BIND_RESPONSE, 0), b"\xa0\x01" + ber.control(PPOLICY, EXPIRED)), *BROKEN),
    Row("raw-two-hundred", bind(0, controls=[(PPOLICY, EMPTY)] * 200), *BROKEN),
    Row("netscape-expired-and-expiring", bind(0, controls=[(NS_EXPIRED, b"0"), (NS_EXPIRING, b"60")]),
        "password-must-change", 403, "0"),
    # RFC 4511 4: what is behind and has a tag that we do not know, is to be ignored
    Row("raw-unknown-element", raw(b"\x04\x05hello"), "granted", 200, "0"),
]
REFUSAL = [
    *[Row(f"refusal-{name}", bind(49, controls=[(PPOLICY, value)]), "wrong-password", 401, "49")
      for name, value in POLICIES.items()],
    *[Row(f"refusal-{name}", bind(49, controls=controls), "wrong-password", 401, "49")
      for name, controls in CONTROLS.items()],
    Row("refusal-two-hundred", bind(49, controls=[(PPOLICY, EMPTY)] * 200), *BROKEN),
    Row("refusal-two-errors-apart", bind(49, controls=[(PPOLICY, EXPIRED), (PPOLICY, EXPIRED)]), "wrong-password", 401,
        "49"),
    *[Row(f"refusal-text-{name}", bind(49, text), "wrong-password", 401) for name, text in TEXTS.items()],
    *[Row(f"refusal-matched-{name}", bind(49, b"", matched=text), "wrong-password", 401)
      for name, text in TEXTS.items()],
]
MISCONFIGURED = [
    *[Row(f"misconfigured-{name}", bind(8, text), "directory-misconfigured", 500, "8") for name, text in TEXTS.items()],
    *[Row(f"referral-{name}", bind(10, referrals=[text]), "directory-misconfigured", 500, "10")
      for name, text in TEXTS.items()],
    *[Row(f"at-search-{name}", {"search": answer(13, text)}, "directory-misconfigured", 500, "13")
      for name, text in TEXTS.items()],
]
NOBODY = [Row("at-search-no-name", found("", {"uid": ["ann"]}), "unknown-user", 401, "0")]  # RFC 4513 5.1.2
ROWS = SUCCESS + REFUSAL + MISCONFIGURED + NOBODY
NAMES = {"crlf": b"uid=ann\r\nX-Evil: 1,dc=fake", "formats": b"uid=%s%n%s%n,dc=fake", "forged": b"uid=" + FORGED,
         "not-utf8": b"uid=\xff\xfe,dc=fake", "no-name": b"no distinguished name"}

NO_NAME = {"none": {}, "empty": {"cn": [""]}, "of-another": {"sn": ["Person"]}}

LOCATION = """
Use Login /in/{name} ldap://127.0.0.1:{port} dc=fake
"""
# A directory's values become REMOTE_USER and variables, and may be put into headers.
VALUES = """
Use Login /in/value-{name} ldap://127.0.0.1:{port} dc=fake
<Location /in/value-{name}>
    AuthLDAPURL "ldap://127.0.0.1:{port}/dc=fake?uid,cn"
    AuthLDAPRemoteUserAttribute cn
    Header always set X-User "expr=%{{REMOTE_USER}}"
    Header always set X-Name "%{{AUTHENTICATE_CN}}e"
</Location>
"""


@pytest.fixture(scope="module")
def fakes():
    fakes = {row.name: Fake(row.script) for row in ROWS}
    assert len(fakes) == len(ROWS)
    fakes |= {f"name-{name}": Fake(found(dn, {"uid": ["ann"]})) for name, dn in NAMES.items()}
    fakes |= {f"value-{name}": Fake(found("uid=ann,dc=fake", {"uid": ["ann"], "cn": [text]}))
              for name, text in TEXTS.items()}
    fakes |= {f"value-{name}": Fake(found("uid=ann,dc=fake", {"uid": ["ann"], **attributes})) for name, attributes in NO_NAME.items()}
    yield fakes
    for fake in fakes.values():
        fake.stop()


@pytest.fixture(scope="module")
def site(start, fakes):
    text = "LogLevel warn authstatus:trace8\nUse ShowVariables\n"
    for name, fake in fakes.items():
        text += (VALUES if name.startswith("value-") else LOCATION).format(
            name=name.removeprefix("value-"), port=fake.port)
    return start(text)


TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def is_proper(site, answer):
    """HTTP, with nothing of the directory's in its headers; and lines of the log that are lines, and not long."""
    assert re.fullmatch(r"HTTP/1\.1", answer.version)
    assert all(TOKEN.fullmatch(name) for name, _ in answer.headers), answer.headers
    assert not answer.all("X-Evil") and "forged" not in str(answer.headers)
    lines = [line for line in site.log.lines() if line.module == "authstatus"]
    assert lines, "no line of the log to look at"
    for line in lines:
        assert len(line.text) <= LONGEST_LINE, f"{len(line.text)} characters: {line.text[:200]}"
        assert line.text.isprintable(), line.text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_harm(site, fakes, row):
    answer = site.get(f"/in/{row.name}", login=("ann", RIGHT))
    verify(site, answer, row.outcome, row.status, ldap=row.ldap, user="ann")
    is_proper(site, answer)
    step = "search" if row.name.startswith("at-search") else "user-bind"
    assert fakes[row.name].count(step) >= 1, "the fake was not asked"


@pytest.mark.parametrize("name", NAMES)
def test_names_of_entries(site, fakes, name):
    """What the entry is called is between the directory and libldap: no line of ours is to have it unescaped."""
    site.log.allow("AS00", "AH0161[78]")
    answer = site.get(f"/in/name-{name}", login=("ann", RIGHT))
    is_proper(site, answer)
    assert answer.status in (200, 401, 500, 503)
    assert len(site.outcome_lines(answer)) == 1


@pytest.mark.parametrize("name", TEXTS)
def test_values_of_attributes(site, name):
    """They may be granted as what they are; never as more than one header or one line. A name with a control character is none, and
    a value that is no header's httpd refuses itself (AH02430)."""
    site.log.allow("AS00", "AH02430")
    answer = site.get(f"/in/value-{name}", login=("ann", RIGHT))
    is_proper(site, answer)
    assert answer.status in (200, 500)
    if re.search(rb"[\x00-\x1f\x7f]", TEXTS[name]):
        assert (site.access(answer).outcome, answer.status) == ("unknown-result", 500)
    else:
        assert site.access(answer).outcome in ("granted", "directory-misconfigured")
    assert len(answer.all("X-User")) <= 1 and len(answer.all("X-Name")) <= 1


@pytest.mark.parametrize("name", NO_NAME)
def test_an_entry_without_the_name_that_is_wanted(site, name):
    """AuthLDAPRemoteUserAttribute: the typed name is none in its place."""
    answer = site.get(f"/in/value-{name}", login=("ann", RIGHT))
    verify(site, answer, "directory-misconfigured", 500, user="ann")


def test_nothing_was_lost(site, fakes):
    """After all that the same processes serve: no child crashed, which httpd would have logged as a notice."""
    assert not [line for line in site.log.lines(0) if "exit signal" in line.text]
