# SPDX-License-Identifier: Apache-2.0
"""AuthStatusInFlight: a burst on a healthy directory is answered whole; a hung one does not take every worker along."""
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.fake import BASE, Fake, answer, hang
from lab.process import poll
from lab.verify import verify
from memory.shared import RIGHT, SHMCB, STATUS, WRONG, Held, Person

OVERLOAD = "AS0053"
# Seconds without an answer: a tenth of a second is an overload, and on a machine that is busy answers arrive later than they are sent.
PATIENCE = 0.05
PEOPLE = {f"uid=u{number},{BASE}": RIGHT for number in range(40)}


def site(more=""):
    return (f'{more}\nLogLevel warn authstatus:trace8\nUse Login /in "ldap://127.0.0.1:${{LDAP}}" {BASE}\n{STATUS}')


@pytest.fixture
def make_fake():
    started = []

    def make(*arguments, **options):
        started.append(Fake(*arguments, people=PEOPLE, **options))
        return started[-1]
    yield make
    for fake in started:
        for actions in fake.script.values():
            for action in actions:
                if isinstance(action, Held):
                    action.release()
        fake.stop()


@pytest.mark.parametrize("cache", ["Off", "shmcb"])
@pytest.mark.parametrize("model, threads, more", [
    ("event", 4, ""), ("worker", 4, ""), ("event", 4, "AuthStatusInFlight 1"), ("event", 16, "AuthStatusInFlight 16"),
    ("prefork", 0, "")])
def test_burst_on_a_healthy_directory(start, slapd, model, threads, more, cache):
    """Whatever the limit: nobody is refused, unless the machine keeps slapd from answering."""
    httpd = start(f'{more}\nUse Login /in "ldap://127.0.0.1:${{LDAP}}" o=memory', mpm=model, threads=threads or 16, in_flight=None,
                  defines={"LDAP": slapd.port}, **{**SHMCB, "cache": cache})
    httpd.log.expect("AH0161[78]")
    logins = [("ann", RIGHT, 200), ("bob", RIGHT, 200), ("nobody", RIGHT, 401)] * 10
    logins += [("bob", f"{WRONG}{number}", 401) for number in range(30)]
    mark, begun = slapd.mark(), time.time()
    with ThreadPoolExecutor(24) as threads:
        got = list(threads.map(lambda login: httpd.get("/in/", login=login[:2]).status, logins))
    if slapd.find_longest_silence(mark, begun) < PATIENCE:
        assert got == [login[2] for login in logins]
    else:
        httpd.log.allow(OVERLOAD)
        assert all(status in (503, login[2]) for status, login in zip(got, logins))
    httpd.stop()


def test_burst_on_a_directory_that_takes_its_time(start, make_fake):
    """Answers come slowly, but they keep coming, one after the other: those in front of the gate wait for theirs. Only a
    machine that keeps the directory itself from answering for a tenth of a second may have somebody refused."""
    answered = []

    def slowly(connection, message_id, tag):
        connection.ended(0.02)
        answer(0)(connection, message_id, tag)
        answered.append(time.monotonic())
    fake = make_fake({"user-bind": slowly})
    httpd = start(site("AuthStatusInFlight 1\nAuthStatusDeadline 30s"), defines={"LDAP": fake.port}, threads=32,
                  **{**SHMCB, "modules": ("socache_shmcb", "status")})
    answered.append(time.monotonic())  # from when the first is asked for
    with ThreadPoolExecutor(20) as threads:
        got = list(threads.map(lambda number: httpd.get("/in/", login=(f"u{number}", RIGHT)).status, range(40)))
    longest = max(later - sooner for sooner, later in zip(answered, answered[1:]))
    if longest < PATIENCE:
        assert got == [200] * 40
    else:
        httpd.log.allow(OVERLOAD)
        assert set(got) <= {200, 503}
    httpd.stop()


QUESTIONS = {
    "distinct": [(f"u{number}", RIGHT) for number in range(12)],
    "identical": [("u0", RIGHT)] * 12,
}


@pytest.mark.parametrize("cache", ["shmcb", "Off"])
@pytest.mark.parametrize("questions", QUESTIONS)
@pytest.mark.parametrize("more, threads, inside", [("AuthStatusInFlight 3", 16, 3), ("", 8, 4)],
                         ids=["set", "half-of-the-threads"])
def test_hung_directory(start, make_fake, more, threads, inside, questions, cache):
    """So many requests wait for it, leaders and coalesced ones; the others are answered at once, and plain pages
    are served all the while."""
    held = Held()
    fake = make_fake({"user-bind": held})
    httpd = start(site(f"{more}\nAuthStatusDeadline 20s"), defines={"LDAP": fake.port}, threads=threads, in_flight=None,
                  **{**SHMCB, "cache": cache, "modules": ("socache_shmcb", "status")})
    httpd.log.expect(OVERLOAD)
    with ThreadPoolExecutor(12) as pool:
        logins = [pool.submit(httpd.get, "/in/", login=login) for login in QUESTIONS[questions]]
        poll(lambda: sum(login.done() for login in logins) == 12 - inside, 15, "those that are refused")
        for _ in range(5):
            page = httpd.get("/index.html")
            assert page.status == 200 and page.seconds < 10
        refused = [login.result() for login in logins if login.done()]
        held.release()
        granted = [login.result() for login in logins if login.result() not in refused]
    for refusal in refused:
        verify(httpd, refusal, "directory-overload", 503)
        assert refusal.seconds < 10, "half of what the deadline would have been"
    for grant in granted:
        verify(httpd, grant, "granted", 200)
    assert (len(refused), len(granted)) == (12 - inside, inside)
    assert httpd.get("/in/", login=("u20", RIGHT)).status == 200, "it is open again"
    httpd.stop()


def test_hung_directory_under_prefork(start, make_fake):
    """A child waits, up to the deadline; others serve."""
    fake = make_fake({"user-bind": hang})
    httpd = start(site("AuthStatusDeadline 1s"), mpm="prefork", in_flight=None, defines={"LDAP": fake.port},
                  **{**SHMCB, "modules": ("socache_shmcb", "status")})
    with ThreadPoolExecutor(4) as threads:
        logins = [threads.submit(httpd.get, "/in/", login=(f"u{number}", RIGHT)) for number in range(4)]
        assert httpd.get("/index.html").status == 200
        for login in logins:
            verify(httpd, login.result(), "directory-timeout", 503)
            assert login.result().seconds < 10
    httpd.stop()


def test_waiting_in_front_of_a_breaker(start, make_fake):
    """When the circuit opens meanwhile, nobody goes on waiting for a slot."""
    held = Held(51)
    fake = make_fake({"user-bind": held})
    httpd = start(site("AuthStatusInFlight 2\nAuthStatusBreaker 2 1h\nAuthStatusDeadline 20s"),
                  defines={"LDAP": fake.port}, **{**SHMCB, "modules": ("socache_shmcb", "status")})
    httpd.log.expect("AS0052", "AS0050")
    with ThreadPoolExecutor(2) as threads:
        logins = [threads.submit(httpd.get, "/in/", login=(f"u{number}", RIGHT)) for number in range(2)]
        poll(lambda: fake.count("user-bind") == 2, 10, "two questions")
        held.release()
        for login in logins:
            verify(httpd, login.result(), "directory-busy", 503)
    told = httpd.get("/in/", login=("u9", RIGHT))
    verify(httpd, told, "directory-down", 503, retry_after=told.header("Retry-After"))
    assert 3000 < int(told.header("Retry-After")) <= 3600
    httpd.stop()
