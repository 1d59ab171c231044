#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Directives against the manual, both ways.

directive.def is the one list of them. Ours (AuthStatus...) have httpd's slots in docs/reference.md, and so a line
"Syntax: AuthStatusMap ..."; httpd's own that we read (AuthLDAP..., LDAP...) are named there. What the manual calls a
directive of ours, the table has. What stands in the slots is the business of tables.py.
"""

import re

from guard import Guard, table, without_comments

guard = Guard()
guard.text("include", "authstatus", "directive.def")
directives = table.directives(guard.source)
registered = {one.name for one in directives}
ours = {name for name in registered if name.startswith("AuthStatus")}
theirs = registered - ours
manual = guard.manual()
described = set(re.findall(r"^[\s*`>|]*Syntax:[\s*`|]*(AuthStatus\w*)", manual, re.MULTILINE))
mentioned = set(re.findall(r"\bAuthStatus(?:[A-Z]\w*)?\b", manual))

guard.floor("directives of ours", ours, 6)
guard.floor("directives of httpd's that we read", theirs, 15)
guard.floor("directives with a Syntax line in the manual", described, 6)
guard.check("each directive is there once", sorted(f"{one.name} is not" for one in directives if directives.count(one) > 1))
guard.check(
    "no directive is registered elsewhere",
    [
        f"{guard.name(path)}: {name}"
        for path in guard.files(".c", ".h", below=["src/httpd", "mod_authstatus.c"])
        for name in re.findall(r'\bAP_INIT_\w+\(\s*"(\w+)"', without_comments(path.read_text()))
    ],
)
code = "\n".join(without_comments(path.read_text()) for path in guard.files(".c", ".h", below=["src"]))
guard.check(
    "each flag is used",
    sorted(f"{name}: nothing reads {member}" for name, member in table.flags(guard.source) if not re.search(rf"(\bas_flag_|->|\.){member}\b", code)),
)
settings = re.findall(r"^AS_(?:SETTING|SETTING_LIST|GROUP_LIST|GROUP_SETTING)\((?:[^(),]+,\s*){0,2}(\w+)(?:, \w+)?\)",
                      without_comments(guard.text("include", "authstatus", "setting.def")), re.MULTILINE)
below = "\n".join(without_comments(path.read_text()) for path in guard.files(".c", ".h", below=["src/ldap", "src/login"]))
guard.floor("settings of a directory", settings, 25)
guard.check("each setting of a directory is used", sorted(f"nothing reads {name}" for name in settings if not re.search(rf"(->|\.){name}\b", below)))
above = "\n".join(without_comments(path.read_text()) for path in guard.files(".c", ".h", below=["src/httpd", "src/tools", "src/ldap/url.c"]))
guard.check("and set", sorted(f"nothing sets {name}" for name in settings if not re.search(rf"(->|\.){name} = ", above)))
tests = "\n".join(path.read_text() for path in guard.files(".py", ".c", below=["tests/live", "tests/unit"]))
guard.check("each directive of ours is in a test", sorted(name for name in ours if not re.search(rf"\b{name}\b", tests)))
guard.check("each names the contexts of one kind", sorted(one.name for one in directives if one.where not in table.CONTEXTS))
guard.check("each directive of ours is described", sorted(f"{name} has no Syntax line" for name in ours - described))
guard.check(
    "each directive that we read is named",
    sorted(f"{name} is not in the manual" for name in theirs if not re.search(rf"\b{name}\b", manual)),
)
guard.check(
    "each directive of ours in the manual exists",
    sorted(f"{name} is not in directive.def" for name in (described | mentioned) - ours),
)
guard.end()
