# SPDX-License-Identifier: Apache-2.0
"""AuthStatusCache: what processes and machines share, and what becomes of it when the store is away, full, or lies."""
import contextlib
import itertools
import os
import socket
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.process import PATIENCE, Timeout, poll
from lab.relay import Relay
from lab.stores import Memcached, Redis, key_file
from lab.verify import verify
from memory.shared import LOGIN, NOTHING, QUERIED, RIGHT, SHMCB, WRONG, Person, cost

AWAY, BACK = "AS0084", "AS0085"
# What the providers have to say of it themselves.
PROVIDERS = r"AH0347[89]|AH03480|AH0079[01]|AS0310"
SHMCB_MODULES = SHMCB["modules"]

Row = namedtuple("Row", "name cache modules caches shares")

PLACES = [
    Row("default", None, SHMCB_MODULES, True, True),
    Row("shmcb", "shmcb", SHMCB_MODULES, True, True),
    Row("shmcb-with-arguments", "shmcb:${WORKDIR}/run/shared(512000)", SHMCB_MODULES, True, True),
    Row("default-without-shmcb", None, (), True, False),
    Row("off", "Off", SHMCB_MODULES, False, False),
    Row("redis", Redis, Redis.modules, True, True),
    Row("memcache", Memcached, Memcached.modules, True, True),
]


@pytest.fixture
def start_store(workdirs):
    started = []

    def start_one(kind):
        started.append(kind(workdirs.new("store")).start())
        return started[-1]
    yield start_one
    for store in started:
        if store.child and store.child.alive():
            store.stop()


@pytest.mark.parametrize("row", PLACES, ids=[row.name for row in PLACES])
def test_place(start, start_store, slapd, row):
    """Two children of prefork: whether one has the answer cached, and whether the other shares it."""
    cache = row.cache if row.cache is None or isinstance(row.cache, str) else start_store(row.cache).cache
    site = LOGIN if cache is None else f'AuthStatusCache "{cache}"\n{LOGIN}'
    httpd = start(site, mpm="prefork", defines={"LDAP": slapd.port}, cache=None, modules=row.modules)
    httpd.log.expect("AH01617")
    with httpd.connection() as one, httpd.connection() as two:
        for login, status in ((("ann", RIGHT), 200), (("bob", WRONG), 401)):
            assert cost(slapd, one, *login)[0] == status
            again, queried = cost(slapd, one, *login)
            assert again == status and queried["user_binds"] == (0 if row.caches else 1)
            other, queried = cost(slapd, two, *login)
            assert other == status and queried["user_binds"] == (0 if row.shares else 1)
    httpd.stop()


@pytest.mark.parametrize("conf, octets", [("", 8192 * 1024), ("AuthStatusCacheEntries 100\n", 8192 * 1024),
                                          ("AuthStatusCacheEntries 32768\n", 32768 * 1024)])
def test_size_of_shmcb_without_argument(start, slapd, conf, octets):
    """mod_socache_shmcb logs it before a child answers."""
    httpd = start(f"{conf}{LOGIN}LogLevel socache_shmcb:debug\n", defines={"LDAP": slapd.port}, **SHMCB)
    assert httpd.get("/").status == 200
    sizes = [line.text for line in httpd.log.lines() if "AH00821" in line.text]
    assert sizes and all(f"allocated {octets} bytes" in text for text in sizes), sizes
    httpd.stop()


# -- machines ---------------------------------------------------------------------------------------------------------

KINDS = pytest.mark.parametrize("kind", [Redis, Memcached], ids=["redis", "memcache"])


def start_with(start, slapd, store, key, more=LOGIN, **options):
    return start(f'AuthStatusCacheKey "{key}"\n{more}', defines={"LDAP": slapd.port}, cache=store.cache,
                 modules=store.modules, **options)


@KINDS
def test_machines_share_answers(start, start_store, slapd, person, kind):
    store = start_store(kind)
    key = key_file(store.workdir)
    machines = [start_with(start, slapd, store, key) for _ in range(2)]
    for httpd in machines:
        httpd.log.expect("AH01617")
    with machines[0].connection() as one, machines[1].connection() as two:
        assert cost(slapd, one, person.uid, RIGHT)[0] == 200
        assert cost(slapd, two, person.uid, RIGHT) == (200, NOTHING)
        assert cost(slapd, two, person.uid, WRONG)[0] == 401
        assert cost(slapd, one, person.uid, WRONG) == (401, NOTHING)
    with start_with(start, slapd, store, key).connection() as three:
        assert cost(slapd, three, person.uid, RIGHT) == (200, NOTHING), "a machine that starts later"


@KINDS
def test_machines_share_failure_counts(start, start_store, slapd, person, kind):
    store = start_store(kind)
    key = key_file(store.workdir)
    site = f"AuthStatusThrottle 3 1h\n{LOGIN}"
    machines = [start_with(start, slapd, store, key, site) for _ in range(2)]
    for httpd in machines:
        httpd.log.expect("AH01617")
        httpd.log.allow("AS0040")
    for number, httpd in enumerate((machines[0], machines[1], machines[0])):
        assert httpd.get("/in/", login=(person.uid, f"{WRONG}{number}")).status == 401
    mark = slapd.mark()
    for httpd in machines:
        assert httpd.get("/in/", login=(person.uid, RIGHT)).status == 429
    assert slapd.operations(mark) == NOTHING
    for httpd in machines:
        httpd.stop()


@KINDS
def test_another_key_shares_nothing(start, start_store, slapd, person, kind):
    store = start_store(kind)
    httpds = [start_with(start, slapd, store, key_file(store.workdir, name)) for name in ("mine", "yours")]
    for _ in range(2):
        for httpd in httpds:
            assert httpd.get("/in/", login=(person.uid, RIGHT)).status == 200
    with httpds[0].connection() as connection:
        assert cost(slapd, connection, person.uid, RIGHT) == (200, NOTHING)
    mark = slapd.mark()
    start_with(start, slapd, store, key_file(store.workdir, "another")).get("/in/", login=(person.uid, RIGHT))
    assert slapd.operations(mark)["user_binds"] == 1


def test_key_file_outlives_a_restart(start, start_store, slapd, person):
    store = start_store(Redis)
    httpd = start_with(start, slapd, store, key_file(store.workdir))
    assert httpd.get("/in/", login=(person.uid, RIGHT)).status == 200
    for again in (httpd.reload, lambda: (httpd.stop(), httpd.start())):
        again()
        with httpd.connection() as connection:
            assert cost(slapd, connection, person.uid, RIGHT) == (200, NOTHING)


def test_random_key_does_not_outlive_a_restart(start, start_store, slapd, person):
    store = start_store(Redis)
    httpd = start(LOGIN, defines={"LDAP": slapd.port}, cache=store.cache, modules=store.modules)
    assert httpd.get("/in/", login=(person.uid, RIGHT)).status == 200
    httpd.stop()
    httpd.start()
    mark = slapd.mark()
    assert httpd.get("/in/", login=(person.uid, RIGHT)).status == 200
    assert slapd.operations(mark)["user_binds"] == 1


def test_nothing_readable_is_stored(start, start_store, slapd):
    """No user, no password, no plain hash of one."""
    import hashlib
    store = start_store(Redis)
    httpd = start_with(start, slapd, store, key_file(store.workdir))
    httpd.log.expect("AH01617")
    assert httpd.get("/in/", login=("ann", RIGHT)).status == 200
    assert httpd.get("/in/", login=("ann", WRONG)).status == 401
    octets = b"".join(key + store.read(key) for key in store.keys())
    assert len(octets) > 100
    for secret in (RIGHT, WRONG):
        assert secret.encode() not in octets
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            for text in (secret, f"ann:{secret}", f"ann{secret}"):
                digest = hashlib.new(algorithm, text.encode())
                assert digest.digest() not in octets and digest.hexdigest().encode() not in octets


# -- away -------------------------------------------------------------------------------------------------------------

@KINDS
def test_store_is_killed_and_comes_back(start, start_store, slapd, kind):
    """Logins go on; one warning, one notice, however many logins there are."""
    store = start_store(kind)
    httpd = start_with(start, slapd, store, key_file(store.workdir))
    begin = httpd.log.size()

    def login(password=RIGHT):
        return httpd.get("/in/", login=(Person(slapd).uid, password)).status

    def said(tag):
        return sum(tag in line.text for line in httpd.log.lines(begin))
    httpd.log.expect(AWAY, "AH01617")
    httpd.log.allow(PROVIDERS)
    assert [login(), login(WRONG)] == [200, 401]
    store.kill()
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(login, [RIGHT, WRONG] * 6)) == [200, 401] * 6
    poll(lambda: said(AWAY), 10, "the warning")
    assert (said(AWAY), said(BACK)) == (1, 0)
    assert httpd.get("/in/", login=("ann", RIGHT)).status == 200
    mark = slapd.mark()
    assert httpd.get("/in/", login=("ann", RIGHT)).status == 200
    assert slapd.operations(mark) == NOTHING, "the process caches by itself"
    store.start()
    poll(lambda: login() == 200 and said(BACK), 20, "the store was found again")
    assert (said(AWAY), said(BACK)) == (1, 1)
    httpd.stop()


@KINDS
def test_store_is_away_from_the_beginning(start, start_store, slapd, kind):
    store = start_store(kind)
    store.kill()
    httpd = start_with(start, slapd, store, key_file(store.workdir))
    httpd.log.expect(AWAY)
    httpd.log.allow("AH01617", PROVIDERS)
    for user, password, status in (("ann", RIGHT, 200), ("bob", WRONG, 401), ("ann", RIGHT, 200)):
        assert httpd.get("/in/", login=(user, password)).status == status
    httpd.stop()


@KINDS
def test_store_is_frozen(start, start_store, slapd, kind):
    """It takes connections and never answers, and its provider would wait for ever."""
    store = start_store(kind)
    httpd = start_with(start, slapd, store, key_file(store.workdir))
    httpd.log.expect(AWAY)
    httpd.log.allow(PROVIDERS)
    assert httpd.get("/in/", login=("ann", RIGHT)).status == 200
    store.freeze()
    try:
        for user in ("bob", "grace", "expiring"):
            answer = httpd.get("/in/", login=(user, RIGHT))
            assert answer.status == 200 and answer.seconds < 10
    finally:
        store.thaw()
    httpd.stop()


@KINDS
def test_connections_go_silent(start, start_store, slapd, kind):
    """All that the process has, and the provider may have, to the store: it is used again by new ones."""
    store = start_store(kind)
    relay = Relay(store.port)
    httpd = start("ServerLimit 1\n" + LOGIN, defines={"LDAP": slapd.port}, threads=16, modules=store.modules,
                  cache=f"{store.cache.split(':')[0]}:127.0.0.1:{relay.port}")
    httpd.log.allow(AWAY, BACK, PROVIDERS, "AH0161[78]")

    def fetch(number):
        return httpd.get("/in/", login=(f"nobody{number}", RIGHT)).status
    with ThreadPoolExecutor(16) as threads:
        for turn in range(40):
            relay.held.set()
            queried = [threads.submit(fetch, f"{turn}-{number}") for number in range(16)]
            with contextlib.suppress(Timeout):
                poll(lambda: relay.open_connections() >= 16, 0.4 / PATIENCE, "16 connections")
            relay.held.clear()
            assert {one.result() for one in queried} == {401}
            if relay.open_connections() >= 16:
                break
    assert relay.forget() == 16
    before = relay.accepted
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(fetch, range(16))) == {401}
    numbers = itertools.count()
    poll(lambda: httpd.get("/in/", login=(f"other{next(numbers)}", RIGHT)).status == 401 and relay.accepted > before
         and relay.forwarded(before), 30, "the store answers again")
    httpd.stop()
    relay.stop()


def test_store_with_a_delay(start, start_store, slapd):
    """Each answer comes late, though in time: logins skip the store, but for retries, until one finds it quick again."""
    store = start_store(Redis)
    relay = Relay(store.port)
    httpd = start("ServerLimit 1\n" + LOGIN, defines={"LDAP": slapd.port}, threads=16, modules=store.modules,
                  cache=f"{store.cache.split(':')[0]}:127.0.0.1:{relay.port}")
    httpd.log.allow(AWAY, BACK, PROVIDERS, "AH0161[78]")
    numbers = itertools.count()

    def login():
        return httpd.get("/in/", login=(f"stranger{next(numbers)}", RIGHT)).status == 401

    def said(tag, begin):
        return any(tag in line.text for line in httpd.log.lines(begin))
    assert login() and relay.requests > 0
    begin, relay.delay = httpd.log.size(), 0.2
    poll(lambda: login() and said("AS0310", begin), 60, "the store was found to be slow")
    before = relay.requests
    assert all(login() for _ in range(30))
    assert relay.requests - before < 30, "less than one call for each login, each of which makes two or more"
    begin, relay.delay = httpd.log.size(), 0.0
    poll(lambda: login() and said(BACK, begin), 90, "the store is used again")
    httpd.stop()
    relay.stop()


class Dripping:
    """Answers everything by the beginning of an answer that goes on for ever, an octet at a time."""

    def __init__(self, beginning):
        self.beginning = beginning
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def __enter__(self):
        return self.listener.getsockname()[1]

    def __exit__(self, *_):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.threads.append(threading.Thread(target=self._drip, args=(connection,)))
                self.threads[-1].start()

    def _drip(self, connection):
        with connection, contextlib.suppress(OSError):
            if connection.recv(1):
                connection.sendall(self.beginning)
                while not self.over.wait(0.05):
                    connection.sendall(b"0")


@pytest.mark.parametrize("cache, module, beginning", [("redis", "socache_redis", b"$1"), ("memcache", "socache_memcache", b"VALUE a")],
                         ids=["redis", "memcache"])
def test_store_drips(start, slapd, cache, module, beginning):
    """Each octet comes in time, the answer never."""
    with Dripping(beginning) as port:
        httpd = start(LOGIN, defines={"LDAP": slapd.port}, cache=f"{cache}:127.0.0.1:{port}", modules=(module,))
        httpd.log.expect(AWAY)
        httpd.log.allow(PROVIDERS, "AH01617")
        for user, password, status in (("ann", RIGHT, 200), ("bob", WRONG, 401), ("grace", RIGHT, 200)):
            answer = httpd.get("/in/", login=(user, password))
            assert answer.status == status and answer.seconds < 10
        httpd.stop()


# -- full -------------------------------------------------------------------------------------------------------------

def test_store_is_full(start, slapd):
    """A store of the least size that shmcb takes, and more users and failures than it holds."""
    httpd = start(f'AuthStatusCache "shmcb:${{WORKDIR}}/run/small(8192)"\nAuthStatusThrottle 64 1h\n{LOGIN}', mpm="prefork",
                  defines={"LDAP": slapd.port}, cache=None, modules=SHMCB_MODULES)
    httpd.log.expect("AH01617")
    people = [Person(slapd).uid for _ in range(40)]
    with httpd.connection() as one, httpd.connection() as two:
        for connection in (one, two, one):
            for uid in people:
                assert connection.request("/in/", login=(uid, RIGHT)).status == 200
                assert connection.request("/in/", login=(uid, WRONG)).status == 401
    httpd.stop()


def test_answer_is_too_large_for_the_store(start, slapd):
    """An entry whose attributes are larger than a record may be: the process caches it, the store does not."""
    person = Person(slapd, description="x" * 20000)
    httpd = start(f"{LOGIN}<Location /in>\nAuthLDAPURL ldap://127.0.0.1:${{LDAP}}/o=memory?uid,description\n</Location>\n",
                  defines={"LDAP": slapd.port}, **SHMCB)
    with httpd.connection() as connection:
        assert cost(slapd, connection, person.uid, RIGHT)[0] == 200
        assert cost(slapd, connection, person.uid, RIGHT) == (200, NOTHING)
    httpd.stop()


# -- rubbish ----------------------------------------------------------------------------------------------------------

RUBBISH = [
    ("empty", lambda value: b""),
    ("octet", lambda value: b"\0"),
    ("random", lambda value: os.urandom(len(value))),
    ("long", lambda value: os.urandom(60000)),
    ("text", lambda value: b"+OK\r\n$-1\r\n"),
    ("half", lambda value: value[:len(value) // 2]),
    ("cut", lambda value: value[:-1]),
    ("more", lambda value: value + b"\0"),
    ("first-bit", lambda value: bytes([value[0] ^ 1]) + value[1:]),
    ("last-bit", lambda value: value[:-1] + bytes([value[-1] ^ 1])),
    ("one-bit", lambda value: value[:40] + bytes([value[40] ^ 0x80]) + value[41:]),
]


@pytest.fixture(scope="module")
def redis(workdirs):
    store = Redis(workdirs.new("store")).start()
    yield store
    store.stop()


@pytest.fixture
def written(redis, start, slapd, person):
    """A store with records of one person, right and wrong, and a second machine that has read none of them."""
    redis.flush()
    key = key_file(redis.workdir, f"key-{person.uid}")
    one = start_with(start, slapd, redis, key)
    one.log.expect("AH01617")
    assert one.get("/in/", login=(person.uid, RIGHT)).status == 200
    assert one.get("/in/", login=(person.uid, WRONG)).status == 401
    one.stop()
    two = start_with(start, slapd, redis, key, mpm="prefork")
    yield two
    two.stop()


@pytest.mark.parametrize("name, change", RUBBISH, ids=[name for name, _ in RUBBISH])
def test_rubbish_is_no_record(redis, written, slapd, person, name, change):
    """The directory is queried, and its answer counts: not the store's."""
    assert len(redis.keys()) >= 2
    for key in redis.keys():
        redis.overwrite(key, change(redis.read(key)))
    written.log.expect("AH01617")
    written.log.allow(PROVIDERS)
    with written.connection() as connection:
        status, queried = cost(slapd, connection, person.uid, WRONG)
        assert status == 401 and queried["user_binds"] == 1
        status, queried = cost(slapd, connection, person.uid, RIGHT)
        assert status == 200 and queried["user_binds"] == 1
        assert cost(slapd, connection, person.uid, RIGHT) == (200, NOTHING)


def test_rows_of_rubbish_have_something_to_spoil(redis, written, slapd, person):
    """Without it, the second machine queries nothing: so the rows above can fail."""
    written.log.expect("AH01617")
    with written.connection() as connection:
        assert cost(slapd, connection, person.uid, WRONG) == (401, NOTHING)
        assert cost(slapd, connection, person.uid, RIGHT) == (200, NOTHING)


def test_another_record_in_its_place(redis, written, slapd, person):
    """Every record in the place of every other: nobody gets in by what was said of somebody else, or of another
    password."""
    keys = redis.keys()
    values = [redis.read(key) for key in keys]
    written.log.expect("AH01617")
    with written.connection() as connection:
        for turn in range(1, len(keys)):
            for key, value in zip(keys, values[turn:] + values[:turn]):
                redis.overwrite(key, value)
            assert cost(slapd, connection, person.uid, WRONG)[0] == 401
            assert cost(slapd, connection, person.uid, f"{WRONG}{turn}")[0] == 401
            assert cost(slapd, connection, person.uid, RIGHT)[0] == 200


def test_flushed(redis, written, slapd, person):
    redis.flush()
    with written.connection() as connection:
        status, queried = cost(slapd, connection, person.uid, RIGHT)
        assert status == 200 and queried["user_binds"] == 1
