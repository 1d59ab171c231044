# SPDX-License-Identifier: Apache-2.0
"""Require ldap-* beside mod_authnz_ldap: what a decision costs the directory, what a cached one costs httpd, and what a
hung directory costs plain pages. A part of tests/bench/run: `tests/bench/run --only authorization`, three minutes."""
import json
import random
import time
from statistics import median

from lab.process import poll
from lab.slapd import TOP, Database, Slapd
from load import Browsers, wrk
from sites import PERSON

BASE, RIGHT = "o=bench", "Pw!right"
USERS = 3000
ROUND_MOST = 40  # seconds for a round of so many users


def _group(name, *members):
    return f"\ndn: cn={name},@SUFFIX@\nobjectClass: groupOfNames\n" + "".join(
        f"member: {member},@SUFFIX@\n" for member in members or ("uid=nobody",))


def _ldif():
    text = TOP + "".join(map(PERSON.format, range(USERS)))
    # All are in it: of a stranger mod_authnz_ldap asks whether each member is a group, some ten thousand compares a user.
    text += _group("everybody", *(f"uid=u{number}" for number in range(USERS)))
    # Nobody is in two of these, but for u0, whose decisions are remembered: how many levels are above a user is what a section
    # measures.
    text += _group("flat", *(f"uid=u{number}" for number in range(0, 100, 2) if number not in OTHERS))
    text += "".join(_group(f"five{number}", *(["uid=u0", "uid=u6", "uid=u8"] if number == 5 else [])) for number in range(1, 6))
    for depth, inside in ((3, ["uid=u10", "uid=u12"]), (10, ["uid=u14", "uid=u16"])):
        text += "".join(_group(f"nest{depth}-{level}", *([f"cn=nest{depth}-{level + 1}"] if level < depth else inside))
                        for level in range(depth + 1))
    text += _group("large", *(f"uid=member{number}" for number in range(10000)))
    text += "".join(_group(f"clique{one}", *(f"cn=clique{other}" for other in range(5) if other != one)) for one in range(5))
    return text


# Of u0, u2 and so on to u98, who are in groups, those who are not in "flat"; u1, u3 and so on are in "everybody" alone.
OTHERS = range(6, 18, 2)
# Section, and its groups.
PLACES = {"valid": (), "everybody": ("everybody",), "flat": ("flat",),
          "five": tuple(f"five{number}" for number in range(1, 6)), "nest3": ("nest3-0",), "nest10": ("nest10-0",), "large": ("large",), "clique": ("clique0",)}
# Title, section, who warms up what is known of groups and of connections, and who asks, of whom nothing is known.
COLD = [("flat, hit", "flat", "u2", "u4"), ("flat, miss", "flat", "u3", "u5"), ("five lines, hit in the 5th", "five", "u6", "u8"),
        ("five lines, miss", "five", "u7", "u9"), ("nested 3, hit", "nest3", "u10", "u12"), ("nested 10, hit", "nest10", "u14", "u16"),
        ("10,000 members, miss", "large", "u11", "u13"), ("clique of 5, miss", "clique", "u15", "u17")]


def _site(provider, url, account, suffix=BASE, more="", places=None):
    text = ""
    for name, groups in (places or PLACES).items():
        lines = "\n    ".join(f"Require ldap-group cn={group},{suffix}" for group in groups) or "Require valid-user"
        text += (f'Alias "/{name}/" "${{DOCS}}/in/"\n<Location "/{name}/">\n    AuthType Basic\n    AuthName "the bench"\n'
                 f"    AuthBasicProvider {provider}\n    AuthLDAPURL \"{url}\"\n    {account}\n    {more}\n    {lines}\n</Location>\n")
    return text


class _Pair:
    """The two of them on one directory."""

    def __init__(self, sites, name, url, account, **options):
        conf = "AuthStatusCacheTime 5min 5min\n<Location /report>\n    SetHandler authstatus-report\n    Require local\n</Location>\n"
        threads = options.pop("threads", 32)
        self.ours = sites.httpd(f"{name}-ours", conf + _site("authstatus", url, account, more="AuthStatus On", **options),
                                modules=("socache_shmcb",), threads=threads)
        self.theirs = sites.httpd(f"{name}-theirs", _site("ldap", url, account, more="AuthzSendForbiddenOnFailure On", **options),
                                  ldap=True, authstatus=False, threads=threads)

    def __iter__(self):
        return iter((("ours", self.ours), ("theirs", self.theirs)))


def _directory(sites):
    workdir = sites.workdir("slapd")
    (workdir / "bench.ldif").write_text(_ldif())
    slapd = Slapd(workdir, [Database(BASE, workdir / "bench.ldif", ("index member eq", "maxsize 1073741824", "sizelimit unlimited"))],
                  debug="stats").start()
    sites.stack.callback(slapd.stop)
    return slapd


def _asked(slapd, mark):
    """[searches, compares, binds, connections]"""
    count = slapd.operations(mark)
    return [count["searches"], sum(" CMP " in line for line in slapd.lines(mark)),
            count["service_binds"] + count["user_binds"], count["connections"]]


def _cold(slapd, pair, say):
    """{title: {who: [searches, compares, binds, connections, ms, status]}}: the first decision for a user."""
    rows = {}
    for title, place, warm, user in COLD:
        for name, httpd in pair:
            with httpd.connection() as connection:
                connection.request(f"/{place}/", login=(warm, RIGHT))
                mark = slapd.mark()
                answer = connection.request(f"/{place}/", login=(user, RIGHT))
            rows.setdefault(title, {})[name] = [*_asked(slapd, mark), answer.seconds * 1000, answer.status]
    say("what a decision costs the directory")
    return rows


def _round(httpd, users):
    """How many of these users were asked about within ROUND_MOST."""
    begun = time.monotonic()
    with httpd.connection() as connection:
        for user in range(users):
            if time.monotonic() - begun > ROUND_MOST:
                return user
            answer = connection.request("/everybody/", login=(f"u{user}", RIGHT))
            if answer.status != 200:
                raise RuntimeError(f"u{user}: {answer}")
    return users


def _again(slapd, pair, say):
    """Two rounds of 3,000 users, of as many as there is time for: [searches, compares, binds, connections, seconds, users]."""
    rows = {}
    for name, httpd in pair:
        users = USERS
        for number in (1, 2):
            mark, begun = slapd.mark(), time.monotonic()
            users = _round(httpd, users)
            rows.setdefault(name, []).append([*_asked(slapd, mark), time.monotonic() - begun, users])
        say(f"{USERS} users twice, {name}")
    return rows


def _rates(pair, options, say):
    """{who, section: [requests a second]} of one cached login, in turns."""
    runs = {f"{name}, {place}": (httpd, place) for name, httpd in pair for place in ("valid", "flat", "five")}
    rates = {name: [] for name in runs}
    rounds = max(3, options.rounds)
    for number in range(rounds + 1):
        for name in random.sample([*runs], len(runs)):
            httpd, place = runs[name]
            result = wrk(httpd, "one", f"/{place}/", seconds=min(options.seconds, 2))
            if result.broken or result.not_2xx:
                raise RuntimeError(f"{name}: {result}")
            if number:  # the first one warms up
                rates[name].append(result.rate)
    say("cached decisions")
    return rates


def _hung(sites, slapd, say):
    """Pages, one at a time, while 200 people with cached logins need a group decided: p99 idle and busy, and answers."""
    url, account = f"ldap://127.0.0.1:{slapd.port}/{BASE}?uid", _account()
    pair = _Pair(sites, "hung", url, account, threads=64, places={"valid": (), "flat": ("flat",)})
    rows = {}
    for name, httpd in pair:
        with httpd.connection() as connection:
            for number in range(200):
                connection.request("/valid/", login=(f"u{number}", RIGHT))
        idle = wrk(httpd, "plain", "/in/", 3, 1)
        slapd.freeze()
        try:
            browsers = Browsers(httpd, 200)
            browsers.requests = [request.replace(b"GET /in/ ", b"GET /flat/ ") for request in browsers.requests]
            with browsers:
                # As the part "hang": behind the first tenth of a second, when all threads wait for an answer.
                poll(lambda: len(browsers.answers) > 100 or name == "theirs", 20, "answers")
                busy = wrk(httpd, "plain", "/in/", 7, 1)  # longer than AuthStatusDeadline
                answers = list(browsers.answers)
                begun = time.monotonic()
                after = httpd.get("/flat/", login=("u7", RIGHT)) if name == "ours" else None
                took = time.monotonic() - begun
        finally:
            slapd.thaw()
        rows[name] = {"idle": idle.p99, "busy": busy.p99 if busy.requests > 20 else None, "pages": busy.requests,
                      "slowest": max((seconds for _, seconds in answers), default=None), "answers": len(answers),
                      "statuses": sorted({status for status, _ in answers}),
                      "open": [after.status, took * 1000] if after else None}
        say(f"a hung directory, {name}")
    return rows


def _account(dn=f"cn=service,{BASE}", password="Pw!service"):
    return f'AuthLDAPBindDN "{dn}"\n    AuthLDAPBindPassword "{password}"'


# -- Active Directory

AD_PLACES = {"direct": ("direct",), "nested": ("nest0",), "five": ("other1", "other2", "other3", "other4", "nest0"),
             "miss": ("other1",)}


def _counted(httpd):
    said = json.loads(httpd.get("/report?json").body)
    text = json.dumps(said)
    return {name: int(text.split(f'"require_{name}": ')[1].split(",")[0].split("}")[0]) for name in ("searches", "compares")}


def _ad(sites, say):
    """{title: {who: [ms, status, operations or None]}}: the first decision, on Samba."""
    import ldap
    from ldap import modlist
    from lab.samba import BASE as DOMAIN, REALM, SERVICE, SERVICE_PASSWORD, Account, Samba
    names = ("ann", "bob")
    samba = Samba(sites.workdir("samba"), [Account(name, "people", RIGHT) for name in names])
    sites.stack.callback(samba.stop)
    samba.start()
    connection = ldap.initialize(f"ldap://{samba.address}")
    connection.set_option(ldap.OPT_REFERRALS, 0)
    connection.simple_bind_s(f"Administrator@{REALM}", "Pw!administrator-1")
    members = [f"CN={name},OU=people,{DOMAIN}" for name in names]
    for name, inside in (("nest2", members), ("nest1", ["nest2"]), ("nest0", ["nest1"]), ("direct", members),
                         *((f"other{number}", []) for number in range(1, 5))):
        values = {"objectClass": [b"group"], "sAMAccountName": [name.encode()], "groupType": [b"-2147483646"]}
        if inside:
            values["member"] = [(one if "=" in one else f"CN={one},CN=Users,{DOMAIN}").encode() for one in inside]
        connection.add_s(f"CN={name},CN=Users,{DOMAIN}", modlist.addModlist(values))
    pair = _Pair(sites, "ad", f"ldap://{samba.address}/{DOMAIN}?sAMAccountName", _account(SERVICE, SERVICE_PASSWORD)
                 + "\n    AuthLDAPSubGroupClass group", suffix=f"CN=Users,{DOMAIN}", places=AD_PLACES)
    rows = {}
    for place in AD_PLACES:
        for name, httpd in pair:
            with httpd.connection() as web:
                web.request(f"/{place}/", login=("bob", RIGHT))
                before = _counted(httpd) if name == "ours" else None
                answer = web.request(f"/{place}/", login=("ann", RIGHT))
            after = _counted(httpd) if name == "ours" else None
            rows.setdefault(place, {})[name] = [answer.seconds * 1000, answer.status,
                                                after and [after[kind] - before[kind] for kind in ("searches", "compares")]]
    say("Active Directory")
    return rows


# -- the part, and its lines

def authorization(sites, options, say):
    slapd = _directory(sites)
    pair = _Pair(sites, "lines", f"ldap://127.0.0.1:{slapd.port}/{BASE}?uid", _account())
    figures = {"cold": _cold(slapd, pair, say), "again": _again(slapd, pair, say), "rates": _rates(pair, options, say)}
    figures["hung"] = _hung(sites, slapd, say)
    figures["ad"] = _ad(sites, say)
    return figures


def _row(title, *cells):
    return ("    " + f"{title:<56}" + "".join(f"{cell:>16}" for cell in cells)).rstrip()


def _operations(cells):
    return " ".join(f"{count}{letter}" for count, letter in zip(cells, "SCB") if count) or "none"


def write(figures, lines, bars):
    """Lines of docs/performance.md."""
    lines.append(_row("Require ldap-group, first decision with its login (S C B)", "ours", "theirs", "ms", "ms, theirs"))
    for title, row in figures["cold"].items():
        lines.append(_row("  " + title, *(_operations(row[name]) for name in ("ours", "theirs")),
                          *(f"{row[name][4]:.1f}" for name in ("ours", "theirs"))))
    for title, row in figures["ad"].items():
        searches, compares = row["ours"][2]
        lines.append(_row(f"  Active Directory, {title}", f"L + {searches}S {compares}C", "",
                          *(f"{row[name][0]:.1f}" for name in ("ours", "theirs"))))
    again = {name: figures["again"][name][1] for name in ("ours", "theirs")}
    lines.append(_row("  3,000 users, the second round", *(_operations(again[name]) for name in ("ours", "theirs")),
                      *(f"{again[name][4] * 1000 / again[name][5]:.1f}" for name in ("ours", "theirs"))))
    lines.append(_row("Cached decisions : valid-user, as ratios", "ours", "to reach", "theirs"))
    for title, place, goal in (("one line", "flat", 0.95), ("five lines", "five", 0.90)):
        ratio = {name: median([one / other for one, other in zip(figures["rates"][f"{name}, {place}"],
                                                                 figures["rates"][f"{name}, valid"])])
                 for name in ("ours", "theirs")}
        lines.append(_row("  " + title, f"{ratio['ours']:.2f}", f"{goal:.2f}", f"{ratio['theirs']:.2f}"))
        bars.append((f"Require ldap-group, {title} : valid-user", ratio["ours"], goal))
    lines.append(_row("A hung directory, 200 cached logins need a group", "ours", "to reach", "theirs"))
    ours, theirs = figures["hung"]["ours"], figures["hung"]["theirs"]
    lines.append(_row("  a plain page, p99 : idle", f"{ours['busy'] / ours['idle']:.2f}", "1.20",
                      f"{theirs['busy'] / theirs['idle']:.2f}" if theirs["busy"] else "no answer"))
    lines.append(_row("  the slowest answer, with AuthStatusDeadline 5s", f"{ours['slowest']:.2f} s", "5.10 s",
                      f"{theirs['slowest']:.2f} s" if theirs["slowest"] else "none"))
    lines.append(_row("  an answer while the circuit is open", f"{ours['open'][1]:.1f} ms", "10.0 ms"))
