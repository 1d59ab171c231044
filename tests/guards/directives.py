#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Directives against the manual, both ways.

Ours (AuthStatus...) have httpd's slots in README or docs/, and so a line "Syntax: AuthStatusMap ..."; httpd's own that we
read (AuthLDAP..., LDAP...) are named there. What the manual calls a directive of ours, the code has.
"""

import re

from guard import Guard, without_comments

guard = Guard()
code = "\n".join(without_comments(path.read_text()) for path in guard.files(".c", below=["src/httpd", "mod_authstatus.c"]))
registered = set(re.findall(r'\bAP_INIT_\w+\(\s*"(\w+)"', code))
ours = {name for name in registered if name.startswith("AuthStatus")}
theirs = registered - ours
manual = guard.manual()
described = set(re.findall(r"^[\s*`>|]*Syntax:[\s*`|]*(AuthStatus\w*)", manual, re.MULTILINE))
mentioned = set(re.findall(r"\bAuthStatus(?:[A-Z]\w*)?\b", manual))

guard.floor("directives of ours", ours, 6)
guard.floor("directives of httpd's that we read", theirs, 15)
guard.floor("directives with a Syntax line in the manual", described, 6)
guard.check("each directive of ours is described", sorted(f"{name} has no Syntax line" for name in ours - described))
guard.check(
    "each directive that we read is named",
    sorted(f"{name} is not in the manual" for name in theirs if not re.search(rf"\b{name}\b", manual)),
)
guard.check(
    "each directive of ours in the manual exists",
    sorted(f"{name} is not registered" for name in (described | mentioned) - ours),
)
guard.end()
