# SPDX-License-Identifier: Apache-2.0
"""Who may write .htaccess says yes to whatever he likes, in a directory or a password file of his own. That ends no count of
an account of the server's directory: he would have as many guesses as he wants."""
import base64
import hashlib
import itertools

import pytest

from lab.fake import answer, entries, huge
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
         "file": 'AuthBasicProvider staff file\nAuthUserFile "{workdir}/his"\n'}
numbers = itertools.count()


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
        text = FILES[name].format(fake=fake.port, nobody=nobody, slapd=slapd.port, workdir=httpd.workdir)
        (httpd.workdir / f"docs/{place}/.htaccess").write_text(text)
    (httpd.workdir / "his").write_text("")
    return httpd.start()


@pytest.mark.parametrize("status", ["On", "Off"])
@pytest.mark.parametrize("place", FILES)
def test_his_success_ends_no_count(site, slapd, fake, place, status):
    site.log.allow("AH0161[78]", "AS0040", "AS0012")
    one = Account(slapd, "o=staff")
    fake.act_out({"search": entries(one.dns[0]), "user-bind": answer(0)})
    with open(site.workdir / "his", "a") as his:
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
            # Another password each time, so that nothing is cached.
            assert site.get(f"/{place}-On/x.html", login=(one.uid, f"Pw!{turn}-{next(numbers)}")).status == status
    assert site.get("/in/wiki", login=(one.uid, RIGHT)).status == 200, "it was not asked"


def test_his_broken_answers_are_no_failures_elsewhere(site, slapd, fake):
    """A bind that his server got, and spoilt, is none of the server's directory."""
    site.log.allow("AH0161[78]", "AS00(12|4[0-9]|5[0-9]|6[0-9])")
    one = Account(slapd, "o=staff")
    for _ in range(LIMIT):
        fake.act_out({"search": entries(one.dns[0]), "user-bind": huge})
        assert site.get("/list-On/x.html", login=(one.uid, f"Pw!{next(numbers)}")).status == 500
    assert site.get("/in/wiki", login=(one.uid, RIGHT)).status == 200


@pytest.mark.parametrize("status", ["On", "Off"])
def test_a_file_without_logins_changes_nothing(start, slapd, status):
    """A .htaccess file that chooses no provider: the success of the server's second provider ends the first one's count."""
    conf = ('AuthStatusThrottle 4 1h\nAuthStatusCacheTime 0 0\n<AuthnProviderAlias authstatus staff>\n'
            'Use Directory "ldap://127.0.0.1:${LDAP}" o=staff\nAuthLDAPBindAuthoritative Off\n</AuthnProviderAlias>\n'
            f'<Directory "${{DOCS}}/open">\nAllowOverride All\nAuthType Basic\nAuthName x\nAuthStatus {status}\n'
            'AuthBasicProvider staff file\nAuthUserFile "${WORKDIR}/people"\nRequire valid-user\n</Directory>\n')
    site = start.make(conf, defines={"LDAP": slapd.port}, cache="shmcb", modules=("socache_shmcb",),
                      files={"open/x.html": "open\n", "open/.htaccess": "Options -Indexes\nErrorDocument 404 gone\nRequire valid-user\n"})
    one = Account(slapd, "o=staff")
    (site.workdir / "people").write_text(f"{one.uid}:{HIS}\n")
    site.start().log.allow("AH0161[78]", "AS0012")
    assert [site.get("/open/x.html", login=(one.uid, "Pw!his")).status for _ in range(2 * LIMIT)] == [200] * 2 * LIMIT
