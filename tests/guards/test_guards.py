#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The guards, tested: each passes on the source as it is, and fails on a copy that is broken in the one way it guards."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from guard import Guard

HERE = pathlib.Path(__file__).resolve().parent
COPIED = ["mod_authstatus.c", "include", "src", "tests", "docs", "build", ".ci", "README", "LICENSE", "configure.ac", "Makefile.am", "CHANGES"]
BUILT = ["libcore.a", "libldapclient.a", "libcache.a", "liblogin.a", "mod_authstatus.so"]
BREAKS = []


def breaks(guard, complaint):
    """Registers a way to break a copy: the guard must fail, and what it prints must match `complaint`."""
    return lambda function: BREAKS.append((guard, complaint, function)) or function


def append(path, text):
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def substitute(path, pattern, replacement):
    text, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
    if not count:
        raise LookupError(f"{path.name} has no {pattern}: this test lost its subject")
    path.write_text(text)


def appended(guard, complaint, path, text):
    """A copy whose file at `path` goes on with `text`."""
    breaks(guard, complaint)(lambda source, build: append(source / path, text))


def substituted(guard, complaint, path, pattern, replacement):
    """A copy whose file at `path` has `replacement` for the first match of `pattern`."""
    breaks(guard, complaint)(lambda source, build: substitute(source / path, pattern, replacement))


def compiler():
    return shlex.split(os.environ.get("CC", "cc"))


def add_object(archive, code):
    unit = archive.parent / "added.c"
    unit.write_text(code)
    subprocess.run([*compiler(), "-c", "-O2", "-o", str(unit.with_suffix(".o")), str(unit)], check=True)
    subprocess.run(["ar", "r", str(archive), str(unit.with_suffix(".o"))], check=True, capture_output=True)


appended("layers", r"core includes apr_pools\.h", "src/core/outcome.c", "#include <apr_pools.h>\n")
appended("layers", r"core includes time\.h", "src/core/outcome.c", "#include <time.h>\n")
appended("layers", r"core includes authstatus/ldap\.h, of ldap", "src/core/outcome.c", '#include "authstatus/ldap.h"\n')


@breaks("layers", r"include/authstatus/outcome\.h: core includes authstatus/ldap\.h, of ldap")
def _(source, build):
    append(source / "include/authstatus/outcome.h", '#include "authstatus/ldap.h"\n')


@breaks("layers", r"ldap includes \.\./httpd/request/request\.h, of httpd")
def _(source, build):
    append(source / "src/ldap/failover.c", '#include "../httpd/request/request.h"\n')


appended("layers", r"ldap includes http_log\.h", "src/ldap/failover.c", "#include <http_log.h>\n")
appended("layers", r"what a reply means", "src/ldap/failover.c", '#include "authstatus/outcome.h"\n')
appended("layers", r"which is not there", "src/httpd/request/provider.c", '#include "nowhere.h"\n')


@breaks("layers", r"of no layer")
def _(source, build):
    (source / "src/cellar").mkdir()
    (source / "src/cellar/wine.c").write_text("#include <string.h>\n")


@breaks("layers", r"of no layer")
def _(source, build):
    (source / "include/authstatus/new.h").write_text("#include <stddef.h>\n")


@breaks("layers", r"# apr_palloc")
def _(source, build):
    add_object(build / ".libs/libcore.a", "void *apr_palloc(void *, unsigned long);\nvoid *f(void *p) { return apr_palloc(p, 1); }\n")


@breaks("layers", r"# malloc")
def _(source, build):
    add_object(build / ".libs/libcore.a", "#include <stdlib.h>\nvoid *f(int n) { return malloc(n); }\n")


@breaks("layers", r"# counter in \.bss")
def _(source, build):
    add_object(build / ".libs/libcore.a", "int counter;\nint f(void) { return ++counter; }\n")


@breaks("layers", r"# ap_rwrite")
def _(source, build):
    add_object(build / ".libs/libldapclient.a", "int ap_rwrite(void *);\nint f(void *r) { return ap_rwrite(r); }\n")


@breaks("layers", r"# ldap_err2string")
def _(source, build):
    add_object(build / ".libs/libcache.a", "char *ldap_err2string(int);\nchar *f(void) { return ldap_err2string(0); }\n")


appended("layers", r"cache includes authstatus/ldap\.h, of ldap", "src/cache/cache.c", '#include "authstatus/ldap.h"\n')


@breaks("layers", r"libcore\.a is missing")
def _(source, build):
    (build / ".libs/libcore.a").unlink()


@breaks("layers", r"sources in ldap")
def _(source, build):
    shutil.rmtree(source / "src/ldap")


@breaks("exports", r"# another_name")
def _(source, build):
    unit = build / "two.c"
    unit.write_text("int authstatus_module;\nint another_name;\n")
    subprocess.run([*compiler(), "-shared", "-fPIC", "-o", str(build / ".libs/mod_authstatus.so"), str(unit)], check=True)


@breaks("exports", r"# as_forgotten")
def _(source, build):
    unit = build / "undefined.c"
    unit.write_text("int as_forgotten(void);\nint authstatus_module(void) { return as_forgotten(); }\n")
    subprocess.run([*compiler(), "-shared", "-fPIC", "-o", str(build / ".libs/mod_authstatus.so"), str(unit)], check=True)


@breaks("exports", r"is missing")
def _(source, build):
    (build / ".libs/mod_authstatus.so").unlink()


@breaks("directives", r"AuthStatusSecret has no Syntax line")
def _(source, build):
    substitute(source / "include/authstatus/directive.def", r"^AS_DIRECTIVE\(AuthStatusMap,.*", r'AS_DIRECTIVE(AuthStatusSecret, TAKE2, SERVER, f, NULL, UNREAD, "x", "y", "z", "h")\n\g<0>')


@breaks("directives", r"AuthLDAPNovelty is not in the manual")
def _(source, build):
    substitute(source / "include/authstatus/directive.def", r"^AS_DIRECTIVE\(AuthStatusMap,.*", r'AS_DIRECTIVE(AuthLDAPNovelty, TAKE2, SERVER, f, NULL, UNREAD, "x", "y", "z", "h")\n\g<0>')


@breaks("directives", r"directives\.c: AuthStatusSecret")
def _(source, build):
    append(source / "src/httpd/config/directives.c", 'command_rec more[] = {AP_INIT_FLAG("AuthStatusSecret", f, NULL, RSRC_CONF, "")};\n')


@breaks("directives", r"(?s)AuthStatusSecret: nothing reads secret_novelty.*# AuthStatusSecret")
def _(source, build):
    substitute(
        source / "include/authstatus/directive.def",
        r"^AS_DIRECTIVE\(AuthStatusMap,",
        r'AS_FLAG(AuthStatusSecret, secret_novelty, OF_POLICY, SECTIONS, UNREAD, Off, On, "secret", "a", "b", "c")\n\g<0>',
    )


@breaks("directives", r"(?s)nothing reads setting_novelty.*nothing sets setting_novelty")
def _(source, build):
    substitute(source / "include/authstatus/setting.def", r"^AS_SETTING\(NUMBER, int, deref\)", r"AS_SETTING(NUMBER, int, setting_novelty)\n\g<0>")


@breaks("tables", r"Default:  AuthStatusDisclose Proven")
def _(source, build):
    substitute(source / "docs/reference.md", r"^    Default:  AuthStatusDisclose Proven$", "    Default:  AuthStatusDisclose Always")


@breaks("tables", r"\+Default: AuthStatusDisclose Never")
def _(source, build):
    substitute(source / "include/authstatus/directive.def", r'"AuthStatusDisclose Proven"', '"AuthStatusDisclose Never"')


@breaks("tables", r"\+    Syntax:   AuthStatusSecret On\|Off")
def _(source, build):
    substitute(
        source / "include/authstatus/directive.def",
        r"^AS_DIRECTIVE\(AuthStatusMap,",
        r'AS_FLAG(AuthStatusSecret, secret, OF_POLICY, SECTIONS, UNREAD, Off, On, "secret", "a", "b", "c")\n\g<0>',
    )


appended("directives", r"AuthStatusNowhere is not in directive", "README", "\nSyntax: AuthStatusNowhere On|Off\n")
appended("directives", r"AuthStatusRumour is not in directive", "README", "\nSee AuthStatusRumour.\n")


@breaks("directives", r"README can be read")
def _(source, build):
    (source / "README").unlink()


@breaks("directives", r"directive\.def can be read")
def _(source, build):
    (source / "include/authstatus/directive.def").unlink()


substituted("outcomes", r"logon-hours has none", "docs/reference.md", r"^[\s|`]*logon-hours\b.*$", "")


@breaks("outcomes", r"(?s)sleepy: AS_OUTCOME_SLEEPY is nowhere.*sleepy is in none")
def _(source, build):
    substitute(
        source / "include/authstatus/outcome.def",
        r"^AS_OUTCOME\(NOT_AUTHORIZED,",
        r'AS_OUTCOME(SLEEPY, "sleepy", REFUSED, 0099, warn, "Yawn.", "yawns")\n\g<0>',
    )


appended("outcomes", r"sleepy is neither", "docs/reference.md", "\nsleepy  401  yawns\n")


@breaks("outcomes", r"throttled: docs/reference\.md says 503, outcome\.def 429")
def _(source, build):
    text = (source / "docs/reference.md").read_text()
    (source / "docs/reference.md").write_text(re.sub(r"^([\s|`]*throttled[`\s|]+)429", r"\g<1>503", text, flags=re.MULTILINE))


@breaks("outcomes", r"outcome\.def can be read")
def _(source, build):
    (source / "include/authstatus/outcome.def").unlink()


substituted("members", r"as_directory_settings has novelty beside setting\.def", "include/authstatus/ldap.h", r"^\} as_directory_settings;", r"    bool novelty;\n\g<0>")
substituted("members", r"as_transaction has novelty beside state\.def", "src/httpd/request/request.h", r"^struct as_transaction \{", r"\g<0>\n    bool novelty;")
substituted("members", r"as_mask is not made from state\.def", "src/httpd/mask/mask.h", r"^struct as_mask \{", "struct as_masking {")
substituted("members", r"(?s)not write novelty.*not read novelty.*lookaside\.c has no novelty", "include/authstatus/outcome.h", r"^    bool of_name;", r"    bool novelty;\n\g<0>")
substituted("members", r"(?s)not write novelty.*not read novelty", "include/authstatus/cache.h", r"^    long retry_after;", r"    long novelty;\n\g<0>")
substituted("members", r"not read of_name", "src/cache/record.c", r"^    finding->of_name = .*\n", "")


@breaks("cycles", r"src/core/(dn|sid)\.c -> src/core/(dn|sid)\.c -> src/core/(dn|sid)\.c")
def _(source, build):
    append(source / "src/core/dn.c", "\nint as_dn_circle(void)\n{\n    return as_sid_circle();\n}\n")
    append(source / "src/core/sid.c", "\nint as_sid_circle(void)\n{\n    return as_dn_circle();\n}\n")


@breaks("cycles", r"functions that other files call")
def _(source, build):
    shutil.rmtree(source / "src/httpd")
    shutil.rmtree(source / "src/ldap")


@breaks("versions", r"mod_authstatus\.h: \['0\.2\.0'\], not")
def _(source, build):
    substitute(source / "include/mod_authstatus.h", r'^#define AUTHSTATUS_VERSION ".*"', '#define AUTHSTATUS_VERSION "0.2.0"')


@breaks("versions", r"changelog: \['\d+\.\d+\.\d+'\], not 9\.9\.9")
def _(source, build):
    substitute(source / "configure.ac", r"^AC_INIT\(\[mod_authstatus\],\[.*\]\)", "AC_INIT([mod_authstatus],[9.9.9])")


@breaks("versions", r"README:\d+: of 9\.9\.9")
def _(source, build):
    substitute(source / "configure.ac", r"^AC_INIT\(\[mod_authstatus\],\[.*\]\)", "AC_INIT([mod_authstatus],[9.9.9])")
    append(source / "README", "\nof 9.9.9\n")


@breaks("maps", r"wire\.c is not there")
def _(source, build):
    (source / "src/ldap/wire.c").rename(source / "src/ldap/socket.c")


@breaks("maps", r"memory\.c is not in it")
def _(source, build):
    (source / "src/cache/memory.c").write_text("int x;\n")


appended("maps", r"outcome\.c: nowhere\.c is not", "src/core/outcome.c", "/* As nowhere.c has it. */\n")
appended("maps", r"outcome\.c: src/httpd/settings\.c is not", "src/core/outcome.c", "/* As src/httpd/settings.c has it. */\n")
appended("differences", r"'a new row' has 0", "docs/hiding-a-tree.md", "| a new row | which nobody shows to be true |\n")
substituted("differences", r"'time' is no row", "docs/hiding-a-tree.md", r"^\| time \| .*\n", "")
substituted("rows", r"row 78: 0 times", "tests/live/authorization/rows.tsv", r"^78\t.*\n", "")


@breaks("rows", r"row 1: tests/live/authorization/test_floor_openldap\.py has no test_group")
def _(source, build):
    substitute(source / "tests/live/authorization/test_floor_openldap.py", r"^def test_group\(", "def group_of(")


@breaks("rows", r"row 80: there is no tests/fuzz/fuzz_sid\.c")
def _(source, build):
    (source / "tests/fuzz/fuzz_sid.c").unlink()


@breaks("rows", r"test_hooks\.py: 2 files")
def _(source, build):
    (source / "tests/live/memory/test_hooks.py").write_text("")


substituted("rows", r"test_slow_store\.c: assert_in_set", "tests/unit/test_slow_store.c", r"assert_within\(", "assert_in_set(")
substituted("rows", r"row 27: no test has a real AD", "tests/live/authorization/rows.tsv", r"^27\t389\t", "27\tAD\t")


@breaks("verbs", r"outcome\.c: as_outcome_novelty has no verb")
def _(source, build):
    append(source / "src/core/outcome.c", "\nint as_outcome_novelty(void)\n{\n    return 0;\n}\n")


appended("verbs", r"outcome\.c: name_of is a noun", "src/core/outcome.c", "\nstatic int name_of(void)\n{\n    return 0;\n}\n")
appended("verbs", r"outcome\.c: as_name_find", "src/core/outcome.c", "\nstatic int as_name_find(void)\n{\n    return 0;\n}\n")
appended("verbs", r"outcome\.c: as_name_find could be static", "src/core/outcome.c", "\nint as_name_find(void)\n{\n    return as_name_find();\n}\n")
appended("verbs", r"outcome\.c: is_there is named as a predicate", "src/core/outcome.c", "\nstatic void is_there(void)\n{\n}\n")
appended("verbs", r"as_finding: include/authstatus/outcome\.h and src/core/outcome\.c", "src/core/outcome.c", "\nstruct as_finding {\n    int novelty;\n};\n")
substituted("verbs", r"# yodel", "tests/guards/verbs.txt", r"^\[verbs\]$", "[verbs]\nyodel")


@breaks("verbs", r"verbs\.txt can be read")
def _(source, build):
    (source / "tests/guards/verbs.txt").unlink()


substituted("tags", r"AS0015: it is", "include/authstatus/tag.def", r"^AS_TAG\(0070,", r"AS_TAG(0015,")
substituted("tags", r"AS0070: it is", "include/authstatus/tag.def", r"^AS_TAG\(0070,.*", r'\g<0>\nAS_TAG_RETIRED(0070, "what it said")')
substituted("tags", r"AS0099 stands before AS0080", "include/authstatus/tag.def", r"^AS_TAG\(0070,", r"AS_TAG(0099,")
appended("tags", r"log\.c:\d+: AS0015", "src/httpd/request/log.c", 'static const char *again = "AS0015: once more";\n')
appended("tags", r"log\.c:\d+: 'no tag'", "src/httpd/request/log.c", 'ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "no tag");\n')
appended("tags", r"# AS0099", "include/authstatus/tag.def", 'AS_TAG(0099, ERR, "nobody logs it")\n')
appended("tags", r"README: AS0099 is not", "README", "\nSee AS0099.\n")
substituted("tags", r"outcomes in outcome\.def", "include/authstatus/outcome.def", r"(?s)\A.*", "")


@breaks("tables", r"\+\| `sleepy` \| 403")
def _(source, build):
    substitute(
        source / "include/authstatus/outcome.def",
        r"^AS_OUTCOME\(NOT_AUTHORIZED,",
        r'AS_OUTCOME(SLEEPY, "sleepy", REFUSED, 0099, warn, "Yawn.", "yawns")\n\g<0>',
    )


@breaks("tables", r"\+<!--#elif .*'account-restricted', 'sleepy' }")
def _(source, build):
    substitute(
        source / "include/authstatus/outcome.def",
        r"^AS_OUTCOME\(NOT_AUTHORIZED,",
        r'AS_OUTCOME(SLEEPY, "sleepy", REFUSED, 0099, warn, "Yawn.", "yawns")\n\g<0>',
    )


@breaks("tables", r"\+\| AS0099 \| error \| a new line of \.\.\. \|")
def _(source, build):
    append(source / "include/authstatus/tag.def", 'AS_TAG(0099, ERR, "a new line of %s")\n')


appended("sizes", r"outcome\.c has \d{3}", "src/core/outcome.c", "\n" * 501)


@breaks("sizes", r"endless has 61")
def _(source, build):
    (source / "src/core/long.c").write_text("int endless(void)\n{\n" + "    f();\n" * 59 + "}\n")


@breaks("sizes", r"greedy has 7")
def _(source, build):
    (source / "src/core/long.c").write_text("int greedy(int a, int b, int c, int d, int e, int f, int (*g)(int h, int i))\n{\n    return 0;\n}\n")


@breaks("sizes", r"at least \d+ files")
def _(source, build):
    shutil.rmtree(source / "src")


@breaks("licence", r"# src/core/new\.c")
def _(source, build):
    (source / "src/core/new.c").write_text("int x;\n")


@breaks("licence", r"# build/demo")
def _(source, build):
    (source / "build/demo").unlink()


@breaks("licence", r"it is another")
def _(source, build):
    (source / "LICENSE").write_text("All rights reserved.\n")


def copy(guard, top):
    source, build = top / "source", top / "build"
    source.mkdir()
    for name in COPIED:
        original = guard.source / name
        if original.is_dir():
            shutil.copytree(original, source / name, ignore=shutil.ignore_patterns("*.o", "*.lo", ".libs", ".deps", "*.log", "*.trs"))
        elif original.exists():
            shutil.copy2(original, source / name)
    # A distribution's source is read-only in `make distcheck`, and so would its copy be.
    for path in [source, *source.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    (build / ".libs").mkdir(parents=True)
    for name in BUILT:
        shutil.copy2(guard.build / ".libs" / name, build / ".libs" / name)
    return source, build


def run(name, source, build):
    result = subprocess.run([sys.executable, str(HERE / f"{name}.py"), str(source), str(build)], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


def main():
    guard = Guard()
    names = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("guard", "test_guards"))
    guard.floor("guards", names, 7)
    guard.check("each has a test", sorted(set(names) - {name for name, _, _ in BREAKS}))
    with tempfile.TemporaryDirectory(prefix="authstatus-guards-") as scratch:
        for number, (name, complaint, function) in enumerate(BREAKS):
            top = pathlib.Path(scratch) / str(number)
            top.mkdir()
            source, build = copy(guard, top)
            problems = []
            if not any(name == earlier for earlier, _, _ in BREAKS[:number]):
                code, output = run(name, source, build)
                problems += [f"fails on the source as it is: {line}" for line in output.splitlines() if code and line.startswith("not ok")]
            function(source, build)
            code, output = run(name, source, build)
            if code == 0:
                problems.append("passes")
            elif "Traceback" in output or not re.search(complaint, output):
                problems += ["fails otherwise:", *output.splitlines()]
            guard.check(f"{name} on: {complaint}", problems)
            shutil.rmtree(top)
    guard.end()


main()
