#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents have from the tables is as build/tables writes it."""

import difflib

from guard import Guard, documents, table

guard = Guard()
guard.floor("directives in directive.def", table.directives(guard.source), 32)
found = documents.wanted(guard.source)
made = {"docs/reference.md", "docs/mod_authstatus.html", "docs/mod_authstatus.7", "docs/examples/login-failed.html.var", "docs/log-tags.md"}
guard.check("each document that is made is looked at", sorted(made - set(found)))
for name, (has, wants) in found.items():
    lines = list(difflib.unified_diff(has.splitlines(), wants.splitlines(), "as it is", "as build/tables writes it", "", "", 0))
    guard.check(f"{name} has what the tables say", lines[:20])
guard.end()
