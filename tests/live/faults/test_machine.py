# SPDX-License-Identifier: Apache-2.0
"""Fault x MPM: a machine that has no more of something. Nobody is granted who must not be, nobody is blamed for it, and
when it is over the server is whole."""
import itertools
import os
import re
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from every import STATUS, Every, is_whole
from lab.fake import BASE, Fake, entries, hang
from lab.httpd import MPMS, SANITIZE, SLACK
from lab.process import poll, reserve_port
from lab.slapd import Database
from lab.stores import Redis

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
LOGIN = ("ann", RIGHT)


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=faults", HERE / "people.ldif", ('rootdn "cn=root,o=faults"', "rootpw Pw!service")))


@pytest.fixture
def every(start, slapd, faults, library):
    """make(more): an httpd of each MPM, under the faults."""
    made = []

    def make(more="", port=slapd.port, suffix="o=faults", host="127.0.0.1", modules=(), **options):
        conf = f'LogLevel warn authstatus:trace8\n{more}\n{STATUS}Use Login /in "ldap://{host}:{port}" {suffix}'
        made.append(Every(lambda mpm: start(conf, mpm=mpm, preload=library, environment={"FAULTS_FILE": str(faults.path)},
                                            modules=("status", *modules), **options)))
        made[-1].allow(r"AS00\d\d", "AH0161[78]")
        return made[-1]
    yield make
    faults.clear()
    for one in made:
        one.do(lambda httpd: httpd.stop())


# -- descriptors ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
def test_no_descriptors(every, faults, kept):
    """Sessions that are there already go on."""
    sites = every("" if kept else "LDAPConnectionPoolTTL 0")

    def fetch(httpd):
        with httpd.connection() as connection:  # accepted before
            assert connection.request("/in/", login=LOGIN).status == 200
            barrier.wait(30)
            for password, status in ((RIGHT, 200), (WRONG, 401)):
                answer = connection.request("/in/", login=("ann", password))
                if kept:
                    assert answer.status == status, answer
                else:
                    assert answer.status in (500, 503) and not answer.all("WWW-Authenticate"), answer
    barrier = threading.Barrier(len(MPMS), lambda: faults.set(sockets=1))
    sites.do(fetch)
    faults.clear()
    sites.do(lambda httpd: is_whole(httpd, LOGIN, "/in/"))


# -- memory -----------------------------------------------------------------------------------------------------------

@pytest.mark.skipif(SANITIZE, reason="AddressSanitizer has a malloc of its own")
@pytest.mark.parametrize("cache", ["Off", "shmcb"])
@pytest.mark.parametrize("model", MPMS)
@pytest.mark.parametrize("many", [1, 10**9], ids=["one", "all-from-then-on"])
def test_no_memory(request, start, slapd, faults, library, model, many, cache):
    """Each allocation of a login's fails in turn. Nobody is granted who must not be, and nobody blamed, and each child is
    whole afterwards."""
    if (model, many, cache) != ("prefork", 1, "Off") and not request.config.getoption("--long"):
        pytest.skip("takes long: --long")
    httpd = start(f'AuthStatusBreaker 1000 1s\nAuthStatusDeadline 2s\nLDAPConnectionPoolTTL 0\n{STATUS}AuthStatusCacheTime 0 0\n'
                  f'Use Login /in "ldap://127.0.0.1:{slapd.port}" o=faults', mpm=model, preload=library, cache=cache,
                  environment={"FAULTS_FILE": str(faults.path)}, modules=("status", "socache_shmcb"))
    httpd.log.allow(r"AS00\d\d", "AH0161[78]", r"AH0005[12]: child pid \d+ exit signal (Abort|Segmentation fault)", "Assertion")
    statuses = Counter()
    number, reached = 0, True
    while reached:
        number += 1
        reached = False
        for password, may_be in ((RIGHT, (200, 500, 503)), (WRONG, (401, 500, 503))):
            with httpd.connection() as connection:
                assert connection.request("/index.html").status == 200  # accepted, and the child is there
                faults.set(allocated=0, fail_many=many, fail_from=number)
                try:
                    status = connection.request("/in/", login=("ann", password)).status
                    assert status in may_be, f"allocation {number}, {password}: {status}"
                    statuses[status] += 1
                except ConnectionError:
                    statuses["a child ended"] += 1
                reached = reached or faults.get("allocated") >= number
                faults.set(fail_from=0)
    print(f"{number} allocations: {dict(statuses)}")
    assert number > 15 and sum(statuses.values()) - statuses[200] - statuses[401] > 10, statuses
    # libldap checks some of its allocations by assert(): such a child ends and is replaced, as with httpd's own pools.
    def ended():
        return [line.text for line in httpd.log.lines(0) if "exit signal" in line.text]
    if statuses["a child ended"]:
        poll(ended, 10, f"{statuses}, and the parent knows of it")
    # A child that is born without memory ends by a segmentation fault of libldap's, which asks its mutexes for SASL from malloc.
    assert not [text for text in ended() if not re.search("exit signal (Abort|Segmentation fault)", text)]
    asserted = [line.text for line in httpd.log.lines(0) if "Assertion" in line.text]
    assert all("libldap" in text or "liblber" in text for text in asserted), asserted
    is_whole(httpd, LOGIN, "/in/")
    httpd.stop()


@pytest.mark.skipif(SANITIZE, reason="AddressSanitizer has a malloc of its own")
@pytest.mark.parametrize("cache", ["Off", "shmcb"])
def test_no_memory_to_begin_with(every, faults, cache):
    """A child that cannot have what it needs for its life ends, so that one that can takes its place."""
    sites = every("AuthStatusThrottle 60 1h" if cache != "Off" else "", modules=("socache_shmcb",), cache=cache)
    sites.allow("AH00052")

    def renew(httpd):
        born = len(httpd.log.lines(0))
        for child in httpd.children():
            os.kill(child, signal.SIGKILL)
        poll(lambda: [line for line in httpd.log.lines(0)[born:] if "AS0097" in line.text], 20, "a child that ended itself")
    sites.do(lambda httpd: is_whole(httpd, LOGIN, "/in/"))
    faults.set(allocated=0, fail_many=10**9, fail_from=1)
    sites.do(renew)
    faults.clear()
    sites.do(lambda httpd: [is_whole(httpd, LOGIN, "/in/", 20) for _ in range(20)])


# -- names ------------------------------------------------------------------------------------------------------------

RESOLVERS = {"finds-nothing-for-now": 1, "takes-its-time": 4000}


@pytest.mark.parametrize("resolver", RESOLVERS.values(), ids=RESOLVERS)
def test_no_resolver(every, faults, resolver):
    """A host name is not resolved, or not before the deadline; other requests are served meanwhile."""
    sites = every("AuthStatusDeadline 3s\nLDAPConnectionPoolTTL 0", host="localhost")
    sites.do(lambda httpd: is_whole(httpd, LOGIN, "/in/"))
    faults.set(resolver=resolver)

    def fetch(httpd):
        with ThreadPoolExecutor(1) as threads:
            for password in (RIGHT, WRONG):
                login = threads.submit(httpd.get, "/in/", login=("ann", password))
                served = 0
                while not login.done():
                    assert httpd.get("/index.html").status == 200
                    served += not login.done()
                answer = login.result()
                assert answer.status == 503 and answer.header("Retry-After") == "10", answer
                assert answer.seconds < 2 * max(3, resolver / 1000) + SLACK
                assert served or resolver == 1, "nobody was served meanwhile"
    sites.do(fetch)
    faults.clear()
    sites.do(lambda httpd: is_whole(httpd, LOGIN, "/in/"))


@pytest.mark.parametrize("beside", [True, False], ids=["beside-mod_ldap", "alone"])
def test_new_children_ask_no_resolver(every, faults, beside):
    """Nor do a login by a number, and a restart: libldap asks for the name of its own host once, in the parent."""
    sites = every(ldap=beside)
    sites.allow("AH00052")

    def wait_for_children(httpd):
        poll(lambda: httpd.get("/index.html").status == 200 and "S" not in httpd.scoreboard(), 30, "all children are born")

    def renew(httpd):
        older = set(httpd.children())
        for child in older:
            os.kill(child, signal.SIGKILL)
        poll(lambda: not older & set(httpd.children()), 30, "they have ended")
        wait_for_children(httpd)
    sites.do(wait_for_children)
    faults.set(names=0)
    for restart in (False, True):
        if restart:
            sites.do(lambda httpd: httpd.reload())
            sites.do(wait_for_children)
        sites.do(renew)
        sites.do(lambda httpd: is_whole(httpd, LOGIN, "/in/"))
        assert faults.get("names") == 0, f"restart: {restart}"


# -- a clock that is set ----------------------------------------------------------------------------------------------

SHMCB = {"cache": "shmcb", "modules": ("socache_shmcb",)}
DAYS = 86400


@pytest.mark.parametrize("jump", [400 * DAYS, -3 * DAYS], ids=["forth", "back"])
def test_clock_jumps(every, faults, slapd, jump):
    """Cached answers expire or are still served, as their own time requires; nobody is locked out for days."""
    sites = every("AuthStatusThrottle 3 5s\nAuthStatusDeadline 10s\nAuthStatusCacheTime 1s 1s", **SHMCB)
    sites.do(lambda httpd: is_whole(httpd, LOGIN, "/in/"))
    numbers = itertools.count()

    def is_throttled(httpd):
        """The throttle lasts five seconds: on a busy machine the first guess may be forgotten when the last one comes."""
        for _ in range(3):
            assert httpd.get("/in/", login=("bob", f"Pw!guess{next(numbers)}")).status in (401, 429)
        return httpd.get("/in/", login=("bob", RIGHT)).status == 429
    for httpd in sites.httpds.values():
        poll(lambda: is_throttled(httpd), 60, "the throttle")
    faults.set(clock=jump)

    def fetch(httpd):
        is_whole(httpd, LOGIN, "/in/")
        throttled = httpd.get("/in/", login=("bob", RIGHT))
        assert throttled.status == 200 or int(throttled.header("Retry-After")) <= 5, throttled
        poll(lambda: httpd.get("/in/", login=("bob", RIGHT)).status == 200, 10, "bob is let in again")
    sites.do(fetch)
    connection = slapd.client("cn=root,o=faults")
    connection.modify_s("uid=ann,o=faults", [(2, "userPassword", [b"Pw!new"])])
    try:
        # An acceptance of before is over in a second of real time, wherever the clock stands.
        for offset in (jump, 0):
            faults.set(clock=offset)
            sites.do(lambda httpd: poll(lambda: httpd.get("/in/", login=LOGIN).status in (401, 429), 15, "the old one is refused"))
    finally:
        connection.modify_s("uid=ann,o=faults", [(2, "userPassword", [RIGHT.encode()])])


def test_clock_jumps_while_somebody_waits(every, faults):
    """For a directory that hangs: the deadline is kept, whatever the clock says meanwhile."""
    fake = Fake({"user-bind": hang})
    sites = every("AuthStatusDeadline 3s", port=fake.port, suffix=BASE)
    done = threading.Event()

    def turn():
        offset = DAYS
        while not done.wait(0.05):
            faults.set(clock=offset)
            offset = -offset
    clock = threading.Thread(target=turn)
    clock.start()
    try:
        for answer in sites.do(lambda httpd: httpd.get("/in/", login=LOGIN)).values():
            assert answer.status == 503 and answer.seconds < 3 + SLACK, answer
    finally:
        done.set()
        clock.join()
    fake.act_out({})
    faults.clear()
    sites.do(lambda httpd: is_whole(httpd, LOGIN, "/in/"))
    fake.stop()


def test_clock_is_set_back_between_two_questions(start, faults, library):
    """Of one login: the second provider's directory gets what the first one's left of the deadline."""
    held = threading.Event()

    def find_nobody(connection, message_id, tag):
        held.wait(20)
        entries()(connection, message_id, tag)
    first, second = Fake({"search": find_nobody}), Fake({"search": hang})
    aliases = "".join(f'<AuthnProviderAlias authstatus {name}>\nUse Directory "ldap://127.0.0.1:{fake.port}" {BASE}\n'
                      "</AuthnProviderAlias>\n" for name, fake in (("one", first), ("two", second)))
    httpd = start(f"AuthStatusDeadline 8s\n{aliases}" + """<Location /in>
        AuthType Basic
        AuthName "the lab"
        AuthBasicProvider one two
        AuthStatus On
        Require valid-user
    </Location>""", preload=library, environment={"FAULTS_FILE": str(faults.path)})
    httpd.log.expect("AS0051")
    httpd.log.allow("AH0161[78]")
    with ThreadPoolExecutor(1) as threads:
        login = threads.submit(httpd.get, "/in/", login=LOGIN)
        poll(lambda: first.count("search"), 10, "the first question")
        faults.set(clock=-3600)
        held.set()
        answer = login.result()
    assert answer.status == 503 and answer.seconds < 8 + SLACK, answer
    assert second.count("search") == 1
    httpd.stop()
    first.stop()
    second.stop()


# -- threads and processes --------------------------------------------------------------------------------------------

def test_no_threads(every, faults, workdirs):
    """Threads of the module's own query redis and memcached: without one, logins go to the directory."""
    store = Redis(workdirs.new("store")).start()
    sites = every(cache=store.cache, modules=store.modules)
    # Those that fork of a child of event and worker make their threads when they start.
    sites.do(lambda httpd: poll(lambda: httpd.get("/index.html").status == 200, 10, "up"))
    faults.set(threads=1)
    for password, status in ((RIGHT, 200), (WRONG, 401)):
        for answer in sites.do(lambda httpd: httpd.get("/in/", login=("ann", password))).values():
            assert answer.status == status
    assert not store.keys(), "no thread has asked it"
    faults.clear()
    sites.do(lambda httpd: is_whole(httpd, LOGIN, "/in/"))
    numbers = itertools.count()

    def is_used_again(httpd):
        # What a process has cached itself is not put there again: a password that none has seen.
        httpd.get("/in/", login=("ann", f"{WRONG}{next(numbers)}"))
        return store.keys()
    sites.do(lambda httpd: poll(lambda: is_used_again(httpd), 30, "the store is used again"))
    store.stop()


def test_no_processes(start, faults, library, slapd):
    """exec: cannot be run: start-up stops, with a sentence; a graceful restart leaves no server without a password."""
    httpd = start.make(f'Use Login /in "ldap://127.0.0.1:{slapd.port}" o=faults\n<Location /in>\n'
                       'AuthLDAPBindPassword "exec:/bin/echo Pw!service"\n</Location>',
                       preload=library, environment={"FAULTS_FILE": str(faults.path)})
    faults.set(forks=1)
    code, said = httpd.configtest()
    assert code != 0 and "AuthLDAPBindPassword" in said, said
    faults.clear()
    httpd.start()
    assert httpd.get("/in/", login=LOGIN).status == 200
    httpd.stop()


# -- disk -------------------------------------------------------------------------------------------------------------

def test_no_disk(start, slapd):
    """No log takes a line: logins are answered as ever."""
    text = (f'ErrorLog /dev/full\nCustomLog /dev/full common\nLogLevel trace8\n{STATUS}'
            f'Use Login /in "ldap://127.0.0.1:{slapd.port}" o=faults\nUse Login /gone "ldap://127.0.0.1:{reserve_port()}" o=faults')
    sites = Every(lambda mpm: start(text, mpm=mpm, modules=("status",)))
    for httpd in sites.httpds.values():
        httpd.log.allow("")
    for path, password, status in (("/in/", RIGHT, 200), ("/in/", WRONG, 401), ("/gone/", RIGHT, 503), ("/in/", RIGHT, 200)):
        for answer in sites.do(lambda httpd: httpd.get(path, login=("ann", password))).values():
            assert answer.status == status
    sites.do(lambda httpd: is_whole(httpd, LOGIN, "/in/"))
    sites.do(lambda httpd: httpd.stop())
