# SPDX-License-Identifier: Apache-2.0
"""Other modules' hooks beside ours: each runs once for a request, whatever it answers, and has the say that it would have
without us; with an answer from the directory, and with one from the cache, and again."""
import pytest

RIGHT, WRONG = "Pw!right", "Pw!wrong"
TIMES = 4  # the first is asked of the directory, the second is cached, later ones may go another way

SITE = """
LogLevel warn authstatus:info
Use Login /in "ldap://127.0.0.1:${LDAP}" o=hooks
<Macro Probe $name $place $action>
    <Location /in/$name>
        ProbeDo $place $action
    </Location>
</Macro>
Use Probe access-grant access-last grant
Use Probe access-forbid access-first forbid
Use Probe access-chain access-first chain
Use Probe authn-outer-grant authn-outer grant
Use Probe authn-grant authn-first grant
Use Probe authn-deny authn-first deny
Use Probe authn-forbid authn-first forbid
Use Probe authn-user authn-first user
Use Probe authn-header authn-first header
Use Probe authn-chain authn-first chain
Use Probe authn-last-grant authn-last grant
Use Probe authz-forbid authz-first forbid
<Location /in/authn-header>
    ProbeHeader "Basic Ym9iOlB3IWJvYg=="
</Location>
<Macro Ask $place>
    Use Probe ask-$place $place ask
    Use Probe ask-$place-off $place ask
    Use Probe ask-$place-nobody $place ask
    <Location /in/ask-$place-off>
        AuthStatus Off
    </Location>
    <Location /in/ask-$place-nobody>
        AuthMerging Off
        Require all granted
    </Location>
</Macro>
Use Ask header-parser
Use Ask access-checker
Use Ask fixups
<Location /in/some>
    AuthMerging Off
    <RequireAny>
        Require expr "%{HTTP:X-Let-Me-In} == 'yes'"
        Require valid-user
    </RequireAny>
</Location>
<Location /in/off>
    AuthStatus Off
</Location>
<Location /in/vary>
    AuthStatusChallenge Quiet "expr=%{HTTP:X-One} == 'yes'"
    AuthStatusMask Forbidden "expr=%{HTTP:X-Two} == 'yes'"
</Location>
"""


@pytest.fixture(scope="module")
def site(start, slapd, probe):
    return start(probe + SITE, defines={"LDAP": slapd.port}, cache="shmcb", modules=("socache_shmcb",))


def ran(answer):
    return {name.removeprefix("X-Ran-"): int(value) for name, value in answer.headers if name.startswith("X-Ran-")}


def fetch(site, name, login=("ann", RIGHT), **options):
    """The answers of TIMES requests, which are equal."""
    with site.connection() as connection:
        answers = [connection.request(f"/in/{name}", login=login, **options) for _ in range(TIMES)]
    assert len({answer.comparable() for answer in answers}) == 1, [answer.comparable() for answer in answers]
    return answers[0]


@pytest.mark.parametrize("name, status, user, silent", [
    # name, status, X-User, hooks that are not asked any more
    ("plain", 200, "ann", {"authn-last"}),
    ("access-grant", 200, "probe", {"authn-outer", "authn-first", "authn-middle", "authn-last", "authz-first"}),
    ("access-forbid", 403, None, {"access-last", "authn-outer", "authn-first", "authn-middle", "authn-last", "authz-first"}),
    ("authn-outer-grant", 200, "probe", {"authn-first", "authn-middle", "authn-last"}),
    ("authn-grant", 200, "probe", {"authn-middle", "authn-last"}),
    ("authn-deny", 401, None, {"authn-middle", "authn-last", "authz-first"}),
    ("authn-forbid", 403, None, {"authn-middle", "authn-last", "authz-first"}),
    ("authn-user", 200, "ann", {"authn-last"}),
    ("authn-last-grant", 200, "ann", {"authn-last"}),
    ("authz-forbid", 403, None, {"authn-last"}),
])
def test_each_once(site, name, status, user, silent):
    answer = fetch(site, name)
    assert answer.status == status
    if user:
        assert answer.header("X-User") == user
    every = {"access-outer", "access-first", "access-last", "authn-outer", "authn-first", "authn-middle", "authn-last", "authz-first"}
    counts = ran(answer)
    counts.pop("authn-middle", None)  # before or behind mod_auth_basic, by the order of LoadModule
    assert counts == dict.fromkeys(every - silent - {"authn-middle"}, 1), counts


def test_rewritten_header_is_the_one_that_counts(site):
    """The header of ann is another's before mod_auth_basic reads it."""
    answer = fetch(site, "authn-header", headers=())
    assert (answer.status, answer.header("X-User")) == (200, "bob")


def test_a_hook_may_run_the_chain_itself(site):
    for name in ("access-chain", "authn-chain"):
        answer = fetch(site, name)
        assert (answer.status, answer.header("X-User")) == (200, "ann"), name


def test_a_refusal_runs_each_once(site):
    site.log.expect("AH01617")
    answer = fetch(site, "plain", login=("ann", WRONG))
    assert answer.status == 401
    assert set(ran(answer).values()) == {1} and "authz-first" not in ran(answer)


def test_without_credentials(site):
    answer = fetch(site, "plain", login=None)
    assert answer.status == 401 and set(ran(answer).values()) == {1}


def test_off_is_untouched(site):
    answer = fetch(site, "off")
    assert (answer.status, answer.header("X-User")) == (200, "ann") and set(ran(answer).values()) == {1}


@pytest.mark.parametrize("place", ["header-parser", "access-checker", "fixups"])
def test_httpd_knows_whether_a_login_is_needed(site, place):
    """ap_some_authn_required, as mod_authz_svn calls it, returns the same with this module and without."""
    for login in (None, ("ann", RIGHT)):
        answers = [fetch(site, f"ask-{place}{more}", login=login) for more in ("", "-off")]
        assert answers[0].header("X-Asked") == answers[1].header("X-Asked"), login
        assert answers[0].status == answers[1].status == (200 if login else 401)
        assert fetch(site, f"ask-{place}-nobody", login=login).header("X-Asked") == "no"
    if place != "fixups":  # there the user is known
        assert answers[0].header("X-Asked") == "yes"


def test_require_any(site):
    """Who is let in without a login is let in; who is not logs in."""
    assert fetch(site, "some", login=None, headers=(("X-Let-Me-In", "yes"),)).status == 200
    assert fetch(site, "some", login=None).status == 401
    answer = fetch(site, "some")
    assert (answer.status, answer.header("X-User")) == (200, "ann")


def test_a_grant_evaluates_no_policy(site):
    """No expression of a mask or a challenge is about a grant: the answer does not vary by what it reads."""
    answer = fetch(site, "vary")
    assert answer.status == 200 and answer.header("Vary") is None
    assert fetch(site, "vary", login=None).status == 401


SATISFY = """
LogLevel warn authstatus:info
Use Login /in "ldap://127.0.0.1:${LDAP}" o=hooks
<Macro Satisfy $name $which $from>
    <Location /in/$name>
        Order deny,allow
        Deny from all
        Allow from $from
        Satisfy $which
    </Location>
</Macro>
Use Satisfy all-here All 127.0.0.1
Use Satisfy all-there All 192.0.2.1
Use Satisfy any-here Any 127.0.0.1
Use Satisfy any-there Any 192.0.2.1
"""


@pytest.mark.parametrize("name, login, status, counts", [
    ("all-here", True, 200, {"access-first", "authn-first", "authz-first"}),
    ("all-here", False, 401, {"access-first", "authn-first"}),
    ("all-there", True, 403, set()),
    ("any-here", False, 200, set()),
    ("any-there", True, 200, {"access-first", "authn-first", "authz-first"}),
    ("any-there", False, 401, {"access-first", "authn-first"}),
])
def test_satisfy(satisfy, name, login, status, counts):
    satisfy.log.allow("AH01797")
    answer = fetch(satisfy, name, login=("ann", RIGHT) if login else None)
    assert answer.status == status
    assert {place for place in ran(answer) if place.endswith("-first")} == counts and set(ran(answer).values()) <= {1}


@pytest.fixture(scope="module")
def satisfy(start, slapd, probe, needs_module):
    needs_module("access_compat")
    return start(probe + SATISFY, defines={"LDAP": slapd.port}, cache="shmcb", modules=("socache_shmcb", "access_compat"))
