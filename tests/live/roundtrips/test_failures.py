# SPDX-License-Identifier: Apache-2.0
"""What a second wrong password costs, with AuthStatusUniformTiming On and a cache: one bind, for a known name and for one
that nobody has; for the client alone that failed before, and never a search less for a success."""
import uuid
from pathlib import Path

import pytest

from lab.fake import BASE, Fake, answer
from lab.slapd import Database

HERE = Path(__file__).parent
RIGHT = "Pw!right"
SITE = """
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
AuthStatusCacheTime 60s 60s
Use Login /in "ldap://127.0.0.1:${LDAP}" o=trips
"""
HOME, AWAY = "192.0.2.1", "192.0.2.2"
OUTCOMES = {"ann": "wrong-password", "nobody": "unknown-user", "twin": "ambiguous-user"}
FIRST, SECOND = (1, 1), (0, 1)  # searches and binds as users


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=trips", HERE / "people.ldif"))


@pytest.fixture
def fetch(start, slapd):
    """Returns (status, (searches, binds as users)) of a login from a client's address."""
    httpd = start(SITE, mpm="worker", defines={"LDAP": slapd.port}, cache="shmcb", modules=("socache_shmcb", "remoteip"))
    httpd.log.allow("AH01617", "AH01618", "ambiguous-user")
    with httpd.connection() as connection:
        def fetch_one(user, password, client=HOME):
            mark = slapd.mark()
            answer = connection.request("/in/", login=(user, password), headers=[("X-Forwarded-For", client)])
            status, outcome = answer.status, httpd.access(answer).outcome
            assert outcome == ("granted" if status == 200 else OUTCOMES[user])
            counted = slapd.operations(mark)
            return status, (counted["searches"], counted["user_binds"])
        yield fetch_one
    httpd.stop()


def wrong():
    return f"Pw!wrong-{uuid.uuid4()}"


@pytest.mark.parametrize("user", ["ann", "nobody", "twin"])
def test_a_second_wrong_password_is_one_bind(fetch, user):
    assert fetch(user, wrong()) == (401, FIRST)
    for _ in range(3):
        assert fetch(user, wrong()) == (401, SECOND)
    assert fetch(user, wrong(), AWAY) == (401, FIRST), "another client learns nothing"
    assert fetch(user, wrong(), AWAY) == (401, SECOND)


@pytest.mark.parametrize("user", ["ann", "nobody"])
def test_a_success_leaves_no_trace(fetch, user):
    assert fetch("ann", RIGHT) == (200, FIRST)
    assert fetch(user, wrong()) == (401, FIRST), "a login lately is not told by what a failure costs"
    assert fetch(user, wrong()) == (401, SECOND)


def test_a_right_password_is_followed_by_a_search(fetch):
    assert fetch("ann", wrong()) == (401, FIRST)
    assert fetch("ann", RIGHT) == (200, FIRST)
    assert fetch("ann", wrong()) == (401, SECOND), "a success removes nothing"


def test_a_bind_that_locks_is_the_answer(start):
    """389 DS answers 19 to the failure that locks: whatever the bind says, it is not sent a second time."""
    fake = Fake({"user-bind": [answer(49), answer(19, "Exceed password retry limit. Please try later.",
                                                  [("1.3.6.1.4.1.42.2.27.8.5.1", bytes.fromhex("3003810101"))])]})
    httpd = start(f'AuthStatusCacheTime 60s 60s\nUse Login /in "ldap://127.0.0.1:${{LDAP}}" {BASE}', defines={"LDAP": fake.port},
                  cache="shmcb", modules=("socache_shmcb",))
    httpd.log.allow("AH01617", "AS00")
    for outcome in ("wrong-password", "account-locked"):
        got = httpd.get("/in/", login=("ann", wrong()))
        assert httpd.access(got).outcome == outcome
    assert fake.count("user-bind") == 2
    httpd.stop()
    fake.stop()
