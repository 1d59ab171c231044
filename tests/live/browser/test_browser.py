# SPDX-License-Identifier: Apache-2.0
"""What a user sees: when the browser opens its dialog, and when it shows a page instead."""
from pathlib import Path

import pytest

RIGHT, WRONG = "Pw!right", "Pw!wrong"
SENTENCES = {"expired": "Your password has expired.", "locked": "This account is locked.",
             "must-change": "You must change your password before you can sign in."}


@pytest.fixture
def at(site):
    site.log.allow(r"AS00\d\d", r"AH0161[78]", r"AH0163[01]")
    return lambda path: f"http://localhost:{site.port}{path}"


def picture(page, tmp_path, name, whole=True):
    page.picture(Path(tmp_path) / f"{name}.png", whole)


def test_a_right_password_is_asked_for_once(at, visit):
    page = visit(("good", RIGHT))
    assert page.go(at("/in/body")).status == 200
    assert [challenge["realm"] for challenge in page.queried] == ["the lab"]
    assert page.go(at("/in/body")).status == 200 and len(page.queried) == 1


def test_a_wrong_password_is_asked_for_again(at, visit):
    page = visit(("good", WRONG), ("good", WRONG + "2"), ("good", RIGHT))
    assert page.go(at("/in/body")).status == 200 and len(page.queried) == 3


def test_cancel_shows_the_page(at, visit):
    page = visit(("good", WRONG))
    assert page.go(at("/in/body")).status == 401 and len(page.queried) == 2
    assert "The user name or the password is wrong." in page.text() and page.title() == "401 Please sign in"


@pytest.mark.parametrize("user", SENTENCES)
def test_a_page_instead_of_a_dialog(at, visit, tmp_path, user):
    page = visit((user, RIGHT), ("never", "asked again"))
    assert page.go(at("/in/body")).status == 403
    assert len(page.queried) == 1 and SENTENCES[user] in page.text()
    assert page.run("document.querySelector('a').textContent") == "Get help with this"
    page.look(390, 500)
    picture(page, tmp_path, f"page-{user}", whole=False)


def test_each_language_fits_a_phone(at, visit):
    """Long words, and whole ones: nothing is cut off, or to be scrolled to."""
    page = visit(("must-change", RIGHT))
    page.look(320, 600)
    for language in ("de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt-br", "zh-cn"):
        page.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})
        assert page.go(at("/in/body")).status == 403
        assert page.run("document.documentElement.lang") == language
        assert page.run("Math.max(...[...document.querySelectorAll('*')].map(one => one.getBoundingClientRect().right))") <= 320


def test_the_page_looks_right(at, visit, tmp_path):
    page = visit(("expired", RIGHT))
    assert page.go(at("/in/body")).status == 403
    for dark in (False, True):
        for width in (320, 375, 1280):
            page.look(width, 600, dark)
            assert page.run("document.documentElement.scrollWidth") <= width
            for selector in ("h1", "p", "a"):
                assert contrast(page, selector) >= 4.5, selector
            picture(page, tmp_path, f"page-{width}-{'dark' if dark else 'light'}", whole=False)


@pytest.mark.parametrize("path, login", [("/in/body", ("expired", RIGHT)), ("/switch?to=/in/body", None), ("/report", None)])
def test_forced_colours_and_large_text(at, visit, path, login):
    """High contrast: a button keeps its border, and bars are seen. Text of twice its size: nothing is to be scrolled to."""
    page = visit(*([login] if login else []))
    page.go(at(path))
    page.look(800, 640)
    page.call("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
    assert page.run("matchMedia('(forced-colors: active)').matches")
    assert page.run("[...document.querySelectorAll('.ways a, .say')].every(one => { const style = getComputedStyle(one);"
                    " return style.borderLeftStyle === 'solid' && style.borderLeftColor !== style.backgroundColor; })")
    for selector in ("h1", "a"):
        assert contrast(page, selector) >= 4.5, selector
    page.call("Emulation.setEmulatedMedia", features=[])
    page.look(640, 640)
    page.run("document.documentElement.style.fontSize = '200%'")
    assert page.run("document.documentElement.scrollWidth") <= 640


def test_a_missing_group_shows_a_page(at, visit):
    page = visit(("good", RIGHT), ("never", "asked again"))
    assert page.go(at("/in/body/boss")).status == 403 and len(page.queried) == 1
    assert "you are not allowed to see this" in page.text()


def test_an_outage_shows_a_page(at, visit):
    page = visit(("good", RIGHT), ("never", "asked again"))
    assert page.go(at("/in/down")).status == 503 and len(page.queried) == 1
    assert "cannot be checked at the moment" in page.text()


# -- the switch -------------------------------------------------------------------------------------------------------

def test_switch_from_the_page_that_says_no(at, visit):
    """good may not see it, follows the help link, types boss's login, and is back."""
    page = visit(("good", RIGHT), ("boss", RIGHT))
    assert page.go(at("/in/body/boss")).status == 403 and len(page.queried) == 1
    assert page.run("document.querySelector('a').textContent") == "Sign in as someone else"
    # A page in between says what will happen, and leads back as well.
    assert page.click("a").status == 200 and len(page.queried) == 1 and "will ask for another" in page.text()
    assert page.click("a:not(.main)").status == 403 and page.url() == at("/in/body/boss") and len(page.queried) == 1
    page.click("a")
    answer = page.click("a.main")
    assert answer.status == 200 and page.url() == at("/in/body/boss") and page.text() == "the page"
    assert len(page.queried) == 2
    # The new login is kept by the browser for the whole realm, and the old one is gone.
    assert page.go(at("/in/body")).status == 200 and len(page.queried) == 2
    assert "authstatus-switch" not in page.run("document.cookie")


@pytest.mark.parametrize("width, dark", [(320, False), (390, True), (1280, True)])
def test_switch_by_keyboard(at, visit, width, dark):
    """On a phone with a keyboard, in the dark: the way there, back again, and through."""
    page = visit(("good", RIGHT), ("boss", RIGHT))
    page.look(width, 700, dark)
    page.go(at("/in/body/boss"))
    assert page.tab_to("a") and page.enter().status == 200 and "will ask for another" in page.text()
    assert page.run("document.documentElement.scrollWidth") <= width
    for selector in ("h1", "p", "a"):
        assert contrast(page, selector) >= 4.5, selector
    assert page.tab_to("a:not(.main)") and page.enter().status == 403 and page.url() == at("/in/body/boss")
    page.tab_to("a")
    page.enter()
    assert page.tab_to("a.main") and page.enter().status == 200 and page.text() == "the page" and len(page.queried) == 2


def test_switch_with_a_target_and_back_again(at, visit):
    page = visit(("good", RIGHT), ("boss", RIGHT), ("good", RIGHT))
    page.go(at("/in/body"))
    assert page.go(at("/switch?to=/in/body/boss&now=1")).status == 200 and len(page.queried) == 2
    # good once more: what he may not see is refused at once, and not shown from the browser's cache.
    assert page.go(at("/switch?to=/in/body/boss&now=1")).status == 403 and len(page.queried) == 3


def test_switch_to_the_same(at, visit):
    page = visit(("good", RIGHT), ("good", RIGHT))
    page.go(at("/in/body"))
    assert page.go(at("/switch?to=/in/body&now=1")).status == 200 and len(page.queried) == 2


def test_switch_cancelled_is_signed_out(at, visit):
    page = visit(("good", RIGHT))
    page.go(at("/in/body"))
    assert page.go(at("/switch?to=/in/body&now=1")).status == 401 and len(page.queried) == 2
    assert page.title() == "401 Sign in as someone else" and "You were not signed in." in page.text()
    assert page.run("document.querySelector('a.main').getAttribute('href')") == "/in/body"
    page.person.append(("boss", RIGHT))
    assert page.go(at("/in/body/boss")).status == 200 and len(page.queried) == 3


def test_switch_then_a_wrong_password(at, visit):
    page = visit(("good", RIGHT), ("boss", WRONG), ("boss", RIGHT))
    page.go(at("/in/body"))
    assert page.go(at("/switch?to=/in/body/boss&now=1")).status == 200 and len(page.queried) == 3


def test_a_link_from_another_site_does_not_sign_out(site, at, visit):
    page = visit(("good", RIGHT))
    page.go(at("/in/body"))
    page.go(f"http://127.0.0.1:{site.port}/switch.html")
    page.run(f"document.querySelector('a').href = {at('/switch?to=/in/body')!r}")
    assert page.click("a").status == 403
    assert page.go(at("/in/body")).status == 200 and len(page.queried) == 1


# -- scripts ----------------------------------------------------------------------------------------------------------

FETCH = """fetch('%s', {headers: {Accept: 'application/json'%s}}).then(async answer => ({
    status: answer.status, type: answer.headers.get('Content-Type'), challenge: answer.headers.get('WWW-Authenticate'),
    body: await answer.json()}))"""
XHR = """new Promise(done => { const request = new XMLHttpRequest(); request.open('GET', '%s');
    request.setRequestHeader('Accept', 'application/json'); request.onload = () => done(request.status); request.send(); })"""


def test_quiet_opens_no_dialog(at, visit):
    page = visit()
    page.go(at("/"))
    answer = page.run(FETCH % ("/in/quiet", ""))
    assert answer == {"status": 401, "type": "application/problem+json",
                      "challenge": 'xBasic realm="the lab", charset="UTF-8"', "body": {
                          "type": "urn:x-authstatus:no-credentials", "title": "You are not signed in.", "status": 401,
                          "outcome": "no-credentials"}}
    assert page.run(XHR % "/in/quiet") == 401
    # With what the script asked the person for itself
    login = "btoa('expired:Pw!right')"
    answer = page.run(FETCH % ("/in/quiet", f", Authorization: 'Basic ' + {login}"))
    assert answer["status"] == 403 and answer["body"]["outcome"] == "password-expired"
    assert page.go(at("/in/quiet")).status == 401
    assert page.queried == []


def test_without_quiet_a_script_opens_a_dialog(at, visit):
    page = visit()
    page.go(at("/"))
    assert page.run(FETCH % ("/in/body", ""))["status"] == 401
    assert len(page.queried) == 1


# -- the report page --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 1280])
def test_report(at, visit, site, tmp_path, width, dark):
    for login in (("good", WRONG), ("good", RIGHT), ("expired", RIGHT), ("nobody", RIGHT)):
        site.get("/in/body", login=login)
    site.get("/in/down", login=("good", RIGHT))
    page = visit()
    page.look(width, 800, dark)
    assert page.go(at("/report")).status == 200
    # Nothing sticks out to the right, and nothing was fetched or forbidden by the page's own policy.
    assert page.run("document.documentElement.scrollWidth") <= width
    # Tables that are unfolded scroll within themselves.
    page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("document.querySelectorAll('details td').length") > 10
    # So does the table of outcomes where numbers are large.
    page.run("document.querySelectorAll('.outcomes td, .glance dd').forEach(one => { one.textContent = '1000000000'; })")
    assert page.run("document.documentElement.scrollWidth") <= width
    page.run("document.querySelectorAll('.outcomes td, .glance dd').forEach(one => { one.textContent = '0'; })")
    assert [answer.url for answer in page.fetched if not answer.url.endswith("/favicon.ico")] == []
    background, text = page.run("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert sum(map(int, background[4:-1].split(","))) < 200 if dark else background == "rgb(255, 255, 255)"
    for selector in ("body", ".dim", ".say", "a", "thead th", ".none td"):
        assert contrast(page, selector) >= 4.5, selector
    picture(page, tmp_path, f"report-{width}-{'dark' if dark else 'light'}")


def test_report_in_print(at, visit, tmp_path):
    page = visit()
    page.look(800, 800, media="print")
    page.go(at("/report"))
    assert page.run("getComputedStyle(document.querySelector('nav')).display") == "none"


CONTRAST = """(() => {
    const element = document.querySelector('%s');
    let behind = element;
    while (behind && getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
    // Nothing behind it but the browser's own paper.
    const paper = document.createElement('i');
    paper.style.backgroundColor = 'Canvas';
    document.body.append(paper);
    const pair = [getComputedStyle(element).color, getComputedStyle(behind || paper).backgroundColor];
    paper.remove();
    return pair;
})()"""


def contrast(page, selector):
    """WCAG 2.1, 1.4.3"""
    def luminance(color):
        parts = [int(part) / 255 for part in color[color.index("(") + 1:-1].split(",")[:3]]
        parts = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    one, other = sorted(map(luminance, page.run(CONTRAST % selector)), reverse=True)
    return (one + 0.05) / (other + 0.05)
