#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Can a clock tell which names exist, with the cache on? Not part of any check.

In each round it asks for a name that nobody used before, of each kind in random order: known; known, and logged in a moment
ago; ambiguous (two entries have it); unknown. Each gets two different wrong passwords, as a guesser sends them: the first
costs a search and a bind, the second one bind. Prints medians and, for each kind, the area under the ROC curve of "it took
longer than an unknown name did": 0.5 cannot be told apart. A relay between this client and httpd adds the time of a network.

About 2 minutes with 1000 rounds, one provider and nothing else on the machine; 4 with two providers.

usage: AUTHSTATUS_BUILD=... tests/bench/names.py [--rounds N] [--round-trip MS] [--providers 1|2] [--authoritative On|Off]
           [--most AUC] [--operations]
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
sys.path[:0] = [str(HERE), str(SOURCE / "tests/live")]
os.environ.setdefault("AUTHSTATUS_SOURCE", str(SOURCE))

from lab.client import Connection  # noqa: E402
from lab.httpd import Httpd  # noqa: E402

from lab.slapd import TOP, Database, Slapd  # noqa: E402
from timing import area_under_curve  # noqa: E402

KINDS = ("unknown", "known", "lately", "ambiguous")
WARM = 20
PEOPLE = TOP + """dn: ou=others,@SUFFIX@
objectClass: organizationalUnit

"""
PERSON = """dn: uid={name},{base}
objectClass: inetOrgPerson
uid: {name}
cn: {name}
sn: {name}
userPassword: Pw!right

"""
SITE = """
AuthStatusCacheTime 1h 1h
<Macro Alias $name $url>
    <AuthnProviderAlias authstatus $name>
        AuthLDAPURL "$url"
        AuthLDAPBindDN "cn=service,o=bench"
        AuthLDAPBindPassword "Pw!service"
        AuthLDAPBindAuthoritative {authoritative}
    </AuthnProviderAlias>
</Macro>
Use Alias first "{url}"
# The same directory, below a filter that nobody matches.
Use Alias second "{url}?sub?(objectClass=account)"
<Location /in>
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider {providers}
    AuthStatus On
    AuthStatusUniformTiming On
    Require valid-user
</Location>
"""
# Runs in a process of its own, so that it waits for nothing of the client's.
RELAY = """
import queue, socket, sys, threading, time
port, delay = int(sys.argv[1]), float(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def pass_on(source, target):
    # Spins at the end: a sleep ends too late by more than what is measured.
    while data := source.recv(65536):
        until = time.perf_counter() + delay
        time.sleep(max(0, delay - 2e-4))
        while time.perf_counter() < until:
            pass
        target.sendall(data)
    target.close()
while True:
    one = listener.accept()[0]
    other = socket.create_connection(("127.0.0.1", port))
    for each in (one, other):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for pair in ((one, other), (other, one)):
        threading.Thread(target=pass_on, args=pair, daemon=True).start()
"""


def people(count):
    entries = [PEOPLE]
    for number in range(count + WARM):
        for kind in ("known", "lately", "ambiguous"):
            entries.append(PERSON.format(name=f"{kind}{number:05}", base="@SUFFIX@"))
        entries.append(PERSON.format(name=f"ambiguous{number:05}", base="ou=others,@SUFFIX@"))
    return "".join(entries)


def start(room, options):
    for name in ("directory", "httpd"):
        (room / name).mkdir()
    ldif = room / "people.ldif"
    ldif.write_text(people(options.rounds))
    slapd = Slapd(room / "directory", [Database("o=bench", ldif, ("maxsize 2147483648",))],
                  debug="stats" if options.operations else "none").start()
    url = f"ldap://127.0.0.1:{slapd.port}/o=bench?uid"
    site = SITE.format(url=url, authoritative=options.authoritative,
                       providers="first" if options.providers == 1 else "first second")
    httpd = Httpd(room / "httpd", site, cache="shmcb", modules=("socache_shmcb",), threads=8, in_flight=None)
    httpd.configuration.write_text(httpd.configuration.read_text() + "\nAuthStatusCacheEntries 65536\n")
    return slapd, httpd.start()


def ask(connection, name, password):
    answer = connection.request("/in/", login=(name, password))
    if answer.status != 401:
        raise RuntimeError(f"{name}: {answer}")
    return answer.seconds


def measure(connection, options):
    """{(kind, first or second): [seconds]}"""
    times = {(kind, which): [] for kind in KINDS for which in ("first", "second")}
    for number in range(options.rounds + WARM):
        for kind in random.sample(KINDS, len(KINDS)):
            name = f"{kind}{number:05}"
            if kind == "lately" and connection.request("/in/", login=(name, "Pw!right")).status != 200:
                raise RuntimeError(f"{name} was not let in")
            for which in ("first", "second"):
                seconds = ask(connection, name, f"Pw!{which}{number}")
                if number >= WARM:
                    times[kind, which].append(seconds)
    return times


def count_operations(connection, slapd):
    """What each kind costs the directory: (searches, binds, connections)."""
    for number in range(3):  # connections are made, and what is read once is read
        for kind in KINDS:
            ask(connection, f"{kind}{number:05}", "Pw!wrong")
    for kind in KINDS:
        name = f"{kind}{WARM:05}"
        if kind == "lately":
            connection.request("/in/", login=(name, "Pw!right"))
        for which in ("first", "second"):
            mark = slapd.mark()
            ask(connection, name, f"Pw!{which}")
            done = slapd.operations(mark)
            print(f"  {kind:<12}{which:<8}{done['searches']} searches, {done['service_binds'] + done['user_binds']} binds, "
                  f"{done['connections']} connections")


def report(times):
    worst = 0.0
    for which in ("first", "second"):
        unknown = times["unknown", which]
        print(f"  {which + ' wrong password':<26}{'unknown':<12}{median(unknown) * 1000:>9.3f} ms")
        for kind in KINDS[1:]:
            area = area_under_curve(times[kind, which], unknown)
            worst = max(worst, abs(area - 0.5))
            print(f"  {'':<26}{kind:<12}{median(times[kind, which]) * 1000:>9.3f} ms{area:>14.3f}")
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--round-trip", type=float, default=1.0, help="milliseconds between client and httpd")
    parser.add_argument("--providers", type=int, choices=(1, 2), default=1)
    parser.add_argument("--authoritative", choices=("On", "Off"), default="On",
                        help="AuthLDAPBindAuthoritative of both: Off asks the second one behind a wrong password too")
    parser.add_argument("--most", type=float, default=1.0, help="end with 1 where an area is further from 0.5, 0.02 for example")
    parser.add_argument("--operations", action="store_true", help="count what each case costs the directory, and measure no time")
    options = parser.parse_args()
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="authstatus-bench-") as name:
        room = Path(name)
        room.chmod(0o755)
        slapd, httpd = start(room, options)
        relay = subprocess.Popen([sys.executable, "-c", RELAY, str(httpd.port), str(options.round_trip / 2000)],
                                 stdout=subprocess.PIPE, text=True)
        try:
            with Connection(int(relay.stdout.readline())) as connection:
                if options.operations:
                    count_operations(connection, slapd)
                    return 0
                begun = time.monotonic()
                times = measure(connection, options)
                print(f"{options.providers} provider(s), AuthLDAPBindAuthoritative {options.authoritative}, {options.rounds} rounds, "
                      f"{time.monotonic() - begun:.0f} s, a round trip of {options.round_trip} ms")
                return report(times) > options.most
        finally:
            relay.terminate()
            relay.wait()
            httpd.stop()
            slapd.stop()


if __name__ == "__main__":
    sys.exit(main())
