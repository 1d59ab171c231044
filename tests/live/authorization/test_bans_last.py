# SPDX-License-Identifier: Apache-2.0
"""What a ban names changes, or is not where it is looked for: what was known of it an hour ago, what memberOf does not tell, and
what other servers have, let nobody pass."""
import pytest

from authorization.test_floor_dynlist import Dynamic, needs_dynlist
from authorization.test_floor_openldap import RIGHT, group, person
from lab.slapd import TOP, Database, Slapd
from querying import cost, querying
from test_rows import Text, all_of, any_of, ldap_group, make, section
from test_rows import group as group_of
from test_rows import person as person_of

SUFFIX, BLIND = "o=floor", "cn=blind,o=floor"


@pytest.fixture
def slapd(workdirs):
    """memberOf has the groups of one class alone."""
    text = TOP + person("ann") + person("bob") + person("eve") + group("dev", "uid=ann", "uid=bob") + group("bobs", "uid=bob")
    text += group("unique", "uid=ann", kind="groupOfUniqueNames")
    text += f"dn: {BLIND}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\nuserPassword: Pw!service\n\n"
    slapd = Dynamic(workdirs.new("slapd-bans"), [Database(SUFFIX, Text(text), (
        "overlay dynlist", "dynlist-attrset groupOfURLs memberURL member+memberOf@groupOfNames*",
        f"rootdn cn=root,{SUFFIX}", "rootpw Pw!root"))])
    slapd.configuration.write_text(slapd.configuration.read_text().replace(
        "access to * by users read by * none",
        f'access to dn.exact="cn=unique,{SUFFIX}" attrs=uniqueMember by dn.exact="{BLIND}" none by users read by * none\n'
        "access to * by users read by * none", 1))
    slapd.start()
    yield slapd
    slapd.stop()


def query_as(query, slapd, account=f"cn=service,{SUFFIX}"):
    query.directory(f"ldap://127.0.0.1:{slapd.port}/{SUFFIX}?uid", account, "Pw!service")
    query.negated(True)


@needs_dynlist
@pytest.mark.parametrize("kind, name, mode", [("group", "cn=dev", "MemberOf"), ("group", "cn=dev", "Member"),
                                              ("dn", "uid=ann", "Member")])
def test_renamed(slapd, kind, name, mode):
    """It is 500 within a minute, as for a name that never was; for others too."""
    attribute, _, own = name.partition("=")
    with querying() as query:
        query_as(query, slapd)
        query.groups(mode=mode)
        for user, answer in (("eve", "no"), ("ann", "yes")):
            query.login(user, RIGHT)
            assert query.decide(kind, f"{name},{SUFFIX}").answer == answer
        slapd.client(f"cn=root,{SUFFIX}", "Pw!root").rename_s(f"{name},{SUFFIX}", f"{attribute}=other")
        for user in ("other" if kind == "dn" else "ann", "eve"):
            query.later(61)
            query.login(user, RIGHT)
            said = query.decide(kind, f"{name},{SUFFIX}")
            assert (said.answer, said.unsafe, said.missing) == ("no", True, True), said


@needs_dynlist
def test_a_group_that_member_of_does_not_have(slapd):
    """Its own members are compared in a negation, where the account may: uniqueMember is not maintained."""
    with querying() as query:
        for account, banned in ((f"cn=service,{SUFFIX}", "yes"), (BLIND, "no")):
            query_as(query, slapd, account)
            query.groups(mode="MemberOf")
            for user, answer in (("ann", banned), ("bob", "no")):
                query.login(user, RIGHT)
                assert query.decide("group", f"cn=dev,{SUFFIX}").answer == "yes"
                for _ in range(2):
                    said = query.decide("group", f"cn=unique,{SUFFIX}")
                    assert (said.answer, said.unsafe) == (answer, False), said
                    query.again()
            query.negated(False)
            said = query.decide("group", f"cn=unique,{SUFFIX}")
            assert (said.answer, cost(said)) == ("no", ""), said


@needs_dynlist
def test_a_value_that_no_compare_finds(slapd):
    """dynlist's memberOf: a search finds it, and a compare says that the entry has no such attribute."""
    with querying() as query:
        query_as(query, slapd)
        query.groups()
        for user, answer in (("ann", "yes"), ("eve", "no")):
            query.login(user, RIGHT)
            said = query.decide("attribute", f"memberOf=cn=dev,{SUFFIX}")
            assert (said.answer, said.unsafe) == (answer, False), said
            query.forget()


BASE = "o=part"
BANNED = ldap_group("banned", BASE)
HERE = f'Use Directory "ldap://127.0.0.1:${{LDAP}}" {BASE}'


def test_who_may_be_on_other_servers(start, workdirs):
    """A login of another module, and no entry of that name here: one of the servers that the directory refers to may have it."""
    text = TOP + person_of("ann", BASE) + person_of("bob", BASE) + group_of("banned", f"uid=ann,{BASE}", base=BASE)
    text += (f"dn: ou=elsewhere,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\n"
             f"ref: ldap://127.0.0.1:1/ou=elsewhere,{BASE}\n\n")
    slapd = Slapd(workdirs.new("slapd-part"), [Database(BASE, Text(text))]).start()
    flat = "AuthLDAPMaxSubGroupDepth 0\n    "
    try:
        httpd = make(start, slapd, conf="LogLevel authstatus:info\n"
                     + section("not", flat + all_of("valid-user", f"not {BANNED}"), provider="file", directory=HERE)
                     + section("in", flat + any_of(BANNED), provider="file", directory=HERE))
        httpd.log.allow("AH01631", "AS0062")
        for path, statuses in (("not", (403, 200, 500)), ("in", (200, 403, 403))):
            for _ in range(2):
                got = tuple(httpd.get(f"/in/{path}", login=(user, RIGHT)).status for user in ("ann", "bob", "nowhere"))
                assert got == statuses, path
    finally:
        slapd.stop()
