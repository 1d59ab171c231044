#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Can a clock tell which names exist, with the cache on? Not part of any check.

In each round it asks for a name that nobody used before, of each kind in random order: unknown; known; known, and logged in a
moment ago; ambiguous (two entries have it); locked. Each gets two different wrong passwords, as a guesser sends them: the first
costs a search and a bind, the second one bind; then the second one again, which the cache answers. One slapd with a password
policy; the sites: one provider, the same with AuthStatusThrottle, and a chain of two, in both settings of
AuthLDAPBindAuthoritative. A relay between this client and httpd adds the time of a network.

Prints for each kind the median, the median of the differences to the unknown name of the same round, and the area under the
ROC curve of "it took longer than an unknown name did" with its confidence interval of 95 %: 0.5 cannot be told apart.

About 8 minutes with 3000 rounds and nothing else on the machine. What else runs makes all of it look alike; under
`chrt --rr 10` a busy machine disturbs it less.

usage: AUTHSTATUS_BUILD=... tests/bench/names.py [--rounds N] [--round-trip MS] [--only SITE,...] [--most AUC] [--operations]
           [--beside N]
"""
import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
sys.path[:0] = [str(HERE), str(SOURCE / "tests/live")]
os.environ.setdefault("AUTHSTATUS_SOURCE", str(SOURCE))

from lab.client import Connection  # noqa: E402
from lab.httpd import Httpd  # noqa: E402

from lab.slapd import TOP, Database, Slapd  # noqa: E402
from load import LOGINS, begin  # noqa: E402
from timing import area_under_curve  # noqa: E402

KINDS = ("unknown", "known", "lately", "ambiguous", "locked")
ASKED = ("first", "second", "again")
WARM = 50
OTHERS = 500  # who log in beside it
LOGINS["beside"] = ("", f'return made("beside-" .. n % {OTHERS}, "Pw!wrong" .. run .. "-" .. n)')
PEOPLE = TOP + """dn: ou=others,@SUFFIX@
objectClass: organizationalUnit

dn: ou=policies,@SUFFIX@
objectClass: organizationalUnit

dn: cn=default,ou=policies,@SUFFIX@
objectClass: organizationalRole
objectClass: pwdPolicy
pwdAttribute: userPassword
pwdLockout: TRUE

"""
PERSON = """dn: uid={name},{base}
objectClass: inetOrgPerson
uid: {name}
cn: {name}
sn: {name}
userPassword: Pw!right
{more}
"""
LOCKED = "pwdAccountLockedTime: 000001010000Z\n"
SITE = """
AuthStatusCacheTime 1h 1h
AuthStatusCacheEntries 65536
<Macro Alias $name $url $authoritative>
    <AuthnProviderAlias authstatus $name>
        AuthLDAPURL "$url"
        AuthLDAPBindDN "cn=service,o=bench"
        AuthLDAPBindPassword "Pw!service"
        AuthLDAPBindAuthoritative $authoritative
    </AuthnProviderAlias>
</Macro>
Use Alias first "{url}" On
# The same directory, below a filter that nobody matches.
Use Alias second "{url}?sub?(objectClass=account)" On
Use Alias first-of-all "{url}" Off
Use Alias second-of-all "{url}?sub?(objectClass=account)" Off
<Macro Site $path $providers $throttle>
    <Location /in/$path>
        AuthType Basic
        AuthName "the lab"
        AuthBasicProvider $providers
        AuthStatus On
        AuthStatusUniformTiming On
        AuthStatusThrottle $throttle
        Require valid-user
    </Location>
</Macro>
Use Site one first Off
Use Site throttled first "10 1h User"
Use Site chain "first second" Off
Use Site all "first-of-all second-of-all" Off
"""
SITES = {"one": "one provider", "throttled": "one provider, AuthStatusThrottle", "chain": "two providers",
         "all": "two providers, AuthLDAPBindAuthoritative Off"}
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


def names_of(kind, site, count):
    return [f"{kind}-{site}{number:05}" for number in range(count + WARM)]


def people(options):
    entries = [PEOPLE]
    for site in options.only:
        for kind in KINDS[1:]:
            entries += [PERSON.format(name=name, base="@SUFFIX@", more=LOCKED if kind == "locked" else "")
                        for name in names_of(kind, site, options.rounds)]
        entries += [PERSON.format(name=name, base="ou=others,@SUFFIX@", more="") for name in names_of("ambiguous", site, options.rounds)]
    entries += [PERSON.format(name=f"beside-{number}", base="@SUFFIX@", more="") for number in range(OTHERS)]
    return "".join(entries)


def start(workdir, options):
    for name in ("directory", "httpd"):
        (workdir / name).mkdir()
    ldif = workdir / "people.ldif"
    ldif.write_text(people(options))
    slapd = Slapd(workdir / "directory", [Database("o=bench", ldif, ("ppolicy_use_lockout", "maxsize 2147483648"))],
                  debug="stats" if options.operations else "none").start()
    site = SITE.format(url=f"ldap://127.0.0.1:{slapd.port}/o=bench?uid")
    return slapd, Httpd(workdir / "httpd", site, cache="shmcb", modules=("socache_shmcb",), threads=8 + options.beside,
                        in_flight=None).start()


def ask(connection, site, name, password, status=401):
    answer = connection.request(f"/in/{site}", login=(name, password))
    if answer.status != status:
        raise RuntimeError(f"{name}: {answer}")
    return answer.seconds


@contextlib.contextmanager
def others_fail(httpd, site, connections):
    """Meanwhile other known names fail, on so many connections without a pause."""
    process = begin(httpd, "beside", f"/in/{site}", 3600, connections) if connections else None
    try:
        yield
    finally:
        if process:
            process.terminate()
            process.communicate()
            process.script.unlink()


def measure(connection, beside, site, rounds):
    """{(kind, first, second or again): [seconds, in the order of the rounds]}"""
    times = {(kind, which): [] for kind in KINDS for which in ASKED}
    names = {kind: names_of(kind, site, rounds) for kind in KINDS}
    for number in range(rounds + WARM):
        # On a connection of its own, before all of them: what httpd and this client do next must not depend on it.
        ask(beside, site, names["lately"][number], "Pw!right", 200)
        for kind in random.sample(KINDS, len(KINDS)):
            name = names[kind][number]
            for which in ASKED:
                seconds = ask(connection, site, name, f"Pw!{'first' if which == 'first' else 'second'}{number}")
                if number >= WARM:
                    times[kind, which].append(seconds)
    return times


def count_operations(connection, slapd, site):
    """What each kind costs the directory: (searches, binds, connections)."""
    for number in range(3):  # connections are made, and what is read once is read
        for kind in KINDS:
            ask(connection, site, names_of(kind, site, 0)[number], "Pw!wrong")
    for kind in KINDS:
        name = names_of(kind, site, 0)[WARM - 1]
        if kind == "lately":
            ask(connection, site, name, "Pw!right", 200)
        for which in ASKED:
            mark = slapd.mark()
            ask(connection, site, name, f"Pw!{'first' if which == 'first' else 'second'}")
            done = slapd.operations(mark)
            print(f"  {kind:<12}{which:<8}{done['searches']} searches, {done['service_binds'] + done['user_binds']} binds, "
                  f"{done['connections']} connections")


def estimate_error(area, count):
    """The standard error of an area of two samples of so many (Hanley and McNeil, 1982)."""
    one, other = area / (2 - area), 2 * area ** 2 / (1 + area)
    return ((area * (1 - area) + (count - 1) * (one - area ** 2 + other - area ** 2)) / count ** 2) ** 0.5


def report(times):
    worst = 0.0
    for which in ASKED:
        unknown = times["unknown", which]
        print(f"  {which:<8}{'unknown':<12}{median(unknown) * 1000:>9.3f} ms")
        for kind in KINDS[1:]:
            taken = times[kind, which]
            area = area_under_curve(taken, unknown)
            worst = max(worst, abs(area - 0.5))
            longer = median(one - other for one, other in zip(taken, unknown)) * 1e6
            print(f"  {'':<8}{kind:<12}{median(taken) * 1000:>9.3f} ms{longer:>+9.1f} us    AUC {area:.3f} +/- "
                  f"{1.96 * estimate_error(area, len(taken)):.3f}", flush=True)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3000, help="of each site")
    parser.add_argument("--round-trip", type=float, default=1.0, help="milliseconds between client and httpd")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(SITES), help="sites of: " + ", ".join(SITES))
    parser.add_argument("--most", type=float, default=1.0, help="end with 1 where an area is further from 0.5, 0.02 for example")
    parser.add_argument("--beside", type=int, default=0, help="connections of others whose passwords are wrong all the time (wrk)")
    parser.add_argument("--operations", action="store_true", help="count what each case costs the directory, and measure no time")
    options = parser.parse_args()
    if options.operations:
        options.rounds = 0
    os.umask(0o022)
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="authstatus-bench-") as name:
        workdir = Path(name)
        workdir.chmod(0o755)
        slapd, httpd = start(workdir, options)
        relay = subprocess.Popen([sys.executable, "-c", RELAY, str(httpd.port), str(options.round_trip / 2000)],
                                 stdout=subprocess.PIPE, text=True)
        try:
            with Connection(int(relay.stdout.readline())) as connection, Connection(httpd.port) as beside:
                for site in options.only:
                    print(f"{SITES[site]}, {options.rounds} rounds, a round trip of {options.round_trip} ms", flush=True)
                    if options.operations:
                        count_operations(connection, slapd, site)
                    else:
                        with others_fail(httpd, site, options.beside):
                            times = measure(connection, beside, site, options.rounds)
                        worst = max(worst, report(times))
        finally:
            relay.terminate()
            relay.wait()
            httpd.stop()
            slapd.stop()
    return worst > options.most


if __name__ == "__main__":
    sys.exit(main())
