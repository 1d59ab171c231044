# SPDX-License-Identifier: Apache-2.0
"""authstatus-audit finds what a stock httpd gives away, and nothing where a virtual host masks."""
import subprocess

import pytest
from lab.httpd import BUILD

PROGRAM = BUILD / "authstatus-audit"

SITE = """
<Location /hidden>
    Require all denied
</Location>
<Location /inside>
    AuthType Basic
    AuthName "inside"
    AuthBasicProvider file
    AuthUserFile "${USERS}"
    Require user boss
</Location>
"""
PAGES = {"hidden/page.html": "hidden\n", "inside/page.html": "inside\n"}
# user "clerk" with the password Pw!clerk
USERS = "clerk:{SHA}owY9tI0xu+6FMjmehL8lhg2xNEY=\n"


def audit(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def url(site, path):
    return f"http://127.0.0.1:{site.port}{path}"


class Site:
    def __init__(self, kind, httpd):
        self.kind, self.httpd, self.port, self.log = kind, httpd, httpd.port, httpd.log


@pytest.fixture(scope="module", params=["stock", "masked"])
def site(request, start, rooms):
    users = rooms.new("users") / "users"
    users.write_text(USERS)
    policy = "AuthStatus On\nAuthStatusMask All\n" if request.param == "masked" else ""
    return Site(request.param, start(policy + SITE, defines={"USERS": users}, files=PAGES))


@pytest.mark.parametrize("forbidden, missing, more", [
    ("/hidden/page.html", "/absent/page.html", ()),
    ("/inside/page.html", "/absent/page.html", ("-a",)),
], ids=["safe", "all-methods-login"])
def test_pair(site, tmp_path, forbidden, missing, more):
    site.log.allow("AH01630", "AH01617", "AH01618", "AH01631", "AH01614", "AH00135", "AS00", "AH10244", "AH00026")
    password = tmp_path / "password"
    password.write_text("Pw!clerk\n")
    code, told, wrong = audit("-w", "1", "-u", "clerk", "-y", password, *more, url(site, forbidden), url(site, missing))
    assert not wrong
    assert "Pw!clerk" not in told and "Y2xlcms6" not in told
    if site.kind == "masked":
        assert (code, told.splitlines()[-1].strip().split(" of ")[0]) == (0, "0"), told
    else:
        assert code == 1, told
        assert "GET: the status line differs" in told
        assert "to see it  GET /" in told


@pytest.mark.parametrize("arguments", [
    (), ("http://127.0.0.1/a",), ("ftp://127.0.0.1/a", "ftp://127.0.0.1/b"), ("http://127.0.0.1/a", "http://127.0.0.2/b"),
    ("http://127.0.0.1/a", "https://127.0.0.1/b"), ("-y", "/dev/null", "http://127.0.0.1/a", "http://127.0.0.1/b"),
    ("-w", "0", "http://127.0.0.1/a", "http://127.0.0.1/b"), ("-x",),
])
def test_usage(arguments):
    code, told, wrong = audit(*arguments)
    assert (code, told) == (2, "")
    assert wrong


def test_help():
    for option in ("--help", "-h"):
        code, told, wrong = audit(option)
        assert (code, wrong) == (0, "") and told.startswith("usage: authstatus-audit ")
    code, told, wrong = audit("--version")
    assert (code, wrong) == (0, "") and told.startswith("authstatus-audit ")


def test_no_server():
    code, _, wrong = audit("http://127.0.0.1:1/a", "http://127.0.0.1:1/b")
    assert code == 3
    assert "refused" in wrong
