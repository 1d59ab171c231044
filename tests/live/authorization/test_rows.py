# SPDX-License-Identifier: Apache-2.0
"""Require ldap-*, through httpd, on OpenLDAP: who is let in, with which status, at which cost, and what is seen of it."""
import base64
import hashlib
import re
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.fake import Fake, hang
from lab.httpd import MODULES, SLACK
from lab.process import poll, reserve_port
from lab.slapd import TOP, Database, Slapd
from lab.verify import verify

RIGHT = "Pw!right"
HASH = "{SHA}" + base64.b64encode(hashlib.sha1(RIGHT.encode()).digest()).decode()
BASE = "o=rows"
USERS = ("ann", "bob", "deep", "five", "cold1", "cold2", "cold3", "cold4", "cold5")


def person(name, base=BASE, kind="guest"):
    return (f"dn: uid={name},{base}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: Person\nmail: {name}@lab.test\n"
            f"description: CN={name}\ndescription: /CN={name}\n"
            f"employeeType: {kind}\ntitle: back\\slash\nuserPassword: {RIGHT}\n\n")


def group(name, *members, base=BASE):
    return f"dn: cn={name},{base}\nobjectClass: groupOfNames\ncn: {name}\n" + \
        "".join(f"member: {member}\n" for member in members) + "\n"


def ldif():
    text = TOP + "".join(person(name, kind="staff" if name == "ann" else "guest") for name in USERS)
    text += "".join(f"dn: cn={number},{BASE}\nobjectClass: inetOrgPerson\nuid: twin\nsn: Twin\n\n" for number in (1, 2))
    text += group("staff", f"uid=ann,{BASE}", f"uid=cold1,{BASE}", f"uid=cold2,{BASE}")
    text += group("nobody", f"uid=nobody,{BASE}")
    text += "".join(group(f"five{number}", f"uid={'five' if number == 5 else 'nobody'},{BASE}") for number in range(1, 6))
    text += group("top", f"cn=middle,{BASE}") + group("middle", f"cn=bottom,{BASE}") + group("bottom", f"uid=deep,{BASE}")
    text += group("hidden", f"uid=ann,{BASE}")
    text += group("over", f"cn=bottom,{BASE}").replace("groupOfNames", "groupOfUniqueNames").replace("member:", "uniqueMember:")
    text += f"dn: cn=posix,{BASE}\nobjectClass: posixGroup\ncn: posix\ngidNumber: 7\nmemberUid: ann\n\n"
    text += f"dn: cn=Sales\\, North \\+ \\22x\\22 *()\\5c \u00fcml,{BASE}\nobjectClass: groupOfNames\nmember: uid=ann,{BASE}\n\n"
    return text


OTHER = "o=partners"


def partners():
    """A partner with the name of an employee, and a group of partners."""
    return TOP + person("ann", OTHER) + person("pat", OTHER) + group("partners", f"uid=pat,{OTHER}", base=OTHER)


class Text:
    def __init__(self, text):
        self.text = text

    def read_text(self):
        return self.text


@pytest.fixture(scope="module")
def slapd(workdirs):
    slapd = Slapd(workdirs.new("slapd-rows"), [Database(BASE, Text(ldif()), ("index member,memberUid eq",)),
                                            Database(OTHER, Text(partners()))])
    text = slapd.configuration.read_text().replace(
        "access to * by users read by * none",
        f"access to dn.exact=cn=hidden,{BASE} attrs=member by * none\naccess to * by users read by * none", 1)
    slapd.configuration.write_text(text)
    slapd.start()
    yield slapd
    slapd.stop()


SECTION = """
<Location "/in/{name}">
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider {provider}
    {directory}
    AuthStatus On
    {lines}
</Location>
"""
HERE = f'Use Directory "ldap://127.0.0.1:${{LDAP}}" {BASE}'


def section(name, lines, provider="authstatus", directory=HERE):
    file = 'AuthUserFile "${WORKDIR}/users"\n    ' if provider == "file" else ""
    return SECTION.format(name=name, lines=lines, provider=provider, directory=file + directory)


def all_of(*lines):
    return "<RequireAll>\n    " + "\n    ".join(f"Require {line}" for line in lines) + "\n    </RequireAll>"


def any_of(*lines):
    return "\n    ".join(f"Require {line}" for line in lines)


def none_of(*lines):
    inner = "\n    ".join(f"Require {line}" for line in lines)
    return f"<RequireAll>\n    Require valid-user\n    <RequireNone>\n    {inner}\n    </RequireNone>\n    </RequireAll>"


def ldap_group(name, base=BASE):
    return f"ldap-group cn={name},{base}"


STAFF = ldap_group("staff")
FIVE = any_of(*(ldap_group(f"five{number}") for number in range(1, 6)))
Row = namedtuple("Row", "lines statuses options", defaults=({},))

# Section: its lines, and the status for each user.
ROWS = {
    "flat": Row(any_of(STAFF), {"ann": 200, "bob": 403}),
    "depth0": Row("AuthLDAPMaxSubGroupDepth 0\n    " + any_of(ldap_group("top")), {"deep": 403}),
    "five": Row(FIVE, {"five": 200, "bob": 403}),
    "nested": Row(any_of(ldap_group("top")), {"deep": 200, "bob": 403}),
    "nested1": Row("AuthLDAPMaxSubGroupDepth 1\n    " + any_of(ldap_group("top")), {"deep": 403}),
    # Users stand in one attribute, groups in another, of which the required group has none of the first.
    "two-attributes": Row("AuthLDAPGroupAttribute member\n    " + any_of(ldap_group("over")), {"deep": 200, "bob": 403}),
    "not-two-attributes": Row("AuthLDAPGroupAttribute member\n    AuthLDAPSubGroupAttribute uniqueMember\n    "
                              + all_of("valid-user", "not " + ldap_group("over")), {"deep": 403, "bob": 200}),
    "posix": Row("AuthLDAPGroupAttribute memberUid\n    AuthLDAPGroupAttributeIsDN Off\n    "
                 + any_of(ldap_group("posix")), {"ann": 200, "bob": 403}),
    "spelling": Row(any_of(f"ldap-group CN=sta\\\\66f,  O = rows"), {"ann": 200, "bob": 403}),
    "oid": Row(any_of(f"ldap-group 2.5.4.3=STAFF,{BASE}"), {"ann": 200}),
    "quotes": Row(any_of(f'ldap-group "cn=staff,{BASE}"'), {"ann": 200, "bob": 403}),
    "special": Row(any_of(f"ldap-group cn=Sales\\\\, North \\\\+ \\\\\"x\\\\\" *()\\\\\\\\ \u00fcml,{BASE}"),
                   {"ann": 200, "bob": 403}),
    "memberof": Row("AuthStatusGroups MemberOf\n    " + any_of(STAFF), {"ann": 403}),
    "users": Row(any_of('ldap-user ann deep "c d"'), {"ann": 200, "deep": 200, "bob": 403}),
    "dn": Row(any_of(f"ldap-dn uid=ann,{BASE}"), {"ann": 200, "bob": 403}),
    "dn-spelling": Row(any_of(f"ldap-dn UID=Ann, O=Rows"), {"ann": 200, "bob": 403}),
    "attribute": Row(any_of('ldap-attribute sn=nothing employeeType="staff"'), {"ann": 200, "bob": 403}),
    # httpd's expressions take one of two backslashes, and ap_getword_conf does so once more.
    "attribute-backslashes": Row(any_of(r"ldap-attribute title=back\\\\slash", r"ldap-user x\\\\y"), {"ann": 200, "bob": 200}),
    "filter": Row(any_of("ldap-filter employeeType=staff"), {"ann": 200, "bob": 403}),
    "filter-parentheses": Row(any_of("ldap-filter (employeeType=staff)"), {"ann": 200, "bob": 403}),
    "filter-and": Row(any_of("ldap-filter &(employeeType=staff)(sn=Person)"), {"ann": 200, "bob": 403}),
    "search": Row(any_of("ldap-search (uid=ann)"), {None: 200, "bob": 200}),
    "search-none": Row(any_of("ldap-search (uid=nobody)"), {None: 403, "ann": 403}),
    "search-two": Row(any_of("ldap-search (uid=twin)"), {None: 403, "ann": 403}),
    "search-or-user": Row(any_of("ldap-search (uid=nobody)", "user ann"), {None: 401, "ann": 200, "bob": 403}),
    "search-and-user": Row(all_of("ldap-search (uid=ann)", "user ann"), {None: 401, "ann": 200, "bob": 403}),
    "by-file": Row(any_of(STAFF), {"ann": 200, "bob": 403, "nowhere": 403, "twin": 403, "ann@LAB": 403},
                   {"provider": "file"}),
    "by-file-not": Row(all_of("valid-user", "not " + STAFF), {"ann": 403, "nowhere": 200, "twin": 500},
                       {"provider": "file"}),
    "by-file-misspelt": Row(all_of("valid-user", "not " + STAFF), {"ann": 500, "nowhere": 500},
                            {"provider": "file", "directory": f'{HERE}\n    AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/{BASE}?uidd"'}),
    "by-file-unseen": Row(all_of("valid-user", "not " + STAFF), {"ann": 500, "nowhere": 500},
                          {"provider": "file", "directory": f'{HERE}\n    AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/{BASE}?userPassword"'}),
    "aliases": Row(any_of(STAFF, ldap_group("partners", OTHER)), {"bob": 403, "pat": 200, "ann": 200},
                   {"provider": "here partners", "directory": ""}),
    "partners": Row(any_of(STAFF), {"ann": 403, "pat": 403}, {"provider": "partners", "directory": ""}),
    "partners-user": Row(any_of("ldap-user ann"), {"ann": 200, "pat": 403}, {"provider": "partners", "directory": ""}),
    "authz-alias": Row(any_of("staff"), {"ann": 200, "bob": 403}, {"provider": "file", "directory": ""}),
    "renamed": Row("AuthLDAPRemoteUserAttribute mail\n    " + any_of(STAFF), {"ann": 200, "bob": 403}),
    "as-user": Row("AuthLDAPSearchAsUser On\n    AuthLDAPCompareAsUser On\n    " + any_of(STAFF),
                   {"ann": 200, "bob": 403}),
    "not": Row(all_of("valid-user", "not " + STAFF), {"ann": 403, "bob": 200}),
    "not-missing": Row(all_of("valid-user", "not " + ldap_group("missing")), {"ann": 500}),
    "not-in-quotes": Row(all_of("valid-user", "'Not' " + ldap_group("missing")), {"ann": 500}),
    "not-hidden": Row(all_of("valid-user", "not " + ldap_group("hidden")), {"ann": 500, "bob": 500}),
    "missing": Row(any_of(ldap_group("missing")), {"ann": 403}),
    "missing-or": Row(any_of(ldap_group("missing"), "user ann"), {"ann": 200, "bob": 403}),
    "hidden": Row(any_of(ldap_group("hidden")), {"ann": 500}),
    "none": Row(none_of(STAFF, ldap_group("nobody")), {"ann": 403, "bob": 200}),
    "down": Row(any_of("down"), {"ann": 503, "bob": 503}),
    "down-or-user": Row(any_of("down", "user ann"), {"ann": 200, "bob": 503}),
    "user-or-down": Row(any_of("user ann", "down"), {"ann": 200, "bob": 503}),
    "down-and-user": Row(all_of("down", "user bob"), {"bob": 503, "ann": 403}),
    "not-down": Row(all_of("valid-user", "not down"), {"ann": 503}),
    "none-down": Row(none_of(STAFF, "down"), {"ann": 403, "bob": 503}),
    "xor": Row("<RequireAny>\n    " + all_of("down", "not down2") + "\n    " + all_of("down2", "not down")
               + "\n    </RequireAny>", {"ann": 503}),
    "down-and-ill": Row(any_of("ill", "down"), {"ann": 503}),
    "ill": Row(any_of("ill"), {"ann": 500}),
    "no-url": Row(any_of(STAFF), {"ann": 500}, {"provider": "file", "directory": ""}),
    "no-base": Row(any_of("no-base"), {"ann": 500}, {"provider": "file"}),
    "expression": Row("SetEnvIf X-Group (.*) GRP=$1\n    " + any_of(f"ldap-group cn=%{{env:GRP}},{BASE}"), {}),
    "not-expression": Row("SetEnvIf X-Group (.*) GRP=$1\n    "
                          + all_of("valid-user", f"not ldap-group cn=%{{env:GRP}},{BASE}"), {}),
    "merging": Row("AuthMerging And\n    Require user ann", {"ann": 200, "bob": 403}),
    "satisfy": Row("Order deny,allow\n    Deny from all\n    Satisfy Any\n    " + any_of(STAFF),
                   {"ann": 200, "bob": 403}),
    "if": Row(f"<If \"%{{REQUEST_METHOD}} == 'GET'\">\n    Require {STAFF}\n    </If>\n    <Else>\n    "
              "Require all denied\n    </Else>", {"ann": 200, "bob": 403}),
}

ALIASES = f"""
<AuthnProviderAlias authstatus here>
    Use Directory "ldap://127.0.0.1:${{LDAP}}" {BASE}
</AuthnProviderAlias>
<AuthnProviderAlias authstatus partners>
    Use Directory "ldap://127.0.0.1:${{LDAP}}" {OTHER}
</AuthnProviderAlias>
<AuthzProviderAlias ldap-group staff cn=staff,{BASE}>
    Use Directory "ldap://127.0.0.1:${{LDAP}}" {BASE}
</AuthzProviderAlias>
<AuthzProviderAlias ldap-group down cn=down,{BASE}>
    Use Directory "ldap://127.0.0.1:${{NOBODY}}" {BASE}
</AuthzProviderAlias>
<AuthzProviderAlias ldap-group down2 cn=down2,{BASE}>
    Use Directory "ldap://127.0.0.1:${{NOBODY}}" {BASE}
</AuthzProviderAlias>
<AuthzProviderAlias ldap-group ill cn=ill,{BASE}>
    AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/{BASE}?uid"
    AuthLDAPBindDN cn=service,{BASE}
    AuthLDAPBindPassword Pw!wrong
</AuthzProviderAlias>
<AuthzProviderAlias ldap-group no-base cn=staff,{BASE}>
    Use Directory "ldap://127.0.0.1:${{LDAP}}" {BASE}
    AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/ou=nowhere,{BASE}?uid"
</AuthzProviderAlias>
"""
VARIABLES = ("Header always set X-Group \"%{AUTHSTATUS_GROUP}e\"\nHeader always set X-Uid \"%{AUTHORIZE_UID}e\"\n"
             "Header always set X-Other \"%{LDAP_UID}e\"\n")


def site_text(rows=None):
    text = "LogLevel warn authstatus:debug\n" + ALIASES + VARIABLES
    for name, row in ROWS.items():
        if rows is None or name in rows:
            text += section(name, row.lines, **row.options)
    return text


def make(start, slapd, **options):
    modules = options.pop("modules", ()) + ("socache_shmcb", "access_compat")
    httpd = start.make(options.pop("conf", None) or site_text(), modules=modules,
                       defines={"LDAP": slapd.port, "NOBODY": reserve_port()}, **options)
    (httpd.workdir / "users").write_text("".join(f"{name}:{HASH}\n" for name in (*USERS, "nowhere", "twin", "ann@LAB")))
    return httpd.start()


@pytest.fixture(scope="module")
def site(start, slapd):
    # A circuit that opened would say its remaining time in Retry-After.
    return make(start, slapd, conf="AuthStatusBreaker 1000000 10s\n" + site_text())


@pytest.fixture(scope="module")
def caching(start, slapd):
    return make(start, slapd, cache=None)


NAMES = {403: "not-authorized", 200: "granted", 401: "no-credentials"}
UNKNOWN = {"down": "directory-down", "ill": "service-account-refused"}


def check(site, name, user, status, log=()):
    site.log.allow("AS0032", "AS0050", "AS0060", "AS0062", *log)
    answer = site.get(f"/in/{name}", login=(user, RIGHT) if user else None)
    record = site.access(answer)
    told = [line.text for line in site.log.of(answer.row)]
    evidence = f"{ROWS[name].lines}\n{answer}\n" + "\n".join(told)
    assert answer.status == status, evidence
    assert bool(answer.all("WWW-Authenticate")) == (status == 401), evidence
    assert bool(answer.all("Retry-After")) == (status == 503), evidence
    # Who is let in without a login has no outcome.
    if status in NAMES and record.outcome != "-":
        assert record.outcome in (NAMES[status], "access-denied"), evidence
    return answer


CASES = [(name, user, status) for name, row in ROWS.items() for user, status in row.statuses.items()]


@pytest.mark.parametrize("name,user,status", CASES, ids=lambda value: str(value))
def test_row(site, name, user, status):
    site.log.allow("AH0163[01]|AH01797|AH01618")
    answer = check(site, name, user, status)
    lines = [line.text for line in site.log.of(answer.row)]
    # One line of httpd's own for a refusal, and none for want of an answer.
    refused = sum(bool(re.search("AH0163[01]", line)) for line in lines)
    assert refused == (1 if status == 403 else 0), lines


@pytest.mark.parametrize("name,outcome", [("down", "directory-down"), ("ill", "service-account-refused"),
                                          ("hidden", "directory-misconfigured"), ("no-url", "directory-misconfigured"),
                                          ("no-base", "directory-misconfigured")])
def test_an_unknown_answer_has_its_own_outcome(site, name, outcome):
    site.log.allow("AS0050", "AS006")
    answer = site.get(f"/in/{name}", login=("ann", RIGHT))
    verify(site, answer, outcome, 503 if outcome == "directory-down" else 500)


def test_the_log_names_groups_and_costs(site):
    site.log.expect("AH01631")
    answer = site.get("/in/five", login=("bob", RIGHT))
    line = site.outcome_lines(answer)[-1].text
    assert re.search(r'AS0030: not-authorized, user "bob", in none of 5 groups, .*search(es)? in \d+ ms, answered 403', line)


@pytest.mark.parametrize("user,words", [("nowhere", "no entry has this name"), ("twin", "several entries have this name")])
def test_the_log_tells_why_there_is_no_entry(site, user, words):
    site.log.expect("AH01631")
    answer = site.get("/in/by-file", login=(user, RIGHT))
    assert words in site.outcome_lines(answer)[-1].text


def test_a_missing_group_is_warned_of_once(start, slapd):
    httpd = make(start, slapd, conf=site_text({"missing"}))
    httpd.log.expect("AS0032: Require ldap-group: there is no entry \"cn=missing,o=rows\"")
    httpd.log.allow("AH01631")
    for _ in range(3):
        check(httpd, "missing", "ann", 403)
    assert sum("AS0032" in line.text for line in httpd.log.lines()) == 1


# ---- what the application sees

def header(answer, name):
    value = answer.header(name)
    return None if value in (None, "(null)", "") else value


def test_variables_of_a_grant(site):
    answer = check(site, "flat", "ann", 200)
    assert (header(answer, "X-Group"), header(answer, "X-Uid")) == (f"cn=staff,{BASE}", "ann")
    answer = check(site, "user-or-down", "ann", 200)
    assert header(answer, "X-Group") is None and header(answer, "X-Uid") is None
    answer = check(site, "not", "bob", 200)
    assert header(answer, "X-Group") is None


def test_prefix_and_cached_variables(start, slapd):
    conf = site_text({"flat"}) + section("prefix", "AuthLDAPAuthorizePrefix LDAP_\n    " + any_of(STAFF))
    conf += f"LogFormat \"%{{X-Row}}i %{{authstatus-group}}n\" group\nCustomLog ${{WORKDIR}}/logs/group group\n"
    httpd = make(start, slapd, conf=conf, cache=None)
    for _ in range(2):
        answer = httpd.get("/in/prefix", login=("ann", RIGHT))
        assert answer.status == 200 and header(answer, "X-Other") == "ann" and header(answer, "X-Uid") is None
        assert header(answer, "X-Group") == f"cn=staff,{BASE}"
    line = f"{answer.row} cn=staff,{BASE}\n"
    poll(lambda: line in (httpd.workdir / "logs/group").read_text(), 10, "the group's line of the access log")


def test_remote_user(site):
    answer = check(site, "renamed", "ann", 200)
    assert site.access(answer).user == "ann@lab.test"


# ---- expressions

@pytest.mark.parametrize("value,plain,negated", [
    ("staff", 200, 403), ("nobody", 403, 200), ("", 403, 500), ("missing", 403, 500), ("x,dc=evil", 403, 500),
    ('a"b', 403, 500), ("staff+", 403, 500),
    # A DN, in no naming context of this directory.
    ("a\\", 403, 500)])
def test_an_expression_decides_by_what_it_yields(site, value, plain, negated):
    site.log.allow("AS0032", "AS0062", "AH01631")
    for name, status in (("expression", plain), ("not-expression", negated)):
        answer = site.get(f"/in/{name}", login=("ann", RIGHT), headers=[("X-Group", value)])
        assert answer.status == status, (name, value, answer, [line.text for line in site.log.of(answer.row)])
        assert "Vary" not in dict(answer.headers) or "X-Group" not in answer.header("Vary")


# ---- what it costs

def cost(slapd, mark):
    """(compares, searches, binds of users)"""
    lines = slapd.lines(mark)
    count = slapd.operations(mark)
    return sum(" CMP " in line for line in lines), count["searches"], count["user_binds"]


def test_costs(caching, slapd):
    """With the login's search and bind. Facts of the group are known from the first request. The compares of the two
    attributes are one round trip."""
    caching.log.allow("AH01631")
    for user in ("ann", "bob"):
        caching.get("/in/flat", login=(user, RIGHT))
    for name, user, status, first in (("flat", "cold1", 200, (2, 1, 1)), ("flat", "cold3", 403, (2, 2, 1))):
        for expected in (first, (0, 0, 0)):
            mark = slapd.mark()
            assert caching.get(f"/in/{name}", login=(user, RIGHT)).status == status
            got = cost(slapd, mark)
            assert all(one <= most for one, most in zip(got, expected)), (name, user, got)
    # What was found for five groups serves another section.
    assert caching.get("/in/five", login=("cold4", RIGHT)).status == 403
    mark = slapd.mark()
    assert caching.get("/in/five", login=("cold4", RIGHT)).status == 403
    assert cost(slapd, mark) == (0, 0, 0)


def test_identical_questions_are_asked_once(caching, slapd):
    mark = slapd.mark()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: caching.get("/in/flat", login=("cold2", RIGHT)), range(16)))
    assert {answer.status for answer in answers} == {200}
    assert all(one <= most for one, most in zip(cost(slapd, mark), (2, 2, 1)))


def test_a_graceful_restart_keeps_what_is_cached(start, slapd):
    httpd = make(start, slapd, conf=site_text({"flat"}), cache=None)
    for _ in range(2):
        assert httpd.get("/in/flat", login=("ann", RIGHT)).status == 200
        httpd.reload()
    assert httpd.get("/in/flat", login=("ann", RIGHT)).status == 200
