# SPDX-License-Identifier: Apache-2.0
"""Reads the tables of the source (include/authstatus/*.def), for guards, live tests and build/tables."""

import re
from collections import namedtuple
from pathlib import Path

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|/\*.*?\*/|//[^\n]*|[(),]|[^\s"(),]+|\s+', re.DOTALL)
OUTCOMES = "include/authstatus/outcome.def"
LEVELS = {"EMERG": "emerg", "CRIT": "crit", "ERR": "error", "err": "error", "WARNING": "warn", "warn": "warn",
          "NOTICE": "notice", "INFO": "info", "info": "info", "DEBUG": "debug", "debug": "debug"}
LEVELS |= {f"TRACE{number}": f"trace{number}" for number in range(1, 9)}
CONTEXTS = {
    "SECTIONS": "server config, virtual host, directory",
    "SERVER": "server config",
    "HOSTS": "server config, virtual host",
    "OVERRIDE": "directory, .htaccess",
}
Outcome = namedtuple("Outcome", "id name of tag level sentence when")
Class = namedtuple("Class", "id name status note")
Tag = namedtuple("Tag", "tag level line")
Directive = namedtuple("Directive", "name arguments where explain syntax default example help")


def joined(parts):
    """Strings as C joins them; a macro between them is the letters of a format (APR_UINT64_T_FMT)."""
    return "".join(re.sub(r"\\(.)", r"\1", part[1:-1]) if part.startswith('"') else "lu" for part in parts)


def arguments(text, start):
    """The arguments of a macro from behind its opening parenthesis: strings without their quotes, joined where C joins
    them; anything else as it is written."""
    found, parts, depth = [], [], 0
    for match in TOKEN.finditer(text, start):
        token = match.group()
        if depth == 0 and token in ",)":
            found.append(joined(parts) if any(part.startswith('"') for part in parts) else " ".join(parts))
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
    for name, argument, example, reason in rows(path, "AS_WITHOUT_EFFECT"):
        found[name] = Directive(name, "TAKE1", "HOSTS", "UNREAD", argument, "none", example, f"taken, and without effect: {reason}")
    return sorted(found.values(), key=lambda one: re.search(rf"^AS_\w+\({one.name},", text, re.MULTILINE).start())


def flags(source):
    """(directive, the member that has its value) of each flag."""
    return [(name, member) for name, member, *_ in rows(Path(source) / "include/authstatus/directive.def", "AS_FLAG")]


def classes(source):
    return [Class(identifier, name, int(status), note) for identifier, name, status, note in rows(Path(source) / OUTCOMES, "AS_CLASS")]


def outcomes(source):
    """All outcomes, in the order of the enum; `of` is the id of a class."""
    return [Outcome(*row[:3], f"AS{row[3]}", *row[4:]) for row in rows(Path(source) / OUTCOMES, "AS_OUTCOME")]


def tags(source):
    """(used, retired): the register of log tags. Outcomes' tags are among the used ones."""
    path = Path(source) / "include/authstatus/tag.def"
    used = [Tag(one.tag, LEVELS[one.level], f"{one.name}, ...") for one in outcomes(source)]
    used += [Tag(f"AS{number}", LEVELS[level], line) for number, level, line in rows(path, "AS_TAG")]
    return used, [Tag(f"AS{number}", "", what) for number, what in rows(path, "AS_TAG_RETIRED")]
