#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The name of each function has a verb of verbs.txt: so that it says what the function does, in words that others search for.

A name that other files use is as_VERB_... or as_SUBJECT_VERB_...; a static function begins with its verb, and one that only
its own file uses is static (a unit test is another file). A predicate returns bool (or int, as httpd's and APR's do).
Callbacks of httpd and of libraries may have the names of what calls them.

A type that begins with as_ has one definition, so that a search for its name finds one meaning.
"""

import collections
import re

from guard import Guard, without_comments

FUNCTION = re.compile(r"^(?!typedef\b|#)([A-Za-z_][\w \*]*?)\b(\w+)\((?:[^;{}])*?\)\n\{", re.MULTILINE)
# Verbs of the table that are nouns before "of": name_of, set_of.
NOUNS = ("answer", "count", "end", "hash", "list", "lock", "mark", "name", "plan", "query", "record", "set")
SHARED = re.compile(r"^(as|explain)_")
TYPE = re.compile(r"\b(?:struct|enum|union)\s+(as_\w+)\s*\{|\}\s*(as_\w+);")


def words_of(text):
    """{section: its words}. A section begins with a line in brackets."""
    sections, words = {}, None
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("["):
            words = sections.setdefault(line.strip("[]"), [])
        elif line:
            words += line.split()
    return sections


def complaint(kind, name, sections):
    """What is wrong with a name, or None."""
    if name in sections["names"] or any(name.endswith(f"_{end}") for end in sections["endings"]):
        return None
    words = SHARED.sub("", name).split("_")
    candidates = words if SHARED.match(name) else words[:1]
    if "of" in words[1:2] and words[0] in NOUNS:
        return "is a noun"
    if any(word in sections["verbs"] for word in candidates):
        return None
    if not any(word in sections["predicates"] for word in candidates):
        return "has no verb of tests/guards/verbs.txt"
    return None if re.search(r"\b(bool|int)\b", kind) else "is named as a predicate and returns no bool"


guard = Guard()
sections = words_of(guard.text("tests", "guards", "verbs.txt"))
guard.floor("sections of verbs.txt", sections, 4)
guard.floor("verbs", sections["verbs"], 100)
found = [
    (guard.name(path), kind, name)
    for path in guard.code()
    for kind, name in FUNCTION.findall(without_comments(path.read_text()))
]
guard.floor("functions", found, 1800)
guard.check(
    "each function's name has a verb",
    [f"{path}: {name} {problem}" for path, kind, name in found if (problem := complaint(kind, name, sections))],
)
statics = [(path, name) for path, kind, name in found if re.match(r"static (?!inline)", kind)]
guard.floor("static functions", statics, 1000)
guard.check("as_ is before names that other files use alone", [f"{path}: {name}" for path, name in statics if SHARED.match(name)])
texts = {guard.name(path): without_comments(path.read_text()) for path in guard.code() + guard.files(".c", ".h", below=["tests"])}
# How often each file has a word. A header has one that it declares; twice, where it uses it as well.
counts = {name: collections.Counter(re.findall(r"\w+", text)) for name, text in texts.items()}
shared = [(path, name) for path, kind, name in found if "static" not in kind]
guard.floor("functions that other files use", shared, 600)
guard.check(
    "other files use each function that is not static",
    [
        f"{path}: {name} could be static"
        for path, name in shared
        if not any(words[name] > other.endswith(".h") for other, words in counts.items() if other != path)
    ],
)
used = {word for _, _, name in found for word in SHARED.sub("", name).split("_")}
guard.check("each verb is used", sorted({*sections["verbs"], *sections["predicates"]} - used))
types = {}
for path in guard.code():
    for names in TYPE.findall(without_comments(path.read_text())):
        types.setdefault(names[0] or names[1], set()).add(guard.name(path))
guard.floor("types", types, 250)
guard.check(
    "each type is defined in one file",
    [f"{name}: {' and '.join(sorted(where))}" for name, where in sorted(types.items()) if len(where) > 1],
)
guard.end()
