# SPDX-License-Identifier: Apache-2.0
"""Who answers Require ldap-*: whatever else is loaded; where AuthStatus is Off; what stops the start-up; DUMP_AUTHSTATUS."""
import re

import pytest

from lab.httpd import MODULES
from lab.process import reserve_port
from test_rows import BASE, HERE, RIGHT, STAFF, all_of, any_of, ldap_group, make, none_of, section, slapd  # noqa: F401

LOAD = f'LoadModule ldap_module "{MODULES}/mod_ldap.so"\nLoadModule authnz_ldap_module "{MODULES}/mod_authnz_ldap.so"\n'
THREE = (section("flat", any_of(STAFF)) + section("nested", any_of(ldap_group("top")))
         + section("not", all_of("valid-user", "not " + STAFF)))


@pytest.mark.parametrize("loaded", ["neither", "before", "after"])
def test_the_same_whatever_is_loaded(start, slapd, loaded):  # noqa: F811
    httpd = make(start, slapd, conf=(LOAD if loaded == "after" else "") + THREE, ldap=loaded == "before")
    httpd.log.allow("AH01631")
    got = {(name, user): httpd.get(f"/in/{name}", login=(user, RIGHT)).status
           for name in ("flat", "nested", "not") for user in ("ann", "bob", "deep")}
    assert got == {("flat", "ann"): 200, ("flat", "bob"): 403, ("flat", "deep"): 403,
                   ("nested", "ann"): 403, ("nested", "bob"): 403, ("nested", "deep"): 200,
                   ("not", "ann"): 403, ("not", "bob"): 200, ("not", "deep"): 200}


def off(name, lines):
    return section(name, lines).replace("AuthStatus On", "AuthStatus Off")


def test_off_has_the_statuses_of_httpd(start, slapd):  # noqa: F811
    """Without mod_authnz_ldap the lines are ours, here too."""
    down = f"""<AuthzProviderAlias ldap-group down cn=down,{BASE}>
        Use Directory "ldap://127.0.0.1:${{NOBODY}}" {BASE}
        </AuthzProviderAlias>"""
    httpd = make(start, slapd, conf=down + off("off", any_of(STAFF)) + off("down", any_of("down"))
                 + off("forbidden", "AuthzSendForbiddenOnFailure On\n    " + any_of(STAFF))
                 + off("not-down", all_of("valid-user", "not down")) + off("either", any_of("down", "user ann")))
    httpd.log.allow("AH01631", "AS0050")
    for name, user, status in (("off", "ann", 200), ("off", "bob", 401), ("forbidden", "bob", 403), ("down", "ann", 500),
                               ("not-down", "ann", 500), ("either", "ann", 200), ("either", "bob", 500)):
        answer = httpd.get(f"/in/{name}", login=(user, RIGHT))
        assert answer.status == status, (name, user, answer)
        assert bool(answer.all("WWW-Authenticate")) == (status == 401), (name, user, answer)
        assert not answer.all("Retry-After")


def test_off_is_mod_authnz_ldaps_where_that_is_loaded(start, slapd):  # noqa: F811
    """It takes a DN in quotes, and a DN that is none, for a DN that nobody is in."""
    lines = any_of(f'ldap-group "cn=staff,{BASE}"', "ldap-group none", "ldap-filter (employeeType=")
    httpd = make(start, slapd, conf=off("off", lines), ldap=True)
    httpd.log.allow("AH01631|AH01629", "AH017")
    assert httpd.get("/in/off", login=("ann", RIGHT)).status == 401


WRONG = {
    "backslash": (any_of(f"ldap-group cn=a\\, b,{BASE}"), "Require ldap-group: .*double the backslash"),
    "dn": (any_of("ldap-group staff"), "Require ldap-group: "),
    "user-dn": (any_of("ldap-dn =x"), "Require ldap-dn: "),
    "filter": (any_of("ldap-filter (employeeType="), "Require ldap-filter: "),
    "filter-two": (any_of("ldap-filter (a=b)(c=d)"), "Require ldap-filter: "),
    "search": (any_of("ldap-search uid=ann)"), "Require ldap-search: "),
    "attribute": (any_of("ldap-attribute employeeType"), "Require ldap-attribute: "),
    "negated": (all_of("valid-user", "not ldap-group cn=a\\, b,o=x"), "double the backslash"),
    "expression": (any_of("ldap-group cn=%{env:,o=x"), "does not parse|Cannot parse"),
    "depth": ("AuthLDAPMaxSubGroupDepth 33\n    " + any_of(STAFF), "AuthLDAPMaxSubGroupDepth: \"33\" is not a whole number from 0 to 32"),
    "mode": ("AuthStatusGroups Both\n    " + any_of(STAFF), "AuthStatusGroups: .*Auto, Member or MemberOf"),
    "name": ("AuthLDAPGroupAttribute member)(x=*\n    " + any_of(STAFF), "AuthLDAPGroupAttribute: "),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("loaded", ["neither", "both"])
def test_what_can_never_be_answered_stops_the_start(start, name, loaded):
    """With mod_authnz_ldap loaded AuthStatus may be inherited: the whole configuration decides who answers."""
    lines, sentence = WRONG[name]
    conf = "AuthStatus On\n" + section("wrong", lines).replace("    AuthStatus On\n", "")
    code, said = start.make(conf, ldap=loaded == "both", defines={"LDAP": reserve_port()}).configtest()
    assert code and re.search(sentence, said), said


DOUBTS = {
    "%{ldap:": [(any_of("ldap-filter sn=%{HTTP:X-Name}"), HERE), (any_of("ldap-group cn=%{env:GRP},o=x"), HERE),
                (any_of("ldap-search (&(uid=%{ldap:%{env:A}})(sn=%{env:B}))"), HERE)],
    "it bans nobody": [(all_of("valid-user", "not " + STAFF), ""), (none_of(STAFF), "")],
    "an AuthnProviderAlias, and the lines query this section's": [(any_of(STAFF), HERE + "\n    AuthBasicProvider partners")],
    "double it": [(any_of("ldap-group cn=a\\,o=b,o=rows"), HERE)],
    "without AuthLDAPURL, and no": [("AuthBasicProvider file\n    " + any_of(STAFF), "")],
    None: [(any_of(STAFF), HERE), (any_of("ldap-filter sn=%{ldap:%{HTTP:X-Name}}"), HERE), (all_of("valid-user", "not " + STAFF), HERE),
           (any_of("ldap-user %{env:A}"), HERE), (any_of(f"ldap-group cn=Sales\\\\, North,{BASE}"), HERE)],
}


@pytest.mark.parametrize("words, lines, directory", [(words, *case) for words, cases in DOUBTS.items() for case in cases])
def test_dump_doubts_a_line_or_does_not(start, words, lines, directory):
    """Each doubt with a line that has it, and no doubt about lines that are as they are meant."""
    alias = '<AuthnProviderAlias authstatus partners>\n    AuthLDAPURL "ldap://127.0.0.1/o=x?uid"\n</AuthnProviderAlias>\n'
    conf = alias + section("one", lines, provider="partners" if not directory and "file" not in lines else "authstatus",
                           directory=directory)
    httpd = start.make(conf, defines={"LDAP": reserve_port()})
    done = httpd.run("-t", "-D", "DUMP_AUTHSTATUS")
    assert done.returncode == 0, done
    warnings = [line for line in done.stdout.splitlines() if "warning:" in line and "Basic without TLS" not in line]
    assert len(warnings) == (words is not None) and (not words or words in warnings[0]), done.stdout


AD = 'AuthLDAPURL "ldap://127.0.0.1/dc=x?sAMAccountName"'
DIFFERENCES = {
    "however it is spelled": [(any_of("ldap-dn uid=ann, o=rows"), HERE), (any_of("ldap-dn UID=ann,o=rows"), HERE)],
    "from outside": [("AuthLDAPMaxSubGroupDepth 3\n    " + any_of(STAFF), "")],
    "the primary group counts;": [(any_of(STAFF), AD)],
    "however deep": [("AuthLDAPSubGroupClass group\n    " + any_of(STAFF), AD)],
    None: [(any_of("ldap-dn uid=ann,o=rows"), HERE), (any_of(STAFF), HERE), (any_of(STAFF), ""), (any_of("ldap-user ann"), AD),
           ("AuthStatusGroups Member\n    " + any_of(STAFF), AD)],
}


@pytest.mark.parametrize("words, lines, directory",
                         [(words, *case) for words, cases in DIFFERENCES.items() for case in cases])
def test_dump_says_what_differs(start, words, lines, directory):
    """What mod_authnz_ldap refuses and this module does not, and nothing of that where it is not so."""
    outer = '<Location "/in">\n    AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=rows?uid"\n</Location>\n'
    httpd = start.make(outer + section("one", lines, directory=directory), defines={"LDAP": reserve_port()})
    done = httpd.run("-t", "-D", "DUMP_AUTHSTATUS")
    assert done.returncode == 0, done
    said = [line for line in done.stdout.splitlines() if line.split()[:1] == ["differs"]]
    assert len(said) == (words is not None) and (not words or words in said[0]), done.stdout


def test_dump_says_who_answers_and_what_is_doubtful(start):
    conf = section("here", any_of(f'ldap-group "cn=staff,{BASE}"', "ldap-filter (employeeType=staff)",
                                  "ldap-search (uid=%{REMOTE_USER})", "ldap-search &(uid=on)(sn=x)", f"ldap-group cn=a,{BASE} cn=b,{BASE}",
                                  f"ldap-group cn=a\\,o=b,{BASE}"))
    conf += section("nowhere", any_of(STAFF), directory="")
    conf += section("ad", any_of(STAFF), directory='AuthLDAPURL "ldap://127.0.0.1/dc=x?sAMAccountName"')
    conf += section("memberof", "AuthStatusGroups MemberOf\n    " + any_of(STAFF))
    conf += off("off", any_of(STAFF))
    httpd = start.make(conf, ldap=True, defines={"LDAP": reserve_port()})
    done = httpd.run("-t", "-D", "DUMP_AUTHSTATUS")
    said = done.stdout
    assert done.returncode == 0, done
    for words in ('require    ldap-group "cn=staff,o=rows": answered by mod_authstatus', "the DN is in quotes",
                  "the filter is in parentheses", "the filter is not in parentheses", "REMOTE_USER is empty", "the rest of the line is one DN",
                  "double it", "without AuthLDAPURL, and no AuthnProviderAlias", "AuthLDAPSubGroupClass has no",
                  "an account that may write memberOf", f"require    ldap-group cn=staff,{BASE}: answered by mod_authnz_ldap"):
        assert words in said, (words, said)
