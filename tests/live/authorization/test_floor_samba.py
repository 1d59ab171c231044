# SPDX-License-Identifier: Apache-2.0
"""ldap-group on Active Directory, as Samba plays it: from the floor of logins, and through httpd."""
import base64
import hashlib

import ldap
import pytest
from ldap import modlist

from lab.samba import BASE, REALM, SERVICE, SERVICE_PASSWORD, Account, Samba
from lab.verify import verify
from querying import cost, querying

RIGHT = "Pw!right"
SECURITY, DISTRIBUTION = "-2147483646", "2"
MEMBERS = 2000


USERS = f"CN=Domain Users,CN=Users,{BASE}"


def user(name):
    return f"CN={name},OU=people,{BASE}"


def g(name):
    return f"CN={name},OU=groups,{BASE}"


class Groups:
    """Groups, made over LDAP by the administrator."""

    def __init__(self, samba, new=True):
        self.connection = ldap.initialize(f"ldap://{samba.address}")
        self.connection.set_option(ldap.OPT_REFERRALS, 0)
        self.connection.simple_bind_s(f"Administrator@{REALM}", "Pw!administrator-1")
        if new:
            self.add(f"OU=groups,{BASE}", objectClass="organizationalUnit")

    def add(self, dn, **attributes):
        values = {name: [value.encode()] if isinstance(value, str) else [one.encode() for one in value]
                  for name, value in attributes.items()}
        self.connection.add_s(dn, modlist.addModlist(values))

    def group(self, cn, *members, kind=SECURITY, name=None):
        more = {"member": list(members)} if members else {}
        self.add(g(cn), objectClass="group", sAMAccountName=name or cn, groupType=kind, **more)

    def rid(self, name):
        (_, found), *_ = self.connection.search_s(g(name), ldap.SCOPE_BASE, attrlist=["objectSid"])
        return int.from_bytes(found["objectSid"][0][-4:], "little")

    def change(self, dn, attribute, value):
        self.connection.modify_s(dn, [(ldap.MOD_REPLACE, attribute, [value.encode()])])


def fill(samba):
    groups = Groups(samba)
    groups.group("direct", user("ann"))
    groups.group("team", user("bob"))
    groups.connection.modify_s(g("team"), [(ldap.MOD_REPLACE, "member", [user("bob").encode()])])
    groups.change(user("bob"), "primaryGroupID", str(groups.rid("team")))
    groups.group("above-team", g("team"))
    for depth in (3, 10):
        for level in range(depth, -1, -1):
            groups.group(f"nest{depth}-{level}", user("ann") if level == depth else g(f"nest{depth}-{level + 1}"))
    for number in range(50):
        groups.group(f"sub{number}", *([user("ann")] if number == 40 else []))
    groups.group("fifty", *(g(f"sub{number}") for number in range(50)))
    for number in range(1, 5):
        groups.group(f"five{number}", user("other"))
    groups.group("five5", g("direct"))
    groups.group("list", user("ann"), kind=DISTRIBUTION)
    groups.group("lists", g("list"), kind=DISTRIBUTION)
    groups.group("everybody", USERS, kind=DISTRIBUTION)
    groups.group("above-list", g("list"))
    for number in range(MEMBERS):
        groups.add(f"CN=c{number},OU=groups,{BASE}", objectClass="contact")
    groups.group("large", *(f"CN=c{number},OU=groups,{BASE}" for number in range(MEMBERS)), user("other"))
    groups.group("larger", g("large"))
    groups.connection.unbind_s()


@pytest.fixture(scope="module")
def samba(workdirs):
    samba = Samba(workdirs.new("samba-floor"), [Account(name, "people", RIGHT, {"userPrincipalName": f"{name}@{REALM}"}) for name in ("ann", "bob", "eve", "other")])
    try:
        samba.start()
        fill(samba)
        yield samba
    finally:
        samba.stop()


@pytest.fixture(scope="module")
def shared(samba):
    with querying() as query:
        query.directory(f"ldap://{samba.address}/{BASE}?sAMAccountName", SERVICE, SERVICE_PASSWORD)
        yield query


@pytest.fixture
def query(shared):
    shared.groups(classes="group")
    shared.forget()
    return shared


def warm(query, name, *groups):
    """What is known of the server and of groups is known, and of nobody's membership anything."""
    query.login("eve", RIGHT)
    for one in groups:
        query.decide("group", one)
    query.forget()
    query.login(name, RIGHT)


@pytest.mark.parametrize("row, who, name, answer, most", [
    (29, "ann", g("direct"), "yes", 0),
    (29, "ann", g("DIRECT").lower(), "yes", 0),
    (30, "ann", g("nest3-0"), "yes", 1),
    (30, "ann", g("nest10-0"), "yes", 1),
    (30, "ann", g("fifty"), "yes", 1),
    (33, "ann", USERS, "yes", 0),
    (33, "bob", g("team"), "yes", 0),
    (34, "bob", g("above-team"), "yes", 2),
    (35, "ann", g("list"), "yes", 0),
    (35, "ann", g("lists"), "yes", 2),
    (36, "other", g("larger"), "yes", 1),
    (36, "ann", g("larger"), "no", 2),
    (36, "eve", g("larger"), "no", 2),
    (29, "eve", g("direct"), "no", 2),
    (35, "eve", g("lists"), "no", 2),
])
def test_auto(query, row, who, name, answer, most):
    warm(query, who, name)
    said = query.decide("group", name)
    # Compares of several attributes are one round trip.
    assert said.answer == answer and said.searches + (said.compares > 0) <= most, (row, said)
    assert said.binds == 0
    query.again()
    said = query.decide("group", name)
    assert (said.answer, cost(said)) == (answer, ""), said


@pytest.mark.parametrize("who", ["ann", "eve"])
def test_default_classes(query, who):
    """Row 31 of rows.tsv: as mod_authnz_ldap, no group of AD is one that can be nested."""
    query.groups()
    warm(query, who, g("nest3-0"))
    said = query.decide("group", g("nest3-0"))
    assert said.answer == "no" and said.searches == 0 and said.compares <= 2, said
    said = query.decide("group", USERS)
    assert said.answer == "yes", said


def test_five_lines(query):
    """Row 32 of rows.tsv: five lines, and the entry is in the group of the fifth alone."""
    lines = [g(f"five{number}") for number in range(1, 6)]
    warm(query, "ann", *lines)
    said = [query.decide("group", line) for line in lines]
    assert [one.answer for one in said] == ["no"] * 4 + ["yes"], said
    assert sum(one.searches + one.compares for one in said) <= 2, said


def test_other_domain(query):
    """Row 37 of rows.tsv: a group of another domain."""
    query.login("ann", RIGHT)
    said = query.decide("group", "CN=direct,OU=groups,DC=other,DC=test")
    assert (said.answer, cost(said)) == ("no", ""), said


def test_missing(query):
    query.login("ann", RIGHT)
    said = query.decide("group", g("gone"))
    assert (said.answer, said.missing, said.unsafe) == ("no", True, True), said


def test_other_logins(query):
    said = query.find("ann")
    assert (said.answer, cost(said)) == ("yes", "1S")
    said = query.decide("group", g("direct"))
    assert (said.answer, cost(said)) == ("yes", ""), said


@pytest.mark.parametrize("servers", ["{0}:3268", "{0}:389 {0}:3268"])
def test_a_global_catalogue(samba, servers):
    """It has the members of universal groups; those of others only by chance. Of several servers, any may answer."""
    with querying() as query:
        query.directory(f"ldap://{servers.format(samba.address)}/{BASE}?sAMAccountName", SERVICE, SERVICE_PASSWORD)
        query.groups(classes="group")
        query.login("ann", RIGHT)
        assert query.decide("group", g("direct")).answer == "yes"
        query.login("eve", RIGHT)
        said = query.decide("group", g("direct"))
        assert (said.answer, said.unsafe) == ("no", True), said


@pytest.mark.parametrize("name, unsafe", [("lists", False), ("everybody", True)])
def test_nobody_is_proven_out_of_a_list_by_his_primary_group(query, name, unsafe):
    """The rule does not find it, and tokenGroups has security groups alone: who bans a distribution list asks for both."""
    query.negated(True)
    try:
        query.login("eve", RIGHT)
        said = query.decide("group", g(name))
        assert (said.answer, said.unsafe) == ("no", unsafe), said
    finally:
        query.negated(False)


@pytest.mark.parametrize("before", [None, g("five1"), g("nest3-0")])
def test_a_ban_above_a_list(query, before):
    """Whatever was asked before it: tokenGroups has no group that has the entry by a distribution group."""
    query.negated(True)
    try:
        for who, answer in (("ann", "yes"), ("eve", "no")):
            query.login(who, RIGHT)
            if before:
                query.decide("group", before)
            said = query.decide("group", g("above-list"))
            assert (said.answer, said.unsafe) == (answer, False), said
            query.again()
            assert query.decide("group", g("above-list")).answer == answer
    finally:
        query.negated(False)


def test_above_a_list_whatever_was_asked_before(query):
    """What another request knows of tokenGroups does not decide it: these lack what is above a distribution group."""
    query.login("ann", RIGHT)
    assert query.decide("group", g("five1")).answer == "no"
    query.again()
    said = query.decide("group", g("above-list"))
    assert said.answer == "yes" and said.searches <= 2, said


@pytest.mark.parametrize("line, unsafe", [
    (("filter", "(title=boss)"), False), (("filter", "(titel=boss)"), True), (("filter", "(|(title=a\\28b)(titel=boss))"), True),
    (("attribute", "title=boss", "mail=x"), False), (("attribute", "title=boss", "titel=boss"), True), (("user", "zed"), False)])
def test_a_slip_of_the_pen_bans_nobody(query, line, unsafe):
    """Samba's compares and filters tell "no" of an attribute that does not exist, and yes of their negation."""
    query.login("eve", RIGHT)
    assert query.decide(*line).answer == "no"
    query.negated(True)
    try:
        query.again()
        said = query.decide(*line)
        assert (said.answer, said.unsafe) == ("no", unsafe), said
    finally:
        query.negated(False)


def test_a_group_of_the_same_name(query, samba):
    """Deleted and made anew, renamed, and its name given to another: it is known by its SID for half a minute."""
    groups = Groups(samba, new=False)
    groups.group("again", g("direct"))
    groups.group("below-team", user("eve"))

    def queried(after=31):
        query.later(after)
        query.login("ann", RIGHT)
        # tokenGroups are known when the second line is decided
        assert query.decide("group", g("below-team")).answer == "no"
        return query.decide("group", g("again"))

    assert queried().answer == "yes"
    groups.connection.delete_s(g("again"))
    groups.group("again", g("direct"))
    assert queried().answer == "yes"
    groups.connection.rename_s(g("again"), "CN=former")
    said = queried()
    assert (said.answer, said.missing, said.unsafe) == ("no", True, True), said
    groups.group("again", name="another")
    said = queried()
    assert (said.answer, said.missing, said.unsafe) == ("no", False, False), said


def test_member_of(query):
    query.groups(mode="MemberOf", classes="group")
    warm(query, "ann", g("direct"), g("nest3-0"))
    assert [(said.answer, cost(said)) for said in (query.decide("group", g("direct")), query.decide("group", g("nest3-0")))] == \
        [("yes", ""), ("no", "")]


def test_without_service_account(samba):
    """An anonymous account sees nothing of AD: never a no."""
    with querying() as query:
        query.directory(f"ldap://{samba.address}/{BASE}?sAMAccountName", SERVICE, SERVICE_PASSWORD)
        query.groups(classes="group")
        query.login("ann", RIGHT)
        query.directory(f"ldap://{samba.address}/{BASE}?sAMAccountName")
        said = query.decide("group", g("direct"))
        assert said.answer == "unknown" and said.outcome == "directory-misconfigured", said


# -- through httpd

SECTION = """
<Location "/in/{name}">
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider {provider}
    AuthUserFile "${{WORKDIR}}/users"
    AuthLDAPURL "ldap://{address}/{base}?{attribute}"
    AuthLDAPBindDN "{service}"
    AuthLDAPBindPassword "{password}"
    {classes}
    AuthStatus On
    Require ldap-group {group}
</Location>
"""
NESTS = "AuthLDAPSubGroupClass group"
SITES = {
    "direct": (g("direct"), "", {"ann": 200, "eve": 403}),
    "nested": (g("nest10-0"), NESTS, {"ann": 200, "eve": 403}),
    "default-classes": (g("nest3-0"), "", {"ann": 403}),
    "users": (USERS, "", {"ann": 200, "bob": 200}),
    "above-team": (g("above-team"), NESTS, {"bob": 200, "ann": 403}),
    "lists": (g("lists"), NESTS, {"ann": 200, "bob": 403}),
    "larger": (g("larger"), NESTS, {"other": 200, "ann": 403}),
    "missing": (g("gone"), "", {"ann": 403}),
}


@pytest.fixture(scope="module")
def site(start, samba):
    text = 'LogLevel warn authstatus:trace8\nAliasMatch "^/in/" "${DOCS}/index.html"\n'
    for name, (group, classes, _) in SITES.items():
        text += SECTION.format(name=name, provider="authstatus", address=samba.address, base=BASE, classes=classes,
                               attribute="sAMAccountName", service=SERVICE, password=SERVICE_PASSWORD, group=group)
    # 49: a module that sets r->user to a Kerberos principal; here a password file does.
    text += SECTION.format(name="principal", provider="file", address=samba.address, base=BASE, classes=NESTS,
                           attribute="userPrincipalName", service=SERVICE, password=SERVICE_PASSWORD, group=g("nest3-0"))
    text += SECTION.format(name="principal-not", provider="file", address=samba.address, base=BASE, classes=NESTS,
                           attribute="userPrincipalName", service=SERVICE, password=SERVICE_PASSWORD, group=""
                           ).replace("Require ldap-group", f"<RequireAll>\n    Require valid-user\n    Require not ldap-group "
                                     f"{g('nest3-0')}\n    </RequireAll>")
    # As httpd's manual shows it for Active Directory: the global catalogue, whose base is empty, and the principal's name; the
    # user's own bind under that name.
    catalogue = {"address": f"{samba.address}:3268", "base": "", "attribute": "userPrincipalName?sub", "group": g("direct")}
    text += SECTION.format(name="catalogue", provider="authstatus", service=SERVICE, password=SERVICE_PASSWORD, classes=NESTS,
                           **catalogue)
    as_user = (f'AuthLDAPInitialBindAsUser On\n    AuthLDAPInitialBindPattern (.+) "$1@{REALM}"\n    AuthLDAPSearchAsUser On\n'
               "    AuthLDAPCompareAsUser On\n    " + NESTS)
    text += SECTION.format(name="as-user", provider="authstatus", address=samba.address, base=BASE, classes=as_user,
                           attribute="sAMAccountName", service="", password="", group=g("nest3-0")
                           ).replace('    AuthLDAPBindDN ""\n    AuthLDAPBindPassword ""\n', "")
    httpd = start.make(text)
    digest = base64.b64encode(hashlib.sha1(RIGHT.encode()).digest()).decode()
    (httpd.workdir / "users").write_text("".join(f"{name}@{REALM}:{{SHA}}{digest}\n" for name in ("ann", "eve", "gone")))
    return httpd.start()


@pytest.mark.parametrize("name, who", [(name, who) for name, (_, _, users) in SITES.items() for who in users])
def test_site(site, name, who):
    status = SITES[name][2][who]
    if status == 403:
        site.log.expect("AH01631|AH01629")
    if name == "missing":
        site.log.expect("AS0032")
    for _ in range(2):
        verify(site, site.get(f"/in/{name}", login=(who, RIGHT)), "granted" if status == 200 else "not-authorized", status,
               user=who)


@pytest.mark.parametrize("name, end", [("catalogue", f"@{REALM}"), ("as-user", "")])
def test_documented(site, name, end):
    site.log.allow("AH0163[01]")
    for who, status in (("ann", 200), ("eve", 403)):
        for _ in range(2):
            answer = site.get(f"/in/{name}", login=(who + end, RIGHT))
            assert answer.status == status, (name, who, answer, [line.text for line in site.log.of(answer.row)])


def test_principal(site):
    site.log.expect("AH01631|AH01629")
    for name, outcome, status in (("ann", "granted", 200), ("eve", "not-authorized", 403), ("gone", "not-authorized", 403)):
        login = f"{name}@{REALM}"
        verify(site, site.get("/in/principal", login=(login, RIGHT)), outcome, status, user=login)
    # Every answer refers to other servers, which have nobody's entry.
    statuses = [site.get("/in/principal-not", login=(f"{name}@{REALM}", RIGHT)).status for name in ("ann", "eve", "gone")]
    assert statuses == [403, 200, 200]
