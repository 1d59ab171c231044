# SPDX-License-Identifier: Apache-2.0
"""AuthLDAPInitialBindAsUser: the bind comes before the search. A password that the directory has accepted is no failure of its
account, whatever becomes of the search: the user is not found, or there is no answer."""
import pytest

from lab.fake import BASE, answer, entries, reset
from throttle.shared import LIMIT, RIGHT, WRONG, Account

CONF = """
AuthStatusThrottle 4 1h
AuthStatusCacheTime 0 0
AuthStatusBreaker 1000 1s
Use Login /in/wiki "ldap://127.0.0.1:${LDAP}" o=staff
Use Login /in/fake "ldap://127.0.0.1:${FAKE}" dc=fake
<LocationMatch "^/in/(wiki|fake)">
    AuthLDAPInitialBindAsUser On
</LocationMatch>
<Location /in/wiki>
    AuthLDAPInitialBindPattern "^(.*)$" "uid=$1,ou=people,o=staff"
</Location>
<Location /in/fake>
    AuthLDAPInitialBindPattern "^(.*)$" "uid=$1,dc=fake"
</Location>
<Location /in/excluded>
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider authstatus
    AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=staff?uid?sub?(cn=nobody)"
    AuthLDAPInitialBindAsUser On
    AuthLDAPInitialBindPattern "^(.*)$" "uid=$1,ou=people,o=staff"
    AuthStatus On
    Require valid-user
</Location>
"""


@pytest.fixture(scope="module", params=["event", "prefork"])
def site(request, start, slapd, fake):
    return start(CONF, mpm=request.param, defines={"LDAP": slapd.port, "FAKE": fake.port}, cache="shmcb", modules=("socache_shmcb",))


def test_a_user_whom_the_filter_leaves_out(site, slapd):
    """His right passwords there do not keep him out of other places; nor do they end the count of wrong ones."""
    site.log.allow("AH0161[78]", "AS0040")
    one = Account(slapd, "o=staff")
    answers = [site.get("/in/excluded", login=(one.uid, RIGHT)) for _ in range(LIMIT + 2)]
    assert [found.status for found in answers] == [401] * (LIMIT + 2)
    assert {site.access(found).outcome for found in answers} == {"unknown-user"}
    assert site.get("/in/wiki", login=(one.uid, RIGHT)).status == 200
    statuses = [site.get("/in/excluded", login=(one.uid, password)).status for _ in range(LIMIT) for password in (WRONG, RIGHT)]
    assert statuses == [401] * (2 * LIMIT - 1) + [429]
    assert site.get("/in/wiki", login=(one.uid, RIGHT)).status == 429


def test_a_directory_that_ends_connections_at_the_search(site, fake):
    site.log.allow("AH0161[78]", "AS0040", "AS005.", "AS0094")
    fake.act_out({"user-bind": answer(0), "search": reset})
    assert [site.get("/in/fake", login=("ann", RIGHT)).status for _ in range(LIMIT + 2)] == [503] * (LIMIT + 2)
    fake.act_out({"user-bind": answer(0), "search": entries(f"uid=ann,{BASE}")})
    assert site.get("/in/fake", login=("ann", RIGHT)).status == 200
    fake.act_out({"user-bind": answer(49)})
    assert [site.get("/in/fake", login=("ann", f"{WRONG}{number}")).status for number in range(LIMIT + 1)] == [401] * LIMIT + [429]
