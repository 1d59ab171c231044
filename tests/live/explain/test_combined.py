# SPDX-License-Identifier: Apache-2.0
"""What authstatus-explain says of lines of Require together: as httpd itself answers, or "not decided"."""
import json

import pytest

from lab.fake import SERVICE_PASSWORD
from test_sections import RIGHT, run, slapd, write_program  # noqa: F401: a fixture

# Name: the directives of one section, or of several pieces of it; whether it grants `good`; None: a line that is not evaluated decides.
SITES = {
    "all-no": ("<RequireAll>\nRequire ldap-user good\nRequire ldap-user other\n</RequireAll>", False),
    "all-yes": ("<RequireAll>\nRequire valid-user\nRequire ldap-group cn=staff,o=loud\n</RequireAll>", True),
    "all-and-other": ("<RequireAll>\nRequire ldap-user other\nRequire ip 127.0.0.1\n</RequireAll>", False),
    "all-open": ("<RequireAll>\nRequire ldap-user good\nRequire ip 127.0.0.1\n</RequireAll>", None),
    "not-in": ("<RequireAll>\nRequire valid-user\nRequire not ldap-group cn=uids,o=loud\n</RequireAll>", True),
    "banned": ("<RequireAll>\nRequire valid-user\nRequire not ldap-group cn=staff,o=loud\n</RequireAll>", False),
    "none": ("<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire ldap-user other\nRequire ldap-user good\n</RequireNone>\n</RequireAll>", False),
    "any-in-all": ("<RequireAll>\nRequire valid-user\n<RequireAny>\nRequire ldap-user other\nRequire ldap-filter uid=good\n</RequireAny>\n"
                   "</RequireAll>", True),
    "two-alls": ("<RequireAll>\nRequire ldap-user other\n</RequireAll>\n<RequireAll>\nRequire ldap-user good\n</RequireAll>", True),
    "all-denied": ("Require all denied", False),
    "pieces": (("Require ldap-user good", "Require ldap-user other"), False),
    "pieces-and": (("Require ldap-user good", "AuthMerging And\nRequire ldap-user other"), False),
    "pieces-or": (("Require ldap-user other", "AuthMerging Or\nRequire ldap-user good"), True),
}
LOGIN = """AuthType Basic
AuthName "the lab"
AuthBasicProvider authstatus
AuthLDAPURL "ldap://127.0.0.1:{port}/o=loud?uid"
AuthLDAPBindDN "cn=service,o=loud"
AuthLDAPBindPassword "{password}"
AuthStatus On
"""


def write(name, lines, login):
    pieces = lines if isinstance(lines, tuple) else (lines,)
    return "".join(f"<Location /in/{name}>\n{login if number == 0 else ''}{piece}\n</Location>\n" for number, piece in enumerate(pieces))


@pytest.fixture(scope="module")
def site(start, slapd):
    login = LOGIN.format(port=slapd.port, password=SERVICE_PASSWORD)
    httpd = start("".join(write(name, lines, login) for name, (lines, _) in SITES.items()))
    (httpd.workdir / "right").write_text(RIGHT)
    (httpd.workdir / "right").chmod(0o600)
    return httpd


@pytest.fixture(scope="module")
def program(site):
    return write_program(site)


def explain(site, how, name):
    done = run("--json", how, "--section", f"/in/{name}", "--password-file", site.workdir / "right", "good")
    return json.loads(done.stdout), done.returncode


@pytest.mark.parametrize("source", ["config", "httpd"])
@pytest.mark.parametrize("name", SITES)
def test_what_lines_say_together(site, program, name, source):
    grants = SITES[name][1]
    site.log.allow("AS0032", "AS0040", "AH0163[01]")
    story, code = explain(site, f"--httpd={program}" if source == "httpd" else f"--config={site.configuration}", name)
    undecided = grants is None or (source == "config" and "AuthMerging" in "".join(SITES[name][0]))
    assert story["decided"] is not undecided, story
    if not undecided:
        assert code == (0 if grants else 6) and story["outcome"] == ("granted" if grants else "not-authorized"), story
    if grants is not None:
        assert (site.get(f"/in/{name}/", login=("good", RIGHT)).status == 403) is not grants


def test_a_line_in_doubt(start, workdirs, slapd):
    """A ban by a group that does not exist is 500, as the module has it."""
    login = LOGIN.format(port=slapd.port, password=SERVICE_PASSWORD)
    lines = "<RequireAll>\nRequire valid-user\nRequire not ldap-group cn=misspelt,o=loud\n</RequireAll>"
    httpd = start(write("doubt", lines, login))
    httpd.log.allow("AS0032", "AS0062", "AH0163[01]")
    (httpd.workdir / "right").write_text(RIGHT)
    (httpd.workdir / "right").chmod(0o600)
    story, code = explain(httpd, f"--httpd={write_program(httpd)}", "doubt")
    assert code == 5 and story["outcome"] == "directory-misconfigured", story
    assert [line["answer"] for line in story["require"]] == ["yes", "unknown"]
    assert httpd.get("/in/doubt/", login=("good", RIGHT)).status == 500
