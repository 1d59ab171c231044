# SPDX-License-Identifier: Apache-2.0
"""Several domains, <If>, virtual hosts, subrequests, internal redirects, forms: and never more than one question to a
directory in a request."""
import base64
import hashlib
from pathlib import Path
from urllib.parse import urlencode

import pytest

from lab.process import reserve_port
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
HASH = "{SHA}" + base64.b64encode(hashlib.sha1(b"Pw!file").digest()).decode()

FILES = {
    "ssi/page.shtml": '<!--#include virtual="/ssi/inner/one.html" --><!--#include virtual="/ssi/inner/two.html" -->'
                      '<!--#include virtual="three.html" -->',
    "ssi/inner/one.html": "one ", "ssi/inner/two.html": "two ", "ssi/three.html": "three",
    "ssi/refused.shtml": '<!--#config errmsg="(kept) " --><!--#include virtual="/ssi/forbidden/x.html" -->'
                         '<!--#include virtual="three.html" -->',
    "ssi/forbidden/x.html": "forbidden",
    "errors/401/index.html": "document 401", "errors/403/index.html": "document 403",
    "errors/404/index.html": "document 404", "errors/503/index.html": "document 503",
    "index/index.html": "index", "target/index.html": "target", "login.html": "the login page",
}


@pytest.fixture(scope="module")
def slapd(start_slapd):
    people = HERE / "people.ldif"
    options = ("ppolicy_use_lockout",)
    slapd = start_slapd(Database("o=first", people, options), Database("o=second", people, options))
    return slapd


@pytest.fixture(scope="module")
def site(start, slapd):
    httpd = start.make(HERE / "site.conf", files=FILES, defines={"LDAP": slapd.port, "NOBODY": reserve_port()},
                       modules=("include", "rewrite", "request", "session", "session_cookie", "auth_form"))
    (httpd.workdir / "users").write_text(f"both:{HASH}\n")
    return httpd.start()


# -- several domains --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path, user, password, outcome, status, queried", [
    ("domains", "first-only", RIGHT, "granted", 200, (1, 0)),
    ("domains", "second-only", RIGHT, "granted", 200, (1, 1)),
    ("domains", "both", "Pw!first", "granted", 200, (1, 0)),
    ("domains", "both", "Pw!second", "wrong-password", 401, (1, 0)),
    ("domains", "nobody", RIGHT, "unknown-user", 401, (1, 1)),
    ("domains", "second-only", WRONG, "wrong-password", 401, (1, 1)),
    ("domains", "expired", RIGHT, "password-expired", 403, (1, 0)),
    ("domains", "locked", RIGHT, "account-locked", 403, (1, 0)),
    ("gone-first", "second-only", RIGHT, "directory-down", 503, (0, 0)),
    ("gone-second", "first-only", RIGHT, "granted", 200, (1, 0)),
    ("gone-second", "first-only", WRONG, "wrong-password", 401, (1, 0)),
    ("gone-second", "nobody", RIGHT, "directory-down", 503, (1, 0)),
    ("with-file", "both", "Pw!file", "granted", 200, (0, 0)),
    ("with-file", "both", "Pw!second", "denied", 401, (0, 0)),
    ("with-file", "second-only", RIGHT, "granted", 200, (0, 1)),
    ("with-file", "nobody", RIGHT, "unknown-user", 401, (0, 1)),
    ("with-file", "expired", RIGHT, "password-expired", 403, (0, 1)),
    ("not-authoritative", "both", "Pw!second", "granted", 200, (1, 1)),
    ("not-authoritative", "both", WRONG, "wrong-password", 401, (1, 1)),
])
def test_domains(site, slapd, path, user, password, outcome, status, queried):
    mark = slapd.mark()
    if outcome == "directory-down":
        site.log.expect("AS0050")
    if path == "not-authoritative":
        site.log.allow("AH01618")  # what mod_auth_basic makes of it, with provider ldap as well
    verify(site, site.get(f"/in/{path}", login=(user, password)), outcome, status, blamed=path != "not-authoritative")
    assert tuple(slapd.operations(mark, base)["searches"] for base in ("o=first", "o=second")) == queried


# -- If, virtual hosts ------------------------------------------------------------------------------------------------

def test_if(site):
    verify(site, site.get("/in/if/x", login=("first-only", RIGHT)), "granted", 200)
    verify(site, site.get("/in/if/x", login=("first-only", WRONG)), "wrong-password", 401)
    verify(site, site.get("/in/if/x", login=("locked", RIGHT)), "account-locked", 403)
    verify(site, site.get("/in/if/x"), "no-credentials", 401)
    assert site.get("/in/else/x").status == 200


def test_if_within_a_location(site):
    site.log.expect("AH01617")
    assert site.get("/in/if-on", login=("expired", RIGHT)).status == 401
    on = [("X-Status", "on")]
    verify(site, site.get("/in/if-on", headers=on, login=("expired", RIGHT)), "password-expired", 403)
    verify(site, site.get("/in/if-on", headers=on, login=("first-only", WRONG)), "wrong-password", 403)


def test_virtual_host_inherits_its_server(site):
    host = {"host": "other.test"}
    verify(site, site.get("/in/x", login=("second-only", RIGHT), **host), "granted", 200)
    verify(site, site.get("/in/x", login=("first-only", RIGHT), **host), "unknown-user", 401)
    answer = site.get("/in/x", login=("locked", RIGHT), **host)
    verify(site, answer, "account-locked", 451)
    assert answer.header("Cache-Control") == "no-store"
    site.log.expect("AH01617", "AS0023")
    assert site.get("/in/off/x", login=("expired", RIGHT), **host).status == 401


# -- one question in a request ----------------------------------------------------------------------------------------

ONCE = {"searches": 1, "user_binds": 1, "other": 0}


def queried(slapd, mark):
    return {key: value for key, value in slapd.operations(mark).items() if key in ONCE}


@pytest.fixture
def warm(site):
    """The service account has bound, whatever ran before."""
    with site.connection() as connection:
        connection.request("/in/documents", login=("first-only", RIGHT))


@pytest.mark.parametrize("path, body", [
    ("/ssi/page.shtml", b"one two three"),
    ("/ssi/refused.shtml", b"(kept) three"),
    ("/index/", b"index"),
    ("/rewritten/x", b"target"),
])
def test_subrequests_and_redirects(site, slapd, warm, path, body):
    mark = slapd.mark()
    if "refused" in path:
        site.log.expect("AH01631", "unable to include")
        site.log.allow("AS0030")
    answer = site.get(path, login=("first-only", RIGHT))
    assert (answer.status, answer.body) == (200, body)
    assert site.access(answer).outcome == "granted"
    loud = [line for line in site.outcome_lines(answer) if line.level != "debug"]
    assert not loud or "refused" in path
    assert queried(slapd, mark) == ONCE


@pytest.mark.parametrize("path, user, password, outcome, status", [
    ("/in/documents", "first-only", WRONG, "wrong-password", 401),
    ("/in/documents", "nobody", RIGHT, "unknown-user", 401),
    ("/in/documents", "expired", RIGHT, "password-expired", 403),
    ("/in/documents", "locked", RIGHT, "account-locked", 403),
    ("/in/documents/forbidden", "first-only", RIGHT, "not-authorized", 403),
])
def test_error_documents_that_are_protected(site, slapd, warm, path, user, password, outcome, status):
    """httpd authenticates the ErrorDocument's request too; the directory is not queried again."""
    mark = slapd.mark()
    site.log.allow("AH01631", "AH0161[78]", r"AS00\d\d")
    answer = site.get(path, login=(user, password))
    record = site.access(answer)
    assert (answer.status, record.outcome, record.meant) == (status, outcome, str(status))
    assert len(answer.all("WWW-Authenticate")) == (1 if status == 401 else 0)
    loud = [line for line in site.outcome_lines(answer) if line.level != "debug"]
    assert len(loud) == 1, loud
    got = queried(slapd, mark)
    assert got["searches"] == 1 and got["user_binds"] <= 1 and got["other"] == 0


def test_error_document_for_somebody_who_is_let_in(site, slapd, warm):
    """A 404 within a protected area, whose document is protected: granted both times, queried once."""
    mark = slapd.mark()
    answer = site.get("/missing/x", login=("first-only", RIGHT))
    assert (answer.status, answer.body) == (404, b"document 404")
    assert site.access(answer).outcome == "granted"
    assert queried(slapd, mark) == ONCE


def test_error_document_without_credentials(site, slapd):
    mark = slapd.mark()
    answer = site.get("/in/documents")
    record = site.access(answer)
    assert (answer.status, record.outcome) == (401, "no-credentials")
    assert len(answer.all("WWW-Authenticate")) == 1
    assert queried(slapd, mark) == {"searches": 0, "user_binds": 0, "other": 0}


def test_error_document_of_an_outage(site):
    site.log.expect("AS0050")
    answer = site.get("/in/documents-gone", login=("first-only", RIGHT))
    assert (answer.status, answer.body, answer.all("Retry-After")) == (503, b"document 503", ["10"])
    assert site.access(answer).outcome == "directory-down"
    assert not answer.all("WWW-Authenticate")


# -- mod_auth_form ----------------------------------------------------------------------------------------------------

def post(site, path, user, password, headers=()):
    return site.get(path, method="POST", body=urlencode({"httpd_username": user, "httpd_password": password}),
                    headers=[("Content-Type", "application/x-www-form-urlencoded"), *headers])


FORM = [
    ("first-only", RIGHT, "granted", 200),
    ("first-only", WRONG, "wrong-password", 401),
    ("nobody", RIGHT, "unknown-user", 401),
    ("expired", RIGHT, "password-expired", 403),
    ("locked", RIGHT, "account-locked", 403),
]


def check_form(site, answer, outcome, status):
    record = site.access(answer)
    site.log.allow("AH0180[78]", r"AS00\d\d")
    assert (answer.status, record.outcome) == (status, outcome), answer
    assert answer.all("WWW-Authenticate") == [], "a form has no challenge, and none is invented for it"


@pytest.mark.parametrize("user, password, outcome, status", FORM)
def test_form_inline(site, slapd, user, password, outcome, status):
    """Credentials are posted to the page itself."""
    mark = slapd.mark()
    check_form(site, post(site, "/in/form/x", user, password), outcome, status)
    got = queried(slapd, mark)
    assert got["searches"] == 1 and got["user_binds"] <= 1


@pytest.mark.parametrize("user, password, outcome, status", FORM)
def test_form_login_handler(site, user, password, outcome, status):
    answer = post(site, "/login", user, password)
    check_form(site, answer, outcome, 302 if status == 200 else status)
    if status == 200:
        assert answer.header("Location").endswith("/in/form/welcome")


def test_form_session(site, slapd):
    """The cookie carries the login; each request is a question, and its answer is judged alike."""
    answer = post(site, "/login", "first-only", RIGHT)
    cookie = [("Cookie", answer.header("Set-Cookie").split(";")[0])]
    mark = slapd.mark()
    check_form(site, site.get("/in/form/x", headers=cookie), "granted", 200)
    assert queried(slapd, mark) == ONCE


def test_form_without_credentials(site):
    check_form(site, site.get("/in/form/x"), "no-credentials", 401)


def test_form_login_page(site):
    """AuthFormLoginRequiredLocation leads to the page for what a new login can repair, and for nothing else."""
    site.log.allow("AH0180[78]", r"AS00\d\d")
    assert site.get("/in/form-page/x").header("Location").endswith("/login.html")
    assert post(site, "/in/form-page/x", "first-only", WRONG).header("Location").endswith("/login.html")
    refused = post(site, "/in/form-page/x", "expired", RIGHT)
    assert refused.status == 403 and not refused.all("Location")


@pytest.mark.parametrize("path", ["/in/form-gone/x", "/login-gone"])
def test_form_outage(site, path):
    site.log.expect("AS0050")
    answer = post(site, path, "first-only", RIGHT)
    check_form(site, answer, "directory-down", 503)
    assert answer.all("Retry-After") == ["10"]
