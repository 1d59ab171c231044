# SPDX-License-Identifier: Apache-2.0
"""The answer's body: one sentence and the help link, as a page or as problem+json; never more than may be disclosed."""
import json

import pytest

from lab import client
from lab.outcomes import OUTCOMES

RIGHT, WRONG = "Pw!right", "Pw!wrong"
PAGE, PROBLEM = "text/html; charset=utf-8", "application/problem+json"
SCRIPT = (("Accept", "application/json"),)
HELP = "https://self-service.test/change?a=1&b=2"

# path, login, outcome, status, help
ROWS = [
    ("body", None, "no-credentials", 401, None),
    ("body", ("good", WRONG), "wrong-password", 401, None),
    ("body", ("good", ""), "empty-password", 401, None),
    ("body", ("nobody", RIGHT), "unknown-user", 401, None),
    ("body", ("expired", RIGHT), "password-expired", 403, HELP),
    ("body", ("locked", RIGHT), "account-locked", 403, "/help/refused"),
    ("body", ("must-change", RIGHT), "password-must-change", 403, "/help/refused"),
    ("body/boss", ("good", RIGHT), "not-authorized", 403, "/switch"),
    ("body/nobody", None, "access-denied", 403, None),
    ("down", ("good", RIGHT), "directory-down", 503, None),
    ("refused-service", ("good", RIGHT), "service-account-refused", 500, None),
]
FORMS = {"page": (), "browser": (("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),),
         "script": SCRIPT}


def noise(site):
    site.log.allow(r"AS00\d\d", r"AH0161[78]", r"AH0163[01]")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path, login, outcome, status, link", ROWS, ids=lambda value: value if isinstance(value, str) else None)
def test_sentence(site, path, login, outcome, status, link, form):
    noise(site)
    answer = site.get(f"/in/{path}", login=login, headers=FORMS[form])
    assert answer.status == status, answer
    assert answer.all("Vary") == ["Accept,Accept-Language"] and answer.header("Content-Language") == "en"
    sentence = OUTCOMES[outcome].sentence
    if form == "script":
        assert answer.header("Content-Type") == PROBLEM
        expected = {"type": f"urn:x-authstatus:{outcome}", "title": sentence, "status": status, "outcome": outcome}
        assert json.loads(answer.body) == expected | ({"help": link} if link else {})
    else:
        assert answer.header("Content-Type") == PAGE
        body = answer.body.decode()
        assert f"<p>{sentence}</p>" in body and f"<title>{status} " in body
        assert ("<a " in body) == bool(link)
        assert not link or f'<a class="main" href="{link.replace("&", "&amp;")}">' in body


@pytest.mark.parametrize("language, tag, sentence", [
    ("de", "de", "Ihr Passwort ist abgelaufen."), ("fr-CA, fr;q=0.8", "fr", "Votre mot de passe a expiré."),
    ("pt", "pt-br", "Sua senha expirou."), ("zh-CN", "zh-cn", "您的密码已过期。"), ("sv", "en", "Your password has expired."),
    ("zh-CN;q=0, zh", "en", "Your password has expired."), ("sv," * 2700 + "de", "de", "Ihr Passwort ist abgelaufen."),
    (";q=-,*-*;" * 900, "en", "Your password has expired."),
], ids=lambda value: value[:20])
def test_language(site, language, tag, sentence):
    noise(site)
    for form in FORMS.values():
        answer = site.get("/in/body", login=("expired", RIGHT), headers=(*form, ("Accept-Language", language)))
        assert answer.header("Content-Language") == tag and answer.all("Vary") == ["Accept,Accept-Language"]
        body = answer.body.decode()
        assert json.loads(body)["title"] == sentence if form == SCRIPT else f"<p>{sentence}</p>" in body
        assert form == SCRIPT or f'<html lang="{tag}" dir="ltr">' in body


@pytest.mark.parametrize("path, login, text", [
    ("body/boss", ("good", RIGHT), "Sign in as someone else"), ("body", ("locked", RIGHT), "Get help with this")])
def test_the_link_says_what_it_does(site, path, login, text):
    noise(site)
    assert f">{text}</a>" in site.get(f"/in/{path}", login=login).body.decode()


def test_throttled(site):
    noise(site)
    for number in range(2):
        assert site.get("/in/throttled", login=("good", f"{WRONG}{number}")).status == 401
    answer = site.get("/in/throttled", login=("good", f"{WRONG}2"), headers=SCRIPT)
    assert answer.status == 429 and json.loads(answer.body)["type"] == "urn:x-authstatus:throttled"
    assert int(answer.header("Retry-After")) > 0


# RFC 9110 12.5.1: the most specific range that matches says how much a type is liked.
@pytest.mark.parametrize("accept, is_json", [
    ("", False),
    ("*/*", False),
    ("text/html", False),
    ("image/png", False),
    ("application/json", True),
    ("application/problem+json", True),
    ("APPLICATION/JSON", True),
    ("application/json, text/plain, */*", True),            # axios
    ("application/json, text/javascript, */*; q=0.01", True),  # jQuery
    ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", False),  # browsers
    ("text/html;q=0.9,application/json", True),
    ("text/html;q=0.9, application/json;q=0.8", False),
    ("text/html;q=0.8;level=1, application/problem+json;q=0.85", True),
    ("text/html, application/json", False),
    ("application/*", True),
    ("application/*;q=0.5, text/*;q=0.6", False),
    ("text/html;q=0, */*", True),
    ("application/json;q=0, */*", False),
    ("application/json;q=0", False),
    ("application/json;q=0.001, text/html;q=0", True),
    ("application/json;version=\"a,b;q=0\";q=1, text/html;q=0.5", True),
    ("application/json ; q=0.2 , text/html ; q=0.1", True),
    ("application/jsonx, application/json2;q=1", False),
    (";", False), (",", False), (";;,,;q=1", False), ("application/json;", True), ("application/json;q", True),
    ("application/json;q=", True), ("application/json;q=9", True), ("application/json;q=1.0000000000000001", True),
    ("\"application/json", False), ("application/json;x=\"", True), ("/;q=0.1", False), ("a" * 7000, False),
    (",".join(["text/html;q=0.1"] * 400) + ",application/json", True),
])
def test_accept(site, accept, is_json):
    answer = site.get("/in/body", headers=(("Accept", accept),) if accept else ())
    assert answer.status == 401
    assert answer.header("Content-Type") == (PROBLEM if is_json else PAGE)


def test_several_accept_fields_are_one(site):
    answer = site.get("/in/body", headers=(("Accept", "text/html;q=0.5"), ("Accept", "application/json")))
    assert answer.header("Content-Type") == PROBLEM


@pytest.mark.parametrize("headers", [(), SCRIPT], ids=["page", "script"])
@pytest.mark.parametrize("login", [None, ("good", WRONG), ("expired", RIGHT)])
def test_head(site, login, headers):
    noise(site)
    with site.connection() as connection:
        answer = connection.request("/in/body", login=login, headers=headers)
        head = connection.request("/in/body", login=login, headers=headers, method="HEAD")
        again = connection.request("/in/body", login=login, headers=headers)
    assert head.body == b"" and answer.body
    assert head.status == answer.status and [pair for pair in head.headers if pair[0] != "Date"] == [
        pair for pair in answer.headers if pair[0] != "Date"]
    assert again.comparable() == answer.comparable()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND"])
def test_other_methods(site, method):
    answer = site.get("/in/body", method=method, body="x=1", headers=SCRIPT)
    assert answer.status == 401 and json.loads(answer.body)["outcome"] == "no-credentials"


def test_http2(site):
    noise(site)
    plain, second = site.get("/in/body", login=("expired", RIGHT)), client.get_h2(site.port, "/in/body", ("expired", RIGHT))
    assert second.status == 403 and second.body == plain.body
    assert second.header("content-type") == PAGE and second.header("vary") == "Accept,Accept-Language"


def test_error_document_wins(site):
    noise(site)
    for headers in ((), SCRIPT):
        for login, status in ((None, 401), (("expired", RIGHT), 403)):
            answer = site.get("/in/documents", login=login, headers=headers)
            assert answer.status == status and answer.body == b"my own page for %d" % status
            assert not answer.all("Vary")


def test_where_it_is_off_httpd_speaks(site):
    answer = site.get("/in/off", headers=SCRIPT)
    assert answer.status == 401 and b"This server could not verify" in answer.body and not answer.all("Vary")


@pytest.mark.parametrize("headers", [(), SCRIPT], ids=["page", "script"])
def test_masked_is_untouched(site, headers):
    noise(site)
    missing = site.get("/missing", headers=headers)
    assert missing.status == 404 and b"authstatus" not in missing.body
    for login in (None, ("good", WRONG), ("expired", RIGHT)):
        masked = site.get("/in/masked", login=login, headers=headers)
        assert masked.comparable() == missing.comparable()


@pytest.mark.parametrize("headers", [(), SCRIPT], ids=["page", "script"])
@pytest.mark.parametrize("login", [("nobody", RIGHT), ("locked", RIGHT), ("locked", WRONG), ("expired", WRONG)])
def test_unproven_equals_wrong_password(site, login, headers):
    """Its help link as well, which its own outcome has another of."""
    noise(site)
    wrong = site.get("/in/proven", login=("good", WRONG), headers=headers)
    other = site.get("/in/proven", login=login, headers=headers)
    assert other.comparable() == wrong.comparable()
    assert b"/help/sign-in" in other.body and b"/help/who" not in other.body


@pytest.mark.parametrize("headers", [(), SCRIPT], ids=["page", "script"])
def test_quiet(site, headers):
    answer = site.get("/in/quiet", headers=headers)
    assert answer.status == 401 and answer.header("WWW-Authenticate").startswith("xBasic ")
    assert answer.header("Content-Type") == (PROBLEM if headers else PAGE)
