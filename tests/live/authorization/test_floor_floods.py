# SPDX-License-Identifier: Apache-2.0
"""A directory that answers without end, or with more than was requested: a query costs bounded memory, and ends with
its deadline."""
import re
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import ber
from lab.fake import BASE, NOTICE_OF_DISCONNECTION, PASSWORD, SERVICE, SERVICE_PASSWORD, Fake, Gone
from lab.httpd import SANITIZE
from querying import querying
from test_floor_fake import ANN, PLAIN, TEAM

MIB = 1024 * 1024
MOST_SENT = 600 * MIB
MOST_KEPT = 96 * MIB


def flood(make):
    """Sends what `make` returns for ever, or until the test has seen enough."""
    def act(connection, message_id, tag):
        piece = make(message_id, tag)
        sent = 0
        while sent < MOST_SENT and not connection.fake.stopping.is_set():
            try:
                connection.send(piece)
            except OSError:
                raise Gone from None
            sent += len(piece)
        connection.wait_for_the_end()
    return act


FLOODS = {
    "unsolicited": lambda message_id, tag: ber.message(0, ber.result(ber.EXTENDED_RESPONSE, 0, b"x" * 60000,
                                                                     tail=ber.octets("1.2.3", 0x8A))),
    "of-another-request": lambda message_id, tag: ber.message(message_id + 7, ber.result(tag, 0, b"x" * 60000)),
    "small-of-another-request": lambda message_id, tag: ber.message(message_id + 7, ber.result(tag, 0)) * 1000,
    "intermediate": lambda message_id, tag: ber.message(message_id, ber.tlv(0x79, ber.octets(b"x" * 60000))),
    "references": lambda message_id, tag: ber.message(message_id,
                                                      ber.tlv(ber.REFERENCE, *[ber.octets("ldap://a/")] * 5000)),
    "entries": lambda message_id, tag: ber.message(message_id, ber.entry(ANN, {"uid": ["ann"], "1.1": ["x" * 8] * 50000})),
}


LAST = "the server ended the session with a notification"
TOO_LARGE = "messages of more than the 4194304 octets that are taken"
TOO_MANY = "more than the 100 messages that are taken, and no answer"
ANOTHER = "an answer to another request"
DOWN, UNKNOWN = "directory-down", "unknown-result"
# Of a search; a bind and a compare have neither entries nor references.
ENDS = {"unsolicited": (DOWN, LAST), "of-another-request": (UNKNOWN, TOO_LARGE), "small-of-another-request": (DOWN, TOO_MANY),
        "intermediate": (UNKNOWN, TOO_LARGE), "references": (UNKNOWN, TOO_LARGE), "entries": (UNKNOWN, TOO_LARGE)}


def peak(pid):
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


@contextmanager
def queried(script):
    """Yields a function that queries a fake directory, and checks the memory that it took. AddressSanitizer keeps memory."""
    fake = Fake(script, entries=PLAIN)

    def query_one(user=False):
        before = peak(query.child.pid)
        if user:
            query.send("login", "ann", PASSWORD)
            said = query._answer()
        else:
            query.login("ann", PASSWORD)
            said = query.decide("group", f"cn=staff,{BASE}")
        assert SANITIZE or peak(query.child.pid) - before < MOST_KEPT, f"{(peak(query.child.pid) - before) // MIB} MiB"
        return said

    try:
        with querying() as query:
            query.directory(f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", SERVICE, SERVICE_PASSWORD)
            query.groups(attributes="member")
            yield query_one
    finally:
        fake.stop()


@pytest.mark.parametrize("step", ["search", "user-bind", "entry", "level", "compare"])
@pytest.mark.parametrize("kind", FLOODS)
def test_endless(kind, step):
    """It ends at once, not with the deadline."""
    with queried({step: flood(FLOODS[kind])}) as query:
        said = query(user=step in ("search", "user-bind"))
    no_search = kind in ("references", "entries") and step in ("user-bind", "compare")
    assert (said.outcome, said.reason) == ((DOWN, ANOTHER) if no_search else ENDS[kind]), said


REPEATED = {"same": ["objectClass"] * 8000, "ranges": [f"objectClass;range={number}-{number}" for number in range(20000)]}


@pytest.mark.parametrize("names", REPEATED)
def test_entry_that_repeats_attributes(names):
    """Half a megabyte; what is made of it grew with the square of the number of attributes."""
    def act(connection, message_id, tag):
        attributes = [ber.tlv(0x30, ber.octets(name), ber.tlv(0x31, ber.octets("group"))) for name in REPEATED[names]]
        connection.send(ber.message(message_id, ber.tlv(ber.ENTRY, ber.octets(TEAM), ber.tlv(0x30, *attributes))))
        connection.send(ber.message(message_id, ber.result(tag, 0)))

    with queried({"entry": act}) as query:
        said = query()
    assert (said.answer, said.outcome) == ("no", "not-authorized"), said


def test_notices_take_no_memory():
    """libldap loses what is in a Notice of Disconnection."""
    def notice(connection, *_):
        connection.send(ber.message(0, ber.result(ber.EXTENDED_RESPONSE, 52, b"x" * 500_000, b"x" * 400_000,
                                                  tail=ber.octets(NOTICE_OF_DISCONNECTION, 0x8A))))
        raise Gone

    fake = Fake({"search": notice})
    try:
        with querying() as query:
            query.directory(f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", SERVICE, SERVICE_PASSWORD)
            before = peak(query.child.pid)
            for number in range(40):
                query.send("login", f"user{number}", PASSWORD)
                assert query._answer().outcome == DOWN
            assert fake.count("search") == 40
            assert SANITIZE or peak(query.child.pid) - before < 16 * MIB
    finally:
        fake.stop()
