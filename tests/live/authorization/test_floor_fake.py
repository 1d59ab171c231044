# SPDX-License-Identifier: Apache-2.0
"""What no directory says when asked: each result code, answers that are none, and Active Directory's attributes as they
never are. Asked of the floor of logins: never a yes and never a no for want of an answer."""
import time
from contextlib import contextmanager

import pytest

from lab.fake import (BASE, PASSWORD, SERVICE, SERVICE_PASSWORD, Fake, answer, close, half_then_close, hang, notice, reset,
                      rubbish, well, wrong_id)
from lab.httpd import SLACK
from querying import cost, querying

ANN, BOB = f"uid=ann,{BASE}", f"uid=bob,{BASE}"
STAFF, DEV, TEAM = (f"cn={name},{BASE}" for name in ("staff", "dev", "team"))
AD = "1.2.840.113556.1.4.800"


def group(*members, kind="groupOfNames", **more):
    return {"objectClass": ["top", kind], "member": list(members), **more}


PLAIN = {"": {"objectClass": ["top"], "namingContexts": [BASE]},
         STAFF: group(DEV, f"uid=boss,{BASE}"), DEV: group(TEAM), TEAM: group(ANN)}


def sid(rid):
    return bytes.fromhex("010500000000000515000000010000000200000003000000") + rid.to_bytes(4, "little")


def ad(**user):
    """An Active Directory: ann's primary group is 513, and she is in team, which is in dev, in staff."""
    rid = {STAFF: 1101, DEV: 1102, TEAM: 1103}
    entries = {"": {"objectClass": ["top"], "namingContexts": [BASE], "supportedCapabilities": [AD]}}
    for dn, members in ((STAFF, [DEV]), (DEV, [TEAM]), (TEAM, [ANN])):
        entries[dn] = group(*members, kind="group", objectSid=[sid(rid[dn])], groupType=["-2147483646"])
    entries[ANN] = {"objectClass": ["user"], "objectSid": [sid(1200)], "primaryGroupID": ["513"], "memberOf": [TEAM],
                    "inChain": [TEAM, DEV, STAFF], "tokenGroups": [sid(513), *(sid(one) for one in rid.values())], **user}
    entries[ANN] = {name: values for name, values in entries[ANN].items() if values is not None}
    return entries


@contextmanager
def directory(entries=PLAIN, script=None, **groups):
    fake = Fake(script, entries=entries)
    try:
        with querying() as query:
            query.directory(f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", SERVICE, SERVICE_PASSWORD)
            query.groups(**{"attributes": "member", **groups})
            query.login("ann", PASSWORD)
            yield fake, query
    finally:
        fake.stop()


def test_a_good_one():
    with directory() as (_, query):
        assert query.decide("group", TEAM).answer == "yes"
        said = query.decide("group", STAFF)
        assert (said.answer, said.evidence) == ("yes", "found upwards within 3 levels"), said
        assert query.decide("dn", STAFF).answer == "no"
        assert query.decide("attribute", "member=x").answer == "no"


CODES = [
    (62, 51, "unknown", "directory-busy"), (62, 52, "unknown", "directory-down"), (62, 80, "unknown", "directory-down"),
    (62, 1, "unknown", "directory-down"), (62, 3, "unknown", "directory-timeout"), (62, 11, "unknown", "directory-busy"),
    (63, 50, "unknown", "directory-misconfigured"), (63, 10, "unknown", "directory-misconfigured"),
    (63, 34, "unknown", "directory-misconfigured"), (63, 12, "unknown", "directory-misconfigured"),
    (63, 2, "unknown", "directory-misconfigured"), (63, 99, "unknown", "unknown-result"),
    (63, 0, "unknown", "unknown-result"),
    (64, 16, "no", "not-authorized"), (64, 17, "no", "not-authorized"), (64, 18, "no", "not-authorized"),
    (64, 21, "no", "not-authorized"),
]


@pytest.mark.parametrize("row, code, said, outcome", CODES)
@pytest.mark.parametrize("line", ["group", "attribute"])
def test_compare(line, row, code, said, outcome):
    with directory(script={"compare": answer(code)}, depth=0) as (fake, query):
        got = query.decide("group", TEAM) if line == "group" else query.decide("attribute", "title=boss")
        assert (got.answer, got.outcome) == (said, outcome), got
        assert fake.count("compare") == 1
        query.again()
        again = query.decide("group", TEAM) if line == "group" else query.decide("attribute", "title=boss")
        assert again.answer == said and fake.count("compare") == (1 if said == "no" else 2)


def test_tls_is_required():
    with directory(script={"compare": answer(53, "TLS required")}, depth=0) as (_, query):
        assert query.decide("group", TEAM).outcome == "directory-misconfigured"


@pytest.mark.parametrize("code, outcome", [
    (51, "directory-busy"), (52, "directory-down"), (80, "directory-down"), (1, "directory-down"),
    (3, "directory-timeout"), (11, "directory-busy"), (4, "unknown-result"), (50, "directory-misconfigured"),
    (10, "directory-misconfigured"), (2, "directory-misconfigured"), (99, "unknown-result")])
@pytest.mark.parametrize("step", ["entry", "level", "rootdse"])
def test_search(step, code, outcome):
    with directory(script={step: answer(code)}) as (_, query):
        said = query.decide("group", STAFF)
        if (step, code) == ("rootdse", 50):
            assert said.answer == "yes", said  # a rootDSE that the account may not read tells nothing
        else:
            assert (said.answer, said.outcome) == ("unknown", outcome), said


@pytest.mark.parametrize("broken", [half_then_close, wrong_id, notice, reset, close, rubbish])
@pytest.mark.parametrize("step, before", [("compare", 0), ("entry", 0), ("level", 0), ("level", 1), ("level", 2)])
@pytest.mark.parametrize("lasts", [False, True])
def test_broken(broken, step, before, lasts):
    """Row 66 of rows.tsv: once, and one more try finds it out; or for good."""
    with directory(script={step: [well] * before + ([broken] if lasts else [broken, well])}) as (_, query):
        said = query.decide("group", STAFF)
        if lasts:
            assert said.answer == "unknown" and said.outcome.startswith("directory-"), said
        else:
            assert said.answer == "yes" or (said.answer == "unknown" and said.outcome.startswith("directory-")), said


@pytest.mark.parametrize("step, before", [("compare", 0), ("level", 1)])
def test_deadline(step, before):
    """Row 60 of rows.tsv: within level 2, or before."""
    with directory(script={step: [well] * before + [hang]}) as (_, query):
        started = time.monotonic()
        said = query.decide("group", STAFF)
        assert (said.answer, said.outcome) == ("unknown", "directory-timeout"), said
        assert time.monotonic() - started < 5 + SLACK


@pytest.mark.parametrize("bad", [answer(51), answer(52), hang, reset])
def test_second_server(bad):
    """Rows 61, 62 of rows.tsv: each server is queried once, and the first answer decides."""
    first, second = Fake({}, entries=PLAIN), Fake({}, entries=PLAIN)
    try:
        with querying() as query:
            query.directory(f'"ldap://127.0.0.1:{first.port} 127.0.0.1:{second.port}/{BASE}?uid"'.strip('"'), SERVICE,
                            SERVICE_PASSWORD)
            query.groups(attributes="member")
            query.login("ann", PASSWORD)
            for step in ("compare", "level"):
                first.act_out({step: bad})
                query.forget()
                query.again()
                first.forget()
                second.forget()
                said = query.decide("group", STAFF)
                assert said.answer == "yes", said  # within the deadline, that is
                assert second.count(step) > 0
                if bad not in (hang, reset):
                    assert first.count("compare") == 1
    finally:
        first.stop()
        second.stop()


def test_down_between_login_and_line():
    with directory() as (fake, query):
        fake.stop()
        for line in (("group", TEAM), ("dn", STAFF), ("attribute", "a=b"), ("filter", "a=b"), ("user", "zoe")):
            said = query.decide(*line)
            assert (said.answer, said.outcome) == ("unknown", "directory-down"), said


@pytest.mark.parametrize("line", [("dn", STAFF), ("filter", "(a=b)"), ("user", "zoe"), ("search", "(objectClass=x)")])
@pytest.mark.parametrize("code, outcome", [(52, "directory-down"), (50, "directory-misconfigured"), (99, "unknown-result"),
                                           (34, "directory-misconfigured")])
def test_other_lines(line, code, outcome):
    with directory(script={"entry": answer(code), "level": answer(code)}) as (_, query):
        said = query.decide(*line)
        assert (said.answer, said.outcome) == ("unknown", outcome), said


def test_an_expression_that_is_no_dn_there():
    with directory(script={"compare": answer(34), "entry": answer(34)}) as (_, query):
        for kind in ("group?", "dn?"):
            said = query.decide(kind, STAFF)
            assert (said.answer, said.unsafe) == ("no", True), said


def test_a_clique():
    names = [f"cn=c{number},{BASE}" for number in range(5)]
    entries = {"": PLAIN[""], **{one: group(*(other for other in names if other != one)) for one in names}}
    with directory(entries) as (fake, query):
        assert query.decide("group", names[0]).answer == "no"
        entries[names[0]]["member"].append(ANN)
        query.forget()
        query.again()
        fake.forget()
        assert query.decide("group", names[4]).answer == "yes"
        assert fake.count("level") == 2


# -- Active Directory

def query_ad(entries, name, script=None, **more):
    with directory(entries, script, classes="group", **more) as (fake, query):
        fake.forget()
        said = query.decide("group", name)
        return said, [operation.step for operation in fake.operations if operation.step not in ("accept", "service-bind")]


def test_ad_ways():
    assert query_ad(ad(), TEAM)[0].evidence == "by memberOf"
    said, steps = query_ad(ad(), STAFF)
    assert (said.answer, said.evidence) == ("yes", "nested") and "compare" not in steps and "level" not in steps, steps
    said, steps = query_ad(ad(inChain=None), STAFF)
    assert (said.answer, said.evidence) == ("yes", "by tokenGroups"), steps
    said, steps = query_ad(ad(inChain=None, tokenGroups=[sid(513)]), STAFF)
    assert (said.answer, said.evidence) == ("no", "not in tokenGroups"), steps


def test_ad_members_are_never_read():
    """Row 38 of rows.tsv: the group's members come in ranges, and nobody looks."""
    entries = ad()
    del entries[STAFF]["member"]
    entries[STAFF]["member;range=0-1499"] = [f"cn=x{number}" for number in range(1500)]
    assert query_ad(entries, STAFF)[0].answer == "yes"
    assert query_ad(ad(inChain=None, tokenGroups=[sid(513)]), STAFF)[0].answer == "no"


def test_ad_member_of_in_ranges():
    entries = ad(memberOf=None, inChain=None, tokenGroups=[sid(513)])
    entries[ANN]["memberOf;range=0-0"] = [DEV]
    with directory(entries) as (_, query):  # group is no class that nests: the group itself says who is in it
        assert query.decide("group", DEV).answer == "yes"
        assert query.decide("group", TEAM).answer == "yes"
        assert query.decide("group", STAFF).answer == "no"


@pytest.mark.parametrize("user", [
    {"primaryGroupID": None}, {"tokenGroups": None, "inChain": None}, {"primaryGroupID": ["x"]},
    {"tokenGroups": [b"rubbish"], "inChain": None}, {"tokenGroups": [sid(513), b"\1"], "inChain": None}])
def test_ad_unreadable(user):
    """An unreadable attribute is no "no": the members decide, and the process caches that."""
    with directory(ad(**user), classes="group") as (fake, query):
        said = query.decide("group", STAFF)
        assert (said.answer, said.evidence) == ("yes", "found upwards within 3 levels"), said
        query.forget()
        query.again()
        fake.forget()
        assert query.decide("group", DEV).answer == "yes"
        assert [operation.step for operation in fake.operations] == ["compare", "entry", "level", "level"]


def test_ad_unreadable_is_one_entry():
    """An administrator whose entry shows little, or a user who was moved to another place: the others are decided as before."""
    entries = ad(tokenGroups=None, inChain=None)
    entries[BOB] = {**ad()[ANN], "inChain": [], "tokenGroups": [sid(513)]}
    fake = Fake(None, entries=entries, people={ANN: PASSWORD, BOB: PASSWORD})
    try:
        with querying() as query:
            query.directory(f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", SERVICE, SERVICE_PASSWORD)
            query.groups(attributes="member", classes="group")
            for user, answer, evidence in (("ann", "yes", "found upwards within 3 levels"), ("bob", "no", "not in tokenGroups")):
                query.login(user, PASSWORD)
                said = query.decide("group", STAFF)
                assert (said.answer, said.evidence, said.unsafe) == (answer, evidence, False), said
    finally:
        fake.stop()


def test_ad_no_in_chain():
    """Row 39 of rows.tsv: result code 12 leads to the members, and is cached."""
    calls = [well] * 2 + [answer(12), well]  # the entry, the group, in-chain
    with directory(ad(), {"entry": calls}, classes="group") as (fake, query):
        assert query.decide("group", STAFF).answer == "yes"
        query.forget()
        query.again()
        fake.forget()
        assert query.decide("group", DEV).answer == "yes"
        assert "entry" not in [operation.step for operation in fake.operations][2:]


def test_ad_without_member_of():
    """A missing memberOf does not mean "no groups": a group that does not nest is queried."""
    with directory(ad(memberOf=None)) as (fake, query):
        fake.forget()
        assert query.decide("group", TEAM).answer == "yes"
        assert fake.count("compare") == 1
        assert query.decide("group", STAFF).answer == "no"


def test_ad_distribution_group():
    entries = ad(inChain=None, tokenGroups=[sid(513)])
    for name in (STAFF, DEV):
        entries[name]["groupType"] = ["2"]
    assert query_ad(entries, STAFF)[0].answer == "no"
    entries[ANN]["inChain"] = [STAFF]
    assert query_ad(entries, STAFF)[0].answer == "yes"


# -- memberOf

def test_member_of():
    entries = {**PLAIN, ANN: {"objectClass": ["person"], "memberOf": [TEAM, DEV]}}
    with directory(entries, mode="MemberOf") as (fake, query):
        assert [query.decide("group", name).answer for name in (TEAM, DEV, STAFF)] == ["yes", "yes", "no"]
        assert not query.decide("group", STAFF).unsafe
        assert fake.count("compare") == fake.count("level") == 0


def test_member_of_that_nobody_has():
    entries = {**PLAIN, ANN: {"objectClass": ["person"]}}
    with directory(entries, mode="MemberOf") as (_, query):
        said = query.decide("group", TEAM)
        assert (said.answer, said.unsafe) == ("no", True), said
