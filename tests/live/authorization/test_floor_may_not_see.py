# SPDX-License-Identifier: Apache-2.0
"""Nothing was found, or nothing may be seen? What only a directory that is made to it says, asked of the floor of logins."""
import pytest

from lab.fake import BASE, PASSWORD, SERVICE, SERVICE_PASSWORD, Fake, answer, entries
from querying import querying
from test_floor_fake import ANN, DEV, PLAIN, STAFF, TEAM, ad, directory, group

BOB = f"uid=bob,{BASE}"


@pytest.mark.parametrize("before", [[], [entries(DEV)]])
def test_a_part_of_the_directory_is_elsewhere(before):
    """At the first level, or at the second: the groups there were not searched. It is no "no", from memory neither."""
    referred = entries(references=["ldap://elsewhere/dc=fake"])
    with directory(script={"level": [*before, referred]}) as (_, query):
        for _ in range(2):
            said = query.decide("group", STAFF)
            assert (said.answer, said.outcome) == ("unknown", "directory-misconfigured") and "other servers" in said.reason, said
            query.again()


def test_a_part_of_active_directory_is_always_elsewhere():
    """Its zones and its configuration are: "no", but for a negation."""
    with directory(ad(), {"level": entries(references=["ldap://elsewhere/dc=fake"])}, classes="group", mode="Member") as (_, query):
        said = query.decide("group", STAFF)
        assert (said.answer, said.unsafe) == ("no", True), said


def test_a_search_of_which_a_part_is_elsewhere():
    with directory(script={"level": entries(references=["ldap://elsewhere/dc=fake"])}) as (_, query):
        said = query.decide("search", "(objectClass=maintenance)")
        assert (said.answer, said.unsafe) == ("no", True), said


def test_members_of_a_primary_group_stand_nowhere():
    """AuthStatusGroups Member on Active Directory."""
    with directory(ad(), classes="group", mode="Member") as (_, query):
        assert query.decide("group", STAFF).answer == "yes"
        said = query.decide("group", f"cn=missing,{BASE}")
        assert (said.answer, said.unsafe) == ("no", True), said
        query.groups(classes="group", mode="Member", attributes="member", depth=0)
        said = query.decide("group", STAFF)
        assert (said.answer, said.unsafe) == ("no", True), said


def test_member_of_is_seen_by_who_reads_it():
    """The service account has seen memberOf; what ann may see of her own entry is another matter."""
    there = {**PLAIN, ANN: {"objectClass": ["person"]}, BOB: {"objectClass": ["person"], "memberOf": [TEAM]}}
    fake = Fake({}, entries=there, people={ANN: PASSWORD, BOB: PASSWORD})
    try:
        with querying() as query:
            query.directory(f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", SERVICE, SERVICE_PASSWORD)
            query.groups(mode="MemberOf", attributes="member", flags="search")
            query.login("bob", PASSWORD)
            assert query.decide("group", TEAM).answer == "yes"
            query.login("ann", PASSWORD)
            said = query.decide("group", TEAM)  # by the login's own search
            assert (said.answer, said.unsafe) == ("no", False), said
            query.forget()
            query.again()
            said = query.decide("group", TEAM)  # as ann
            assert (said.answer, said.unsafe) == ("no", True) and "this account" in said.reason, said
    finally:
        fake.stop()


def test_member_of_that_is_no_name():
    """A value that does not parse may be the one: the directory compares."""
    there = {**PLAIN, ANN: {"objectClass": ["person"], "memberOf": [f'cn="team",{BASE}', TEAM.replace("team", '"other"')]}}
    with directory(there, mode="MemberOf") as (fake, query):
        fake.forget()
        assert query.decide("group", TEAM).answer == "no"
        assert any(TEAM in (operation.detail or ()) for operation in fake.operations if operation.step == "entry")


@pytest.mark.parametrize("value, is_whole", [("cn=" + "x" * 9000, False), (b"cn=\0", False), (DEV, True)], ids=["long", "nul", "whole"])
def test_member_of_that_is_not_whole(value, is_whole):
    """A value that is not taken may be the one: the directory compares."""
    there = {**PLAIN, ANN: {"objectClass": ["person"], "memberOf": [TEAM, value]}}
    with directory(there, mode="MemberOf") as (fake, query):
        fake.forget()
        assert query.decide("group", STAFF).answer == "no"
        compared = any(STAFF in operation.detail[1:] for operation in fake.operations if operation.step == "entry")
        assert compared != is_whole, fake.operations


def test_member_of_on_active_directory_without_a_primary_group():
    with directory(ad(primaryGroupID=None), mode="MemberOf") as (_, query):
        assert query.decide("group", TEAM).answer == "yes"
        said = query.decide("group", STAFF)
        assert (said.answer, said.unsafe) == ("no", True), said


@pytest.mark.parametrize("code, unsafe", [(17, True), (18, True), (21, True), (16, False), (5, False)])
def test_what_no_member_can_have(code, unsafe):
    """An attribute that does not exist bans nobody."""
    with directory(script={"compare": answer(code)}, depth=0) as (_, query):
        for line in (("group", TEAM), ("attribute", "title=boss")):
            said = query.decide(*line)
            assert (said.answer, said.unsafe) == ("no", unsafe), said


def test_an_entry_that_is_gone_has_no_value():
    with directory(script={"compare": answer(32)}) as (_, query):
        said = query.decide("attribute", "title=boss")
        assert (said.answer, said.unsafe) == ("no", True), said


def test_a_filter_that_is_neither_true_nor_false():
    with directory({**PLAIN, ANN: {"objectClass": ["person"], "title": ["boss"]}}) as (fake, query):
        assert query.decide("filter", "(title=clerk)").answer == "no"
        query.negated(True)
        fake.act_out({"entry": entries()})
        said = query.decide("filter", "(title=clerk)")
        assert (said.answer, said.unsafe) == ("no", True) and "negation" in said.reason, said
        fake.act_out({"entry": entries(ANN)})
        query.forget()
        query.again()
        assert query.decide("filter", "(title=clerk)").answer == "yes"
        fake.act_out({"entry": [entries(), entries(ANN)]})
        query.forget()
        query.again()
        said = query.decide("filter", "(title=clerk)")
        assert (said.answer, said.unsafe) == ("no", False), said


@pytest.mark.parametrize("code, outcome", [(52, "directory-down"), (50, "directory-misconfigured"), (99, "unknown-result")])
def test_a_proof_without_an_answer(code, outcome):
    with directory({**PLAIN, ANN: {"objectClass": ["person"]}}) as (fake, query):
        query.negated(True)
        fake.act_out({"entry": [entries(), answer(code)]})
        said = query.decide("filter", "(title=clerk)")
        assert (said.answer, said.outcome) == ("unknown", outcome), said
    with directory({**PLAIN, TEAM: group(BOB)}) as (fake, query):
        query.negated(True)
        fake.act_out({"level": [entries(), answer(code)]})
        said = query.decide("group", STAFF)
        assert (said.answer, said.outcome) == ("unknown", outcome), said


def test_an_attribute_that_active_directory_may_keep_to_itself():
    """It tells "no such attribute" of one that this account may not read, too: the attributes that the entry may have are read, and
    the negation is asked for. Elsewhere a compare has told it, but for values that a search alone finds (dynlist)."""
    for there, unsafe in ((ad(), True), (PLAIN, False)):
        with directory(there, classes="group") as (fake, query):
            query.decide("group", TEAM)  # what is known of the server is known
            fake.act_out({"compare": answer(16), "entry": entries()})
            said = query.decide("attribute", "title=boss")
            assert (said.answer, said.unsafe) == ("no", False), said
            query.negated(True)
            said = query.decide("attribute", "title=boss")
            assert (said.answer, said.unsafe, said.searches) == ("no", unsafe, 1), (there, said)
