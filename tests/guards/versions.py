#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The version stands in configure.ac. Where else it must be written, it is the same; nowhere else is it written."""

import re

from guard import Guard

# Where packagers and other modules look for it: the newest entry of each list, and a line.
PLACES = {
    "CHANGES": r"\AChanges with mod_authstatus (\S+)$",
    "build/debian/changelog": r"\Alibapache2-mod-authstatus \(([^-]+)-\d+\)",
    "build/mod_authstatus.spec": r"^Version:\s+(\S+)$",
    "include/mod_authstatus.h": r'^#define AUTHSTATUS_VERSION "([^"]+)"$',
}
SPEC_CHANGELOG = r"%changelog\n(?:#[^\n]*\n)*\* .* - ([^-]+)-\d+$"

guard = Guard()
declared = re.findall(r"^AC_INIT\(\[mod_authstatus\],\[([^]]+)\]\)", guard.text("configure.ac"), re.MULTILINE)
guard.check("configure.ac has the version", [] if len(declared) == 1 else [f"it has {declared}"])
version = declared[0] if declared else "none"
found = [(name, re.findall(pattern, guard.text(name), re.MULTILINE)) for name, pattern in PLACES.items()]
found.append(("build/mod_authstatus.spec, %changelog", re.findall(SPEC_CHANGELOG, guard.text("build", "mod_authstatus.spec"), re.MULTILINE)))
guard.check(
    "each place has the one of configure.ac",
    [f"{name}: {versions[:1]}, not {version}" for name, versions in found if versions[:1] != [version]],
)
seen = guard.files(".c", ".h", ".def", ".py", ".am", ".m4", ".sh", ".md", ".in", ".1", ".7", ".8", "", below=["mod_authstatus.c",
                   "include", "src", "tests", "docs", "README", "Makefile.am"])
seen += [guard.source / "build" / name for name in ("check", "common.sh", "deb", "demo", "fuzz", "inspect", "rpm", "tables", "try-deb")]
others = []
for path in seen:
    if guard.name(path) in PLACES or "corpus" in path.parts or path.suffix in (".pyc", ".o") or "__pycache__" in path.parts:
        continue
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.])", line) and "release" not in line:
            others.append(f"{guard.name(path)}:{number}: {line.strip()}")
guard.floor("files that were looked at", seen, 100)
guard.check("it is written nowhere else", others)
guard.end()
