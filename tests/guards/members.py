#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Members that a struct must not have alone. What is made from a table (its identity, its copy, its reset) has all of them only where
the struct has no member beside the table. A cached answer has all that the answer has: src/cache/record.c writes and reads each
member of as_finding and as_cached_answer, and the lookaside, which makes a finding anew, has each member of that."""

import re

from guard import Guard, without_comments

# {struct: (its header, its table)}
MADE = {
    "as_directory_settings": ("include/authstatus/ldap.h", "setting.def"),
    "as_group_settings": ("include/authstatus/authorize.h", "setting.def"),
    "as_server": ("src/httpd/config/config.h", "section.def"),
    "as_transaction": ("src/httpd/request/request.h", "state.def"),
    "as_context": ("src/httpd/request/request.h", "state.def"),
    "as_mask": ("src/httpd/mask/mask.h", "state.def"),
}
# Of this process, or computed where the answer is read.
NOT_WRITTEN = {"acceptance", "age"}
DIRECTIVE = re.compile(r"^#(?:.*\\\n)*.*\n", re.MULTILINE)

guard = Guard()


def body(struct, header):
    found = re.search(rf"\bstruct {struct} \{{\n(.*?)^\}}", without_comments(guard.text(header)), re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def members(struct, header):
    return re.findall(r"(\w+)(?:\[\w+\])?;", DIRECTIVE.sub("", body(struct, header)))


def lacks(text, names):
    return [name for name in names if not re.search(rf"(?:->|\.){name}\b", text)]


guard.check("structs are made from their tables", [f"{header}: {struct} is not made from {table}" for struct, (header, table) in MADE.items()
                                                  if f'{table}"\n' not in body(struct, header)])
guard.check("and have no other member", [f"{header}: {struct} has {name} beside {table}" for struct, (header, table) in MADE.items()
                                         for name in members(struct, header)])
finding = members("as_finding", "include/authstatus/outcome.h")
answer = members("as_cached_answer", "include/authstatus/cache.h")
guard.floor("members of as_finding", finding, 8)
guard.floor("members of as_cached_answer", answer, 7)
writer, _, reader = without_comments(guard.text("src/cache/record.c")).partition("typedef struct reader {")
cached = [name for name in finding + answer if name not in NOT_WRITTEN]
guard.check("each is written", [f"src/cache/record.c does not write {name}" for name in lacks(writer, cached)])
guard.check("each is read", [f"src/cache/record.c does not read {name}" for name in lacks(reader, cached)])
lookaside = without_comments(guard.text("src/httpd/request/lookaside.c"))
guard.check("the lookaside has each of a finding", [f"src/httpd/request/lookaside.c has no {name}" for name in lacks(lookaside, finding)])
guard.end()
