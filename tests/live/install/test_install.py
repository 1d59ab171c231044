# SPDX-License-Identifier: Apache-2.0
"""make install puts everything where it is looked for, under DESTDIR and nowhere else; make uninstall leaves nothing."""
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from lab.httpd import BUILD, MODULES, PROGRAM, SANITIZE
from lab.outcomes import SOURCE
import table

pytestmark = pytest.mark.skipif(SANITIZE, reason="what is installed is the same")


def make(target, destination):
    done = subprocess.run(["make", "-C", str(BUILD), target, f"DESTDIR={destination}"], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def variable(name):
    """As configure found it, with the other variables in it filled in."""
    lines = dict(re.findall(r"^(\w+) = (.*)$", (BUILD / "Makefile").read_text(), re.MULTILINE))
    value = lines[name]
    while match := re.search(r"\$[({](\w+)[)}]", value):
        value = value.replace(match[0], lines[match[1]])
    return value


def files(top):
    return {str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir() or path.is_symlink()}


@pytest.fixture(scope="module")
def installed(workdirs):
    workdir = workdirs.new("install")
    make("install", workdir)
    return workdir


def at(workdir, *parts):
    return workdir / "/".join(parts).lstrip("/")


def test_what_is_where(installed):
    expected = [at(installed, variable("modulesdir"), "mod_authstatus.so"),
                at(installed, variable("sbindir"), "authstatus-explain"),
                at(installed, variable("mandir"), "man8/authstatus-explain.8"),
                at(installed, variable("mandir"), "man7/mod_authstatus.7"),
                at(installed, variable("includedir"), "mod_authstatus.h"),
                at(installed, variable("docdir"), "README"),
                at(installed, variable("docdir"), "docs/mod_authstatus.html"),
                at(installed, variable("docdir"), "docs/what-to-do-when.md"),
                at(installed, variable("docdir"), "docs/examples/login-failed.html.var"),
                at(installed, variable("docdir"), "docs/fail2ban/authstatus.conf")]
    assert [str(path) for path in expected if not path.is_file()] == []
    assert not list(installed.rglob("*.la"))


def test_every_guide_is_installed(installed):
    for suffix in ("md", "html", "svg"):
        guides = {path.name for path in (SOURCE / "docs").glob(f"*.{suffix}")}
        there = at(installed, variable("docdir"), "docs").glob(f"*.{suffix}")
        assert guides and {path.name for path in there} == guides, "docs_DATA of Makefile.am"
    for folder in ("examples", "fail2ban", "pictures"):
        named = {path.name for path in (SOURCE / "docs" / folder).iterdir()}
        assert {path.name for path in at(installed, variable("docdir"), "docs", folder).iterdir()} == named, folder
    pages = {path.name for path in (SOURCE / "docs").glob("*.[78]")}
    assert {path.name for path in at(installed, variable("mandir")).rglob("*.[78]")} == pages, "man_MANS of Makefile.am"


def test_documents_name_what_is_installed(installed):
    """A path in a document that is installed is one of the installed tree, or of the source, which it says."""
    top = at(installed, variable("docdir"))
    for path in [top / "README", *(top / "docs").glob("*.md")]:
        if path.name == "hacking.md":
            continue
        text = path.read_text()
        named = set(re.findall(r"\bdocs/[\w./-]*\w", text)) | {
            f"docs/{name}" for name in re.findall(r"`((?:examples|fail2ban)/[\w./-]+\w|[\w-]+\.md)`", text)}
        assert sorted(name for name in named if not (top / name).exists()) == [], path.name


def test_links_lead_to_what_is_installed(installed):
    """Links of Markdown and HTML, relative to the document, with their anchors in the manual."""
    top = at(installed, variable("docdir"))
    manual = (top / "docs/mod_authstatus.html").read_text()
    anchors = set(re.findall(r'\bid="([^"]+)"', manual))
    seen = 0
    for path in [*(top / "docs").glob("*.md"), top / "docs/mod_authstatus.html"]:
        text = path.read_text()
        links = re.findall(r"\]\(([^)\s]+)\)", text) if path.suffix == ".md" else re.findall(r'\bhref="([^"]+)"', text)
        seen += len(links)
        for link in (link for link in links if "://" not in link):
            name, _, anchor = link.partition("#")
            assert not name or (path.parent / name).exists(), f"{path.name}: {link}"
            assert not anchor or name or path.suffix != ".html" or anchor in anchors, link
    assert seen > 80


VOID = {"meta", "link", "br", "hr", "img", "input", "col"}


class Strict(HTMLParser):
    """Each element is closed where it was opened, no id is there twice, no attribute either."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.complaints = [], set(), []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        identifier = dict(attrs).get("id")
        self.complaints += [f"{tag}: an attribute twice"] if len(names) != len(set(names)) else []
        self.complaints += [f"{identifier} twice"] if identifier in self.ids else []
        self.ids |= {identifier} if identifier else set()
        if tag in ("p", "ul", "pre", "table", "h2", "h3", "div", "section") and "p" in self.open:
            self.complaints.append(f"{tag} within p, line {self.getpos()[0]}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        last = self.open.pop() if self.open else None
        if last != tag:
            self.complaints.append(f"</{tag}> closes {last}, line {self.getpos()[0]}")


def test_the_manual_is_well_formed():
    parser = Strict()
    text = (SOURCE / "docs/mod_authstatus.html").read_text()
    parser.feed(text)
    parser.close()
    assert text.startswith("<!DOCTYPE html>\n") and parser.complaints == [] and parser.open == []
    for one in table.directives(SOURCE):
        assert one.name.lower() in parser.ids, one.name
    assert "script" not in text.split("<main", 1)[0]


def test_programs_run(installed):
    for program in at(installed, variable("sbindir")).glob("authstatus-*"):
        done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=30)
        assert "usage" in done.stdout + done.stderr, program


def test_manual_pages_are_clean():
    pages = sorted((SOURCE / "docs").glob("*.[78]"))
    assert len(pages) >= 2
    for tool in (["mandoc", "-Tlint", "-Wwarning"], ["groff", "-mdoc", "-ww", "-Tutf8"]):
        assert shutil.which(tool[0]), f"{tool[0]} is not installed"
        for page in pages:
            done = subprocess.run([*tool, str(page)], capture_output=True, text=True, timeout=60)
            complaints = done.stderr if tool[0] == "groff" else done.stdout + done.stderr
            lines = [line for line in complaints.splitlines() if "mandoc.db" not in line]
            assert done.returncode == 0 and not lines, lines


def test_a2enmod(installed, workdirs):
    """On Debian: enabled like any other module, with what it needs."""
    if not shutil.which("a2enmod"):
        pytest.skip("this httpd has no a2enmod")
    available = at(installed, variable("a2modsdir"))
    load = available / "authstatus.load"
    assert f"LoadModule authstatus_module {variable('modulesdir')}/mod_authstatus.so\n" in load.read_text()
    workdir = workdirs.new("apache2")
    shutil.copytree("/etc/apache2/mods-available", workdir / "mods-available")
    (workdir / "mods-enabled").mkdir()
    for name in ("authstatus.load", "authstatus.conf"):
        shutil.copy(available / name, workdir / "mods-available" / name)
    done = subprocess.run(["a2enmod", "-q", "authstatus"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "APACHE_CONFDIR": str(workdir)})
    enabled = {path.name for path in (workdir / "mods-enabled").iterdir()}
    assert {"authstatus.load", "authstatus.conf", "auth_basic.load", "authz_core.load", "socache_shmcb.load"} <= enabled, done
    (workdir / "httpd.conf").write_text(f'LoadModule mpm_event_module "{MODULES}/mod_mpm_event.so"\n'
                                     f'IncludeOptional "{workdir}/mods-enabled/*.load"\nIncludeOptional "{workdir}/mods-enabled/auth*.conf"\n'
                                     f'ServerName localhost\nListen 127.0.0.1:1\nErrorLog "{workdir}/error"\nAuthStatusCacheTime 60s 30s\n')
    # What is not installed yet but under DESTDIR.
    text = (workdir / "mods-available/authstatus.load").read_text()
    (workdir / "mods-available/authstatus.load").write_text(text.replace(variable("modulesdir"), str(at(installed, variable("modulesdir")))))
    done = subprocess.run([PROGRAM, "-d", str(workdir), "-f", str(workdir / "httpd.conf"), "-t"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_uninstall_leaves_a_package_alone(workdirs):
    """Nothing is removed where a package has put it: the check comes before each removal, and says whose it is."""
    workdir = workdirs.new("package")
    (workdir / "dpkg-query").write_text("#!/bin/sh\necho \"libapache2-mod-authstatus: $2\"\n")
    (workdir / "dpkg-query").chmod(0o755)
    environment = {**os.environ, "PATH": f"{workdir}:{os.environ['PATH']}", "LC_ALL": "C"}
    done = subprocess.run(["make", "-C", str(BUILD), "of-no-package"], capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode != 0
    assert "mod_authstatus.so belongs to the package libapache2-mod-authstatus: remove that first" in done.stderr
    planned = subprocess.run(["make", "-n", "-C", str(BUILD), "uninstall"], capture_output=True, text=True, timeout=60, env=environment).stdout
    removals = [planned.index(command) for command in re.findall(r"(?:rm -f|--mode=uninstall)", planned)]
    assert removals and planned.index("belongs to the package") < min(removals)
    database = dict(re.findall(r"^(uninstall-\w+): (.*)$", subprocess.run(
        ["make", "-np", "-C", str(BUILD), "uninstall"], capture_output=True, text=True, timeout=60, env=environment).stdout, re.MULTILINE))
    parts = [name for name in re.split(r"\s+", database["uninstall-am"]) if name and name not in ("uninstall-local", "uninstall-man")]
    assert len(parts) > 8
    assert [name for name in parts if database.get(name) != "of-no-package"] == [], "uninstall_parts of Makefile.am"


def test_uninstall_leaves_nothing(installed):
    assert files(installed)
    make("uninstall", installed)
    assert files(installed) == set()
    # Of the directories those that are ours alone.
    assert not [path for path in installed.rglob("*") if "authstatus" in path.name]
