# SPDX-License-Identifier: Apache-2.0
"""Who may write .htaccess may name any account in AuthLDAPBindDN, and try passwords in AuthLDAPBindPassword. The directory
counts these binds as it counts logins: so does AuthStatusThrottle."""
import itertools

import pytest

from throttle.shared import LIMIT, RIGHT, WRONG, Account, wrong_binds

PLACES = {"server": "", "named": 'AuthLDAPURL "ldap://127.0.0.1:{slapd}/o=staff?uid"\n',
          "address": 'AuthLDAPURL "ldap://localhost:{slapd}/o=staff?uid"\n'}
PLACE = """
<Directory "${DOCS}/%s">
    AllowOverride AuthConfig
    AuthType Basic
    AuthName x
    AuthBasicProvider authstatus
    AuthStatus On
    AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=staff?uid"
    Require valid-user
</Directory>
"""
numbers = itertools.count()


@pytest.fixture(scope="module")
def site(start, slapd):
    conf = 'AuthStatusThrottle 4 1h\nUse Login /in/wiki "ldap://127.0.0.1:${LDAP}" o=staff\n'
    conf += "".join(PLACE % place for place in PLACES)
    return start(conf, defines={"LDAP": slapd.port}, cache="shmcb", modules=("socache_shmcb",), files={f"{place}/x.html": "his\n" for place in PLACES})


@pytest.fixture
def bind(site, slapd):
    """bind(place, dn, password): the status of a request whose .htaccess binds so to search."""
    site.log.allow("AH0161[78]", "AS0040", "AS0020", "AS0060")

    def one(place, dn, password):
        text = PLACES[place].format(slapd=slapd.port)
        (site.workdir / f"docs/{place}/.htaccess").write_text(f'{text}AuthLDAPBindDN "{dn}"\nAuthLDAPBindPassword "{password}"\n')
        return site.get(f"/{place}/x.html", login=(f"nobody{next(numbers)}", WRONG)).status
    return one


@pytest.mark.parametrize("place", PLACES)
def test_his_guesses_count(site, slapd, account, bind, place):
    statuses = [bind(place, account.dns[0], f"{WRONG}{next(numbers)}") for _ in range(3 * LIMIT)]
    assert wrong_binds(slapd, account.dns[0]) <= LIMIT and not account.is_locked(), statuses
    assert set(statuses) == {500}
    assert bind(place, account.dns[0], RIGHT) == 500, "not even the right one is sent"
    assert site.get("/in/wiki", login=(account.uid, RIGHT)).status == 429


@pytest.mark.parametrize("place", PLACES)
def test_an_account_of_his_own(slapd, bind, place):
    """Right passwords are no failures."""
    one = Account(slapd, "o=staff")
    for turn in range(2 * LIMIT):
        one.set_password(f"Pw!turn{turn}", "o=staff")
        assert bind(place, one.dns[0], f"Pw!turn{turn}") == 401
