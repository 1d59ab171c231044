# SPDX-License-Identifier: Apache-2.0
"""docs/examples/login-failed.html.var: an error page in each language of the built-in one, with the same sentences. A type map of
mod_negotiation whose bodies have server-side includes (mod_include). build/tables writes it."""

from pathlib import Path

import table

STYLE = """:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#5c6570;--line:#d0d4d9;--button:#0b57d0;--on:#fff}
@media (prefers-color-scheme:dark){:root{--bg:#15181c;--fg:#e6e9ec;--dim:#a3adb8;--line:#3a4149;--button:#a8c7fa;--on:#062e6f}}
body{font:1.0625rem/1.55 system-ui,sans-serif;margin:0;background:var(--bg);color:var(--fg)}
main{max-width:34rem;margin:12vh auto 2rem;padding:0 1.25rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem;text-wrap:balance}
p{margin:.75rem 0;text-wrap:pretty}
.do,footer{color:var(--dim)}
:lang(ja){word-break:auto-phrase}
a{display:inline-block;margin-top:.75rem;padding:.6rem 1.1rem;border:1px solid var(--button);border-radius:.4rem;
background:var(--button);color:var(--on);text-decoration:none;font-weight:600}
a:focus-visible{outline:.2rem solid var(--fg);outline-offset:.15rem}
footer{font-size:.9rem;margin-top:3rem;border-top:1px solid var(--line);padding-top:.5rem}"""

# A status without an outcome of ours: another module's, or a place where AuthStatus is Off.
STATUS_CLASSES = ((401, "UNAUTHENTICATED"), (429, "THROTTLED"), (503, "UNAVAILABLE"), (500, "MISCONFIGURED"))


def texts(source, language, outcomes):
    """({outcome id: sentence}, {phrase id: text}) of a language. What it lacks is in English."""
    core = Path(source) / "src/core"
    sentences = {one.id: one.sentence for one in outcomes}
    sentences |= {identifier: text for identifier, of, text in table.rows(core / "sentences.def", "AS_SENTENCE") if of == language}
    phrases = dict(table.rows(Path(source) / "include/authstatus/language.def", "AS_PHRASE_ID"))
    phrases |= {identifier: text for identifier, of, text in table.rows(core / "phrases.def", "AS_PHRASE") if of == language}
    return sentences, phrases


def branches(pairs):
    """#if, #elif ... of (condition, lines); a condition of None is #else."""
    lines = []
    for number, (condition, inner) in enumerate(pairs):
        lines.append('<!--#else -->' if condition is None else f'<!--#{"elif" if number else "if"} expr="{condition}" -->')
        lines += inner
    return [*lines, "<!--#endif -->"]


def named(outcomes):
    return "v('outcome') in { " + ", ".join(f"'{one.name}'" for one in outcomes) + " }"


def of_class(group, outcomes, sentences, phrases):
    """Heading, the sentence of the outcome, and what to do."""
    said = {}
    for one in outcomes:
        said.setdefault(sentences[one.id], []).append(one)
    if len(said) == 1:
        sentence = [f"<p>{next(iter(said))}</p>"]
    else:
        sentence = branches([(named(same), [f"<p>{text}</p>"]) for text, same in said.items()])
    return [f"<h1>{phrases[f'TITLE_{group}']}</h1>", *sentence, f'<p class="do">{phrases[f"DO_{group}"]}</p>']


def body(tag, direction, groups, outcomes, sentences, phrases):
    of = {group.id: [one for one in outcomes if one.of == group.id] for group in groups if group.status}
    pairs = [(named(mine), of_class(group, mine, sentences, phrases)) for group, mine in of.items()]
    pairs += [(f"v('REDIRECT_STATUS') -eq {status}", [f"<h1>{phrases[f'TITLE_{group}']}</h1>", f'<p class="do">{phrases[f"DO_{group}"]}</p>'])
              for status, group in STATUS_CLASSES]
    pairs.append((None, [f"<h1>{phrases['TITLE_FORBIDDEN']}</h1>", f'<p class="do">{phrases["DO_FORBIDDEN"]}</p>']))
    help_link = [f'<p><a href="<!--#echo var="REDIRECT_AUTHSTATUS_HELP" -->">{phrases["HELP"]}</a></p>']
    return ["<!DOCTYPE html>", f'<html lang="{tag}" dir="{direction}">', "<head>", '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">', '<meta name="color-scheme" content="light dark">',
            '<title><!--#echo var="REDIRECT_STATUS" --> <!--#echo var="SERVER_NAME" --></title>', "<style>", STYLE, "</style>", "</head>",
            "<body>", "<main>", '<!--#set var="outcome" value="$REDIRECT_AUTHSTATUS_OUTCOME" -->', *branches(pairs),
            *branches([("-n v('REDIRECT_AUTHSTATUS_HELP')", help_link)]),
            '<footer><!--#echo var="REDIRECT_STATUS" --> <!--#echo var="outcome" --></footer>', "</main>", "</body>", "</html>"]


def type_map(source):
    groups, outcomes = table.classes(source), table.outcomes(source)
    lines = []
    for language, tag, direction in table.rows(Path(source) / "include/authstatus/language.def", "AS_LANGUAGE"):
        sentences, phrases = texts(source, language, outcomes)
        lines += [f"Content-language: {tag}", "Content-type: text/html; charset=UTF-8", f"Body:----{tag}--",
                  *body(tag, direction, groups, outcomes, sentences, phrases), f"----{tag}--", ""]
    return "\n".join(lines)
