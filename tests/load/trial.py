# SPDX-License-Identifier: Apache-2.0
"""A trial: a directory that fails now and then, an httpd that is restarted gracefully every few seconds and one that never
is, traffic on both, and the accounts afterwards."""
import asyncio
import re
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "live"))

from lab.httpd import MODULE, MPMS, PROGRAM, SANITIZE, Httpd, open_descriptors, private_memory  # noqa: E402, F401
from lab.process import poll  # noqa: E402
from lab.slapd import TOP, Database, Slapd  # noqa: E402

from traffic import RIGHT, USERS, Tally, Times, ask_missing, client  # noqa: E402

# Of what does not answer, and no more than an outage lasts: a machine that is busy takes a second for what does.
DEADLINE, BREAKER = 3.0, 0.5
THREADS = 16
# A small one: a child's share of a large one counts as memory of its own, until it is full.
STORE = '"shmcb:${WORKDIR}/run/cache(524288)"'
# What an httpd may grow by after it has warmed up: what it caches, and a leak of 16 octets a request would be more.
GROWTH, GROWTH_PER_REQUEST = 4 << 20, 16

CONF = f"""LogLevel warn
ExtendedStatus On
AuthStatusDeadline {DEADLINE:.0f}s
AuthStatusBreaker 5 {BREAKER * 1000:.0f}ms
AuthStatusInFlight 16
AuthStatusCacheTime 3s 2s
KeepAlive On
AddOutputFilter INCLUDES .shtml
<Directory "${{DOCS}}">
    Options +Includes
</Directory>
<Location /status>
    SetHandler server-status
</Location>
AliasMatch "^/(who|throttled|group|masked|masked/group)/page.shtml$" "${{DOCS}}/page.shtml"
Use Login /who "ldap://127.0.0.1:${{LDAP}}" o=load
Use Login /throttled "ldap://127.0.0.1:${{LDAP}}" o=load
<Location /throttled>
    AuthStatusThrottle 4 10s
</Location>
Use Login /group "ldap://127.0.0.1:${{LDAP}}" o=load
<Location /group>
    Require user somebody
</Location>
Use Login /masked "ldap://127.0.0.1:${{LDAP}}" o=load
<Location /masked>
    AuthStatusMask All
</Location>
<Location /masked/group>
    Require user somebody
</Location>
"""
MORE = {"event": "ServerLimit 16\n", "worker": "ServerLimit 16\n", "prefork": "ServerLimit 64\nMaxRequestWorkers 64\n"}

PEOPLE = TOP + """dn: ou=policies,@SUFFIX@
objectClass: organizationalUnit

dn: cn=default,ou=policies,@SUFFIX@
objectClass: organizationalRole
objectClass: pwdPolicy
pwdAttribute: userPassword
pwdLockout: TRUE

dn: cn=aging,ou=policies,@SUFFIX@
objectClass: organizationalRole
objectClass: pwdPolicy
pwdAttribute: userPassword
pwdMaxAge: 86400
"""
PERSON = """
dn: uid={0},@SUFFIX@
objectClass: inetOrgPerson
cn: x
sn: x
userPassword: {1}
"""
MORE_OF = {"locked": "pwdAccountLockedTime: 000001010000Z\n",
           "expired": "pwdChangedTime: @AGO:864000@\npwdPolicySubentry: cn=aging,ou=policies,@SUFFIX@\n"}
# What may be in the log: refused logins as httpd's own modules tell them, and what this module tells of outages.
KNOWN = re.compile(r"AH0161[478]|AH01631|AH01630|AH0309[23]|\bAS0\d\d\d\b|AH00288|AH01817")


def make_slapd(workdir):
    ldif = workdir / "people.ldif"
    ldif.write_text(PEOPLE + "".join(PERSON.format(name, RIGHT.format(name)) + MORE_OF.get(name, "") for name in USERS))
    return Slapd(workdir, [Database("o=load", ldif, ("ppolicy_use_lockout",))])


def make_httpd(workdir, mpm, slapd):
    modules = ("socache_shmcb", "status", "include")
    return Httpd(workdir, MORE[mpm] + CONF, mpm=mpm, threads=THREADS, cache=STORE, modules=modules, defines={"LDAP": slapd.port},
                 files={"page.shtml": 'user=<!--#echo var="REMOTE_USER" -->\n'})


class Workdirs:
    """Directories of servers, which httpd's children may enter."""

    def __init__(self, top):
        self.top = top
        top.chmod(0o755)
        self.count = 0

    def new(self, name):
        self.count += 1
        workdir = self.top / f"{self.count:03}-{name}"
        workdir.mkdir(mode=0o755)
        return workdir


# -- what an httpd holds ----------------------------------------------------------------------------------------------

def descriptors(httpd):
    """Of the parent, and the most that one of its children has."""
    return open_descriptors(httpd.child.pid), max(map(open_descriptors, httpd.children()), default=0)


def is_idle(httpd):
    """Only this request is in progress: no other request, no answer, no generation that has not ended."""
    board = httpd.scoreboard()
    return len(re.findall(r"[^_.SK]", board)) == 1 and board.count("W") == 1


def bad_lines(httpd):
    """Of the error log, but for what was meant to happen; and sanitizers' reports."""
    with open(httpd.log.path, errors="replace") as log:
        lines = [line for line in log if re.search(r":(emerg|alert|crit|error|warn)\]", line) and not KNOWN.search(line)
                 or re.search(r"exit signal|assertion|runtime error", line, re.I)]
    lines += [f"{report}: {report.read_text(errors='replace')[:2000]}" for report in (httpd.workdir / "reports").iterdir()]
    return lines


# -- what happens meanwhile -------------------------------------------------------------------------------------------

async def restarts(httpd, until, every):
    """Gracefully, until then. The number of them."""
    count = 0
    while time.monotonic() + every < until:
        await asyncio.sleep(every)
        await asyncio.to_thread(httpd.reload)
        count += 1
    return count


async def outages(slapd, times, until, every, lasts):
    """Frozen and stopped in turn. The number of them."""
    count = 0
    while time.monotonic() + every + lasts + times.recovery < until:
        await asyncio.sleep(every)
        times.begin()
        if count % 2:
            await asyncio.to_thread(slapd.stop)
        else:
            slapd.freeze()
        await asyncio.sleep(lasts)
        if count % 2:
            await asyncio.to_thread(slapd.start)
        else:
            slapd.thaw()
        times.end()
        count += 1
    return count


async def traffic(restarted, steady, slapd, plan, tally):
    """(restarts, outages, what `steady` held when it had warmed up)"""
    times = Times(DEADLINE + BREAKER + plan.slack)
    missing = {httpd: await ask_missing(httpd.port) for httpd in (restarted, steady)}
    begun = time.monotonic()
    until = begun + plan.seconds
    clients = [asyncio.create_task(client(httpd.port, number, until, plan.pause, times, missing[httpd], tally))
               for number, httpd in enumerate([restarted] * plan.clients + [steady] * (plan.clients // 2))]
    others = [asyncio.create_task(restarts(restarted, until, plan.restart_every)),
              asyncio.create_task(outages(slapd, times, until, plan.outage_every, plan.outage_lasts))]
    await asyncio.sleep(plan.seconds * 0.4)
    warm = steady.resident_memory(), tally.count()
    counts = await asyncio.gather(*others)
    await asyncio.gather(*clients)
    return *counts, warm


class Plan:
    def __init__(self, seconds, clients=8, rate=300, restart_every=3.0, outage_every=12.0, outage_lasts=4.0):
        self.seconds = seconds
        self.clients = clients
        self.pause = (clients + clients // 2) / rate
        self.restart_every = restart_every
        self.outage_every = outage_every
        self.outage_lasts = outage_lasts
        self.slack = 10.0 if SANITIZE else 8.0


def run(workdirs, mpm, plan, say):
    """One trial; what was wrong, as sentences."""
    slapd = make_slapd(workdirs.new("slapd")).start()
    restarted, steady = [make_httpd(workdirs.new("httpd"), mpm, slapd) for _ in range(2)]
    tally = Tally()
    try:
        for httpd in (restarted, steady):
            httpd.start()
            poll(httpd.log.path.exists, 20, "a log")
            poll(lambda: b"resuming normal operations" in httpd.log.path.read_bytes(), 20, "httpd is up")
            httpd.reload()
            poll(lambda: is_idle(httpd), 20, "idle")
        before = {httpd: (descriptors(httpd)[0], private_memory(httpd.child.pid)) for httpd in (restarted, steady)}
        count, away, warm = asyncio.run(traffic(restarted, steady, slapd, plan, tally))
        problems = accounts(restarted, steady, before, warm, tally, say)
    finally:
        for httpd in (restarted, steady):
            httpd.stop()
        slapd.stop()
    say(f"{PROGRAM} ({mpm}), {MODULE}")
    say(f"{tally.count()} requests checked in {plan.seconds:.0f} s, {count} graceful restarts, {away} outages; "
        f"the slowest answer took {tally.slowest:.2f} s; {tally.closed_when_idle} idle connections were closed")
    say("statuses: " + ", ".join(f"{status}: {number}" for status, number in sorted(tally.statuses.items())))
    say("kinds: " + ", ".join(f"{kind}: {number}" for kind, number in tally.kinds.most_common()))
    if not count or not away:
        problems.append("nothing was restarted, or no directory away: the time was too short")
    return problems


def accounts(restarted, steady, before, warm, tally, say):
    problems = [f"{tally.fault_count} wrong answers, for example:", *tally.faults] if tally.fault_count else []
    for name, httpd in (("restarted", restarted), ("steady", steady)):
        try:
            poll(lambda: is_idle(httpd), 30, "idle")
        except Exception:
            problems.append(f"{name}: somebody is still at work: {httpd.scoreboard()}")
        parent, memory = before[httpd]
        now_parent, now_children = descriptors(httpd)
        grown = private_memory(httpd.child.pid) - memory
        # Of a child: its own, and the sessions that it keeps, two kinds for each thread.
        most = 16 + 2 * (1 if httpd.mpm == "prefork" else THREADS)
        say(f"{name}: descriptors of the parent {parent} -> {now_parent}, of a child {now_children} (of {most}); "
            f"the parent's own memory {grown / 1024:+.0f} KiB")
        if now_parent > parent or now_children > most:
            problems.append(f"{name}: descriptors grow: {parent} -> {now_parent}, of a child {now_children}")
        if grown > GROWTH and not SANITIZE:
            problems.append(f"{name}: the parent grows by {grown} octets")
        problems += [f"{name}: in the log: {line.strip()}" for line in bad_lines(httpd)[:10]]
    grown, asked = steady.resident_memory() - warm[0], tally.count() - warm[1]
    say(f"steady: its children's own memory {grown / 1024:+.0f} KiB after {asked} more requests (to both)")
    # AddressSanitizer keeps what was freed.
    if grown > GROWTH + GROWTH_PER_REQUEST * asked and not SANITIZE:
        problems.append(f"the children grow by {grown} octets in {asked} requests")
    return problems
