# SPDX-License-Identifier: Apache-2.0
"""Reads the tables of the source (include/authstatus/*.def), for guards, live tests and build/tables."""

import re
from collections import namedtuple
from pathlib import Path

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|/\*.*?\*/|//[^\n]*|[(),]|[^\s"(),]+|\s+', re.DOTALL)
CONTEXTS = {
    "SECTIONS": "server config, virtual host, directory",
    "SERVER": "server config",
    "HOSTS": "server config, virtual host",
    "OVERRIDE": "directory, .htaccess",
}
Directive = namedtuple("Directive", "name arguments where explain syntax default example help")


def arguments(text, start):
    """The arguments of a macro from behind its opening parenthesis: strings without their quotes, joined where C joins
    them; anything else as it is written."""
    found, parts, depth = [], [], 0
    for match in TOKEN.finditer(text, start):
        token = match.group()
        if depth == 0 and token in ",)":
            strings = [part for part in parts if part.startswith('"')]
            found.append("".join(re.sub(r"\\(.)", r"\1", part[1:-1]) for part in strings) if strings else " ".join(parts))
            parts = []
            if token == ")":
                return found
        elif token.strip() and not token.startswith(("/*", "//")):
            depth += (token == "(") - (token == ")")
            parts.append(token)
    raise ValueError("a macro that does not end")


def rows(path, macro):
    """The arguments of each use of a macro in a table: a list of lists."""
    text = re.sub(r"/\*.*?\*/", lambda match: re.sub(r"[^\n]", " ", match.group()), Path(path).read_text(encoding="utf-8"),
                  flags=re.DOTALL)
    return [arguments(text, match.end()) for match in re.finditer(rf"^{macro}\(", text, re.MULTILINE)]


def directives(source):
    """All directives, in the order of the table: first ours, then httpd's that we read."""
    path = Path(source) / "include/authstatus/directive.def"
    text = path.read_text(encoding="utf-8")
    found = {}
    for name, how, where, _, _, explain, *rest in rows(path, "AS_DIRECTIVE"):
        found[name] = Directive(name, how, where, explain, *rest)
    for name, _, _, where, explain, default, example, _, _, _, summary in rows(path, "AS_FLAG"):
        found[name] = Directive(name, "FLAG", where, explain, "On|Off", f"{name} {default}", example, summary)
    return sorted(found.values(), key=lambda one: re.search(rf"^AS_\w+\({one.name},", text, re.MULTILINE).start())
