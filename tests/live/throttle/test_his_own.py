# SPDX-License-Identifier: Apache-2.0
"""Who may write .htaccess says yes to whatever he likes, in a directory or a password file of his own. That ends no count of
an account of the server's directory: he would have as many guesses as he wants."""
import base64
import hashlib
import itertools

import pytest

from lab.fake import Fake, answer, entries
from lab.process import reserve_port
from throttle.shared import LIMIT, RIGHT, WRONG, Account, wrong_binds

HIS = "{SHA}" + base64.b64encode(hashlib.sha1(b"Pw!his").digest()).decode()
PLACE = """
<Directory "${DOCS}/%s">
    AllowOverride AuthConfig
    AuthType Basic
    AuthName x
    AuthStatus %s
    Require valid-user
</Directory>
"""
# Directories of his own beside the server's, and a file of his behind an alias of the server's.
FILES = {"list": 'AuthBasicProvider authstatus\nAuthLDAPURL "ldap://127.0.0.1:{fake} 127.0.0.1:{slapd}/o=staff?uid"\n',
         "same": 'AuthBasicProvider authstatus\nAuthLDAPURL "ldap://127.0.0.1:{fake}/o=staff?uid"\n',
         "own": 'AuthBasicProvider authstatus\nAuthLDAPURL "ldap://127.0.0.1:{nobody} 127.0.0.1:{fake}/o=staff?uid"\n',
         "file": 'AuthBasicProvider staff file\nAuthUserFile "{room}/his"\n'}
numbers = itertools.count()


@pytest.fixture(scope="module")
def fake():
    fake = Fake()
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def site(start, slapd, fake):
    conf = ('AuthStatusThrottle 4 1h\nUse Login /in/wiki "ldap://127.0.0.1:${LDAP}" o=staff\n<AuthnProviderAlias authstatus staff>\n'
            'Use Directory "ldap://127.0.0.1:${LDAP}" o=staff\nAuthLDAPBindAuthoritative Off\n</AuthnProviderAlias>\n')
    places = [(f"{name}-{status}", name, status) for name in FILES for status in ("On", "Off")]
    conf += "".join(PLACE % (place, status) for place, _, status in places)
    httpd = start.make(conf, defines={"LDAP": slapd.port}, cache="shmcb", modules=("socache_shmcb",),
                       files={f"{place}/x.html": "his\n" for place, _, _ in places})
    nobody = reserve_port()
    for place, name, _ in places:
        text = FILES[name].format(fake=fake.port, nobody=nobody, slapd=slapd.port, room=httpd.room)
        (httpd.room / f"docs/{place}/.htaccess").write_text(text)
    (httpd.room / "his").write_text("")
    return httpd.start()


@pytest.mark.parametrize("status", ["On", "Off"])
@pytest.mark.parametrize("place", FILES)
def test_his_success_ends_no_count(site, slapd, fake, place, status):
    site.log.allow("AH0161[78]", "AS0040", "AS0012")
    one = Account(slapd, "o=staff")
    fake.act_out({"search": entries(one.dns[0]), "user-bind": answer(0)})
    with open(site.room / "his", "a") as his:
        his.write(f"{one.uid}:{HIS}\n")
    statuses = []
    for _ in range(2 * LIMIT):
        statuses.append(site.get("/in/wiki", login=(one.uid, f"{WRONG}{next(numbers)}")).status)
        site.get(f"/{place}-{status}/x.html", login=(one.uid, "Pw!his"))
    assert wrong_binds(slapd, one.dns[0]) <= LIMIT and not one.is_locked(), statuses
    assert 429 in statuses
    assert site.get("/in/wiki", login=(one.uid, RIGHT)).status == 429


@pytest.mark.parametrize("place", ["list", "same", "own"])
def test_right_passwords_of_his_are_no_failures(site, slapd, fake, place):
    """In a directory of his own they end the count there; nothing is counted for a server that was not asked."""
    site.log.allow("AH0161[78]")
    one = Account(slapd, "o=staff")
    for turn in range(LIMIT):
        for code, status in ((49, 401), (49, 401), (0, 200)):
            fake.act_out({"search": entries(one.dns[0]), "user-bind": answer(code)})
            # Another password each time, so that nothing is remembered.
            assert site.get(f"/{place}-On/x.html", login=(one.uid, f"Pw!{turn}-{next(numbers)}")).status == status
    assert site.get("/in/wiki", login=(one.uid, RIGHT)).status == 200, "it was not asked"
