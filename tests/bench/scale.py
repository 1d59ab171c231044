# SPDX-License-Identifier: Apache-2.0
"""Parts of the bench that vary one number: connections, threads, users. And HTTP/2, and logins that are refused."""
import os
import random
import subprocess
import time
from pathlib import Path
from statistics import median

from lab.tls import Authority
from load import LOGINS, _ONE, wrk
from sites import THEIRS_UNCACHED

SOURCE = Path(__file__).resolve().parents[2]
CONNECTIONS = (1, 8, 64)
THREADS = (1, 2, 8, 32, 128)
# Users, and AuthStatusCacheEntries for them.
CROWDS = ((6000, 8192), (20000, 32768), (100000, 131072))

for size, _ in CROWDS:
    LOGINS[f"crowd-{size}"] = _ONE + (size, '"u" .. i, "Pw!right"')


def in_turns(runs, options, say, seconds=None):
    """{name: [requests a second]}: all of them once in each round, in an order of its own. runs: {name: (httpd, login, connections)}"""
    rates = {name: [] for name in runs}
    for number in range(options.rounds + 1):
        for name in random.sample(list(runs), len(runs)):
            httpd, login, connections = runs[name]
            result = wrk(httpd, login, seconds=seconds or options.seconds, connections=connections)
            if result.broken:
                raise RuntimeError(f"{name}: {result}")
            if number:  # the first round warms up
                rates[name].append(result.rate)
        say(f"round {number} of {options.rounds}")
    return rates


def connections(sites, options, say):
    """One user, with 1, 8 and 64 connections."""
    slapd = sites.directory()
    httpds = {"none": (sites.none(threads=96), "plain"), "asks nobody": (sites.nobody(threads=96), "one"),
              "cached": (sites.ours("ours", slapd, threads=96), "one"), "cached, theirs": (sites.theirs("theirs", slapd, threads=96), "one")}
    return {"rates": in_turns({f"{name}, {count}": (httpd, login, count) for name, (httpd, login) in httpds.items()
                               for count in CONNECTIONS}, options, say)}


def refused(sites, options, say):
    """Wrong passwords, each another one, of a thousand names; and names that nobody has."""
    slapd = sites.directory()
    ours, theirs = sites.ours("ours", slapd, threads=96), sites.theirs("theirs", slapd, conf=THEIRS_UNCACHED, threads=96)
    off = sites.ours("off", slapd, more="AuthStatusUniformTiming Off", threads=96)
    return {"rates": in_turns({f"{login}{name}, {count}": (httpd, login, count) for login in ("wrong", "unknown")
                               for name, httpd in (("", ours), (", not uniform", off), (", theirs", theirs))
                               for count in (8, 64)}, options, say)}


def _warm(httpd, size):
    """Lets each user come three times, one after the other, and returns how many requests these were: the second request of a
    user is answered by what the first has found, and the third by its header."""
    made = 0
    while made < 3 * size:
        made += wrk(httpd, f"crowd-{size}", seconds=4, first=made).requests
    return made


def crowds(sites, options, say):
    """One user of many, all of them cached: of one user's rate. And the same of a provider that asks nobody: wrk and httpd
    take longer for many headers than for one as well, on the same processors."""
    slapd = sites.directory(max(size for size, _ in CROWDS))
    nobody = sites.nobody()
    result = {}
    for size, entries in CROWDS:
        httpd = sites.ours(f"crowd-{size}", slapd, conf=f"AuthStatusCacheEntries {entries}\nAuthStatusCacheTime 1h")
        made = _warm(httpd, size)
        rates = in_turns({f"{login}{name}": (server, made_by, 8) for login, made_by in (("one", "one"), ("crowd", f"crowd-{size}"))
                          for name, server in (("", httpd), (", asks nobody", nobody))}, options, say)
        result[str(size)] = {"entries": entries, "warm": made, **rates}
        say(f"{size} users: {median(rates['crowd']) / median(rates['one']):.2f} of one user's rate; "
            f"{median(rates['crowd, asks nobody']) / median(rates['one, asks nobody']):.2f} where nobody is asked")
        httpd.stop()
    return result


def lookups(sites, options, say):
    """Of the cache alone, without httpd: a thousand users, random ones."""
    program = Path(os.environ["AUTHSTATUS_BUILD"]) / "tests/bench/lookups"
    done = subprocess.run(["make", "-C", os.environ["AUTHSTATUS_BUILD"], "tests/bench/lookups"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    said = subprocess.run([program, "1000", str(options.seconds * 1000), *map(str, THREADS)], capture_output=True, text=True, check=True)
    result = {}
    for kind, threads, count, seconds, used in map(str.split, said.stdout.splitlines()):
        result.setdefault(kind, {})[threads] = [int(count) / float(seconds) / 1e6, int(count) / float(used) / 1e6]
        say(f"{kind}, {threads} threads: {result[kind][threads][0]:.2f} million a second")
    return result


# -- HTTP/2 -----------------------------------------------------------------------------------------------------------

CLIENTS, REQUESTS = 4, 2000


def _h2_rate(httpd, login):
    """Requests a second of some clients at a time, each on one connection of its own, one stream after the other."""
    command = ["curl", "-q", "-s", "-k", "--http2", "--noproxy", "*", "--max-time", "60", "-w", "%{http_code} %{http_version}\n",
               "-o", "/dev/null", *(("-u", "u0:Pw!right") if login else ()), f"https://127.0.0.1:{httpd.port}/in/index.html?[1-{REQUESTS}]"]
    begun = time.monotonic()
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(CLIENTS)]
    answers = [line for client in clients for line in client.communicate()[0].splitlines()]
    seconds = time.monotonic() - begun
    if answers != ["200 2"] * CLIENTS * REQUESTS:
        raise RuntimeError(f"curl: {len(answers)} answers, {set(answers)}")
    return CLIENTS * REQUESTS / seconds


def h2(sites, options, say):
    """One user over HTTP/2. The clients are curl, which takes a good part of the processors."""
    slapd, server = sites.directory(), Authority(sites.workdir("authority"), "bench").issue("localhost")
    conf = (f'SSLEngine on\nSSLCertificateFile "{server.cert}"\nSSLCertificateKeyFile "{server.key}"\nSSLSessionCache none\n'
            "Protocols h2 http/1.1\n")
    more = {"conf": conf, "modules": ("http2", "ssl")}
    httpds = {"none": (sites.none(**more), False),
              "asks nobody": (sites.nobody(conf=conf, modules=("http2", "ssl", "authn_anon")), True),
              "cached": (sites.ours("ours", slapd, **more), True),
              "cached, theirs": (sites.theirs("theirs", slapd, **more), True)}
    rates = {name: [] for name in httpds}
    for number in range(options.rounds + 1):
        for name in random.sample(list(httpds), len(httpds)):
            rate = _h2_rate(*httpds[name])
            if number:
                rates[name].append(rate)
        say(f"round {number} of {options.rounds}")
    return {"rates": rates}
