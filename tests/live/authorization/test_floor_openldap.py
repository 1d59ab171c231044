# SPDX-License-Identifier: Apache-2.0
"""Lines of Require on OpenLDAP, from the floor of logins: the answer, and each operation that it took."""
import time

import pytest

from lab.httpd import SLACK
from lab.process import poll
from lab.slapd import TOP, Database, Slapd
from querying import cost, querying

RIGHT = "Pw!right"
SUFFIX = "o=floor"


def person(name):
    return f"dn: uid={name},@SUFFIX@\nobjectClass: inetOrgPerson\ncn: {name}\nsn: Person\nmail: {name}@lab.test\n" \
           f"employeeType: staff\nuserPassword: {RIGHT}\n\n"


def group(name, *members, kind="groupOfNames"):
    attribute = {"groupOfNames": "member", "groupOfUniqueNames": "uniqueMember"}[kind]
    return f"dn: cn={name},@SUFFIX@\nobjectClass: {kind}\n" + \
        "".join(f"{attribute}: {member},@SUFFIX@\n" for member in members or ("uid=nobody",)) + "\n"


def chain(name, depth, bottom, others=0):
    """NAME0 has NAME1 has ... has `bottom`."""
    return "".join(group(f"{name}{level}", f"cn={name}{level + 1}" if level < depth else bottom,
                         *(f"uid=other{number}" for number in range(others))) for level in range(depth + 1))


def ldif():
    text = TOP + "".join(person(name) for name in ("ann", "bob", "deep", "loop", "many", "toomany", "five"))
    text += group("flat", "uid=ann") + group("unique", "uid=ann", kind="groupOfUniqueNames")
    text += "".join(group(f"five{number}", "uid=five" if number == 5 else "uid=deep") for number in range(1, 6))
    text += chain("one", 1, "uid=deep") + chain("three", 3, "uid=deep") + chain("ten", 10, "uid=deep")
    text += chain("twelve", 12, "uid=deep") + chain("wide", 5, "uid=deep", others=20)
    text += group("a", "cn=b") + group("b", "cn=a", "uid=loop")
    text += "".join(group(f"clique{one}", *(f"cn=clique{other}" for other in range(5) if other != one), "uid=loop")
                    for one in range(5))
    text += group("fifty", *(f"cn=sub{number}" for number in range(50)))
    text += "".join(group(f"sub{number}", "uid=ann" if number == 40 else "uid=nobody") for number in range(50))
    text += group("large", *(f"uid=member{number}" for number in range(10000)), "uid=ann")
    text += "".join(group(f"many{number}", "uid=many", "uid=toomany") for number in range(999))
    text += group("thousandth", "uid=toomany") + group("above", "cn=many7") + group("overmuch", "cn=thousandth")
    text += "dn: cn=posix,@SUFFIX@\nobjectClass: posixGroup\ngidNumber: 7\nmemberUid: ann\n\n"
    text += "dn: cn=A\\, B \\+ \\22C\\22 \\#D *()\\5c \u00fcml,@SUFFIX@\nobjectClass: groupOfNames\nmember: uid=ann,@SUFFIX@\n\n"
    text += "dn: cn=user,@SUFFIX@\nobjectClass: groupOfNames\nmember: uid=ann,@SUFFIX@\n\n"
    for name in ("comparable", "hidden"):
        text += group(name, "uid=ann")
    return text


@pytest.fixture(scope="module")
def slapd(workdirs):
    workdir = workdirs.new("slapd-floor")
    path = workdir / "floor.ldif"
    path.write_text(ldif())
    slapd = Slapd(workdir, [Database(SUFFIX, path, (
        "index member,uniqueMember,memberUid eq", "sizelimit unlimited", "maxsize 67108864"))])
    text = slapd.configuration.read_text().replace(
        "access to * by users read by * none",
        "access to dn.exact=cn=comparable,o=floor attrs=member,uniqueMember by users compare by * none\n"
        "access to dn.exact=cn=hidden,o=floor attrs=member,uniqueMember by * none\n"
        "access to * by users read by * none")
    slapd.configuration.write_text(text)
    slapd.start()
    yield slapd
    slapd.stop()


@pytest.fixture(scope="module")
def shared(slapd):
    with querying() as query:
        query.directory(f"ldap://127.0.0.1:{slapd.port}/{SUFFIX}?uid", f"cn=service,{SUFFIX}", "Pw!service")
        yield query


@pytest.fixture
def query(shared):
    shared.groups()
    shared.forget()
    return shared


def g(name):
    return f"cn={name},{SUFFIX}"


def warm(query, user, *lines):
    """What is known of servers and groups is known, and of nobody's membership anything."""
    query.login(user, RIGHT)
    for line in lines:
        query.decide(*line)
    query.forget()
    query.login(user, RIGHT)


FLAT = [
    ("ann", "flat", "yes", "2C"),
    ("bob", "flat", "no", "2C 1S"),
    ("ann", "unique", "yes", "2C"),
    ("deep", "one0", "yes", "2C 2S"),
    ("deep", "three0", "yes", "2C 4S"),
    ("deep", "ten0", "yes", "2C 11S"),
    ("deep", "twelve0", "no", "2C 11S"),
    ("deep", "wide0", "yes", "2C 6S"),
    ("bob", "wide0", "no", "2C 1S"),
    ("bob", "a", "no", "2C 1S"),
    ("loop", "a", "yes", "2C 2S"),
    ("bob", "clique0", "no", "2C 1S"),
    ("loop", "clique0", "yes", "2C"),
    ("ann", "fifty", "yes", "2C 2S"),
    ("ann", "large", "yes", "2C"),
    ("bob", "large", "no", "2C 1S"),
    ("ann", "posix", "no", "2C"),
]


@pytest.mark.parametrize("user, name, answer, operations", FLAT)
def test_group(query, user, name, answer, operations):
    warm(query, user, ("group", g(name)))
    said = query.decide("group", g(name))
    assert (said.answer, cost(said)) == (answer, operations), said
    query.again()
    cached = query.decide("group", g(name))
    assert (cached.answer, cost(cached), cached.cached) == (answer, "", True), cached


def has_all_results(slapd, mark=0):
    """slapd writes a result behind its answer."""
    text = "\n".join(slapd.lines(mark))
    return text.count(" CMP dn=") == text.count(" RESULT tag=111 ") and text.count(" SRCH base=") == text.count(" SEARCH RESULT tag=101 ")


def test_one_round_trip_counted_by_slapd(query, slapd):
    warm(query, "bob", ("group", g("flat")))
    poll(lambda: has_all_results(slapd), 10, "the results of what came before")
    mark = slapd.mark()
    query.decide("group", g("flat"))
    poll(lambda: has_all_results(slapd, mark), 10, "the results")
    lines = slapd.lines(mark)
    assert ["CMP" if " CMP " in line else "SRCH" for line in lines if " CMP " in line or " SRCH base" in line] == ["CMP", "CMP", "SRCH"], lines
    assert sum("tag=111" in line for line in lines) == 2, lines


@pytest.mark.parametrize("depth, answer, operations", [(0, "no", "2C"), (3, "no", "2C 4S"), (5, "yes", "2C 6S")])
def test_depth(query, depth, answer, operations):
    query.groups(depth=depth)
    warm(query, "deep", ("group", g("wide0")))
    said = query.decide("group", g("wide0"))
    assert (said.answer, cost(said)) == (answer, operations), said


def test_five_lines(query):
    lines = [("group", g(f"five{number}")) for number in range(1, 6)]
    warm(query, "bob", *lines)
    warm(query, "five", *lines)
    said = [query.decide(*line) for line in lines]
    assert [one.answer for one in said] == ["no"] * 4 + ["yes"], said
    assert (sum(one.compares for one in said), sum(one.searches for one in said)) == (2, 2), said
    query.forget()
    query.login("bob", RIGHT)
    said = [query.decide(*line) for line in lines]
    assert [one.answer for one in said] == ["no"] * 5
    assert (sum(one.compares for one in said), sum(one.searches for one in said)) == (2, 1), said


def test_a_yes_is_no_younger_than_the_set_that_it_is_of(query):
    """Sixty seconds for a yes, thirty for a set of groups: who was found a member is one for no longer than a minute, though
    another line takes it from the set half a minute later."""
    warm(query, "deep", ("group", g("ten0")), ("group", g("ten5")))
    assert cost(query.decide("group", g("ten0"))) == "2C 11S"
    query.again()
    query.later(25)
    said = query.decide("group", g("ten5"))
    assert (said.answer, cost(said)) == ("yes", ""), said
    query.again()
    query.later(30)
    assert cost(query.decide("group", g("ten5"))) == ""
    query.again()
    query.later(6)
    said = query.decide("group", g("ten5"))
    assert (said.answer, cost(said)) == ("yes", "2C 7S"), said


def test_bounds(query):
    query.groups(attributes="member")
    warm(query, "many", ("group", g("above")))
    said = query.decide("group", g("above"))
    assert (said.answer, said.bounded) == ("yes", False) and said.searches <= 32, said
    query.login("toomany", RIGHT)
    said = query.decide("group", g("overmuch"))
    assert (said.answer, said.outcome, said.bounded) == ("unknown", "directory-misconfigured", True), said
    assert "1000 groups" in said.reason


def test_names(query):
    query.groups(attributes="memberUid", is_dn=False)
    warm(query, "bob", ("group", g("posix")))
    query.login("ann", RIGHT)
    assert (lambda said: (said.answer, cost(said)))(query.decide("group", g("posix"))) == ("yes", "1C")
    query.login("bob", RIGHT)
    assert (lambda said: (said.answer, cost(said)))(query.decide("group", g("posix"))) == ("no", "1C")


@pytest.mark.parametrize("dn", [
    "CN=FLAT,O=floor", " cn = flat , o = floor ", "2.5.4.3=flat,2.5.4.10=floor", "cn=\\66lat,o=floor",
    "cn=A\\, B \\+ \\22C\\22 \\#D *()\\5c \u00fcml,o=floor"])
def test_spelling(query, dn):
    query.login("ann", RIGHT)
    assert query.decide("group", dn).answer == "yes"
    query.login("bob", RIGHT)
    assert query.decide("group", dn).answer == "no"


def test_missing(query):
    query.login("ann", RIGHT)
    said = query.decide("group", g("gone"))
    assert (said.answer, said.missing, said.unsafe, cost(said)) == ("no", True, True, "2C"), said
    query.again()
    said = query.decide("group", g("gone"))
    assert (said.answer, said.missing, said.unsafe, said.cached) == ("no", True, True, True), said


def test_elsewhere(query):
    query.login("ann", RIGHT)
    said = query.decide("group", "cn=flat,o=elsewhere")
    assert (said.answer, cost(said)) == ("no", ""), said


def test_rights(query):
    query.login("ann", RIGHT)
    assert query.decide("group", g("comparable")).answer == "yes"
    said = query.decide("group", g("hidden"))
    assert (said.answer, said.outcome, said.code) == ("unknown", "directory-misconfigured", 50), said
    query.login("bob", RIGHT)
    said = query.decide("group", g("comparable"))
    assert (said.answer, said.outcome) == ("unknown", "directory-misconfigured") and "compared" in said.reason, said
    query.groups(depth=0)
    assert query.decide("group", g("comparable")).answer == "no"


def test_member_of_without_overlay(query):
    query.groups(mode="MemberOf")
    query.login("ann", RIGHT)
    said = query.decide("group", g("flat"))
    assert (said.answer, said.unsafe) == ("no", True), said
    assert "memberOf is empty" in said.reason


def test_no_dn(query):
    query.login("ann", RIGHT)
    said = query.decide("group", "cn=a, b,o=floor")
    assert (said.answer, said.outcome) == ("unknown", "directory-misconfigured"), said
    said = query.decide("group?", "cn=x,dc=a, b")
    assert (said.answer, said.unsafe) == ("no", True), said


@pytest.mark.parametrize("line, ann, bob", [
    (("user", "zoe", "ann", "c d"), ("yes", ""), ("no", "1S")),
    (("dn", "uid=ann,o=floor"), ("yes", ""), ("no", "1S")),
    (("dn", "UID = ann, O=Floor"), ("yes", ""), ("no", "1S")),
    (("attribute", "employeeType=boss", "mail=ann@lab.test"), ("yes", "2C"), ("no", "2C")),
    (("attribute", "uid=ann"), ("yes", ""), ("no", "1C")),
    (("filter", "(mail=ann@lab.test)"), ("yes", "1S"), ("no", "1S")),
    (("filter", "&(mail=ann@lab.test)(sn=Person)"), ("yes", "1S"), ("no", "1S")),
])
def test_other_lines(query, line, ann, bob):
    for user, expected in (("ann", ann), ("bob", bob)):
        query.login(user, RIGHT)
        said = query.decide(*line)
        assert (said.answer, cost(said)) == expected, said
        said = query.decide(*line)
        query.again()
        said = query.decide(*line)
        # Without the login's values one that was known from them is asked again.
        assert said.answer == expected[0], said


def test_search(query):
    for text, answer in (("(uid=ann)", "yes"), ("uid=nobody", "no"), ("sn=Person", "no")):
        said = query.decide("search", text)
        assert (said.answer, cost(said)) == (answer, "1S"), said
        query.again()
        assert cost(query.decide("search", text)) == ""
    said = query.decide("search", "(uid=ann")
    assert (said.answer, said.outcome) == ("unknown", "directory-misconfigured"), said


def test_other_logins(query):
    said = query.find("ann")
    assert (said.answer, cost(said)) == ("yes", "1S"), said
    assert query.decide("group", g("flat")).answer == "yes"
    assert cost(query.find("ann")) == ""
    said = query.find("nobody")
    assert (said.answer, said.outcome, cost(said)) == ("no", "unknown-user", "1S"), said
    assert cost(query.find("nobody")) == ""


def test_as_user(slapd):
    with querying() as query:
        query.directory(f"ldap://127.0.0.1:{slapd.port}/{SUFFIX}?uid", f"cn=service,{SUFFIX}", "Pw!service")
        query.groups(flags="compare,search", depth=0)
        query.login("ann", RIGHT)
        query.decide("group", g("unique"))
        said = query.decide("group", g("flat"))
        assert (said.answer, cost(said)) == ("yes", "1B 2C"), said


def test_down(slapd):
    with querying() as query:
        query.directory(f"ldap://127.0.0.1:{slapd.port}/{SUFFIX}?uid", f"cn=service,{SUFFIX}", "Pw!service")
        query.login("ann", RIGHT)
        slapd.stop()
        try:
            said = query.decide("group", g("flat"))
            assert (said.answer, said.outcome) == ("unknown", "directory-down"), said
            said = query.decide("filter", "(mail=x)")
            assert (said.answer, said.outcome) == ("unknown", "directory-down"), said
        finally:
            slapd.start()
        query.again()
        assert query.decide("group", g("flat")).answer == "yes"


def test_quick(query):
    warm(query, "bob", ("group", g("large")), ("group", g("clique0")))
    started = time.monotonic()
    said = [query.decide("group", g("large")), query.decide("group", g("clique0"))]
    assert time.monotonic() - started < 2 * SLACK and [one.answer for one in said] == ["no", "no"], said
