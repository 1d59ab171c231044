#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Dependencies run downward only: front door -> httpd -> login -> ldap, cache -> core; tools stand on login.

Twice over: by what the sources include, and by the undefined symbols of a floor's objects.
"""

import os
import pathlib
import re

from guard import Guard, nm, without_comments

# A floor, and the floors it may know.
MAY_KNOW = {
    "core": {"core"},
    "ldap": {"core", "ldap"},
    "cache": {"core", "cache"},
    "login": {"core", "ldap", "cache", "login"},
    "tools": {"core", "ldap", "cache", "login", "tools"},
    "httpd": {"core", "ldap", "cache", "login", "httpd"},
    "front door": {"core", "ldap", "cache", "login", "httpd", "front door"},
}
BUILT = ("core", "ldap", "cache", "httpd")  # layers that must have something in them

# Whose the headers in include/ are. A new one is entered here by who adds it.
INTERFACES = {
    "authstatus/credentials.h": "core",
    "authstatus/decoy_name.h": "core",
    "authstatus/diagnostic.h": "core",
    "authstatus/directive.def": "core",
    "authstatus/mono.h": "core",
    "authstatus/dn.h": "core",
    "authstatus/outcome.def": "core",
    "authstatus/outcome.h": "core",
    "authstatus/uniform_timing.h": "core",
    "authstatus/language.def": "core",
    "authstatus/language.h": "core",
    "authstatus/ppolicy.h": "core",
    "authstatus/reply.h": "core",
    "authstatus/stringprep.h": "core",
    "authstatus/sid.h": "core",
    "authstatus/three_values.h": "core",
    "authstatus/verdict.h": "core",
    "authstatus/groups.h": "ldap",
    "authstatus/ldap.h": "ldap",
    "authstatus/secret_program.h": "ldap",
    "authstatus/setting.def": "ldap",
    "authstatus/cache.h": "cache",
    "authstatus/authorize.h": "login",
    "authstatus/login.h": "login",
    "authstatus/require_line.h": "login",
    "authstatus/outages.h": "cache",
    "authstatus/series.h": "cache",
    "authstatus/tag.def": "httpd",
    "mod_authstatus.h": "httpd",
}
# The LDAP client returns replies and knows nothing of what they mean.
NOT_FOR_LDAP = {"authstatus/outcome.h", "authstatus/outcome.def", "authstatus/verdict.h"}

HTTPD_HEADER = re.compile(r"(httpd|http_\w+|ap_\w+|util_\w+|mod_\w+|mpm_\w+|scoreboard)\.h")
FOREIGN_HEADERS = {
    "core": re.compile(
        r"ap[ru](_\w+)?\.h|openssl/.*|lber\.h|(time|threads|pthread|unistd)\.h|(sys|netinet)/.*|" + HTTPD_HEADER.pattern
    ),
    "ldap": HTTPD_HEADER,
    "login": re.compile(r"l(dap|ber)\.h|openssl/.*|" + HTTPD_HEADER.pattern),
    "cache": re.compile(r"l(dap|ber)\.h|" + HTTPD_HEADER.pattern),
    "tools": HTTPD_HEADER,
}

# Values in, values out: no pool, no directory, no allocation, clock, lock, file or socket.
FOREIGN_SYMBOLS = {
    "core": re.compile(
        r"(ap|apr|apu|ldap|ber)_.*"
        r"|malloc|calloc|realloc|free|strn?dup|aligned_alloc"
        r"|time|clock|clock_gettime|gettimeofday|localtime(_r)?|gmtime(_r)?"
        r"|(pthread|mtx|cnd|thrd)_.*"
        r"|f?printf|__f?printf_chk|puts|fputs|fopen|open|read|write|socket|connect|send|recv|getenv|setlocale"
    ),
    "ldap": re.compile(r"ap_.*"),
    "login": re.compile(r"(ap|ldap|ber)_.*"),
    "cache": re.compile(r"(ap|ldap|ber)_.*"),
}


def layer_of(guard, path):
    parts = path.relative_to(guard.source).parts
    if parts[0] == "src":
        return parts[1]
    if parts[0] == "include":
        return INTERFACES.get("/".join(parts[1:]))
    return "front door"


def included_layer(guard, path, name):
    """The layer of a header named in quotes, or None where no file has that name."""
    for base in (path.parent, guard.source / "include", guard.source / "src"):
        found = pathlib.Path(os.path.normpath(base / name))
        if found.is_file():
            return layer_of(guard, found)
    return None


def wrong_includes(guard, path, seen):
    layer = layer_of(guard, path)
    if layer not in MAY_KNOW:
        yield f"{guard.name(path)}: of no layer that layers.py knows"
        return
    for bracket, name in re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', without_comments(path.read_text()), re.MULTILINE):
        seen.append(name)
        where = f"{guard.name(path)}: {layer} includes {name}"
        if bracket == "<":
            if layer in FOREIGN_HEADERS and FOREIGN_HEADERS[layer].fullmatch(name):
                yield where
            continue
        other = included_layer(guard, path, name)
        if other is None:
            yield f"{where}, which is not there"
        elif other not in MAY_KNOW[layer]:
            yield f"{where}, of {other}"
        elif layer == "ldap" and name in NOT_FOR_LDAP:
            yield f"{where}: what a reply means is not its business"


def symbols(archive):
    """[(name, class letter, section)] of all objects of an archive."""
    rows = [[cell.strip() for cell in line.split("|")] for line in nm("--format=sysv", archive) if line.count("|") == 6]
    return [(row[0], row[2], row[6]) for row in rows]


def instrumented(name):
    """What a sanitizer or a coverage build adds."""
    return re.match(r"(__)?(odr_)?(a|ub)san|__gcov|__llvm|__sancov", name.lstrip("_.L")) or "asan" in name


def check_objects(guard, layer, least):
    archive = guard.build / ".libs" / f"lib{'ldapclient' if layer == 'ldap' else layer}.a"
    if not archive.is_file():
        guard.check(f"{archive.name} was built", [f"{archive} is missing"])
        return
    table = symbols(archive)
    undefined = {name for name, letter, _ in table if letter == "U"}
    defined = {name for name, letter, _ in table if letter == "T"}
    guard.floor(f"functions in {archive.name}", defined, least)
    guard.check(
        f"{layer} links to nothing above it",
        [name for name in sorted(undefined - defined) if FOREIGN_SYMBOLS[layer].fullmatch(name)],
    )
    if layer == "core":
        # Constant tables of pointers are in .data.rel.ro.
        guard.check(
            "core has no variable that outlives a call",
            [
                f"{name} in {section}"
                for name, _, section in table
                if re.match(r"\.(data|bss|tdata|tbss)(?!\.rel\.ro)|\*COM\*", section) and not instrumented(name)
            ],
        )


guard = Guard()
sources = guard.code()
for layer in BUILT:
    guard.floor(f"sources in {layer}", [path for path in sources if layer_of(guard, path) == layer and path.suffix == ".c"], 4)
seen = []
problems = [problem for path in sources if path.suffix != ".def" for problem in wrong_includes(guard, path, seen)]
guard.floor("includes", seen, 50)
guard.check("no source includes what is above it", problems)
guard.check(
    "layers.py knows the headers in include/",
    [f"{name} is gone" for name in INTERFACES if not (guard.source / "include" / name).is_file()],
)
check_objects(guard, "core", 8)
check_objects(guard, "ldap", 5)
check_objects(guard, "cache", 5)
check_objects(guard, "login", 2)
guard.end()
