# SPDX-License-Identifier: Apache-2.0
"""The site of tests/live/pages, in a real browser. Left out only by name: --without browser."""
from pathlib import Path

import pytest

from lab import optional
from lab.process import reserve_port
from lab.slapd import Database

from chromium import Chromium, Page

PAGES = Path(__file__).parent.parent / "pages"


@pytest.fixture(scope="session")
def chromium():
    optional.require("browser")
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture
def visit(chromium):
    """A browser that is new to the site, and the logins that its user types at the dialog."""
    pages = []

    def one(*person):
        pages.append(Page(chromium, person))
        return pages[-1]
    yield one
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def site(chromium, start, start_slapd):
    slapd = start_slapd(Database("o=pages", PAGES / "people.ldif", ("ppolicy_use_lockout",)))
    site = start.make(PAGES / "site.conf", defines={"LDAP": slapd.port, "NOBODY": reserve_port()},
                      modules=("http2", "status", "socache_shmcb"), cache="shmcb",
                      files={"switch.html": '<!DOCTYPE html><title>links</title><a id="a" href="/switch?to=/in/body/boss">switch</a>'})
    site.log.allow("AS0091.*/report/open")
    site.start()
    site.get("/")
    site.log.allow("AS0091.*/report/open")
    return site
