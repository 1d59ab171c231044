# SPDX-License-Identifier: Apache-2.0
"""Every outcome that slapd can be brought to: status, challenge, Retry-After, log line, notes, variables, disclosure."""
from collections import namedtuple
from pathlib import Path

import pytest

from lab.process import reserve_port
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"

WHY = """outcome=<!--#echo var="REDIRECT_AUTHSTATUS_OUTCOME" -->
status=<!--#echo var="REDIRECT_AUTHSTATUS_STATUS" -->
code=<!--#echo var="REDIRECT_AUTHSTATUS_LDAP_CODE" -->
subcode=<!--#echo var="REDIRECT_AUTHSTATUS_SUBCODE" -->
help=<!--#echo var="REDIRECT_AUTHSTATUS_HELP" -->
"""


@pytest.fixture(scope="module")
def slapd(start_slapd):
    people = HERE / "people.ldif"
    return start_slapd(Database("o=loud", people, ("ppolicy_use_lockout",)), Database("o=quiet", people))


@pytest.fixture(scope="module")
def site(start, slapd):
    return start(HERE / "site.conf", defines={"LDAP": slapd.port, "NOBODY": reserve_port()}, modules=("include",),
                 files={"errors/why.shtml": WHY})


Row = namedtuple("Row", "path user password outcome status ldap variables", defaults=(None, None))

ROWS = [
    # What is told, proven or not
    Row("loud/always", "good", RIGHT, "granted", 200, "0", {"outcome": "granted"}),
    Row("loud/always", "good", WRONG, "wrong-password", 401, "49", {"outcome": "wrong-password", "status": "401", "code": "49"}),
    Row("loud/always", "nobody", RIGHT, "unknown-user", 401),
    Row("loud/always", "twin", RIGHT, "ambiguous-user", 401),
    Row("loud/always", "bare", RIGHT, "wrong-password", 401, "49"),
    Row("loud/always", "locked", RIGHT, "account-locked", 403, "49/pp1",
        {"outcome": "account-locked", "status": "403", "code": "49", "subcode": "pp1"}),
    Row("loud/always", "locked", WRONG, "account-locked", 403, "49/pp1"),
    Row("loud/always", "locked-by-failures", RIGHT, "account-locked", 403, "49/pp1"),
    Row("loud/always", "not-yet", RIGHT, "account-locked", 403, "49/pp1"),
    Row("loud/always", "no-more", RIGHT, "account-locked", 403, "49/pp1"),
    # Without ppolicy_use_lockout a locked account is a wrong password to everybody
    Row("quiet/always", "locked", RIGHT, "wrong-password", 401, "49"),
    Row("quiet/always", "locked", WRONG, "wrong-password", 401, "49"),
    Row("quiet/proven", "locked", RIGHT, "wrong-password", 401, "49"),
    # Proven: only what the right password brought out
    Row("loud/proven", "good", RIGHT, "granted", 200, "0", {"outcome": "granted"}),
    Row("loud/proven", "good", WRONG, "wrong-password", 401, "49"),
    Row("loud/proven", "expired", RIGHT, "password-expired", 403, "49/pp0",
        {"outcome": "password-expired", "status": "403", "code": "49", "subcode": "pp0"}),
    Row("quiet/proven", "expired", RIGHT, "password-expired", 403, "49/pp0"),
    Row("loud/proven", "expired", WRONG, "wrong-password", 401, "49"),
    Row("loud/proven", "must-change", RIGHT, "password-must-change", 403, "0/pp2",
        {"outcome": "password-must-change", "status": "403", "code": "0", "subcode": "pp2"}),
    Row("loud/proven", "must-change", WRONG, "wrong-password", 401, "49"),
    Row("loud/proven", "grace", RIGHT, "grace-login", 200, "0"),
    Row("loud/proven", "last-grace", RIGHT, "grace-login", 200, "0", {"outcome": "grace-login", "grace": "0"}),
    Row("loud/proven", "last-grace", RIGHT, "password-expired", 403, "49/pp0"),
    Row("loud/proven", "expiring", RIGHT, "password-expiring", 200, "0"),
    Row("loud/proven", "locked", RIGHT, "account-locked", 401, "49/pp1", {"outcome": "wrong-password", "status": "401"}),
    Row("loud/proven", "nobody", RIGHT, "unknown-user", 401, None, {"outcome": "wrong-password", "status": "401"}),
    Row("loud/proven", "twin", RIGHT, "ambiguous-user", 401, None, {"outcome": "wrong-password", "status": "401"}),
    # Never: a plain 401 for whatever is wrong with the account; a grant still carries its warning
    Row("loud/never", "expired", RIGHT, "password-expired", 401, "49/pp0",
        {"outcome": "wrong-password", "status": "401"}),
    Row("loud/never", "must-change", RIGHT, "password-must-change", 401, "0/pp2",
        {"outcome": "wrong-password", "status": "401"}),
    Row("loud/never", "locked", RIGHT, "account-locked", 401, "49/pp1"),
    Row("loud/never", "expiring", RIGHT, "password-expiring", 200, "0"),
    # AuthStatusMap
    Row("map", "expired", RIGHT, "password-expired", 451, "49/pp0", {"outcome": "password-expired", "status": "451",
                                                                     "code": "49", "subcode": "pp0"}),
    Row("map", "must-change", RIGHT, "password-must-change", 401, "0/pp2"),
    Row("map", "nobody", RIGHT, "unknown-user", 404),
    Row("map", "twin", RIGHT, "ambiguous-user", 410),
    Row("map", "good", WRONG, "wrong-password", 401, "49"),
    Row("map/inner", "nobody", RIGHT, "unknown-user", 403),
    Row("map/inner", "expired", RIGHT, "password-expired", 451),
    # What AuthLDAP* directives do
    Row("exec", "good", RIGHT, "granted", 200, "0"),
    Row("one-level", "twin", RIGHT, "granted", 200, "0"),
    Row("one-level", "good", RIGHT, "unknown-user", 401),
    Row("two-servers", "good", RIGHT, "granted", 200, "0"),
    Row("two-servers", "good", WRONG, "wrong-password", 401, "49"),
    Row("as-user", "good", RIGHT, "granted", 200, "0"),
    # The entry has the name that was bound: it takes one grace login.
    Row("as-user", "last-grace-of-his-own", RIGHT, "grace-login", 200, "0", {"outcome": "grace-login", "grace": "0"}),
    Row("as-user", "last-grace-of-his-own", RIGHT, "password-expired", 403, "49/pp0"),
    Row("outer/inner", "good", RIGHT, "granted", 200, "0"),
    Row("outer/inner", "good", WRONG, "wrong-password", 401, "49"),
]


def name(row):
    return f"{row.path}-{row.user}-{'right' if row.password == RIGHT else 'wrong'}-{row.outcome}".replace("/", "-")


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_outcome(site, row):
    answer = site.get(f"/in/{row.path}", login=(row.user, row.password))
    if row.status == 429:
        pytest.fail("rows with 429 have a test of their own")
    verify(site, answer, row.outcome, row.status, ldap=row.ldap, user=row.user)
    if row.variables is not None:
        shown = answer.variables()
        if row.status == 200:
            shown = {key: shown[key] for key in row.variables if key in shown}
        assert shown == row.variables
    if row.status == 200:
        assert answer.body == b"the page\n"


def test_no_credentials(site):
    answer = site.get("/in/loud/proven")
    verify(site, answer, "no-credentials", 401)
    assert answer.variables() == {"outcome": "no-credentials", "status": "401"}


def test_the_challenge_of_basic(site):
    site.log.expect("AH01617")
    answer = site.get("/in/loud/proven", login=("good", WRONG))
    assert answer.header("WWW-Authenticate") == 'Basic realm="the lab", charset="UTF-8"'


def test_expiring_tells_the_application_how_long(site):
    shown = site.get("/in/loud/proven", login=("expiring", RIGHT)).variables()
    assert shown["outcome"] == "password-expiring"
    assert 39600 < int(shown["expires"]) <= 43200
    assert "grace" not in shown


def test_grace_tells_the_application_how_many(site):
    left = [int(site.get("/in/loud/proven", login=("grace", RIGHT)).variables()["grace"]) for _ in range(3)]
    assert left == [left[0], left[0] - 1, left[0] - 2]


@pytest.mark.parametrize("status, outcome, login, retry_after", [
    (429, "account-locked", ("locked", RIGHT), None),
    (503, "no-credentials", None, "10"),
])
def test_mapped_to_what_asks_to_wait(site, status, outcome, login, retry_after):
    if login:
        site.log.expect("AS0020")
        site.log.allow("AH01617")
    answer = site.get("/in/map", login=login)
    assert answer.status == status and not answer.all("WWW-Authenticate")
    assert len(answer.all("Retry-After")) == 1 and int(answer.header("Retry-After")) > 0
    if retry_after:
        assert answer.header("Retry-After") == retry_after
    assert site.access(answer).outcome == outcome


def test_retry_after_of_an_inner_section(site):
    answer = site.get("/in/map/inner")
    verify(site, answer, "no-credentials", 503, retry_after="37")


# -- disclosure: equal to the last octet ------------------------------------------------------------------------------

ALIKE = {
    "loud/proven": [("nobody", RIGHT), ("twin", RIGHT), ("locked", RIGHT), ("locked", WRONG), ("not-yet", RIGHT),
                    ("no-more", RIGHT), ("locked-by-failures", RIGHT), ("bare", RIGHT), ("expired", WRONG),
                    ("must-change", WRONG)],
    "loud/never": [("nobody", RIGHT), ("twin", RIGHT), ("locked", RIGHT), ("not-yet", RIGHT), ("bare", RIGHT),
                   ("expired", RIGHT), ("must-change", RIGHT)],
}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path, login", [(path, login) for path, logins in ALIKE.items() for login in logins],
                         ids=lambda value: "-".join(value) if isinstance(value, tuple) else value.replace("/", "-"))
def test_equal_to_a_wrong_password(site, path, login, method):
    site.log.allow("AH0161[78]", "AS00")
    wrong = site.get(f"/in/{path}", method=method, login=("good", WRONG))
    other = site.get(f"/in/{path}", method=method, login=login)
    assert wrong.status == 401
    assert other.comparable() == wrong.comparable()
    assert site.access(other).status == site.access(wrong).status


# -- the challenge ----------------------------------------------------------------------------------------------------

DIALOGS = ("basic", "digest", "ntlm", "negotiate", "bearer")


@pytest.mark.parametrize("path, headers, dialog", [
    ("quiet-dialog", (), False),
    ("quiet-for-scripts", (("X-Requested-With", "XMLHttpRequest"),), False),
    ("quiet-for-scripts", (), True),
    ("loud/proven", (("X-Requested-With", "XMLHttpRequest"),), True),
])
@pytest.mark.parametrize("login", [None, ("good", WRONG)], ids=["without", "wrong"])
def test_challenge(site, path, headers, dialog, login):
    answer = site.get(f"/in/{path}", headers=headers, login=login)
    verify(site, answer, "wrong-password" if login else "no-credentials", 401, scheme=None)
    scheme = answer.header("WWW-Authenticate").split(" ")[0].lower()
    assert (scheme in DIALOGS) == dialog
    assert answer.all("Vary") == ["Accept,Accept-Language"]  # of the body; an expression adds none


# -- error documents --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("login, outcome, status, ldap, code, subcode, help_url", [
    (("expired", RIGHT), "password-expired", 403, "49/pp0", "49", "pp0", "https://self-service.test/change"),
    (("locked", RIGHT), "account-locked", 403, "49/pp1", "49", "pp1", "https://self-service.test/"),
    (("good", WRONG), "wrong-password", 401, "49", "49", "(none)", "(none)"),
    (None, "no-credentials", 401, None, "(none)", "(none)", "(none)"),
], ids=lambda value: value if isinstance(value, str) and value.isalpha() else None)
def test_error_document(site, login, outcome, status, ldap, code, subcode, help_url):
    answer = site.get("/in/documents", login=login)
    verify(site, answer, outcome, status, ldap=ldap)
    assert answer.body.decode().splitlines() == [
        f"outcome={outcome}", f"status={status}", f"code={code}", f"subcode={subcode}", f"help={help_url}"]


# -- what AuthLDAP* directives do -------------------------------------------------------------------------------------

def test_remote_user_attribute_of_an_inner_section(site):
    answer = site.get("/in/outer/inner", login=("good", RIGHT))
    assert verify(site, answer, "granted", 200).user == "Good Person"


def test_remote_user_is_dn(site):
    answer = site.get("/in/dn", login=("good", RIGHT))
    assert verify(site, answer, "granted", 200).user == "uid=good,ou=people,o=loud"


def test_attributes_of_the_url(site):
    answer = site.get("/in/attributes", login=("good", RIGHT))
    verify(site, answer, "granted", 200)
    assert answer.header("X-Attributes") == "good good@outcomes.test Person"


# -- refused without asking who ---------------------------------------------------------------------------------------

def test_access_denied(site, slapd):
    mark = slapd.mark()
    site.log.expect("AH01630")
    verify(site, site.get("/in/address"), "access-denied", 403)
    verify(site, site.get("/in/address", login=("good", RIGHT)), "access-denied", 403)
    assert slapd.operations(mark)["user_binds"] == 0


def test_denied_by_address_after_a_login(site):
    site.log.expect("AH01631")
    verify(site, site.get("/in/address/either", login=("good", RIGHT)), "not-authorized", 403)


# -- what an administrator and fail2ban read --------------------------------------------------------------------------

def test_our_lines_are_not_for_fail2ban(site):
    """Its apache-auth filter reads what comes after "[client ...] AHnnnnn: ". Ours begin with their own tag."""
    site.log.expect("AS0020", "AS0023", "AH01617")
    for login in (("locked", RIGHT), ("expired", RIGHT), ("good", WRONG)):
        site.get("/in/loud/proven", login=login)
    ours = [line for line in site.log.lines() if line.module == "authstatus" and line.level in ("warn", "info")]
    assert len(ours) >= 3
    for line in ours:
        message = line.text.split("[client 127.0.0.1", 1)[1].split("] ", 1)[1]
        assert message.startswith("AS00"), message
