# SPDX-License-Identifier: Apache-2.0
"""docs/mod_authstatus.html: the reference in the form of httpd's module pages. Its prose is docs/reference.md, read in the
part of Markdown that is used there; names, syntax, defaults and contexts are the tables'. build/tables writes it."""

import html
import re

import table

STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d4d9;--code:#f4f5f7;--link:#0b57d0;--bar:#7a1330}
@media (prefers-color-scheme:dark){:root{--bg:#15181c;--fg:#e6e9ec;--dim:#a3adb8;--line:#3a4149;--code:#1f242a;--link:#a8c7fa;
--bar:#f2a3b5}}
*{box-sizing:border-box}
body{font:1rem/1.55 system-ui,sans-serif;margin:0 auto;max-width:76rem;padding:1rem;background:var(--bg);color:var(--fg);
overflow-wrap:break-word}
a{color:var(--link)}
:focus-visible{outline:.2rem solid var(--link);outline-offset:.15rem}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;background:var(--bg);padding:.5rem}
header p{margin:0;color:var(--dim)}
h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0 1rem}
h2{font-size:1.35rem;margin:2.5rem 0 .75rem;padding-top:1rem;border-top:2px solid var(--bar);scroll-margin-top:.5rem}
h3{font-size:1.1rem;margin:1.5rem 0 .5rem}
table{border-collapse:collapse;margin:.75rem 0;width:100%}
th,td{border:1px solid var(--line);padding:.3rem .6rem;text-align:left;vertical-align:top}
table.slots th{width:11.5rem;font-weight:600}
thead th{background:var(--code)}
code,pre{font-family:ui-monospace,monospace;font-size:.925em}
code{overflow-wrap:anywhere}
pre{background:var(--code);border:1px solid var(--line);border-radius:.3rem;padding:.7rem .9rem;overflow-x:auto}
.wide{overflow-x:auto}
nav ul{list-style:none;padding:0;margin:.25rem 0}
nav h2{border:0;font-size:1rem;margin:1rem 0 .25rem;padding:0}
nav li{padding:.1rem 0}
.top{font-size:.9rem}
footer{margin-top:3rem;border-top:1px solid var(--line);color:var(--dim)}
@media (min-width:60rem){.page{display:grid;grid-template:auto 1fr/minmax(0,1fr) 17rem;column-gap:2.5rem}
.summary{grid-area:1/1}.content{grid-area:2/1}nav{grid-area:1/2/3/3;position:sticky;top:0;align-self:start;max-height:100vh;
overflow-y:auto;font-size:.92rem}}
@media (max-width:60rem){nav ul{columns:16rem 3}}
@media (max-width:36rem){body{padding:.75rem}table.slots th{width:auto}th,td{padding:.25rem .4rem}}
@media print{nav,.skip,.top{display:none}body{max-width:none}h2{break-after:avoid}}
"""

SLOTS = ("Description", "Syntax", "Default", "Context", "Status", "Module")


def anchor(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


# ---- Markdown ----


class Prose:
    """Turns blocks of Markdown into HTML. Names of our directives become links, but for `here`, the one that is described."""

    def __init__(self, names):
        self.names = re.compile(rf"\b(?:{'|'.join(sorted(names, key=len, reverse=True))})\b(?!-)")
        self.here = None

    def link(self, text):
        def to(match):
            return match[0] if match[0] in (self.here, "AuthStatus") else f'<a href="#{match[0].lower()}">{match[0]}</a>'

        return self.names.sub(to, text)

    def inline(self, text):
        found = []
        for part in re.split(r"(`[^`]+`|\[[^\]]+\]\([^)]+\)|\*\*.+?\*\*)", text):
            if part.startswith("`"):
                found.append(f"<code>{self.link(html.escape(part[1:-1], quote=False))}</code>")
            elif part.startswith("**"):
                found.append(f"<strong>{self.inline(part[2:-2])}</strong>")
            elif named := re.fullmatch(r"\[([^\]]+)\]\(([^)]+)\)", part):
                found.append(f'<a href="{html.escape(named[2])}">{html.escape(named[1], quote=False)}</a>')
            else:
                found.append(self.link(html.escape(part, quote=False)))
        return "".join(found)

    def rows(self, lines):
        cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]] for line in lines]
        head = "".join(f'<th scope="col">{self.inline(cell)}</th>' for cell in cells[0])
        body = "\n".join("<tr>" + "".join(f"<td>{self.inline(cell)}</td>" for cell in row) + "</tr>" for row in cells[2:])
        return f'<div class="wide" tabindex="0" role="group" aria-label="table"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'

    def block(self, text):
        lines = text.split("\n")
        if lines[0].startswith("```"):
            return f'<pre tabindex="0"><code>{html.escape(chr(10).join(lines[1:-1]), quote=False)}</code></pre>'
        if lines[0].startswith("    "):
            return f'<pre tabindex="0"><code>{html.escape(chr(10).join(line[4:] for line in lines), quote=False)}</code></pre>'
        if lines[0].startswith("|"):
            return self.rows(lines)
        if lines[0].startswith("- "):
            items = re.split(r"\n(?=- )", text)
            return "<ul>\n" + "\n".join(f"<li>{self.inline(' '.join(item[2:].split()))}</li>" for item in items) + "\n</ul>"
        return f"<p>{self.inline(' '.join(text.split()))}</p>"

    def blocks(self, text):
        """The blocks of a section: between empty lines, but that a fence is one block with what is in it."""
        text = re.sub(r"^<!--.*-->\n", "", text, flags=re.MULTILINE)
        found = []
        for part in re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL):
            found += [part] if part.startswith("```") else re.split(r"\n{2,}", part.strip("\n"))
        return "\n".join(self.block(block.strip("\n")) for block in found if block.strip())


# ---- the page ----


def module_table(rows):
    cells = "\n".join(f'<tr><th scope="row">{name}:</th><td>{value}</td></tr>' for name, value in rows)
    return f'<table class="slots">\n{cells}\n</table>'


def directive_section(one, text, prose):
    """`text`: the section of the reference, whose slots are the table's."""
    prose.here = one.name
    body = re.sub(r"\A(?:    \w+:.*\n)+", "", text.strip("\n") + "\n")
    values = {"Description": html.escape(one.help, quote=False), "Context": table.CONTEXTS[one.where], "Status": "External",
              "Module": "mod_authstatus", "Default": f"<code>{html.escape(one.default, quote=False)}</code>",
              "Syntax": f"<code>{html.escape(f'{one.name} {one.syntax}', quote=False)}</code>"}
    if not one.default.startswith(one.name):
        values["Default"] = html.escape(one.default, quote=False)
    made = [f'<section id="{one.name.lower()}">', f"<h2>{one.name} directive</h2>",
            module_table((slot, values[slot]) for slot in SLOTS), prose.blocks(body), "<h3>Example</h3>",
            f'<pre tabindex="0"><code>{html.escape(f"{one.name} {one.example}", quote=False)}</code></pre>',
            '<p class="top"><a href="#top">Top of the page</a></p>', "</section>"]
    prose.here = None
    return "\n".join(made)


def topic_section(title, text, prose):
    parts = re.split(r"^### (.+)\n", text, flags=re.MULTILINE)
    made = [f'<section id="{anchor(title)}">', f"<h2>{prose.inline(title)}</h2>", prose.blocks(parts[0])]
    for name, body in zip(parts[1::2], parts[2::2]):
        made += [f'<h3 id="{anchor(name)}">{html.escape(name)}</h3>', prose.blocks(body)]
    return "\n".join([*made, '<p class="top"><a href="#top">Top of the page</a></p>', "</section>"])


def foreign_table(directives):
    """The directives of mod_authnz_ldap and mod_ldap: syntax, default, context and one line."""
    rows = "\n".join(f'<tr id="{one.name.lower()}"><td><code>{html.escape(f"{one.name} {one.syntax}", quote=False)}</code></td>'
                     f"<td>{html.escape(one.default.removeprefix(one.name + ' '), quote=False)}</td>"
                     f"<td>{table.CONTEXTS[one.where]}</td><td>{html.escape(one.help, quote=False)}</td></tr>" for one in directives)
    return ('<h3>Each of them</h3>\n<div class="wide" tabindex="0" role="group" aria-label="table"><table><thead><tr><th scope="col">Syntax</th>'
            '<th scope="col">Default</th><th scope="col">Context</th><th scope="col">Description</th></tr></thead>\n'
            f"<tbody>\n{rows}\n</tbody></table></div>")


def listed(title, links):
    items = "\n".join(f'<li><a href="#{target}">{html.escape(name, quote=False)}</a></li>' for target, name in links)
    return f"<h2>{title}</h2>\n<ul>\n{items}\n</ul>"


def module_page(source, reference):
    directives = table.directives(source)
    ours = {one.name: one for one in directives if one.name.startswith("AuthStatus")}
    prose = Prose(ours)
    parts = re.split(r"^## (.+)\n", reference, flags=re.MULTILINE)
    summary = re.sub(r"^\*.*?\*\n", "", parts[0].partition("\n")[2].strip("\n"), flags=re.MULTILINE | re.DOTALL)
    topics, described = [], []
    for title, text in zip(parts[1::2], parts[2::2]):
        if title == "Directives":
            intro, *each = re.split(r"^### (.+)\n", text, flags=re.MULTILINE)
            described = [directive_section(ours[name], body, prose) for name, body in zip(each[::2], each[1::2])]
            topics.append((title, f'<section id="directives">\n<h2>Directives</h2>\n{prose.blocks(intro)}\n</section>'))
            continue
        made = topic_section(title, text, prose)
        if title.startswith("Directives of"):
            more = foreign_table([one for one in directives if one.name not in ours])
            made = made.replace('<p class="top">', f'{more}\n<p class="top">')
        topics.append((title, made))
    return page(prose.blocks(summary), topics, described, sorted(ours))


def page(summary, topics, described, names):
    facts = module_table([("Description", "Gives each outcome of a login the status that HTTP means for it"), ("Status", "External"),
                          ("Module Identifier", "authstatus_module"), ("Source File", "mod_authstatus.c"),
                          ("Compatibility", "Apache httpd 2.4.37 and later")])
    navigation = listed("Directives", [(name.lower(), name) for name in names]) + "\n" + listed(
        "Topics", [(anchor(title), title) for title, _ in topics if title != "Directives"])
    before = [text for title, text in topics if topics.index((title, text)) <= [one for one, _ in topics].index("Directives")]
    after = [text for _, text in topics[len(before):]]
    return "\n".join(['<!DOCTYPE html>', '<html lang="en">', "<head>", '<meta charset="utf-8">',
                      "<!-- SPDX-License-Identifier: Apache-2.0. Made by build/tables from docs/reference.md and include/authstatus. -->",
                      '<meta name="viewport" content="width=device-width,initial-scale=1">', "<title>mod_authstatus</title>",
                      f"<style>{STYLE}</style>", "</head>", '<body id="top">', '<a class="skip" href="#content">To the content</a>',
                      "<header><p>Apache HTTP Server, third-party modules</p>", "<h1>Apache Module mod_authstatus</h1></header>",
                      '<main class="page">', '<section class="summary">', facts, "<h2>Summary</h2>", summary, "</section>",
                      f'<nav aria-label="Contents" tabindex="0">\n{navigation}\n</nav>', '<div class="content" id="content">',
                      *before, *described, *after, "</div>", "</main>",
                      '<footer><p>Apache License 2.0. The guides lie beside this file.</p></footer>', "</body>", "</html>", ""])
