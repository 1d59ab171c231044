#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each source names its licence in its first lines."""

from guard import Guard

LINE = "SPDX-License-Identifier: Apache-2.0"
# Named one by one: autoreconf leaves its own in build/ beside ours.
PROGRAMS = [".ci/run", "build/check", "build/common.sh", "build/deb", "build/demo"]

guard = Guard()
sources = guard.files(
    ".c", ".h", ".def", ".py", ".sh", ".ac", ".am", below=["mod_authstatus.c", "include", "src", "tests", "configure.ac", "Makefile.am"]
)
sources += [path for path in guard.files(".m4", below=["build/m4"]) if path.name.startswith("authstatus")]
sources += [guard.source / name for name in PROGRAMS]

guard.floor("sources", sources, 50)
guard.check("each program is there", [name for name in PROGRAMS if not (guard.source / name).is_file()])
guard.check(
    "each names its licence",
    [
        guard.name(path)
        for path in sources
        if path.is_file() and not any(LINE in line for line in path.read_text(errors="replace").splitlines()[:5])
    ],
)
guard.check("LICENSE is the one they name", [] if "Apache License" in guard.text("LICENSE") else ["it is another"])
guard.end()
