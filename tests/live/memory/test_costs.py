# SPDX-License-Identifier: Apache-2.0
"""What logins cost the directory where answers are cached: counted in slapd's log."""
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.fake import BASE, Fake
from lab.process import poll
from lab.verify import verify
from memory.shared import (FIRST, LOGIN, NOTHING, QUERIED, RIGHT, SHMCB, STATUS, WRONG, Held, cost, operations,
                           wait_for_busy)


@pytest.fixture(params=["event", "worker", "prefork"])
def fresh(request, start, slapd):
    """An httpd that knows nothing yet, and one connection to it: under prefork, one child."""
    httpd = start(LOGIN, mpm=request.param, defines={"LDAP": slapd.port}, **SHMCB)
    with httpd.connection() as connection:
        yield httpd, connection
    httpd.stop()


def test_right_and_wrong(fresh, slapd):
    httpd, connection = fresh
    httpd.log.expect("AH01617", "AH01618")
    assert cost(slapd, connection, "ann", RIGHT) == (200, FIRST)
    for _ in range(3):
        assert cost(slapd, connection, "ann", RIGHT) == (200, NOTHING)
    for password in (WRONG, f"{WRONG}2", f"{WRONG}3"):
        queried = QUERIED if password == WRONG else {**QUERIED, "searches": 0}
        assert cost(slapd, connection, "ann", password) == (401, queried), "a distinct bad password is a bind"
        for _ in range(3):
            assert cost(slapd, connection, "ann", password) == (401, NOTHING), "the same one is not"
            assert cost(slapd, connection, "ann", RIGHT) == (200, NOTHING), "and never evicts the right one"
    assert cost(slapd, connection, "nobody", WRONG) == (401, QUERIED)
    assert cost(slapd, connection, "nobody", WRONG) == (401, NOTHING)
    assert cost(slapd, connection, "bob", RIGHT) == (200, QUERIED)
    assert cost(slapd, connection, "bob", RIGHT) == (200, NOTHING)


def test_cache_entries(start, slapd):
    """AuthStatusCacheEntries 1, without a store: the second user's acceptance evicts the first's."""
    httpd = start("AuthStatusCacheEntries 1\n" + LOGIN, mpm="prefork", defines={"LDAP": slapd.port}, cache=None)
    with httpd.connection() as connection:
        assert cost(slapd, connection, "ann", RIGHT) == (200, FIRST)
        assert cost(slapd, connection, "ann", RIGHT) == (200, NOTHING)
        assert cost(slapd, connection, "bob", RIGHT) == (200, QUERIED)
        assert cost(slapd, connection, "bob", RIGHT) == (200, NOTHING)
        assert cost(slapd, connection, "ann", RIGHT) == (200, QUERIED)


Told = namedtuple("Told", "user outcome status ldap variable", defaults=(None, None))

TOLD = [
    Told("ann", "granted", 200, "0"),
    Told("must-change", "password-must-change", 403, "0/pp2"),
    Told("grace", "grace-login", 200, "0", "grace"),
    Told("expiring", "password-expiring", 200, "0", "expires"),
    Told("expired", "password-expired", 403, "49/pp0"),
    Told("locked", "account-locked", 401, "49/pp1"),
    Told("twin", "ambiguous-user", 401),
    Told("nobody", "unknown-user", 401),
]


@pytest.fixture(scope="module")
def site(start, slapd):
    return start(f"AuthStatusCacheTime 1h 1h\n{LOGIN}", defines={"LDAP": slapd.port}, **SHMCB)


@pytest.mark.parametrize("row", TOLD, ids=[row.user for row in TOLD])
def test_told_again(site, slapd, row):
    """A cached answer is served again in full, and the directory is not queried."""
    def fetch():
        answer = site.get("/in/", login=(row.user, RIGHT))
        verify(site, answer, row.outcome, row.status, row.ldap, user=row.user)
        return answer.variables()
    first = fetch()
    if row.variable:
        assert row.variable in first
    mark = slapd.mark()
    for _ in range(3):
        again = fetch()
        expires = [int(told.pop("expires", -1)) for told in (first, again)]
        assert again == first
        assert expires[1] <= expires[0] and (expires[1] > 0) == (expires[0] > 0), "seconds that are left grow fewer"
        first["expires"] = expires[0]
    assert slapd.operations(mark) == NOTHING


NOT_AT_ALL = f"AuthStatusCacheTime 0 0\n{LOGIN}"


@pytest.mark.parametrize("timing", ["On", "Off"])
def test_known_entry(start, slapd, person, timing):
    """No answer is cached here, only the DNs of entries: a search confirms each grant."""
    httpd = start(NOT_AT_ALL.replace("Use Login", f"AuthStatusUniformTiming {timing}\nUse Login"), defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.expect("AH01617")
    refused = QUERIED if timing == "On" else operations(user_binds=1)
    with httpd.connection() as connection:
        assert cost(slapd, connection, person.uid, RIGHT) == (200, FIRST)
        for _ in range(3):
            assert cost(slapd, connection, person.uid, RIGHT) == (200, QUERIED)
        for _ in range(2):
            assert cost(slapd, connection, person.uid, WRONG) == (401, refused)
        assert cost(slapd, connection, person.uid, RIGHT) == (200, QUERIED)
    httpd.stop()


@pytest.mark.parametrize("timing", ["On", "Off"])
def test_alias_that_was_deleted(start, slapd, person, timing):
    """Who is found through an alias alone is let in no longer than AuthStatusCacheTime once it is gone."""
    directory = slapd.client("cn=root,o=memory")
    directory.add_s("ou=door,o=memory", [("objectClass", [b"organizationalUnit"]), ("ou", [b"door"])])
    alias = f"cn={person.uid},ou=door,o=memory"
    directory.add_s(alias, [("objectClass", [b"alias", b"extensibleObject"]), ("aliasedObjectName", [person.dn.encode()])])
    httpd = start(f"AuthStatusCacheTime 500ms 0\nAuthStatusUniformTiming {timing}\n{LOGIN}<Location /in>\n"
                  "AuthLDAPURL ldap://127.0.0.1:${LDAP}/ou=door,o=memory?uid\n</Location>\n", defines={"LDAP": slapd.port}, **SHMCB)
    login = {"login": (person.uid, RIGHT)}
    try:
        assert httpd.get("/in/", **login).status == 200
        httpd.log.allow("AH01618")
        directory.delete_s(alias)
        poll(lambda: httpd.get("/in/", **login).status == 401, 15, "the alias is missed")
        assert [httpd.get("/in/", **login).status for _ in range(3)] == [401] * 3
    finally:
        directory.delete_s("ou=door,o=memory")
    httpd.stop()


def test_refusal_proves_the_entry(start, slapd, person):
    """slapd's password policy speaks of entries only: after that nobody has to look for it. Unless that would tell known
    users from unknown ones."""
    httpd = start(NOT_AT_ALL.replace("Use Login", "AuthStatusUniformTiming Off\nUse Login"), defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.expect("AH01617", "AH01618")
    bind = operations(user_binds=1)
    with httpd.connection() as connection:
        assert cost(slapd, connection, person.uid, RIGHT) == (200, FIRST)
        for _ in range(2):
            assert cost(slapd, connection, person.uid, WRONG) == (401, bind)
        assert cost(slapd, connection, person.uid, RIGHT) == (200, QUERIED)
        assert cost(slapd, connection, "nobody", RIGHT) == (401, operations(searches=1))
    httpd.stop()


@pytest.mark.parametrize("timing", ["On", "Off"])
def test_known_entry_has_moved(start, slapd, person, timing):
    """A cached DN never makes a right login fail."""
    httpd = start(NOT_AT_ALL.replace("Use Login", f"AuthStatusUniformTiming {timing}\nUse Login"), defines={"LDAP": slapd.port}, **SHMCB)
    login = {"login": (person.uid, RIGHT)}
    assert httpd.get("/in/", **login).status == 200
    person.move("ou=others,o=memory")
    verify(httpd, httpd.get("/in/", **login), "granted", 200)
    person.move("ou=people,o=memory")
    verify(httpd, httpd.get("/in/", **login), "granted", 200)
    person.delete()
    verify(httpd, httpd.get("/in/", **login), "unknown-user", 401)
    httpd.stop()


@pytest.mark.parametrize("timing", ["On", "Off"])
def test_entry_has_moved_between_two_passwords(start, slapd, person, timing):
    """What a wrong password found out makes no right one fail: slapd's policy speaks of entries only, and not of a DN that
    has none any more."""
    httpd = start(f"AuthStatusCacheTime 1h 1h\nAuthStatusUniformTiming {timing}\n{LOGIN}", defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.allow("AH0161[78]")
    for number, superior in enumerate(("ou=others,o=memory", "ou=people,o=memory")):
        for turn in range(2):
            assert httpd.get("/in/", login=(person.uid, f"{WRONG}{number}{turn}")).status == 401
        person.move(superior)
        assert httpd.get("/in/", login=(person.uid, f"{WRONG}{number}moved")).status == 401
        person.set("userPassword", f"{RIGHT}{number}")  # so that nothing is cached of it
        verify(httpd, httpd.get("/in/", login=(person.uid, f"{RIGHT}{number}")), "granted", 200)
    httpd.stop()


@pytest.mark.parametrize("url", ["o=memory?uid?sub?(cn=*)", "o=memory?uid,mail"])
def test_entry_is_searched_where_the_search_says_more(start, slapd, url):
    """A filter says who may enter; attributes are what the application relies on: they are asked for each time. A refusal shows
    it: elsewhere it is a bind alone, as test_known_entry has it."""
    site = NOT_AT_ALL.replace("Use Login", "AuthStatusUniformTiming Off\nUse Login")
    httpd = start(f"{site}<Location /in>\nAuthLDAPURL ldap://127.0.0.1:${{LDAP}}/{url}\n</Location>\n",
                  defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.expect("AH01617")
    with httpd.connection() as connection:
        assert cost(slapd, connection, "ann", RIGHT) == (200, FIRST)
        for password, status in ((RIGHT, 200), (WRONG, 401), (RIGHT, 200)):
            assert cost(slapd, connection, "ann", password) == (status, QUERIED)
    httpd.stop()


# -- at the same moment -----------------------------------------------------------------------------------------------

TWELVE = [f"uid=u{number},{BASE}" for number in range(12)]


@pytest.fixture
def held():
    """A directory whose verdicts on passwords wait for the test."""
    action = Held()
    directory = Fake({"user-bind": action}, people=dict.fromkeys(TWELVE, RIGHT))
    directory.held = action
    yield directory
    action.release()
    directory.stop()


def start_held(start, held, more=""):
    return start(f'AuthStatusInFlight 16\nAuthStatusDeadline 25s\nLogLevel warn authstatus:trace8\nUse Login /in "ldap://127.0.0.1:${{LDAP}}" {BASE}\n{STATUS}{more}',
                 defines={"LDAP": held.port}, **{**SHMCB, "modules": ("socache_shmcb", "status")})


@pytest.mark.parametrize("code, outcome, status", [(0, "granted", 200), (49, "wrong-password", 401),
                                                  (51, "directory-busy", 503)])
def test_identical_questions_are_one(start, held, code, outcome, status):
    """Of twelve at once one queries; all get its answer. So is an outage, but for who came so much later that the
    directory may be back in his time."""
    httpd = start_held(start, held)
    held.held.code = code
    with ThreadPoolExecutor(12) as threads:
        answers = [threads.submit(httpd.get, "/in/", login=("u0", RIGHT)) for _ in range(12)]
        wait_for_busy(httpd, 12)
        poll(lambda: held.count("user-bind"), 10, "the question")
        held.held.release()
        answers = [answer.result() for answer in answers]
    for answer in answers:
        verify(httpd, answer, outcome, status)
    assert held.count("user-bind") == 1 or status == 503
    httpd.stop()


@pytest.mark.parametrize("what, logins", [
    ("users", [(f"u{number}", RIGHT) for number in range(12)]),
    ("passwords", [("u0", f"{WRONG}{number}") for number in range(12)]),
])
def test_distinct_questions_are_many(start, held, what, logins):
    httpd = start_held(start, held)
    with ThreadPoolExecutor(12) as threads:
        answers = [threads.submit(httpd.get, "/in/", login=login) for login in logins]
        poll(lambda: held.count("user-bind") == 12, 10, "twelve questions")
        held.held.release()
        assert [answer.result().status for answer in answers] == [200] * 12
    httpd.stop()


# -- outages ----------------------------------------------------------------------------------------------------------

def test_an_outage_is_not_cached(start, start_slapd, slapd):
    """Down: 503 and never a refusal; back: the next login is granted. A cached answer serves all the while."""
    httpd = start(f"AuthStatusCacheTime 1h 1h\n{LOGIN}", defines={"LDAP": slapd.port}, **SHMCB)
    verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    verify(httpd, httpd.get("/in/", login=("ann", WRONG)), "wrong-password", 401)
    slapd.stop()
    try:
        for _ in range(2):
            verify(httpd, httpd.get("/in/", login=("bob", RIGHT)), "directory-down", 503)
            verify(httpd, httpd.get("/in/", login=("bob", WRONG)), "directory-down", 503)
            verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
            verify(httpd, httpd.get("/in/", login=("ann", WRONG)), "wrong-password", 401)
    finally:
        slapd.start()
    verify(httpd, httpd.get("/in/", login=("bob", RIGHT)), "granted", 200)
    verify(httpd, httpd.get("/in/", login=("bob", WRONG)), "wrong-password", 401)
    httpd.stop()


def test_served_while_the_directory_is_down_until_its_time_is_up(start, slapd, person):
    httpd = start(f"AuthStatusCacheTime 1s 1s\nAuthStatusBreaker 100000 1s\n{LOGIN}", defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.expect("AS0050")
    assert httpd.get("/in/", login=(person.uid, RIGHT)).status == 200
    slapd.stop()
    try:
        # Asked again and again: a hit does not make it last.
        answer = poll(lambda: _unless_granted(httpd, person), 10, "the end of what was cached")
        verify(httpd, answer, "directory-down", 503)
    finally:
        slapd.start()
    verify(httpd, httpd.get("/in/", login=(person.uid, RIGHT)), "granted", 200)
    httpd.stop()


def _unless_granted(httpd, person):
    answer = httpd.get("/in/", login=(person.uid, RIGHT))
    return None if answer.status == 200 else answer
