# SPDX-License-Identifier: Apache-2.0
"""ldap-group on 389 Directory Server, by members and by memberOf, from the floor of logins."""
import contextlib

import ldap
import pytest
from ldap import modlist

from lab.dirsrv import BASE, SERVICE, SERVICE_PASSWORD, Dirsrv
from querying import cost, querying

RIGHT = "Pw!right"
PLUGIN = "cn=MemberOf Plugin,cn=plugins,cn=config"


def person(name):
    return f"dn: uid={name},{BASE}\nobjectClass: inetOrgPerson\nobjectClass: inetUser\nuid: {name}\ncn: {name}\n" \
           f"sn: Person\nuserPassword: {RIGHT}\n\n"


def g(name):
    return f"cn={name},{BASE}"


def user(name):
    return f"uid={name},{BASE}"


def fill(dirsrv):
    """Over LDAP: the plugin that writes memberOf sees it."""
    connection = dirsrv.client()

    def group(name, *members):
        values = {"objectClass": [b"groupOfNames"], "member": [member.encode() for member in members]}
        connection.add_s(g(name), modlist.addModlist({key: value for key, value in values.items() if value}))

    group("flat", user("ann"))
    group("empty")
    for depth in (3, 10):
        for level in range(depth, -1, -1):
            group(f"nest{depth}-{level}", user("ann") if level == depth else g(f"nest{depth}-{level + 1}"))
    group("round-a", user("loop"))
    group("round-b", g("round-a"))
    connection.modify_s(g("round-a"), [(ldap.MOD_ADD, "member", [g("round-b").encode()])])
    connection.unbind_s()


@pytest.fixture(scope="module")
def dirsrv(workdirs):
    dirsrv = Dirsrv(workdirs.new("389ds-floor"), "".join(map(person, ("ann", "bob", "loop"))),
                    config={"nsslapd-accesslog-logging-enabled": "on", "nsslapd-accesslog-logbuffering": "off"},
                    changes={PLUGIN: {"nsslapd-pluginenabled": "on", "memberOfAutoAddOC": "inetUser"}})
    try:
        dirsrv.start()
        fill(dirsrv)
        yield dirsrv
    finally:
        dirsrv.stop()


@contextlib.contextmanager
def querying_as_service(dirsrv):
    with querying() as query:
        query.directory(f"ldap://127.0.0.1:{dirsrv.port}/{BASE}?uid", SERVICE, SERVICE_PASSWORD)
        query.groups()
        yield query


@pytest.fixture(scope="module")
def shared(dirsrv):
    with querying_as_service(dirsrv) as query:
        yield query


@pytest.fixture
def query(shared):
    shared.groups()
    shared.forget()
    return shared


def warm(query, name, *groups):
    query.login("bob", RIGHT)
    for one in groups:
        query.decide("group", one)
    query.forget()
    query.login(name, RIGHT)


class Log:
    """Operations since it was made, in the words of the server's own log."""

    def __init__(self, dirsrv):
        self.path = dirsrv.directories["log"] / "access"
        self.mark = self.path.stat().st_size

    def cost(self):
        text = self.path.read_bytes()[self.mark:].decode()
        counts = ((text.count(" BIND dn="), "B"), (text.count(" CMP dn="), "C"), (text.count(" SRCH base="), "S"))
        return " ".join(f"{count}{letter}" for count, letter in counts if count)


@pytest.mark.parametrize("who, name, answer, operations", [
    ("ann", "flat", "yes", "2C"), ("bob", "flat", "no", "2C 1S"), ("ann", "nest3-0", "yes", "2C 4S"),
    ("ann", "nest10-0", "yes", "2C 11S"), ("loop", "round-b", "yes", "2C 2S"), ("bob", "round-b", "no", "2C 1S"),
    ("ann", "empty", "no", "2C")])
def test_auto(query, dirsrv, who, name, answer, operations):
    """Row 27 of rows.tsv: groups of the entry by memberOf, or by members, as AuthStatusGroups Auto chooses."""
    warm(query, who, g(name))
    if name == "empty":
        query.decide("group", g(name))
        query.forget()
        query.again()
    log = Log(dirsrv)
    said = query.decide("group", g(name))
    assert cost(said) == log.cost()
    assert (said.answer, cost(said).replace(" 2S" if name == "empty" else "?", "")) == (answer, operations), said
    query.again()
    assert cost(query.decide("group", g(name))) == ""


@pytest.mark.parametrize("who, name, answer", [
    ("ann", "flat", "yes"), ("ann", "nest10-0", "yes"), ("ann", "nest3-2", "yes"), ("bob", "nest10-0", "no"),
    ("loop", "round-b", "yes"), ("loop", "round-a", "yes"), ("ann", "round-a", "no")])
def test_member_of(query, dirsrv, who, name, answer):
    """Row 28 of rows.tsv: nested groups and a cycle by AuthStatusGroups MemberOf."""
    query.groups(mode="MemberOf")
    warm(query, who, g(name))
    log = Log(dirsrv)
    said = query.decide("group", g(name))
    assert (said.answer, cost(said), log.cost()) == (answer, "", ""), said


def test_missing(query):
    query.login("ann", RIGHT)
    assert query.decide("group", g("gone")).missing


def test_rights(dirsrv):
    """An account that may not compare: never a no."""
    with querying_as_service(dirsrv) as query:
        query.login("ann", RIGHT)
        query.directory(f"ldap://127.0.0.1:{dirsrv.port}/{BASE}?uid")
        said = query.decide("group", g("flat"))
        assert said.answer == "unknown" or said.unsafe, said


def test_a_group_that_was_empty(dirsrv):
    """It had no members when it was looked at, and has some since: a group with nobody in it is filled, that is no fault of rights."""
    connection = dirsrv.client()
    connection.add_s(g("filled"), modlist.addModlist({"objectClass": [b"groupOfNames"]}))
    with querying_as_service(dirsrv) as query:
        query.login("ann", RIGHT)
        assert query.decide("group", g("filled")).answer == "no"
        connection.modify_s(g("filled"), [(ldap.MOD_ADD, "member", [g("flat").encode()])])
        for who, answer in (("ann", "yes"), ("bob", "no")):
            query.later(31)
            query.login(who, RIGHT)
            said = query.decide("group", g("filled"))
            assert said.answer == answer, said
    connection.unbind_s()


def add_half_hidden(dirsrv, name, unique):
    """A group with members in both attributes: bob, and one whom the service account may not search for."""
    connection = dirsrv.client()
    connection.add_s(g(name), modlist.addModlist({"objectClass": [b"groupOfNames", b"groupOfUniqueNames"], "member": [
        user("bob").encode()], "uniqueMember": [unique.encode()]}))
    connection.modify_s(g(name), [(ldap.MOD_ADD, "aci", (
        '(targetattr="uniqueMember")(version 3.0; acl "one of two"; deny (read,search) '
        f'userdn="ldap:///{SERVICE}";)').encode())])
    connection.unbind_s()


def test_rights_on_one_of_two_attributes(dirsrv):
    """A group has members in both attributes, and this account may search one of them alone: who is in the other is not among
    the groups that it finds, however complete these are. So each is compared."""
    add_half_hidden(dirsrv, "both", user("ann"))
    with querying_as_service(dirsrv) as query:
        for negated in (False, True):
            query.negated(negated)
            query.forget()
            query.login("loop", RIGHT)
            assert query.decide("group", g("both")).answer == "no"
            query.login("ann", RIGHT)
            assert query.decide("group", g("empty")).answer == "no"
            said = query.decide("group", g("both"))
            assert said.answer == "yes", said


def test_a_group_within_by_an_attribute_that_may_not_be_searched(dirsrv):
    """The other one may be, so that a search for members of any attribute finds the group, and never the group within it."""
    connection = dirsrv.client()
    connection.add_s(g("halfsub"), modlist.addModlist({"objectClass": [b"groupOfNames"], "member": [user("loop").encode()]}))
    connection.unbind_s()
    add_half_hidden(dirsrv, "half", g("halfsub"))
    with querying_as_service(dirsrv) as query:
        query.negated(True)
        query.login("loop", RIGHT)
        said = query.decide("group", g("half"))
        assert said.answer == "unknown" or said.unsafe, said
        said = query.decide("group", g("empty"))
        assert said.answer == "no" and not said.unsafe, said
