# SPDX-License-Identifier: Apache-2.0
"""Sign in as someone else: a page says what will happen; then the first credentials are refused, the second lead back, and
only to this site. What a browser makes of it is in tests/live/browser."""
import pytest

OLD, NEW = ("good", "Pw!right"), ("boss", "Pw!right")
REFUSED = ("Cookie", "authstatus-switch=1")


def test_the_way(site):
    with site.connection() as connection:
        explained = connection.request("/switch?to=/in/body")
        queried = connection.request("/switch?to=/in/body&now=1")
        refused = connection.request("/switch?to=/in/body&now=1", login=OLD)
        done = connection.request("/switch?now=1&to=/in/body", login=NEW, headers=(("Cookie", "a=b; authstatus-switch=1"),))
        again = connection.request("/switch?to=/in/body&now=1", login=NEW)
    assert explained.status == 200 and explained.header("WWW-Authenticate") is None
    assert b'href="/switch?to=%2fin%2fbody&amp;now=1"' in explained.body and b'href="/in/body"' in explained.body
    for answer in (queried, refused, again):
        assert answer.status == 401 and answer.header("WWW-Authenticate") == 'Basic realm="the lab", charset="UTF-8"'
    assert queried.header("Set-Cookie") is None
    assert refused.header("Set-Cookie") == "authstatus-switch=1; Max-Age=120; HttpOnly; SameSite=Lax"
    assert done.status == 303 and done.header("Location") == "/in/body" and done.header("WWW-Authenticate") is None
    assert done.header("Set-Cookie").startswith("authstatus-switch=0; Max-Age=0;")
    assert done.header("Clear-Site-Data") == '"cache"'
    for answer in (explained, queried, refused, done):
        assert answer.header("Cache-Control") == "no-store"


def go(site, query, headers=()):
    return site.get(f"/switch{query}{'&' if query else '?'}now=1", login=NEW, headers=(REFUSED, *headers))


@pytest.mark.parametrize("to, location", [
    ("/", "/"), ("/a/b?c=d", "/a/b?c=d"), ("%2Fa%2Fb%3Fc%3Dd%26e%3Df%23g", "/a/b?c=d&e=f#g"), ("/a%2520b", "/a%20b"),
    ("/a%20b", "/a%20b"), ("/a+b", "/a%20b"), ("/%C3%A4", "/%C3%A4"), ("/%22%3Cx%3E", "/%22%3Cx%3E"),
    ("/a//b", "/a//b"), ("/switches", "/switches"), ("/..//evil.test", "/..//evil.test"), ("/a&to=//evil.test", "/a"),
    ("/http://evil.test", "/http://evil.test"), ("/@evil.test", "/@evil.test"),
])
def test_target(site, to, location):
    answer = go(site, f"?to={to}")
    assert answer.status == 303 and answer.header("Location") == location


@pytest.mark.parametrize("to", [
    "", "a", "//evil.test", "%2F%2Fevil.test", "///evil.test", "/%5Cevil.test", "/\\evil.test", "%5C%5Cevil.test",
    "https://evil.test", "https:evil.test", "javascript:alert(1)", "/%0d%0aX:y", "/%09/evil.test", "/%0a/evil.test",
    "%09//evil.test", "%20/x", "/%7f", "/%00", "/%zz", "/switch", "/switch?to=/", "/a/../switch", "/%2573witch",
    "//switch", "/./switch",
])
def test_no_open_redirect(site, to):
    for login, headers, now in ((NEW, (REFUSED,), "&now=1"), (OLD, (), "&now=1"), (None, (), "&now=1"), (None, (), "")):
        answer = site.get(f"/switch?to={to}{now}", login=login, headers=headers)
        assert answer.status == 400 and answer.header("Location") is None and answer.header("Set-Cookie") is None


@pytest.mark.parametrize("referer, location", [
    (None, "/"), ("http://localhost/in/body/boss?x=1", "/in/body/boss?x=1"), ("http://LOCALHOST/x", "/x"),
    ("http://evil.test/x", "/"), ("http://localhost.evil.test/x", "/"), ("http://localhost@evil.test/x", "/"),
    ("http://localhost//evil.test/x", "/"), ("http://localhost/switch", "/"), ("http://localhost", "/"), ("nonsense", "/"),
    ("http://localhost/\\evil.test", "/"),
])
def test_back_to_the_page_of_the_link(site, referer, location):
    answer = go(site, "", (("Referer", referer),) if referer else ())
    assert answer.status == 303 and answer.header("Location") == location


def test_another_site_cannot_make_a_browser_forget(site):
    for login, headers in ((OLD, ()), (NEW, (REFUSED,))):
        answer = site.get("/switch?to=/&now=1", login=login, headers=(*headers, ("Sec-Fetch-Site", "cross-site")))
        assert answer.status == 403 and not answer.all("WWW-Authenticate") and not answer.all("Set-Cookie")
    for value in ("same-origin", "same-site", "none"):
        assert site.get("/switch?to=/&now=1", login=OLD, headers=(("Sec-Fetch-Site", value),)).status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods(site, method):
    assert site.get("/switch?to=/", method=method, body="x", login=OLD).status == 405


def test_head(site):
    answer = site.get("/switch?to=/&now=1", method="HEAD", login=OLD)
    assert answer.status == 401 and answer.body == b""


def test_needs_a_realm(site):
    site.log.expect("AS0093")
    assert site.get("/switch-without-a-name").status == 500


@pytest.mark.parametrize("now", ["", "&now=", "&now=0", "&now=11", "&now=1x", "&know=1", "&NOW=1"])
def test_nothing_happens_before_it_is_confirmed(site, now):
    for login, headers in ((OLD, ()), (NEW, (REFUSED,)), (None, ())):
        answer = site.get(f"/switch?to=/in/body{now}", login=login, headers=headers)
        assert answer.status == 200 and not answer.all("Set-Cookie") and not answer.all("WWW-Authenticate")


@pytest.mark.parametrize("to, shown", [
    ("/a%22%3E%3Cscript%3E", "/a%22%3E%3Cscript%3E"), ("/a%26b", "/a&amp;b"), ("/'x'", "/'x'"),
])
def test_a_target_is_escaped(site, to, shown):
    for now in ("", "&now=1"):
        body = site.get(f"/switch?to={to}{now}").body.decode()
        assert f'href="{shown}"' in body or f'href="{shown.replace(chr(39), "&#39;")}"' in body
        assert "<script" not in body


def test_a_page_that_is_no_error_has_no_status(site):
    """Neither a title read aloud nor the end of the page says "200" to a person."""
    body = site.get("/switch?to=/in/body").body.decode()
    assert "<title>Sign in as someone else</title>" in body and "200" not in body.partition("<main>")[2] and "<footer>" not in body
    cancelled = site.get("/switch?to=/in/body&now=1").body.decode()
    assert "<title>401 " in cancelled and "<footer>401 Unauthorized</footer>" in cancelled


def test_cancelled(site):
    """The page behind a cancelled dialog leads back, and offers another attempt."""
    answer = site.get("/switch?to=/in/body&now=1")
    assert answer.status == 401 and b"You were not signed in." in answer.body
    assert b'href="/in/body"' in answer.body and b"now=1" in answer.body


@pytest.mark.parametrize("language, tag, text", [
    (None, "en", "Sign in as someone else"), ("de-AT, en;q=0.5", "de", "Als jemand anderes anmelden"), ("ja", "ja", "続ける")])
def test_language(site, language, tag, text):
    answer = site.get("/switch?to=/", headers=(("Accept-Language", language),) if language else ())
    assert answer.header("Content-Language") == tag and answer.all("Vary") == ["Accept-Language"]
    assert text in answer.body.decode() and f'<html lang="{tag}" dir="ltr">' in answer.body.decode()
