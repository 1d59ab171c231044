# SPDX-License-Identifier: Apache-2.0
"""What the guards share.

A guard reads the source (and, for some, what was built of it) and says in TAP what is as it should be. It takes the
source's and the build's directory as arguments, so that test_guards.py can show it a broken copy; in `make check` both
come from the environment. What it looks for and does not find is a failure, never a skip: each guard has floors, so that
it does not stay green after its subject moved.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys


HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import documents  # noqa: E402, F401: for the guards
import table  # noqa: E402


class Guard:
    def __init__(self):
        arguments = sys.argv[1:]
        self.source = pathlib.Path(arguments[0] if arguments else os.environ["AUTHSTATUS_SOURCE"]).resolve()
        self.build = pathlib.Path(arguments[1] if len(arguments) > 1 else os.environ.get("AUTHSTATUS_BUILD", ".")).resolve()
        self.count = 0
        self.failures = 0

    def check(self, statement, problems):
        """One TAP line. `problems` are sentences; the statement is true if there are none."""
        problems = list(problems)
        self.count += 1
        self.failures += bool(problems)
        print(f"{'not ' if problems else ''}ok {self.count} - {statement}")
        for problem in problems:
            print(f"# {problem}")

    def floor(self, what, things, least):
        """There are at least so many: else the guard no longer sees what it guards."""
        found = len(things)
        problem = f"only {found}: has the guard lost its subject?"
        self.check(f"at least {least} {what}", [] if found >= least else [problem])

    def end(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failures else 0)

    def text(self, *names):
        """A file of the source. One that is missing ends the guard."""
        path = self.source.joinpath(*names)
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            self.check(f"{'/'.join(names)} can be read", [str(error)])
            self.end()

    def files(self, *suffixes, below):
        """The files with these suffixes below these names, in order; a name may be a file."""
        found = []
        for name in below:
            top = self.source / name
            found += [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
        return sorted(path for path in found if path.suffix in suffixes)

    def code(self):
        """The C sources and headers of the module, without tests."""
        return self.files(".c", ".h", ".def", below=["mod_authstatus.c", "include", "src"])

    def name(self, path):
        return str(path.relative_to(self.source))

    def manual(self):
        """README and docs/ as one text."""
        pages = [self.text("README")]
        pages += [path.read_text(encoding="utf-8") for path in self.files(".md", ".txt", ".in", "", below=["docs"])]
        return "\n".join(pages)


def without_comments(text):
    """C with its comments blanked out; strings and line numbers stay."""
    pattern = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.DOTALL)

    def blank(match):
        found = match.group()
        return found if found[0] in "\"'" else re.sub(r"[^\n]", " ", found)

    return pattern.sub(blank, text)


def nm(*arguments):
    """The lines of nm, which libtool may have found with an option of its own (NM="/usr/bin/nm -B")."""
    command = [*shlex.split(os.environ.get("NM", "nm")), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def outcome_table(guard):
    """Of outcome.def: {class ID: (name, status)} and {outcome name: (class ID, tag)}."""
    guard.text("include", "authstatus", "outcome.def")
    classes = {one.id: (one.name, one.status) for one in table.classes(guard.source)}
    outcomes = {one.name: (one.of, one.tag) for one in table.outcomes(guard.source)}
    guard.floor("classes in outcome.def", classes, 7)
    guard.floor("outcomes in outcome.def", outcomes, 29)
    return classes, outcomes
