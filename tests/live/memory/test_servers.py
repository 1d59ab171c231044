# SPDX-License-Identifier: Apache-2.0
"""Several servers and the breaker: one that does not answer is passed over, one that refuses is believed."""
import itertools
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.fake import (BASE, Fake, answer, close, drip, entries, half_then_close, half_then_hang, hang, notice, reset,
                      rubbish)
from lab.httpd import SLACK
from lab.process import poll, reserve_port
from lab.slapd import Database
from lab.verify import verify
from memory.conftest import HERE, OPTIONS
from memory.shared import RIGHT, SHMCB, WRONG, Held

DEADLINE = 4  # of two servers: each has two seconds
PEOPLE = {f"uid={name},{BASE}": RIGHT for name in ("ann", *(f"u{number}" for number in range(40)))}


def start_site(start, *fakes, more="", **options):
    """With these, or ports, as the servers of its directory."""
    servers = " ".join(f"127.0.0.1:{getattr(fake, 'port', fake)}" for fake in fakes)
    return start(f'{more}\nLogLevel warn authstatus:trace8\nUse Login /in "ldap://{servers}" {BASE}', **options)


@pytest.fixture
def make_fake():
    started = []

    def make(script=None, **options):
        started.append(Fake(script, people=PEOPLE, **options))
        return started[-1]
    yield make
    for fake in started:
        fake.stop()


# -- failover ---------------------------------------------------------------------------------------------------------

Row = namedtuple("Row", "name script")

AWAY = [
    Row("unreachable", None),
    Row("reset-at-accept", {"accept": reset}),
    Row("closed-at-accept", {"accept": close}),
    Row("rubbish", {"service-bind": rubbish}),
    Row("reset-at-search", {"search": reset}),
    Row("reset-at-user-bind", {"user-bind": reset}),
    Row("half-a-service-bind", {"service-bind": half_then_close}),
    Row("half-a-search", {"search": half_then_close}),
    Row("half-a-user-bind", {"user-bind": half_then_close}),
    Row("notice-of-disconnection", {"search": notice}),
    Row("busy-at-service-bind", {"service-bind": answer(51)}),
    Row("busy-at-search", {"search": answer(51)}),
    Row("busy-at-user-bind", {"user-bind": answer(51)}),
    Row("unavailable-at-search", {"search": answer(52)}),
    Row("unavailable-at-user-bind", {"user-bind": answer(52)}),
    Row("hung-at-accept", {"accept": hang}),
    Row("hung-at-search", {"search": hang}),
    Row("hung-at-user-bind", {"user-bind": hang}),
    Row("half-a-search-and-hang", {"search": half_then_hang}),
    Row("half-a-user-bind-and-hang", {"user-bind": half_then_hang}),
    Row("slower-than-the-deadline", {"user-bind": drip}),
]


BELIEVED = [
    Row("wrong-password", {"user-bind": answer(49)}),
    Row("unknown-user", {"search": answer(0)}),
    Row("ambiguous", {"search": entries(f"uid=ann,{BASE}", f"uid=ann,ou=other,{BASE}")}),
    Row("unwilling", {"user-bind": answer(53)}),
    Row("constraint", {"user-bind": answer(19, "Exceed password retry limit. Please try later.")}),
    Row("service-account", {"service-bind": answer(49)}),
    Row("no-such-base", {"search": answer(32)}),
    Row("no-access", {"search": answer(50)}),
    Row("unknown-code", {"user-bind": answer(123)}),
]


Pair = namedtuple("Pair", "first second")  # the fake that a row is about, None where nobody listens, and a good one


@pytest.fixture(scope="module")
def pairs():
    pairs = {row.name: Pair(row.script and Fake(row.script, people=PEOPLE), Fake(people=PEOPLE))
             for row in AWAY + BELIEVED}
    yield pairs
    for fake in itertools.chain(*pairs.values()):
        if fake:
            fake.stop()


@pytest.fixture(scope="module")
def site(start, pairs):
    """A Location for each row, with the two of it."""
    lines = [f'Use Login /in/{name} "ldap://127.0.0.1:{pair.first.port if pair.first else reserve_port()} '
             f'127.0.0.1:{pair.second.port}" {BASE}' for name, pair in pairs.items()]
    return start("\n".join(["LogLevel warn authstatus:trace8", f"AuthStatusDeadline {DEADLINE}s", *lines]))


@pytest.mark.parametrize("row", AWAY, ids=[row.name for row in AWAY])
def test_passed_over(site, pairs, row):
    """The second server's answer counts, and comes within the deadline, which both share."""
    for password, outcome, status in ((RIGHT, "granted", 200), (WRONG, "wrong-password", 401)):
        before = pairs[row.name].second.count("user-bind")
        got = site.get(f"/in/{row.name}/", login=("ann", password))
        verify(site, got, outcome, status)
        assert got.seconds < DEADLINE + SLACK
        assert pairs[row.name].second.count("user-bind") == before + 1


@pytest.mark.parametrize("row", BELIEVED, ids=[row.name for row in BELIEVED])
def test_believed(site, pairs, row):
    """A refusal is one, whatever another server would say."""
    site.log.allow("AS00[0-9][0-9]", "AH0161[78]")
    assert site.get(f"/in/{row.name}/", login=("ann", RIGHT)).status not in (200, 503)
    assert pairs[row.name].first.operations and not pairs[row.name].second.operations


def test_three_servers(start, make_fake):
    hung, third = make_fake({"accept": hang}), make_fake()
    httpd = start_site(start, reserve_port(), hung, third, more="AuthStatusDeadline 6s\nAuthStatusBreaker 2 1h")
    for _ in range(3):
        verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    assert hung.count("accept") == 2, "the circuit is open then"
    httpd.stop()


def test_all_are_away(start, make_fake):
    """The reported outage is that of the last server; the whole takes no longer than the deadline."""
    httpd = start_site(start, make_fake({"accept": hang}), make_fake({"search": answer(51)}), more=f"AuthStatusDeadline {DEADLINE}s")
    got = httpd.get("/in/", login=("ann", RIGHT))
    verify(httpd, got, "directory-busy", 503)
    assert got.seconds < DEADLINE + SLACK
    httpd.stop()


# -- breaker ----------------------------------------------------------------------------------------------------------

OUTAGES = [
    ("reset", {"accept": reset}, "directory-down"),
    ("busy", {"search": answer(51)}, "directory-busy"),
    ("unavailable", {"search": answer(52)}, "directory-down"),
    ("hung", {"search": hang}, "directory-timeout"),
]


@pytest.mark.parametrize("name, script, outcome", OUTAGES, ids=[row[0] for row in OUTAGES])
def test_breaker_opens(start, make_fake, name, script, outcome):
    """After so many outages in a row the circuit is open: the answer comes at once, with the remaining time."""
    fake = make_fake(script)
    httpd = start_site(start, fake, more=f"AuthStatusDeadline {'1s' if name == 'hung' else '10s'}\nAuthStatusBreaker 3 1h")
    for _ in range(3):
        got = httpd.get("/in/", login=("ann", RIGHT))
        assert httpd.access(got).outcome in (outcome, "directory-busy", "directory-down")
        assert got.status == 503 and got.header("Retry-After") == "10"
    httpd.log.allow("AS005[0-3]")
    before = len(fake.operations)
    for _ in range(3):
        got = httpd.get("/in/", login=("ann", RIGHT))
        left = got.header("Retry-After")
        verify(httpd, got, "directory-down", 503, retry_after=left)
        assert 3000 < int(left) <= 3600
    assert len(fake.operations) == before
    assert httpd.get("/").status == 200
    httpd.stop()


def test_answers_in_between_keep_it_closed(start, make_fake):
    """Only outages in a row count, and a refusal is an answer."""
    fake = make_fake({"user-bind": [answer(51), answer(51), answer(49)] * 4 + [answer(51)]})
    httpd = start_site(start, fake, more="AuthStatusBreaker 3 1h")
    httpd.log.allow("AS0052", "AH01617")
    got = [httpd.get("/in/", login=("ann", RIGHT)) for _ in range(12)]
    assert [one.status for one in got] == [503, 503, 401] * 4
    httpd.stop()


def test_one_probe_at_a_time(start, make_fake):
    """When the time is over one query probes it; the others are answered at once. Its success closes the circuit."""
    held = Held()
    fake = make_fake({"user-bind": [answer(51), answer(51), held]})
    httpd = start_site(start, fake, more="AuthStatusDeadline 80s\nAuthStatusBreaker 2 500ms\nAuthStatusInFlight 16", threads=24)
    httpd.log.expect("AS0052")
    httpd.log.allow("AS0050")
    assert [httpd.get("/in/", login=("ann", RIGHT)).status for _ in range(2)] == [503, 503]
    with ThreadPoolExecutor(12) as pool:
        ran = threading.Event()

        def knock(number):
            """Until one of them is let through."""
            while not ran.is_set():
                got = httpd.get("/in/", login=(f"u{number}", RIGHT))
                if got.status == 200:
                    return got
            return None
        knocks = [pool.submit(knock, number) for number in range(12)]
        poll(lambda: fake.count("user-bind") == 3, 10, "a probe")
        for _ in range(5):
            got = httpd.get("/in/", login=("ann", RIGHT))
            verify(httpd, got, "directory-down", 503, retry_after="1")
        assert fake.count("user-bind") == 3
        held.release()
        poll(lambda: any(one.done() for one in knocks), 10, "the probe's answer")
        ran.set()
        [one.result() for one in knocks]
    verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    httpd.stop()


def test_failed_probe_keeps_it_open(start, make_fake):
    fake = make_fake({"user-bind": [answer(51)] * 3 + [answer(0)]})
    httpd = start_site(start, fake, more="AuthStatusBreaker 2 300ms")
    httpd.log.expect("AS0052")
    httpd.log.allow("AS0050")
    got = poll(lambda: _granted(httpd), 10, "the breaker is closed again")
    verify(httpd, got, "granted", 200)
    assert fake.count("user-bind") == 4
    httpd.stop()


def _granted(httpd):
    got = httpd.get("/in/", login=("ann", RIGHT))
    return got if got.status == 200 else None


def test_a_server_that_is_back_is_not_passed_over_for_good(start, make_fake):
    """Its breaker was open when the question came; now it is closed, and the other server has gone. A kept session has
    a quarter of the deadline for an answer, and then the query is repeated: that is long after the breaker's time."""
    held = Held()

    def held_then_closed(*_):
        held.released.wait(120)
        close()
    one, two = make_fake({"accept": close}), make_fake()
    httpd = start_site(start, one, two, more="AuthStatusDeadline 80s\nAuthStatusBreaker 1 5s", cache="Off")
    verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    two.act_out({"user-bind": [held_then_closed, close], "accept": close})
    with ThreadPoolExecutor(1) as pool:
        passed_over = pool.submit(httpd.get, "/in/", login=("ann", RIGHT))
        poll(lambda: two.count("user-bind") == 2, 10, "a question that the first server was not asked")
        one.act_out({})
        httpd.log.allow("AS0050")
        poll(lambda: httpd.get("/in/", login=("u1", RIGHT)).status == 200, 20, "the breaker is closed")
        held.release()
        verify(httpd, passed_over.result(), "granted", 200)
    httpd.stop()


def test_each_server_has_its_own(start, make_fake):
    one, two = make_fake({"accept": reset}), make_fake()
    httpd = start_site(start, one, two, more="AuthStatusBreaker 3 1h")
    for _ in range(8):
        verify(httpd, httpd.get("/in/", login=("ann", RIGHT)), "granted", 200)
    assert one.count("accept") == 3
    httpd.stop()


# -- two real ones, under load ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def twins(start_slapd):
    return [start_slapd(Database("o=memory", HERE / "people.ldif", OPTIONS)) for _ in range(2)]


class Load:
    """Logins without a pause, each of which queries the directory, until stop()."""

    def __init__(self, httpd, clients):
        self.httpd = httpd
        self.failures = []
        self.answered = itertools.count()
        self.count = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]

    def _run(self, number):
        for turn in itertools.count():
            if self._stop.is_set():
                return
            right = turn % 2
            try:
                got = self.httpd.get("/in/", login=("ann", RIGHT if right else f"{WRONG}{number}-{turn}"))
            except OSError as error:
                self.failures.append(repr(error))
                continue
            self.count = next(self.answered) + 1
            if got.status != (200 if right else 401):
                self.failures.append(got)

    def until_queried(self, slapd):
        """Waits until this server is queried again: its circuit may be open until then."""
        mark = slapd.mark()
        poll(lambda: slapd.operations(mark)["user_binds"] > 2, 60, f"a question to the server, after {self.failures[:3]}")

    def more(self, number, seconds=60):
        """So many more answers."""
        goal = self.count + number
        poll(lambda: self.count >= goal, seconds, f"{number} more answers, after {self.failures[:3]}")

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("cache", ["Off", "shmcb"])
def test_killed_and_restarted_under_load(start, twins, cache):
    """By SIGTERM, while logins go on: no request fails."""
    servers = " ".join(f"127.0.0.1:{slapd.port}" for slapd in twins)
    httpd = start('AuthStatusBreaker 3 200ms\nUse Login /in "ldap://${SERVERS}" o=memory', defines={"SERVERS": servers},
                  **{**SHMCB, "cache": cache})
    httpd.log.allow("AH01617")
    with Load(httpd, 6) as load:
        for _ in range(3):
            load.until_queried(twins[0])
            twins[0].stop()
            load.more(50)
            twins[0].start()
        load.until_queried(twins[0])
        twins[1].stop()
        load.more(50)
        twins[1].start()
    assert not load.failures
    httpd.stop()


def test_frozen_and_thawed_under_load(start, twins):
    """By SIGSTOP: each request that meets it waits its share of the deadline, then queries the other."""
    servers = " ".join(f"127.0.0.1:{slapd.port}" for slapd in twins)
    httpd = start('AuthStatusDeadline 20s\nLDAPTimeout 2\nLDAPConnectionTimeout 2\nAuthStatusBreaker 3 500ms\n'
                  'Use Login /in "ldap://${SERVERS}" o=memory', defines={"SERVERS": servers}, **{**SHMCB, "cache": "Off"})
    httpd.log.allow("AH01617")
    with Load(httpd, 6) as load:
        for _ in range(2):
            load.until_queried(twins[0])
            twins[0].freeze()
            try:
                load.more(50)
            finally:
                twins[0].thaw()
        load.until_queried(twins[0])
    assert not load.failures
    httpd.stop()


# -- graceful restarts ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("model", ["event", "prefork"])
def test_graceful_restarts_under_load(start, slapd, model):
    """No login fails, and none is answered otherwise."""
    more = "ServerLimit 8\nMaxRequestWorkers 128\n" if model != "prefork" else ""
    httpd = start(f'{more}Use Login /in "ldap://127.0.0.1:${{LDAP}}" o=memory', mpm=model, defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.allow("AH01617")
    with Load(httpd, 4) as load:
        for _ in range(4):
            load.more(20)
            httpd.reload()
        load.more(20)
    assert not load.failures
    httpd.stop()
