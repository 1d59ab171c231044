# SPDX-License-Identifier: Apache-2.0
"""AuthStatusMask All: no answer reveals a protected place, and a user who has proven a password sees an
outage."""
from pathlib import Path

import pytest

from lab.process import reserve_port
from lab.slapd import Database

HERE = Path(__file__).parent
ANN, WRONG = ("ann", "Pw!right"), ("ann", "Pw!wrong")
SITE = """
<Macro Tree $path $mask $url $require>
    <Location "$path">
        AuthType Basic
        AuthName "the lab"
        AuthBasicProvider authstatus
        Use Directory "$url" o=masks
        AuthStatus On
        AuthStatusMask $mask
        AuthStatusDeadline 6s
        Require $require
    </Location>
</Macro>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName all
    Use Tree /login All "ldap://127.0.0.1:${LDAP}" valid-user
    Use Tree /thrott All "ldap://127.0.0.1:${LDAP}" valid-user
    <Location /thrott>
        AuthStatusThrottle 2 15min
    </Location>
    Use Tree /thrott/door Forbidden "ldap://127.0.0.1:${LDAP}" valid-user
    Use Tree /stopped All "ldap://127.0.0.1:${CLOSED}" valid-user
    Use Tree /service All "ldap://127.0.0.1:${LDAP}" valid-user
    <Location /service>
        AuthLDAPBindPassword wrong
    </Location>
    Use Tree /mapped All "ldap://127.0.0.1:${CLOSED}" valid-user
    <Location /mapped>
        AuthStatusMap unavailable 502
        AuthStatusMap unauthenticated 410
    </Location>
    <Location /nobody>
        AuthType Basic
        AuthName "the lab"
        AuthBasicProvider no-such-alias
        AuthStatus On
        AuthStatusMask All
    </Location>
    <Location /formal>
        AuthType form
        AuthName "the lab"
        AuthFormProvider authstatus
        AuthFormLoginRequiredLocation /sign-in
        Session On
        SessionCookieName s path=/
        Use Directory "ldap://127.0.0.1:${LDAP}" o=masks
        AuthStatus On
        AuthStatusMask All
        Require valid-user
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:${OTHER}>
    ServerName all
    Use Tree /stopped All "ldap://127.0.0.1:${CLOSED}" valid-user
</VirtualHost>
""".replace("""        AuthBasicProvider no-such-alias
""", """        AuthBasicProvider file
        AuthUserFile "${WORKDIR}/no-such-file"
        Require valid-user
""")
TREES = ("login", "thrott", "stopped", "service", "mapped", "nobody", "formal")
NOBODY = ("nobody", "Pw!right")


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=masks", HERE / "people.ldif"))


@pytest.fixture(scope="module", params=("event", "prefork"))
def site(request, start, slapd):
    return start(SITE, mpm=request.param, ldap=True, listen=("HTTP", "OTHER"), files={f"{tree}/page.html": f"{tree}\n" for tree in TREES},
                 defines={"LDAP": slapd.port, "CLOSED": reserve_port()},
                 cache="shmcb", modules=("socache_shmcb", "auth_form", "session", "session_cookie", "request"))


@pytest.fixture(autouse=True)
def lines_of_other_modules(site):
    site.log.allow("AH01617", "AH01618", "AH01620", "AH01630", "AH01631", "AH01807", "AH01809", "AS00", "could not")


def twin(site, tree, method, login):
    return site.get(f"/{'x' * len(tree)}/page.html", method=method, login=login, host="all")


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize("login", (None, WRONG, NOBODY))
@pytest.mark.parametrize("method", ("GET", "HEAD", "POST", "PUT", "OPTIONS"))
def test_no_answer_of_a_login_is_seen(site, tree, login, method):
    for _ in range(4):
        hidden = site.get(f"/{tree}/page.html", method=method, login=login, host="all")
        assert hidden.comparable() == twin(site, tree, method, login).comparable()
        assert not hidden.all("Location") and not hidden.all("Retry-After") and not hidden.all("WWW-Authenticate")


def test_the_log_has_what_was_meant(site):
    for tree, meant in (("stopped", ("directory-down", "503")), ("service", ("service-account-refused", "500")),
                        ("formal", ("no-credentials", "302"))):
        entry = site.access(site.get(f"/{tree}/page.html", login=None if tree == "formal" else NOBODY, host="all"))
        assert (entry.outcome, entry.meant, entry.status) == (*meant, "404")


@pytest.mark.parametrize("tree, status", (("stopped", 503), ("mapped", 502), ("service", 500)))
def test_who_has_proven_a_password_is_told_of_an_outage(site, tree, status):
    """As long as an hour; and nobody else is, whatever his password."""
    with site.connection() as connection:
        assert connection.request("/login/page.html", login=ANN, host="all").status == 200
    told = site.get(f"/{tree}/page.html", login=ANN, host="all")
    assert told.status == status
    assert site.get(f"/{tree}/page.html", login=WRONG, host="all").status == 404
    assert site.get(f"/{tree}/page.html", host="all").status == 404


def test_the_doorway_shows_what_logins_elsewhere_have_caused(site):
    """A row of docs/hiding-a-tree.md: wrong passwords count where a login is asked for, hidden or not, and nowhere else."""
    def fetch(user, tree):
        for number in range(3):
            assert site.get(f"/{tree}/page.html", login=(user, f"Pw!wrong{number}"), host="all").status == 404
        return site.get("/thrott/door/", login=(user, "Pw!wrong"), host="all").status
    assert (fetch("eve", "thrott"), fetch("eva", "absent")) == (429, 401)


def test_a_password_is_proven_to_one_virtual_host_alone(site):
    """Of several with one name, the port tells them apart."""
    assert site.get("/login/page.html", login=ANN, host="all").status == 200
    assert site.get("/stopped/page.html", login=ANN, host="all").status == 503
    assert site.get("/stopped/page.html", login=ANN, host="all", port="OTHER").status == 404


def test_credentials_sent_unasked_take_a_directorys_time(site, slapd):
    """Once, and in a hidden place alone; the octets are those of a missing one."""
    login = ("somebody", "Pw!unasked")
    slapd.freeze()
    try:
        hidden = site.get("/login/page.html", login=login, host="all")
        missing = twin(site, "login", "GET", login)
    finally:
        slapd.thaw()
    assert hidden.comparable() == missing.comparable()
    assert hidden.seconds > 5 and missing.seconds < hidden.seconds / 2
