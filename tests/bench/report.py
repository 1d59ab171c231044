# SPDX-License-Identifier: Apache-2.0
"""The bench's figures as lines for docs/performance.md, and as bars for docs/bench.svg."""
import textwrap

from authorization import write as _authorization
from parts import spread

BEGIN = "[ tests/bench/run writes from here"
END = "to here ]"
RATIOS = (
    ("cached : no authentication", "cached", "none", 0.98),
    ("  the least that a provider can cost : no authentication", "asks nobody", "none", None),
    ("  cached : the least that a provider can cost", "cached", "asks nobody", None),
    ("cached, of 1000 users : no authentication", "cached, 1000 users", "none", None),
    ("cached, with redis : no authentication", "cached, redis", "none", None),
    ("cached, with memcache : no authentication", "cached, memcache", "none", None),
    ("cached, mod_authnz_ldap : no authentication", "cached, theirs", "none", None),
    ("uncached : mod_authnz_ldap", "uncached", "uncached, theirs", 1.5),
    ("wrong password : mod_authnz_ldap", "wrong password", "wrong password, theirs", 3.0),
    ("  the same, AuthStatusUniformTiming Off", "wrong password, not uniform", "wrong password, theirs", None),
    ("wrong password, with redis : mod_authnz_ldap", "wrong password, redis", "wrong password, theirs", None),
    ("wrong password, with memcache : mod_authnz_ldap", "wrong password, memcache", "wrong password, theirs", None),
    ("unknown user : mod_authnz_ldap", "unknown user", "unknown user, theirs", None),
)


def _row(title, *cells):
    return ("    " + f"{title:<56}" + "".join(f"{cell:>14}" for cell in cells)).rstrip()


def _median(values):
    return spread(values)[0]


def _throughput(figures, lines, bars):
    rates = figures["rates"]
    lines += [_row("Requests a second, as ratios", "ratio", "+/- %", "to reach")]
    for title, one, other, goal in RATIOS:
        if one not in rates or other not in rates:  # figures of an earlier bench
            continue
        # Those that were measured more often have several of a round.
        count = min(len(rates[one]), len(rates[other]))
        pairs = [a / b for a, b in zip(_evenly(rates[one], count), _evenly(rates[other], count))]
        ratio, noise = spread(pairs)
        lines.append(_row("  " + title, f"{ratio:.2f}", f"{noise:.1f}", f"{goal:.2f}" if goal else ""))
        bars.append((title, ratio, goal))
    lines.append(_row("  (no authentication: requests a second)", f"{_median(rates['none']):.0f}",
                      f"{spread(rates['none'])[1]:.1f}"))


def _evenly(values, count):
    """As many means of neighbours."""
    size = len(values) // count
    return [sum(values[at * size:(at + 1) * size]) / size for at in range(count)]


def _instructions(figures, lines, bars):
    lines.append(_row("Instructions a request, in thousands (callgrind)", "none", "ours", "theirs"))
    if "asks nobody" in figures:
        lines.append(_row("  the least that a provider can cost (mod_authn_anon)", "", f"{figures['asks nobody']:.0f}"))
    for title in ("cached", "uncached", "wrong password"):
        lines.append(_row(f"  {title}", f"{figures['no authentication']:.0f}", f"{figures[title + ', ours']:.0f}",
                          f"{figures[title + ', theirs']:.0f}"))


def _operations(figures, lines, bars):
    lines.append(_row("LDAP operations a login (searches + binds + connections)", "ours", "cache Off", "theirs"))
    for title, row in figures["rows"].items():
        lines.append(_row(f"  {title}", *("+".join(f"{count:.0f}" for count in row[name])
                                          for name in ("ours", "ours, cache off", "theirs"))))


def _hang(figures, lines, bars):
    lines.append(_row("A plain page while 200 people log in at a directory that hangs", "", "p99", "to reach"))
    for title, name, goal in (("  : an idle server", "ours", 1.2), ("  the same, they try again every second", "ours, impatient", None)):
        ratio = _median([run["busy"] / run["idle"] for run in figures[name]])
        lines.append(_row(title, f"{ratio:.2f}", f"{_median([run['busy'] for run in figures[name]]):.2f} ms",
                          f"{goal:.2f}" if goal else ""))
        if goal:
            bars.append(("a page while logins hang, p99 : idle", ratio, goal))
    slowest = max(run["slowest"] for run in figures["ours"] + figures["ours, impatient"])
    lines.append(_row("  the slowest login meanwhile, with AuthStatusDeadline 5s", f"{slowest:.2f} s"))
    theirs = figures["theirs"][0]
    busy = f"{theirs['busy']:.2f} ms" if theirs["busy"] else "no answer"
    lines.append(_row("  mod_authnz_ldap: pages in 6 s, and their p99", str(theirs["pages"]), busy))


def _down(figures, lines, bars):
    lines.append(_row("A login while the directory is away", "status", "seconds", "Retry-After"))
    for what, name, number, status, seconds, after in figures["rows"]:
        who = "" if name == "ours" else ", mod_authnz_ldap"
        lines.append(_row(f"  it {what}{who}, {'the first' if number == 1 else 'the seventh'}", str(status), f"{seconds:.3f}",
                          after or "none"))


def _restart(figures, lines, bars):
    lines.append(_row("One of two directory servers killed and started, twice in 6 s", "logins", "failed"))
    for name in ("ours", "theirs"):
        lines.append(_row("  " + name, *map(str, figures[name])))


def _graceful(figures, lines, bars):
    lines.append(_row("Four graceful restarts of httpd in 6 s", "requests", "refused", "cut off"))
    for name, cells in figures.items():
        lines.append(_row("  " + name, *map(str, cells)))


def _memory(figures, lines, bars):
    points = figures["points"]
    chosen = [points[0], points[len(points) // 2], points[-1]]
    lines.append(_row("Memory of a child under mixed requests, kB", *(f"{kilobytes}" for _, kilobytes in chosen)))
    lines.append(_row("  after so many requests", *(f"{count}" for count, _ in chosen)))


def _users(figures, lines, bars):
    lines.append(_row(f"{figures['users']} users: kB of a child, before and after", *map(str, figures["child"])))
    lines.append(_row("  octets of redis for each of them", f"{figures['store']:.0f}"))


def _ratio(rates, one, other):
    """Of runs of the same rounds: the ratio, and its noise in percent."""
    return spread([a / b for a, b in zip(rates[one], rates[other])])


def _connections(figures, lines, bars):
    rates = figures["rates"]
    counts = sorted({int(name.rpartition(", ")[2]) for name in rates})
    lines.append(_row("One user, with so many connections: ratios", *(str(count) for count in counts)))
    for title, one, other, goal in (("cached : the least that a provider can cost", "cached", "asks nobody", 0.985),
                                    ("cached : mod_authnz_ldap", "cached", "cached, theirs", 1.02),
                                    ("cached : no authentication", "cached", "none", None)):
        ratios = [_ratio(rates, f"{one}, {count}", f"{other}, {count}")[0] for count in counts]
        lines.append(_row(f"  {title}" + (f" (to reach {goal})" if goal else ""), *(f"{ratio:.3f}" for ratio in ratios)))
        bars += [(f"{title}, {count}", ratio, goal) for count, ratio in zip(counts, ratios) if goal]


def _refused(figures, lines, bars):
    rates = figures["rates"]
    lines.append(_row("Refused logins : mod_authnz_ldap", "8", "64", "to reach"))
    for title, one, other, goal in (("each time another wrong password", "wrong", "wrong, theirs", "2.4"),
                                    ("  the same, AuthStatusUniformTiming Off", "wrong, not uniform", "wrong, theirs", ""),
                                    ("each time another unknown name", "unknown", "unknown, theirs", ""),
                                    ("  the same, AuthStatusUniformTiming Off", "unknown, not uniform", "unknown, theirs", "")):
        lines.append(_row(f"  {title}", *(f"{_ratio(rates, f'{one}, {count}', f'{other}, {count}')[0]:.2f}" for count in (8, 64)), goal))


def _crowds(figures, lines, bars):
    lines.append(_row("So many users, of the rate of one user", "entries", "cached", "asks nobody", "cached : it", "to reach"))
    for size, row in figures.items():
        ratio = _ratio(row, "crowd", "one")[0]
        least = _ratio(row, "crowd, asks nobody", "one, asks nobody")[0]
        lines.append(_row(f"  {int(size):,}", f"{row['entries']:,}", f"{ratio:.2f}", f"{least:.2f}", f"{ratio / least:.2f}",
                          "0.90" if size == "20000" else ""))
        bars.append((f"{int(size):,} users : one user", ratio, 0.9 if size == "20000" else None))


def _lookups(figures, lines, bars):
    threads = list(figures["lookaside"])
    lines.append(_row("Lookups of the cache alone, millions a second; threads:", *threads))
    for title, kind in (("by the header, as a hit does (2 threads, to reach 5)", "lookaside"), ("by name and password", "cache")):
        lines.append(_row(f"  {title}", *(f"{figures[kind][count][0]:.2f}" for count in threads)))


def _h2(figures, lines, bars):
    rates = figures["rates"]
    lines.append(_row("HTTP/2, one user (the client is curl)", "ratio", "+/- %"))
    for title, one, other in (("cached : the least that a provider can cost", "cached", "asks nobody"),
                              ("cached : mod_authnz_ldap", "cached", "cached, theirs"), ("cached : no authentication", "cached", "none")):
        ratio, noise = _ratio(rates, one, other)
        lines.append(_row(f"  {title}", f"{ratio:.2f}", f"{noise:.1f}"))


WRITERS = {"throughput": _throughput, "connections": _connections, "refused": _refused, "crowds": _crowds, "lookups": _lookups, "h2": _h2, "instructions": _instructions, "operations": _operations, "hang": _hang, "authorization": _authorization, "down": _down,
           "restart": _restart, "graceful": _graceful, "memory": _memory, "users": _users}


def write(results):
    """(lines, bars) of all parts that there are figures of: {part: {"command", "where", "figures"}}."""
    lines, bars = [], []
    for command, where in dict.fromkeys((result["command"], result["where"]) for result in results.values()):
        parts = [part for part, result in results.items() if (result["command"], result["where"]) == (command, where)]
        lines += textwrap.wrap(f"{command} ({', '.join(parts)}) on {where}", 125, subsequent_indent="    ")
    for part, writer in WRITERS.items():
        if part in results:
            lines.append("")
            writer(results[part]["figures"], lines, bars)
    return lines, bars


def put_between_markers(text, lines):
    """The page with these lines in the place of those between the markers."""
    before, begin, rest = text.partition(BEGIN + "\n")
    _, end, after = rest.partition("\n" + END)
    if not begin or not end:
        raise RuntimeError(f"the page has no \"{BEGIN}\" and \"{END}\"")
    return before + begin + "\n".join(lines) + end + after
