# SPDX-License-Identifier: Apache-2.0
"""Require ldap-* where servers and stores come and go: a hung directory with two hundred cached logins, the second server of
the URL, two httpds on one redis, a store that is away, a graceful restart."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.slapd import TOP, Database, Slapd
from lab.stores import Redis, key_file
from lab.verify import verify
from test_rows import (BASE, FIVE, HERE, RIGHT, STAFF, Text, all_of, any_of, cost, group, ldap_group, ldif, make, person,
                       section)

PEOPLE = 200


def people():
    return ldif() + "".join(person(f"m{number}") for number in range(PEOPLE)) + group(
        "everybody", *(f"uid=m{number},{BASE}" for number in range(PEOPLE)))


@pytest.fixture
def own(workdirs):
    """A slapd that a test may stop."""
    slapd = Slapd(workdirs.new("slapd-servers"), [Database(BASE, Text(people()), ("index member eq",))]).start()
    yield slapd
    slapd.stop()


@pytest.fixture
def second(workdirs):
    slapd = Slapd(workdirs.new("slapd-second"), [Database(BASE, Text(ldif()), ("index member eq",))]).start()
    yield slapd
    slapd.stop()


@pytest.fixture
def store(workdirs):
    store = Redis(workdirs.new("store")).start()
    yield store
    store.stop()


# -- 59: a hung directory

# Before the directory hangs it may take its time.
LOGIN = "AuthStatusDeadline 20s\n    Require valid-user"
HUNG = ("AuthStatusDeadline 1s\nAuthStatusBreaker 5 10min\nAuthStatusCacheTime 5min 5min\n" + section("who", LOGIN)
        + section("group", any_of(ldap_group("everybody"))) + section("not", all_of("valid-user", "not " + STAFF)))
OUTAGES = {"directory-timeout", "directory-overload", "directory-down"}


def test_a_hung_directory_and_cached_logins(start, own):
    """59: a user in no cache yet is answered 503, by the deadline or by the open circuit breaker; a plain page is a page
    all the while, and nobody passes."""
    httpd = make(start, own, conf=HUNG, cache=None, threads=64)
    with httpd.connection() as connection:
        for number in range(PEOPLE):
            assert connection.request("/in/who", login=(f"m{number}", RIGHT)).status == 200
    httpd.log.allow("AS005", "AS0094", "AH01631")
    own.freeze()
    try:
        with ThreadPoolExecutor(60) as pool:
            answers = [pool.submit(httpd.get, f"/in/{('group', 'not')[number % 2]}", login=(f"m{number}", RIGHT))
                       for number in range(PEOPLE)]
            pages = [httpd.get("/").status for _ in range(20)]
            answers = [answer.result() for answer in answers]
        assert set(pages) == {200}
        assert {answer.status for answer in answers} == {503}, {answer.status for answer in answers}
        assert all(answer.all("Retry-After") and not answer.all("WWW-Authenticate") for answer in answers)
        assert {httpd.access(answer).outcome for answer in answers} <= OUTAGES
        # The circuit is open: nothing waits any more, and logins are still known.
        for number in range(10):
            answer = httpd.get("/in/group", login=(f"m{number}", RIGHT))
            assert (answer.status, httpd.access(answer).outcome) == (503, "directory-down")
            assert httpd.get("/in/who", login=(f"m{number}", RIGHT)).status == 200
    finally:
        own.thaw()


# -- 61: the second server

def test_the_second_server_answers_for_the_first(start, own, second):
    two = f'AuthLDAPURL "ldap://127.0.0.1:${{LDAP}} 127.0.0.1:{second.port}/{BASE}?uid"\n    Use Account {BASE}'
    # Each line of the first request meets the first server, and leaves the second half of the time: that is a quarter in the end.
    conf = "AuthStatusDeadline 20s\nAuthStatusBreaker 2 1h\n" + section("flat", any_of(STAFF), directory=two) + section(
        "nested", any_of(ldap_group("top")), directory=two) + section("not", all_of("valid-user", "not " + STAFF), directory=two)
    httpd = make(start, own, conf=conf, cache=None)
    httpd.log.allow("AH01631", "AS0094")
    assert httpd.get("/in/flat", login=("ann", RIGHT)).status == 200
    assert httpd.get("/in/nested", login=("bob", RIGHT)).status == 403
    own.freeze()
    try:
        httpd.log.allow("AS005")
        for path, user, status in (("nested", "ann", 403), ("nested", "deep", 200), ("not", "bob", 200), ("not", "ann", 403)):
            answer = httpd.get(f"/in/{path}", login=(user, RIGHT))
            assert answer.status == status, (path, user, answer, httpd.log.of(answer.row))
        assert any(" CMP " in line for line in second.lines())
    finally:
        own.thaw()


# -- 73, 74: stores

LINES = section("flat", any_of(STAFF)) + section("five", FIVE) + section("not", all_of("valid-user", "not " + STAFF))
QUERIED = [("flat", "ann", 200), ("flat", "bob", 403), ("five", "five", 200), ("not", "bob", 200), ("not", "ann", 403)]


def with_store(start, slapd, store, key):
    conf = f'AuthStatusCacheKey "{key}"\nAuthStatusCacheTime 5min 5min\n' + LINES
    httpd = make(start, slapd, conf=conf, cache=store.cache, modules=store.modules)
    httpd.log.allow("AH01631")
    return httpd


def query_all(httpd):
    for path, user, status in QUERIED:
        answer = httpd.get(f"/in/{path}", login=(user, RIGHT))
        assert answer.status == status, (path, user, answer)


def test_two_httpds_on_one_redis(start, own, store):
    """73: answers to one httpd are cached for the other, refusals and sets of groups too."""
    key = key_file(store.workdir)
    first, other = with_store(start, own, store, key), with_store(start, own, store, key)
    query_all(first)
    mark = own.mark()
    query_all(other)
    assert cost(own, mark) == (0, 0, 0)


def test_another_key_reads_nothing(start, own, store):
    first = with_store(start, own, store, key_file(store.workdir, "one"))
    other = with_store(start, own, store, key_file(store.workdir, "two"))
    query_all(first)
    mark = own.mark()
    query_all(other)
    assert min(cost(own, mark)) > 0


def test_a_graceful_restart_with_a_store_outside(start, own, store):
    """74: with a key file and a store of their own nothing is queried again."""
    httpd = with_store(start, own, store, key_file(store.workdir))
    query_all(httpd)
    httpd.reload()
    mark = own.mark()
    query_all(httpd)
    assert cost(own, mark) == (0, 0, 0)


def test_a_store_that_is_away(start, own, store):
    """74: queried again, and answered correctly."""
    httpd = with_store(start, own, store, key_file(store.workdir))
    query_all(httpd)
    store.kill()
    httpd.log.allow("AS0084", "AS008", "redis", "AH0", "Connection refused")
    httpd.reload()  # each process's own memory is gone as well
    httpd.log.allow("AS0084", "AS008", "redis", "AH0", "Connection refused")
    mark = own.mark()
    query_all(httpd)
    assert min(cost(own, mark)) > 0


# -- 55, and other ways to a section

def test_an_inner_section_with_one_directive(start, own):
    """55: what it does not say, it has from outside."""
    conf = section("outer", any_of(STAFF)) + section("other/inner", "", directory="") + f"""
<Location "/in/outer/inner">
    AuthLDAPMaxSubGroupDepth 3
    Require {STAFF}
</Location>
<Location "/in/outer/attribute">
    AuthLDAPGroupAttribute member
    Require {ldap_group("top")}
</Location>
<Location "/in/outer/shallow">
    AuthLDAPMaxSubGroupDepth 1
    Require {ldap_group("top")}
</Location>
"""
    httpd = make(start, own, conf=conf)
    httpd.log.allow("AH01631")
    for path, user, status in (("inner", "ann", 200), ("inner", "bob", 403), ("attribute", "deep", 200),
                               ("attribute", "ann", 403), ("shallow", "deep", 403)):
        answer = httpd.get(f"/in/outer/{path}", login=(user, RIGHT))
        assert answer.status == status, (path, user, answer)


def test_the_directory_fails_within_each_step_of_a_ban(start, own):
    """A banned user, and each moment at which the directory may go: never 200."""
    conf = "AuthStatusDeadline 1s\nAuthStatusBreaker 50 1s\nAuthStatusCacheTime 5min 5min\n" + section("who", LOGIN)
    bans = {"group": STAFF, "nested": ldap_group("top"), "dn": f"ldap-dn uid=ann,{BASE}", "user": "ldap-user ann deep",
            "attribute": "ldap-attribute sn=Person", "filter": "ldap-filter (sn=Person)", "search": "ldap-search (uid=ann)"}
    for name, line in bans.items():
        conf += section(name, all_of("valid-user", "not " + line))
    httpd = make(start, own, conf=conf, cache=None)
    httpd.log.allow("AH0163[01]", "AS005", "AS0094")
    assert httpd.get("/in/who", login=("ann", RIGHT)).status == 200
    assert httpd.get("/in/who", login=("deep", RIGHT)).status == 200
    for stop, start_again in ((own.freeze, own.thaw), (own.kill, own.start)):
        stop()
        try:
            for name in bans:
                for user in ("ann", "deep"):
                    answer = httpd.get(f"/in/{name}", login=(user, RIGHT))
                    # What the login has shown needs no directory.
                    assert answer.status in ((503, 403) if name in ("dn", "user") else (503,)), (name, user, answer)
        finally:
            start_again()
