# SPDX-License-Identifier: Apache-2.0
"""The parts of the documents that are made from tables. build/tables writes them, tests/guards/tables.py compares."""

import re
import textwrap
from pathlib import Path

import errorpage
import table
import webpage

REFERENCE = "docs/reference.md"


def wanted(source):
    """{name: (what it has, what it is to have)} of each document with a part that is made from a table."""
    source = Path(source)
    directives = table.directives(source)
    found = {}
    text = (source / REFERENCE).read_text(encoding="utf-8")
    made = add_missing(reference(text, directives), directives)
    found[REFERENCE] = (text, between(made, "outcomes", outcome_rows(source), "<!-- ", " -->"))
    path = source / "docs/mod_authstatus.html"
    found["docs/mod_authstatus.html"] = (path.read_text(encoding="utf-8"), webpage.module_page(source, found[REFERENCE][1]))
    path = source / "docs/mod_authstatus.7"
    text = path.read_text(encoding="utf-8")
    made = between(text, "directives", manual_page(directives), '.\\" ')
    found["docs/mod_authstatus.7"] = (text, between(made, "outcomes", class_list(source), '.\\" '))
    name = "docs/examples/login-failed.html.var"
    found[name] = ((source / name).read_text(encoding="utf-8"), errorpage.type_map(source))
    name = "docs/log-tags.md"
    text = (source / name).read_text(encoding="utf-8")
    found[name] = (text, between(between(text, "used", tag_rows(table.tags(source)[0]), "<!-- ", " -->"), "retired",
                                 tag_rows(table.tags(source)[1]), "<!-- ", " -->"))
    return found


def between(text, name, lines, comment, end=""):
    """`text` with `lines` between its comments "<name>: made by build/tables" and "<name>: end"."""
    head, foot = f"{comment}{name}: made by build/tables{end}\n", f"{comment}{name}: end{end}\n"
    before, found, rest = text.partition(head)
    old, found_end, after = rest.partition(foot)
    if not found or not found_end:
        raise LookupError(f"no part {name!r} between {head.strip()!r} and {foot.strip()!r}")
    return before + head + "".join(f"{line}\n" for line in lines) + foot + after


# ---- the reference: a headline for each directive, the slots of httpd's manual, then the prose ----


def slots(one):
    return {"Syntax": f"{one.name} {one.syntax}", "Default": one.default, "Context": table.CONTEXTS[one.where],
            "Example": f"{one.name} {one.example}"}


def slot_lines(one):
    return "".join(f"    {slot + ':':9} {value}\n" for slot, value in slots(one).items())


def reference(text, directives):
    """`text` with the slots of each directive that it describes as the table has them."""
    for one in directives:
        text = re.sub(rf"^(### {one.name}\n\n)(?:    \w+:.*\n)+", lambda match, one=one: match[1] + slot_lines(one), text,
                      flags=re.MULTILINE)
    return text


def add_missing(text, directives):
    """A directive of ours that is not described gets its slots and its line of help behind the one before it."""
    before = None
    for one in (one for one in directives if one.name.startswith("AuthStatus")):
        if before and f"\n### {one.name}\n" not in text:
            at = re.search(r"\n(?=##)", text[text.index(f"\n### {before}\n") + 1 :]).start() + text.index(f"\n### {before}\n") + 2
            text = text[:at] + f"### {one.name}\n\n{slot_lines(one)}\n{sentence(one.help)}\n\n" + text[at:]
        before = one.name
    return text


# ---- outcomes ----


def outcome_rows(source):
    """The table of the reference: a row for each class of several outcomes, then its outcomes."""
    lines = ["| outcome | status | when |", "|---|---|---|"]
    for group in table.classes(source):
        outcomes = [one for one in table.outcomes(source) if one.of == group.id]
        status = group.status or "-"
        if group.status and [one.name for one in outcomes] != [group.name]:
            lines.append(f"| **`{group.name}`** | {status} | {'; '.join(filter(None, ('**class**', group.note)))} |")
        lines += [f"| `{one.name}` | {status} | {one.when} |" for one in outcomes]
    return lines


def class_list(source):
    """The manual page's list of classes."""
    # groff 1.24 warns of lines that it cannot adjust in a column as narrow as the last one.
    lines = [".na", '.Bl -column "unauthenticated" "401 with a challenge"']
    for group in table.classes(source):
        status = {0: "-", 401: "401 with a challenge", 429: "429 with Retry-After", 503: "503 with Retry-After"}
        names = ", ".join(one.name for one in table.outcomes(source) if one.of == group.id)
        lines += textwrap.wrap(f".It {group.name} Ta {status.get(group.status, group.status)} Ta {names}", 115,
                               break_on_hyphens=False)
    return [*lines, ".El", ".ad"]


# ---- the register of log tags ----


def tag_rows(tags):
    """What varies in a line is shown as "..."."""
    def line(text):
        return re.sub(r"(%[-0-9.*]*[a-z]+)+", "...", text).replace("|", "\\|")

    rows = [f"| {one.tag} | {one.level or '-'} | {line(one.line)} |" for one in sorted(tags)]
    return ["| tag | level | line |", "| --- | --- | --- |", *rows] if rows else ["None yet."]


# ---- the manual page, in mdoc(7) ----


def mdoc(text):
    """Lines of text: nothing in them is a macro or an escape."""
    lines = textwrap.wrap(text.replace("\\", "\\e"), 78, break_long_words=False, break_on_hyphens=False)
    return [f"\\&{line}" if line[0] in ".'" else line for line in lines]


def mdoc_syntax(name, syntax):
    words = [f".It Cm {name}"]
    for gap, token in re.findall(r'(\s*)([\[\]|:]|"[^"]*"|[^\s\[\]|":]+)', syntax):
        if token in "[]":
            words.append("Oc" if token == "]" else "Oo" if gap else "Ns Oo")
        elif token == "|":
            words.append("|")
        elif token == ":":
            words.append("Cm \\&: Ns" if words[-1].endswith("Oo") else "Ns Cm \\&: Ns")
        elif token.startswith('"'):
            words.append("Cm \\(dq" + token[1:-1] + "\\(dq")
        else:
            words.append(f"{'Ar' if token[0].islower() else 'Cm'} {token}")
    return " ".join(words)


def sentence(text):
    return f"{text[0].upper()}{text[1:]}." if re.match(r"\w+\b[^\[]", text) else f"{text}."


def manual_page(directives):
    lines = []
    for ours, head, first in (
        (True, "Directives", "The reference (mod_authstatus.html, docs/reference.md) describes each at length."),
        (False, "Directives of mod_authnz_ldap and mod_ldap", "They are read whether or not these modules are loaded."),
    ):
        lines += [f".Ss {head}", first, ".Bl -tag -width Ds"]
        for one in (one for one in directives if one.name.startswith("AuthStatus") == ours):
            lines += [mdoc_syntax(one.name, one.syntax), *mdoc(sentence(one.help)), ".br", *mdoc(f"Default: {one.default}."),
                      ".br", *mdoc(f"Context: {table.CONTEXTS[one.where]}.")]
        lines += [".El"]
    return lines
