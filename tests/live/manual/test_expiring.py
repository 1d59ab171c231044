# SPDX-License-Identifier: Apache-2.0
"""The recipes of docs/error-page.md for a password that is about to expire, as they stand there."""
import re

import pytest

from lab.outcomes import SOURCE
from lab.slapd import Database

RIGHT = "Pw!right"


@pytest.fixture(scope="module")
def site(start, start_slapd, needs_module):
    needs_module("substitute", "filter")
    slapd = start_slapd(Database("o=loud", SOURCE / "tests/live/outcomes/people.ldif", ("ppolicy_use_lockout",)))
    text = (SOURCE / "docs/error-page.md").read_text().partition("## Warning of an expiring password")[2]
    blocks = re.findall(r"^```apache\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    conf = f'Use Login /in/ "ldap://127.0.0.1:{slapd.port}" o=loud\n' + "".join(blocks).replace("/wiki/", "/in/")
    httpd = start.make(conf, modules=("filter", "substitute"), files={"index.html": "<html><body>the page</body></html>\n"})
    return httpd.start()


@pytest.mark.parametrize("user, told", [("expiring", True), ("good", False)])
def test_recipe(site, user, told):
    site.log.allow("AS0002")
    answer = site.get("/in/x", login=(user, RIGHT))
    assert answer.status == 200
    assert bool(re.fullmatch(r"\d+", answer.header("X-Password-Expires-In") or "")) == told
    assert (b"about to expire" in answer.body) == told and b"the page" in answer.body
