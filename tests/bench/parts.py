# SPDX-License-Identifier: Apache-2.0
"""What the bench measures. Each part returns figures, and knows nothing of how they are shown."""
import os
import random
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from lab.httpd import PROGRAM
from lab.process import Child, listens, poll
from lab.stores import key_file
from load import Browsers, begin, finish, wait_for_answers, wrk
from sites import THEIRS_UNCACHED, Memcached, Redis

RIGHT = "Pw!right"


# -- throughput -------------------------------------------------------------------------------------------------------

# What the finest ratios are made of is measured twice as often.
OFTEN = ("none", "asks nobody", "cached", "cached, theirs")


def throughput(sites, options, say):
    """{name: [requests a second]}, in turns, in an order of its own each time, so that what else the machine does falls on
    all of them."""
    slapd = sites.directory()
    ours, uncached = sites.ours("ours", slapd), sites.ours("ours-uncached", slapd, cache="Off")
    redis, memcache = sites.shared(Redis, slapd), sites.shared(Memcached, slapd)
    theirs, theirs_uncached = sites.theirs("theirs", slapd), sites.theirs("theirs-uncached", slapd, conf=THEIRS_UNCACHED)
    none = sites.none()
    runs = {
        "none": (none, "plain"), "asks nobody": (sites.nobody(), "one"),
        "cached": (ours, "one"), "cached, 1000 users": (ours, "many"),
        "cached, theirs": (theirs, "one"), "cached, 1000 users, theirs": (theirs, "many"),
        "cached, redis": (redis, "one"), "cached, memcache": (memcache, "one"),
        "uncached": (uncached, "many"), "uncached, theirs": (theirs_uncached, "many"),
        "wrong password": (ours, "wrong"), "wrong password, theirs": (theirs, "wrong"),
        "wrong password, redis": (redis, "wrong"), "wrong password, memcache": (memcache, "wrong"),
        "wrong password, not uniform": (sites.ours("not-uniform", slapd, more="AuthStatusUniformTiming Off"), "wrong"),
        "unknown user": (ours, "unknown"), "unknown user, theirs": (theirs, "unknown"),
    }
    rates = {name: [] for name in runs}
    for number in range(options.rounds + 1):
        names = [*runs, *OFTEN]
        for name in random.sample(names, len(names)):
            result = wrk(*runs[name], seconds=options.seconds)
            if result.broken:
                raise RuntimeError(f"{name}: {result}")
            if number:  # the first one warms up
                rates[name].append(result.rate)
        say(f"round {number} of {options.rounds}")
    return {"rates": rates}


# -- what it costs the directory --------------------------------------------------------------------------------------

QUESTIONS = {
    "first login of a user": lambda n: (f"u{n}", RIGHT),
    "the same again": lambda n: (f"u{n}", RIGHT),
    "a wrong password": lambda n: (f"u{n}", "Pw!wrong"),
    "the same wrong one again": lambda n: (f"u{n}", "Pw!wrong"),
    "an unknown user": lambda n: (f"nobody{n}", RIGHT),
}


def operations(sites, options, say):
    """Counted from slapd's log, mean of fifty logins, once the child has its connections."""
    count = 50
    slapd = sites.directory(debug="stats")
    httpds = {"ours": sites.ours("operations-ours", slapd), "ours, cache off": sites.ours("operations-off", slapd, cache="Off"),
              "theirs": sites.theirs("operations-theirs", slapd)}
    rows = {}
    for httpd in httpds.values():
        httpd.get("/in/", login=("u999", RIGHT))
    for title, login in QUESTIONS.items():
        for name, httpd in httpds.items():
            mark = slapd.mark()
            with httpd.connection() as connection:
                for number in range(count):
                    connection.request("/in/", login=login(number))
            asked = slapd.operations(mark)
            rows.setdefault(title, {})[name] = [asked["searches"] / count, (asked["service_binds"] + asked["user_binds"]) / count,
                                                asked["connections"] / count]
    return {"rows": rows}


# -- outages ----------------------------------------------------------------------------------------------------------

def hang(sites, options, say):
    """Plain pages, one at a time, while 200 people log in and the directory is stopped; against the same when it is idle."""
    slapd = sites.directory()
    result = {}
    for name, httpd, patient, times in (
            ("ours", sites.ours("hang-ours", slapd, cache="Off", threads=64), True, 3),
            ("ours, impatient", sites.ours("hang-impatient", slapd, cache="Off", threads=64), False, 2),
            ("theirs", sites.theirs("hang-theirs", slapd, threads=64), True, 1)):
        runs = []
        for _ in range(times):
            poll(lambda: httpd.get("/in/", login=("u0", RIGHT)).status == 200, 60, "a login")
            idle = wrk(httpd, "plain", "/", 3, 1)
            slapd.freeze()
            try:
                with Browsers(httpd, patient=patient) as browsers:
                    poll(lambda: len(browsers.answers) > 100 or name == "theirs", 20, "answers")
                    busy = wrk(httpd, "plain", "/", 6, 1)  # longer than AuthStatusDeadline
                    answers = list(browsers.answers)
            finally:
                slapd.thaw()
            runs.append({"idle": idle.p99, "busy": busy.p99 if busy.requests > 20 else None, "pages": busy.requests,
                         "statuses": {str(status): sum(answer[0] == status for answer in answers)
                                      for status in sorted({answer[0] for answer in answers})},
                         "slowest": max((seconds for _, seconds in answers), default=None)})
        result[name] = runs
        say(name)
    return result


def down(sites, options, say):
    """[title, status, seconds, Retry-After] of logins while the directory is down, and while it hangs."""
    slapd = sites.directory()
    ours, theirs = sites.ours("down-ours", slapd, cache="Off"), sites.theirs("down-theirs", slapd)
    rows = []
    for what, httpds in (("is down", {"ours": ours, "theirs": theirs}), ("hangs", {"ours": ours})):
        for httpd in httpds.values():
            poll(lambda: httpd.get("/in/", login=("u0", RIGHT)).status == 200, 60, "a login")
        slapd.stop() if what == "is down" else slapd.freeze()
        try:
            for name, httpd in httpds.items():
                for number in range(1, 8):
                    answer = httpd.get("/in/", login=(f"u{number}", RIGHT))
                    if number in (1, 7):
                        rows.append([what, name, number, answer.status, answer.seconds, answer.header("Retry-After")])
        finally:
            slapd.start() if what == "is down" else slapd.thaw()
        say(what)
    return {"rows": rows}


def restart(sites, options, say):
    """One directory server of two is killed and started again, twice, while logins go on."""
    slapd, second = sites.directory(), sites.directory()
    httpds = {"ours": sites.ours("restart-ours", slapd, second, cache="Off"),
              "theirs": sites.theirs("restart-theirs", slapd, second, conf=THEIRS_UNCACHED)}
    result = {}
    for name, httpd in httpds.items():
        load = begin(httpd, "many", seconds=6, connections=8)
        for _ in range(2):
            wait_for_answers(httpd, load, 2000)
            slapd.kill()
            wait_for_answers(httpd, load, 2000)
            slapd.start()
        done = finish(load)
        result[name] = [done.requests, done.not_2xx + done.broken]
        say(name)
    return result


def graceful(sites, options, say):
    """Four graceful restarts of httpd under load."""
    slapd = sites.directory()
    httpds = {"no authentication": (sites.none("graceful-none"), "plain"), "ours": (sites.ours("graceful-ours", slapd), "many"),
              "theirs": (sites.theirs("graceful-theirs", slapd), "many")}
    result = {}
    for name, (httpd, login) in httpds.items():
        load = begin(httpd, login, seconds=6, connections=8)
        for _ in range(4):
            wait_for_answers(httpd, load, 1000)
            httpd.reload()
        done = finish(load)
        result[name] = [done.requests, done.not_2xx, done.broken]
        say(name)
    return result


# -- memory -----------------------------------------------------------------------------------------------------------

def _kilobytes(httpd):
    """Of the children's own, that no other process shares."""
    return httpd.resident_memory() // 1024


def memory(sites, options, say):
    """Of a child, as it serves: of ten requests seven right ones of a thousand users, a wrong one, an unknown user, and one
    without a login."""
    goal = options.requests
    httpd = sites.ours("memory", sites.directory())
    made, points = 0, []
    while made < goal:
        made += wrk(httpd, "mixed", seconds=10 if goal > 200000 else 2).requests
        if not points or made >= goal * len(points) / 10:
            points.append([made, _kilobytes(httpd)])
            say(f"{made} requests of {goal}: {points[-1][1]} kB")
    return {"points": points}


def users(sites, options, say):
    """What a hundred thousand users take, in a child and in a store."""
    slapd = sites.directory(options.users)
    store = sites.store(Redis)
    httpd = sites.ours("users", slapd, cache=store.cache, conf=f'AuthStatusCacheKey "{key_file(store.workdir)}"\nAuthStatusCacheTime 1h',
                       modules=store.modules)
    httpd.get("/in/", login=("u0", RIGHT))
    before, store_before = _kilobytes(httpd), _used(store)

    def some(first):
        with httpd.connection() as connection:
            for number in range(first, options.users, 8):
                if connection.request("/in/", login=(f"u{number}", RIGHT)).status != 200:
                    raise RuntimeError(f"u{number} was not let in")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(some, range(8)))
    return {"users": options.users, "child": [before, _kilobytes(httpd)],
            "store": (_used(store) - store_before) / options.users, "records": store.command("DBSIZE")}


def _used(store):
    return int(re.search(rb"^used_memory:(\d+)", store.command("INFO", "memory"), re.M)[1])


# -- instructions -----------------------------------------------------------------------------------------------------

def instructions(sites, options, say):
    """Thousands a request, by callgrind in `httpd -X`; the start-up is taken away by the difference of two runs."""
    slapd = sites.directory()
    same, wrong = (lambda n: ("u0", RIGHT)), (lambda n: (f"u{n % 50}", f"Pw!wrong{n}"))
    many = (lambda n: (f"u{n % 50}", RIGHT))
    result = {}
    for title, httpd, login in (
            ("no authentication", sites.none("i-none"), None),
            ("asks nobody", sites.nobody("i-nobody"), same),
            ("cached, ours", sites.ours("i-ours", slapd), same),
            ("cached, theirs", sites.theirs("i-theirs", slapd), same),
            ("uncached, ours", sites.ours("i-uncached", slapd, cache="Off"), many),
            ("uncached, theirs", sites.theirs("i-uncached-theirs", slapd, conf=THEIRS_UNCACHED), many),
            ("wrong password, ours", sites.ours("i-wrong", slapd), wrong),
            ("wrong password, theirs", sites.theirs("i-wrong-theirs", slapd), wrong)):
        result[title] = instructions_of(httpd, login) / 1000
        say(f"{title}: {result[title]:.1f}")
    return result


WARM, COUNTED = 30, 60


def instructions_of(httpd, login):
    """Instructions that one request takes, from its first hook to its line in the log: the median of many of one connection,
    each counted for itself, so that neither what the first ones take nor what is done once a second is in it. The httpd is
    stopped for it."""
    def ask(connection, number):
        answer = connection.request("/in/", login=login and login(number))
        if answer.status not in (200, 401):
            raise RuntimeError(f"{answer}")

    counts = count_instructions(httpd, ask, WARM + COUNTED)[WARM:]
    if len(counts) != COUNTED:
        raise RuntimeError(f"{httpd.workdir}: {len(counts)} requests were counted")
    return median(counts)


def count_instructions(httpd, ask, count):
    """What each of so many requests took, in their order. ask(connection, number) makes one. The httpd is stopped for it."""
    poll(httpd.children, 30, "httpd's children")
    httpd.stop()
    out = httpd.workdir / "callgrind"
    for old in httpd.workdir.glob("callgrind*"):
        old.unlink()
    request = "ap_process_async_request"
    command = ["valgrind", "--tool=callgrind", f"--toggle-collect={request}", f"--dump-after={request}",
               f"--callgrind-out-file={out}", "--", PROGRAM, "-X", "-d", str(httpd.workdir), "-f", str(httpd.configuration)]
    if os.geteuid() == 0:
        # What httpd becomes must be able to write what was counted.
        for path in (httpd.workdir, *httpd.workdir.rglob("*")):
            if not path.is_symlink():
                shutil.chown(path, "www-data", "www-data")
        command = ["setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups", "--pdeathsig=TERM", *command]
    child = Child(command, httpd.workdir / "logs/valgrind", env={**os.environ, "TMPDIR": str(httpd.workdir)})
    poll(lambda: listens(httpd.port), 120, "httpd under callgrind")
    with httpd.connection() as connection:
        for number in range(count):
            ask(connection, number)
            # httpd looks for another request before it is done with this one, and must never find one.
            poll(lambda: Path(f"{out}.{number + 1}").exists(), 60, "the count of a request")
    child.stop(60)
    return [int(re.search(r"^totals: (\d+)", path.read_text(), re.M)[1])
            for path in sorted(httpd.workdir.glob("callgrind.*"), key=lambda path: int(path.suffix[1:]))]


# -- arithmetic -------------------------------------------------------------------------------------------------------

def spread(values):
    """Median, and half of the middle half around it, in percent of it."""
    values = sorted(values)
    middle = median(values)
    quarter = len(values) // 4
    return middle, (values[-1 - quarter] - values[quarter]) / 2 / middle * 100
