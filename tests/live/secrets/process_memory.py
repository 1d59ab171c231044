# SPDX-License-Identifier: Apache-2.0
"""All that a process may write to, as a core of it would have it: heaps, stacks, and the memory that it shares."""


def regions(pid):
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            span, rights, *_, name = (line.rstrip("\n").split(None, 5) + [""])[:6]
            if rights.startswith("rw") and name not in ("[vvar]", "[vsyscall]"):
                begin, end = (int(number, 16) for number in span.split("-"))
                yield begin, end, name


def dump(pid, wanted=lambda name: True):
    """(name of the region, its octets), one by one, of those whose name is wanted."""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for begin, end, name in regions(pid):
            if not wanted(name):
                continue
            try:
                memory.seek(begin)
                yield name, memory.read(end - begin)
            except (OSError, OverflowError):
                continue  # a guard page


def find(pids, secret, before=64):
    """What stands before each place where it is found: (process, region, octets)."""
    found = []
    for pid in pids:
        for name, octets in dump(pid):
            at = octets.find(secret)
            while at >= 0:
                found.append((pid, name, octets[max(0, at - before):at]))
                at = octets.find(secret, at + 1)
    return found
