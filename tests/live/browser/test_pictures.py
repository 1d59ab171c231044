# SPDX-License-Identifier: Apache-2.0
"""The pictures of docs/pictures: the built-in page, the switch, the report after a day of logins, the manual. Each is looked at by
a program first: nothing sticks out, contrast, the keyboard's focus. To make them anew:

    AUTHSTATUS_PICTURES=$PWD/docs/pictures make check-live PYTEST_FLAGS=browser/test_pictures.py
"""
import base64
import math
import os
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

import png
from chromium import Page
from faults.machine import Faults
from lab.httpd import SANITIZE, SOURCE
from lab.process import reserve_port
from test_browser import contrast

HERE = Path(__file__).parent
PICTURES = os.environ.get("AUTHSTATUS_PICTURES")
RIGHT, WRONG = "Pw!right", "Pw!wrong"
MOST_OCTETS = 120_000

Shot = namedtuple("Shot", "name of width height dark language selectors")
PAGE = ("h1", "p", ".do", "a", "footer")
REPORT = ("h1", ".dim", ".say", ".glance dt", "figcaption", "summary", "thead th", "nav a")
MANUAL = ("h1", "main p", "table.slots th", "pre code", "nav a", "header p")
SHOTS = [
    Shot("page-light", "page", 1000, 560, False, "en", PAGE),
    Shot("page-dark", "page", 1000, 560, True, "de", PAGE),
    Shot("page-phone", "page", 390, 700, False, "de", PAGE),
    Shot("page-phone-dark", "page", 390, 700, True, "en", PAGE),
    Shot("switch-light", "switch", 1000, 560, False, "en", PAGE[:2] + PAGE[3:4]),
    Shot("switch-dark", "switch", 1000, 560, True, "de", PAGE[:2] + PAGE[3:4]),
    Shot("switch-phone", "switch", 390, 700, False, "de", PAGE[:2] + PAGE[3:4]),
    Shot("report-light", "report", 1200, 1400, False, "en", REPORT),
    Shot("report-dark", "report", 1200, 1400, True, "en", REPORT),
    Shot("report-phone", "report", 390, 1600, False, "en", REPORT),
    Shot("manual-light", "manual", 1200, 900, False, "en", MANUAL),
    Shot("manual-dark", "manual", 1200, 900, True, "en", MANUAL),
    Shot("manual-phone", "manual", 390, 844, False, "en", MANUAL),
]


@pytest.fixture(scope="module")
def library(workdirs):
    """Sets the clocks of httpd alone."""
    path = workdirs.new("clock") / "faults.so"
    subprocess.run([os.environ.get("CC", "cc").split()[0], "-shared", "-fPIC", "-O1", "-o", path,
                    HERE.parent / "faults/faults.c", "-ldl"], check=True)
    return path


def log_in(site, step):
    """A quarter of an hour of an ordinary day: few by night, a mistake now and then, an outage at half past seven."""
    busy = max(0.0, math.sin((step - 28) / 68 * math.pi)) if step >= 28 else 0.05
    for number in range(round(14 * busy) + step % 2):
        site.get("/in/body", login=("good", RIGHT))
        if number % 5 == 4:
            site.get("/in/body", login=("good", f"{WRONG}{step}-{number}"))
        if number % 6 == 5:
            site.get("/in/body/boss", login=("good", RIGHT))
    if step % 9 == 0:
        site.get("/in/body", login=("expired", RIGHT))
    if 60 <= step < 63:
        for _ in range(4):
            site.get("/in/down", login=("good", RIGHT))


@pytest.fixture(scope="module")
def site(chromium, start, start_slapd, library, workdirs):
    """A site that a day has passed on, by its own clock."""
    from lab.slapd import Database
    slapd = start_slapd(Database("o=pages", HERE.parent / "pages/people.ldif", ("ppolicy_use_lockout",)))
    clock = Faults(workdirs.new("clock"))
    site = start.make(HERE.parent / "pages/site.conf", defines={"LDAP": slapd.port, "NOBODY": reserve_port()},
                      modules=("http2", "status", "socache_shmcb"), cache="shmcb", preload=library,
                      environment={"FAULTS_FILE": str(clock.path)})
    site.log.allow(".")
    clock.set(clock=-24 * 3600)
    site.start()
    for step in range(96):
        clock.set(clock=-(95 - step) * 900, passed=step * 900)
        log_in(site, step)
        site.get("/report")
    for minute in range(59, -1, -1):
        clock.set(clock=-minute * 60, passed=95 * 900 + (60 - minute) * 60)
        for _ in range(minute % 4):
            site.get("/in/body", login=("good", RIGHT))
        if minute % 11 == 3:
            site.get("/in/body", login=("good", f"{WRONG}-{minute}"))
        site.get("/report")
    clock.set(clock=0)
    yield site
    site.log.allow(".")
    clock.clear()


@pytest.fixture(scope="module")
def easel(chromium):
    """A blank page, to look at screenshots in."""
    page = Page(chromium)
    yield page
    page.close()


def address(site, shot):
    if shot.of == "manual":
        return (SOURCE / "docs/mod_authstatus.html").resolve().as_uri()
    return f"http://localhost:{site.port}" + {"page": "/in/body", "switch": "/switch?to=/in/body", "report": "/report"}[shot.of]


FOCUS = """(() => { const all = [...document.querySelectorAll('a, summary, [tabindex]')].filter(one => one.checkVisibility());
    return all.every(one => { one.focus({focusVisible: true}); return document.activeElement === one
        && getComputedStyle(one).outlineStyle !== 'none'; }) && all.length; })()"""


@pytest.mark.skipif(SANITIZE, reason="the clock's library goes with the one of the sanitizers alone")
@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
def test_picture(site, chromium, easel, tmp_path, shot):
    site.log.allow(".")
    page = Page(chromium, [("expired", RIGHT)])
    try:
        page.call("Emulation.setUserAgentOverride", userAgent="Mozilla/5.0", acceptLanguage=shot.language)
        page.look(shot.width, shot.height, shot.dark)
        page.load(address(site, shot))
        assert page.run("document.documentElement.scrollWidth") <= shot.width
        assert page.run("document.documentElement.lang") == shot.language
        for selector in shot.selectors:
            assert contrast(page, selector) >= 4.5, selector
        assert page.run(FOCUS), "the keyboard's focus is seen wherever it is"
        page.run("document.activeElement.blur(), scrollTo(0, 0)")
        data = page.call("Page.captureScreenshot", format="png", captureBeyondViewport=False)["data"]
        path = Path(PICTURES or tmp_path).resolve() / f"{shot.name}.png"
        png.write(easel, base64.b64decode(data), path)
        assert path.stat().st_size < MOST_OCTETS
    finally:
        page.close()


def test_each_picture_is_one_of_these():
    names = {path.stem for path in (SOURCE / "docs/pictures").glob("*.png")}
    assert names == {shot.name for shot in SHOTS}
    assert all(path.stat().st_size < MOST_OCTETS for path in (SOURCE / "docs/pictures").glob("*.png"))
