# SPDX-License-Identifier: Apache-2.0
"""AuthStatusThrottle: after too many failures a login waits, and the directory is not queried."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.fake import BASE, Fake
from lab.process import poll
from lab.verify import verify
from memory.shared import LOGIN, NOTHING, RIGHT, SHMCB, WRONG, Held, Person

SITE = """AuthStatusCacheTime 1h 1h
LogLevel warn authstatus:trace8
Use Login /in "ldap://127.0.0.1:${LDAP}" o=memory
<Location /in/user>
    AuthStatusThrottle 3 1h
</Location>
<Location /in/client>
    AuthStatusThrottle 3 1h Client
</Location>
<Location /in/both>
    AuthStatusThrottle 3 1h Both
</Location>
<Location /in/off>
    AuthStatusThrottle Off
</Location>
<Location /in/always>
    AuthStatusThrottle 3 1h
    AuthStatusMap throttled 503
</Location>
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
"""
HOUR = 3600
THROTTLED = "AS0040"


@pytest.fixture(params=["event", "prefork"])
def site(request, start, slapd):
    httpd = start(SITE, mpm=request.param, defines={"LDAP": slapd.port}, cache="shmcb",
                  modules=("socache_shmcb", "remoteip"))
    httpd.log.allow("AH0161[78]", THROTTLED)
    yield httpd
    httpd.stop()


@pytest.fixture
def guess(site, person):
    """guess(path): one more wrong password, for this person unless told otherwise, from an address if told."""
    numbers = iter(range(1000))

    def one(path, user=person.uid, password=None, client="192.0.2.1"):
        return site.get(f"/in/{path}/", login=(user, password or f"{WRONG}{next(numbers)}"),
                        headers=[("X-Forwarded-For", client)])
    return one


def is_throttled(site, answer, client="192.0.2.1"):
    left = answer.header("Retry-After")
    assert answer.status == 429, answer
    assert HOUR - 600 < int(left) <= HOUR, "what is left of the time"
    verify(site, answer, "throttled", 429, retry_after=left, client=client)


def test_user(site, slapd, person, guess):
    assert [guess("user").status for _ in range(3)] == [401] * 3
    mark = slapd.mark()
    is_throttled(site, guess("user"))
    is_throttled(site, guess("user", password=RIGHT))
    is_throttled(site, guess("user", client="192.0.2.2"), "192.0.2.2")
    assert slapd.operations(mark) == NOTHING
    assert guess("user", Person(slapd).uid, RIGHT).status == 200, "another user"
    assert guess("off", password=RIGHT).status == 200, "where there is no throttle"
    assert guess("user", password=RIGHT).status == 200, "what is cached is answered, throttled or not"


def test_user_by_another_spelling(site, person, guess):
    names = [person.uid, person.uid.upper(), f" {person.uid}", f"{person.uid.title()} "]
    assert [guess("user", name).status for name in names] == [401] * 3 + [429]


def test_client(site, slapd, person, guess):
    for _ in range(3):
        assert guess("client", Person(slapd).uid).status == 401
    mark = slapd.mark()
    is_throttled(site, guess("client"))
    is_throttled(site, guess("client", password=RIGHT))
    assert slapd.operations(mark) == NOTHING
    assert guess("client", password=RIGHT, client="192.0.2.2").status == 200, "another client"
    assert guess("client", client="2001:db8::1").status == 401


def test_both(site, slapd, person, guess):
    assert [guess("both", client=f"192.0.2.{number}").status for number in range(10, 13)] == [401] * 3
    is_throttled(site, guess("both", client="192.0.2.13"), "192.0.2.13")
    for _ in range(3):
        assert guess("both", Person(slapd).uid, client="192.0.2.20").status == 401
    is_throttled(site, guess("both", Person(slapd).uid, client="192.0.2.20"), "192.0.2.20")
    assert guess("both", Person(slapd).uid, RIGHT, client="192.0.2.21").status == 200


def test_the_same_bad_password_is_no_new_failure(site, person, guess):
    for _ in range(10):
        assert guess("user", password=WRONG).status == 401
    assert guess("user").status == 401
    assert guess("user").status == 401
    assert guess("user").status == 429
    assert guess("user", password=WRONG).status == 401, "it is known to be wrong: that is told"


def test_success_clears_the_users_count_and_not_the_clients(site, person, guess):
    # The right password is granted anew each time, lest what is cached should answer.
    new = iter(range(100))

    def succeed(path):
        password = f"Pw!new{next(new)}"
        person.set("userPassword", password)
        assert guess(path, password=password).status == 200
    for _ in range(3):
        assert [guess("user").status for _ in range(2)] == [401] * 2
        succeed("user")
    assert [guess("user").status for _ in range(4)] == [401] * 3 + [429]
    succeed("off")
    assert guess("client").status == 401
    succeed("client")
    assert [guess("client").status for _ in range(2)] == [401] * 2
    assert guess("client").status == 429


@pytest.mark.parametrize("names", [["nobody1", "nobody2", "nobody3", "nobody4"], ["twin"] * 4], ids=["unknown", "ambiguous"])
def test_names_without_an_entry_of_their_own_count(site, guess, names):
    site.log.allow("AS0014")  # two entries of one name are the administrator's to mend
    assert [guess("client", name).status for name in names] == [401] * 3 + [429]


def test_proven_refusals_do_not_count(site, guess):
    """The right password of an account that may not enter is nobody's guess."""
    site.log.expect("AS0023", "AS0024")
    for user in ("must-change", "expired"):
        for path in ("user", "client"):
            assert guess(path, user, RIGHT).status == 403
    assert [guess("client").status for _ in range(4)] == [401] * 3 + [429]


def test_status_is_mapped(site, person, guess):
    assert [guess("always").status for _ in range(3)] == [401] * 3
    answer = guess("always")
    assert answer.status == 503 and HOUR - 600 < int(answer.header("Retry-After")) <= HOUR


def test_log_line(site, person, guess):
    """One line under the outcome's tag; none of mod_auth_basic's that a ban could follow."""
    for _ in range(3):
        guess("user")
    answer = guess("user")
    verify(site, answer, "throttled", 429, retry_after=answer.header("Retry-After"), user=person.uid,
           client="192.0.2.1")
    assert not [line.text for line in site.log.of(answer.row) if "AH0161" in line.text]


def test_below_the_directorys_limit_the_account_stays_unlocked(start, slapd):
    """slapd locks at the fifth failure, we stop after the fourth; who waits as long as Retry-After says gets in."""
    httpd = start(f"{LOGIN}<Location /in>\nAuthStatusThrottle 4 20s\n</Location>", defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.expect("AH01617", THROTTLED)
    mark = slapd.mark()
    answers = [httpd.get("/in/", login=("strict", f"{WRONG}{number}")) for number in range(4)]
    answers += [httpd.get("/in/", login=("strict", f"{WRONG}{number}")) for number in range(4, 8)]
    statuses = [answer.status for answer in answers]
    assert statuses[:4] == [401] * 4
    assert slapd.operations(mark)["user_binds"] == 4 + statuses[4:].count(401)
    throttled = [answer for answer in answers if answer.status == 429]
    assert throttled and all(1 <= int(answer.header("Retry-After")) <= 20 for answer in throttled)
    answer = poll(lambda: _unless_throttled(httpd, "strict"), 30, "the throttle's end")
    verify(httpd, answer, "granted", 200)
    httpd.stop()


def _unless_throttled(httpd, user):
    answer = httpd.get("/in/", login=(user, RIGHT))
    if answer.status == 429:
        assert 1 <= int(answer.header("Retry-After")) <= 20
        return None
    return answer


@pytest.mark.parametrize("path", ["user", "both"])
def test_guesses_all_at_once(start, path):
    """Sixteen at the same moment, to a directory that takes its time: three of them reach it."""
    held = Held(49)
    fake = Fake({"user-bind": held})
    httpd = start(f'AuthStatusInFlight 32\nAuthStatusDeadline 12s\nUse Login /in "ldap://127.0.0.1:${{LDAP}}" {BASE}\n'
                  "<Location /in/user>\nAuthStatusThrottle 3 1h\n</Location>\n"
                  "<Location /in/both>\nAuthStatusThrottle 3 1h Both\n</Location>\n",
                  defines={"LDAP": fake.port}, threads=24, **SHMCB)
    httpd.log.expect("AH01617", THROTTLED)
    with ThreadPoolExecutor(16) as threads:
        answers = [threads.submit(httpd.get, f"/in/{path}/", login=("ann", f"{WRONG}{number}")) for number in range(16)]
        poll(lambda: sum(answer.done() for answer in answers) == 13, 20, "those that are throttled")
        assert fake.count("user-bind") <= 3
        held.release()
        statuses = sorted(answer.result().status for answer in answers)
    assert statuses == [401] * 3 + [429] * 13
    assert fake.count("user-bind") == 3
    httpd.stop()
    fake.stop()


def test_an_outage_is_no_failure(start, start_slapd, slapd, person):
    httpd = start('AuthStatusBreaker 1000 1s\nUse Login /in "ldap://127.0.0.1:${LDAP}" o=memory\n'
                  "<Location /in>\nAuthStatusThrottle 3 1h Both\n</Location>", defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.expect("AS0050", "AH01617", THROTTLED)
    slapd.stop()
    try:
        for number in range(6):
            assert httpd.get("/in/", login=(person.uid, f"{WRONG}{number}")).status == 503
    finally:
        slapd.start()
    assert [httpd.get("/in/", login=(person.uid, f"{WRONG}{number}")).status for number in range(4)] == [401] * 3 + [429]
    httpd.stop()


def test_outlives_a_restart_with_a_store_of_its_own(start, workdirs, slapd, person):
    """Counts are where the answers are: in the store."""
    from lab.stores import Redis, key_file
    store = Redis(workdirs.new("store")).start()
    httpd = start(f'AuthStatusCacheKey "{key_file(store.workdir)}"\nUse Login /in "ldap://127.0.0.1:${{LDAP}}" o=memory\n'
                  "<Location /in>\nAuthStatusThrottle 3 1h\n</Location>", defines={"LDAP": slapd.port},
                  cache=store.cache, modules=store.modules)
    httpd.log.expect("AH01617", THROTTLED)
    for number in range(3):
        assert httpd.get("/in/", login=(person.uid, f"{WRONG}{number}")).status == 401
        httpd.reload()
    assert httpd.get("/in/", login=(person.uid, RIGHT)).status == 429
    httpd.stop()
    store.stop()
