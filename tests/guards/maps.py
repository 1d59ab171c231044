#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Comments that name files name files that are there; a header that says which file does what names each of them."""

import re

from guard import Guard

# Of httpd, 389 Directory Server and C.
FOREIGN = {"ctype.h", "mod_cgi.c", "mod_cgid.c", "prefork.c", "pw.c", "pw_mgmt.c"}
MAP = re.compile(r"^ \*   ([\w-]+\.c)  +\S", re.MULTILINE)

guard = Guard()
names = {path.name for path in guard.files(".c", ".h", ".def", ".py", below=["mod_authstatus.c", "include", "src", "tests"])}
mentioned = []
maps = {}
for path in guard.code():
    text = path.read_text()
    comments = "\n".join(re.findall(r"/\*.*?\*/|//[^\n]*", text, re.DOTALL))
    for name in re.findall(r"(?<![\w.])[\w-]+\.(?:c|h|def)\b", comments):
        mentioned.append((guard.name(path), name))
    for name in re.findall(r"\bsrc/[\w/.*-]+", comments):
        if not list(guard.source.glob(name.rstrip("."))):
            mentioned.append((guard.name(path), name))
    if path.suffix == ".h" and MAP.search(text):
        maps[path] = MAP.findall(text)

guard.floor("files that comments name", mentioned, 20)
guard.check(
    "comments name files that are there",
    sorted({f"{where}: {name} is not" for where, name in mentioned if name not in names and name not in FOREIGN}),
)
guard.floor("headers with a map of files", maps, 3)
for header, listed in maps.items():
    # explain.h: of the files of this program; ldap_private.h: of all in its folder.
    stem = "" if header.stem.endswith("_private") else header.stem
    there = [path.name for path in header.parent.glob("*.c") if path.stem.removeprefix("authstatus-").startswith(stem)]
    problems = [f"{name} is not there" for name in listed if name not in there]
    problems += [f"{name} is not in it" for name in there if name not in listed]
    problems += [f"{name} is in it twice" for name in set(listed) if listed.count(name) > 1]
    guard.check(f"the map in {guard.name(header)} names each file", sorted(problems))
guard.end()
