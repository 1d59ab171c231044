# SPDX-License-Identifier: Apache-2.0
"""The parts of the documents that are made from tables. build/tables writes them, tests/guards/tables.py compares."""

import re
import textwrap
from pathlib import Path

import table


def wanted(source):
    """{name: (what it has, what it is to have)} of each document with a part that is made from a table."""
    source = Path(source)
    directives = table.directives(source)
    found = {}
    for path in [source / "README", *sorted((source / "docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        found[str(path.relative_to(source))] = (text, reference(text, directives))
    path = source / "docs/mod_authstatus.7"
    text = path.read_text(encoding="utf-8")
    made = between(text, "directives", manual_page(directives), '.\\" ')
    found["docs/mod_authstatus.7"] = (text, between(made, "outcomes", class_list(source), '.\\" '))
    add_missing(found, directives)
    has, text = found["README"]
    found["README"] = (has, outcome_rows(text, source))
    path = source / "docs/examples/login-failed.shtml"
    text = path.read_text(encoding="utf-8")
    found["docs/examples/login-failed.shtml"] = (text, example_page(text, source))
    name = "docs/log-tags.md"
    has, text = found[name]
    found[name] = (has, between(between(text, "used", tag_rows(table.tags(source)[0]), "<!-- ", " -->"), "retired",
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


# ---- the reference: a directive's name in the first column, and the slots of httpd's manual under it ----


def slots(one):
    return {"Syntax": f"{one.name} {one.syntax}", "Default": one.default, "Context": table.CONTEXTS[one.where],
            "Example": f"{one.name} {one.example}"}


def reference(text, directives):
    """`text` with the slots of each directive that it describes as the table has them."""
    for one in directives:
        head = re.search(rf"^{one.name}\n(?=    Syntax:)", text, re.MULTILINE)
        if not head:
            continue
        end = text.find("\n\n", head.end())
        block = text[head.end() : end if end >= 0 else len(text)]
        for slot, value in slots(one).items():
            line = f"    {slot + ':':9} {value}"
            block, count = re.subn(rf"^    {slot}:.*$", lambda _, line=line: line, block, count=1, flags=re.MULTILINE)
            if not count and slot == "Example":
                block += f"\n{line}"
        text = text[: head.end()] + block + text[end:]
    return text


def add_missing(found, directives):
    """A directive of ours that no document describes gets its slots and its line of help behind the one before it."""
    before = None
    for one in (one for one in directives if one.name.startswith("AuthStatus")):
        head = re.compile(rf"^{one.name}\n(?=    Syntax:)", re.MULTILINE)
        if not any(head.search(text) for _, text in found.values()):
            values = slots(one)
            lines = [one.name, *(f"    {slot + ':':9} {values[slot]}" for slot in ("Syntax", "Default", "Context")),
                     f"    {one.help}.", f"    {'Example:':9} {values['Example']}", "", ""]
            for name, (has, text) in found.items():
                start = re.search(rf"^{before}\n(?=    Syntax:)", text, re.MULTILINE) if before else None
                if start:
                    at = text.index("\n\n", start.end()) + 2
                    found[name] = (has, text[:at] + "\n".join(lines) + text[at:])
        before = one.name


# ---- outcomes ----


def outcome_rows(text, source):
    """README's table: from its headline to the first two empty lines behind it."""
    head = "    outcome                  status  when\n"
    before, found, rest = text.partition(head)
    if not found:
        raise LookupError(f"README has no line {head.strip()!r}")
    lines = []
    for group in table.classes(source):
        outcomes = [one for one in table.outcomes(source) if one.of == group.id]
        status = group.status or "-"
        lines.append("")
        if group.status and [one.name for one in outcomes] != [group.name]:
            lines.append(f"    {group.name:23}  {status:<6}  {'; '.join(filter(None, ('class', group.note)))}")
        lines += [f"    {one.name:23}  {status:<6}  {one.when}".rstrip() for one in outcomes]
    return before + head + "\n".join(lines) + rest[rest.index("\n\n\n") :]


def class_list(source):
    """The manual page's list of classes."""
    lines = ['.Bl -column "unauthenticated" "401 with a challenge" -offset indent']
    for group in table.classes(source):
        status = {0: "-", 401: "401 with a challenge", 429: "429 with Retry-After", 503: "503 with Retry-After"}
        names = ", ".join(one.name for one in table.outcomes(source) if one.of == group.id)
        lines += textwrap.wrap(f".It {group.name} Ta {status.get(group.status, group.status)} Ta {names}", 115,
                               break_on_hyphens=False)
    return [*lines, ".El"]


def example_page(text, source):
    """The page names each outcome of the class refused: those that have no branch of their own are in one."""
    marked = re.compile(r"(<!--#elif expr=\"v\('outcome'\) in \{ )([^}]*)( \}\" -->\n<h1>This account cannot be used</h1>)")
    if not marked.search(text):
        raise LookupError("login-failed.shtml has no branch for accounts that cannot be used")
    named = set(re.findall(r"'([a-z]+(?:-[a-z]+)+)'", marked.sub("", text)))
    refused = [one.name for one in table.outcomes(source) if one.of == "REFUSED" and one.name not in named]
    return marked.sub(lambda match: match[1] + ", ".join(f"'{name}'" for name in refused) + match[3], text)


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
        (True, "Directives", "The README describes each at length."),
        (False, "Directives of mod_authnz_ldap and mod_ldap", "They are read whether or not these modules are loaded."),
    ):
        lines += [f".Ss {head}", first, ".Bl -tag -width Ds"]
        for one in (one for one in directives if one.name.startswith("AuthStatus") == ours):
            lines += [mdoc_syntax(one.name, one.syntax), *mdoc(sentence(one.help)), ".br", *mdoc(f"Default: {one.default}."),
                      ".br", *mdoc(f"Context: {table.CONTEXTS[one.where]}.")]
        lines += [".El"]
    return lines
