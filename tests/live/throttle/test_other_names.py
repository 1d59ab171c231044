# SPDX-License-Identifier: Apache-2.0
"""Who may write .htaccess names the administrator's server by another name, or has a server of his own refer to it. A guess
counts for the account of the administrator's server all the same, and what he says yes to ends no count there."""
import itertools

import pytest

from lab.fake import answer, entries, reset
from throttle.shared import LIMIT, RIGHT, WRONG, Account, wrong_binds

NAMES = ["127.0.0.1", "LOCALHOST", "127.1", "0x7f000001", "0", "[::ffff:127.0.0.1]"]
PLACE = """<Directory "${DOCS}/%s">
    AllowOverride AuthConfig
    AuthType Basic
    AuthName x
    AuthStatus On
    LDAPReferrals On
    Require valid-user
</Directory>
"""
HIS = 'AuthBasicProvider authstatus\nAuthLDAPURL "ldap://{server}/{base}?uid"\nAuthLDAPBindDN "cn=service,o=staff"\nAuthLDAPBindPassword "Pw!service"\n'
numbers = itertools.count()


@pytest.fixture(scope="module")
def site(start, slapd, fake):
    places = {f"name{number}": f"{name}:{slapd.port}" for number, name in enumerate(NAMES)}
    places |= {"list": f"127.0.0.1:{fake.port} 127.0.0.1:{slapd.port}", "refers": f"127.0.0.1:{fake.port}"}
    conf = 'AuthStatusThrottle 4 1h\nAuthStatusCacheTime 0 0\nUse Login /in/wiki "ldap://localhost:${LDAP}" o=staff\n'
    conf += 'Use Login /in/refers "ldap://127.0.0.1:${FAKE}" o=staff\n<Location /in/refers>\nLDAPReferrals On\n</Location>\n'
    conf += "".join(PLACE % place for place in places)
    httpd = start.make(conf, defines={"LDAP": slapd.port, "FAKE": fake.port}, cache="shmcb", modules=("socache_shmcb",),
                       files={f"{place}/x.html": "his\n" for place in places})
    for place, server in places.items():
        (httpd.workdir / f"docs/{place}/.htaccess").write_text(HIS.format(server=server, base="o=staff"))
    return httpd.start()


def refer(fake, slapd):
    fake.act_out({"user-bind": answer(0), "search": entries(references=[f"ldap://127.0.0.1:{slapd.port}/o=staff??sub"])})


@pytest.mark.parametrize("place", [*(f"name{number}/x.html" for number in range(len(NAMES))), "list/x.html", "refers/x.html", "in/refers"])
def test_guesses_count_for_the_account(site, slapd, fake, place):
    site.log.allow("AH0161[78]", "AS0040")
    refer(fake, slapd)
    if place.startswith("list"):
        fake.act_out({"user-bind": reset})
        site.log.allow("AS005.", "AS0094")
    one = Account(slapd, "o=staff")
    statuses = [site.get(path, login=(one.uid, f"{WRONG}{next(numbers)}")).status
                for _ in range(LIMIT) for path in ("/in/wiki", f"/{place}")]
    assert wrong_binds(slapd, one.dns[0]) == LIMIT and not one.is_locked(), statuses
    assert statuses == [401] * LIMIT + [429] * LIMIT


@pytest.mark.parametrize("place", [*(f"name{number}/x.html" for number in range(len(NAMES))), "refers/x.html", "in/refers"])
def test_right_passwords_are_no_failures(site, slapd, fake, place):
    """Nor is a wrong one before each of them."""
    site.log.allow("AH0161[78]", "AS0040")
    refer(fake, slapd)
    one = Account(slapd, "o=staff")
    for _ in range(LIMIT + 1):
        assert site.get(f"/{place}", login=(one.uid, RIGHT)).status == 200
        assert site.get("/in/wiki", login=(one.uid, WRONG)).status == 401
        assert site.get("/in/wiki", login=(one.uid, RIGHT)).status == 200
