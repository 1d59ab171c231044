# SPDX-License-Identifier: Apache-2.0
"""What a login costs the directory, counted in slapd's own log."""
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.httpd import SANITIZE
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
SITE = """LogLevel warn authstatus:trace8
Use Login /in "ldap://127.0.0.1:${LDAP}" o=trips
"""


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=trips", HERE / "people.ldif"))


@pytest.fixture(params=["event", "worker", "prefork"])
def fresh(request, start, slapd):
    """An httpd that has queried nothing yet, and one connection to it: under prefork, one child."""
    httpd = start(SITE, mpm=request.param, defines={"LDAP": slapd.port})
    with httpd.connection() as connection:
        yield httpd, connection
    httpd.stop()


def cost(slapd, connection, *login):
    mark = slapd.mark()
    status = connection.request("/in/", login=login).status
    print(*slapd.lines(mark), sep="\n")  # shown where a test fails
    return status, slapd.operations(mark)


def operations(connections=0, service_binds=0, searches=1, user_binds=1):
    return {"connections": connections, "service_binds": service_binds, "searches": searches,
            "user_binds": user_binds, "other": 0}


def test_logins(fresh, slapd):
    httpd, connection = fresh
    httpd.log.expect("AH01617")
    # The first: a session for searching, bound as the service account, and one for binding as users.
    assert cost(slapd, connection, "ann", RIGHT) == (200, operations(connections=2, service_binds=1))
    # From then on one search and one bind, whatever comes of it, and no new connection.
    for _ in range(3):
        assert cost(slapd, connection, "ann", RIGHT) == (200, operations())
        assert cost(slapd, connection, "ann", WRONG) == (401, operations())
    assert cost(slapd, connection, "ann", RIGHT) == (200, operations())
    assert connection.used == 8, "httpd closed a connection that a 401 should not cost"


def test_unknown_user_costs_what_a_known_one_costs(fresh, slapd):
    httpd, connection = fresh
    httpd.log.expect("AH01617", "AH01618")
    cost(slapd, connection, "ann", WRONG)
    assert cost(slapd, connection, "ann", WRONG) == (401, operations())
    assert cost(slapd, connection, "nobody", WRONG) == (401, operations())
    assert cost(slapd, connection, "ann", RIGHT) == (200, operations())


def test_no_credentials_cost_nothing(fresh, slapd):
    httpd, connection = fresh
    mark = slapd.mark()
    assert connection.request("/in/").status == 401
    assert slapd.operations(mark) == operations(searches=0, user_binds=0)


def test_three_hundred_failures_open_no_connection(start, slapd):
    httpd = start(SITE, defines={"LDAP": slapd.port})
    httpd.log.expect("AH01617")
    with httpd.connection() as connection:
        connection.request("/in/", login=("ann", RIGHT))
        mark = slapd.mark()
        for _ in range(300):
            assert connection.request("/in/", login=("ann", WRONG)).status == 401
    assert slapd.operations(mark) == operations(searches=300, user_binds=300)
    httpd.stop()


@pytest.mark.parametrize("ttl, kept", [("-1", True), ("1h", True), ("600", True), ("0", False)])
def test_pool_ttl(start, slapd, ttl, kept):
    """LDAPConnectionPoolTTL: -1 keeps for ever, 0 not at all."""
    httpd = start(f"LDAPConnectionPoolTTL {ttl}\n{SITE}", defines={"LDAP": slapd.port})
    with httpd.connection() as connection:
        first = operations(connections=2, service_binds=1)
        assert cost(slapd, connection, "ann", RIGHT) == (200, first)
        for _ in range(2):
            assert cost(slapd, connection, "ann", RIGHT) == (200, operations() if kept else first)
    httpd.stop()


def test_a_burst_is_answered_whole(start, slapd):
    """Sixteen threads, all at once: nobody is refused, and there are never more sessions than threads, of each kind."""
    httpd = start(SITE, defines={"LDAP": slapd.port})
    mark = slapd.mark()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: httpd.get("/in/", login=("ann", RIGHT)), range(160)))
    assert [answer.status for answer in answers] == [200] * 160
    count = slapd.operations(mark)
    assert (count["searches"], count["user_binds"]) == (160, 160)
    assert count["connections"] <= 32 and count["service_binds"] <= 16
    for answer in answers:
        verify(httpd, answer, "granted", 200)
    httpd.stop()


@pytest.mark.skipif(SANITIZE, reason="memory growth: AddressSanitizer keeps what was freed")
def test_memory_does_not_grow(start, slapd):
    """A leak of 256 octets a request would show."""
    httpd = start(SITE, defines={"LDAP": slapd.port})
    httpd.log.expect("AH01617", "AH01618")
    rounds = [("ann", RIGHT), ("ann", WRONG), ("nobody", WRONG), ("ann", ""), None]

    def fetch(times):
        with httpd.connection() as connection:
            for number in range(times):
                connection.request("/in/", login=rounds[number % len(rounds)])
        return httpd.resident_memory()

    before = fetch(1000)
    assert fetch(4000) - before < 4000 * 256
    httpd.stop()


def test_users_are_not_mixed_up(start, slapd):
    """Right and wrong passwords at once, on shared sessions: each gets the answer to his own question."""
    httpd = start(SITE, defines={"LDAP": slapd.port})
    httpd.log.expect("AH01617", "AH01618")
    logins = [("ann", RIGHT, 200), ("ann", WRONG, 401), ("nobody", RIGHT, 401)] * 60
    with ThreadPoolExecutor(16) as threads:
        got = list(threads.map(lambda login: httpd.get("/in/", login=login[:2]).status, logins))
    assert got == [status for *_, status in logins]
    httpd.stop()
