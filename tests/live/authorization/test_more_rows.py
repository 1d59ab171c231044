# SPDX-License-Identifier: Apache-2.0
"""Require ldap-group: connections, sections that share what is known of groups, a directory without an index, one that is not
trusted, three thousand users in two rounds."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.fake import Fake
from lab.process import reserve_port
from lab.slapd import TOP, Database, Slapd
from lab.tls import Authority
from lab.verify import verify
from querying import querying, cost as said_cost
from test_rows import BASE, FIVE, RIGHT, STAFF, Text, all_of, any_of, cost, group, ldap_group, ldif, make, none_of, person, section, slapd  # noqa: F401

OTHERS = any_of(ldap_group("top"), ldap_group("middle"), ldap_group("bottom"), ldap_group("nobody"), STAFF)


def test_five_lines_and_five_others(start, slapd):  # noqa: F811
    """5, 6: a session that is there serves them all. 7: what was found for five groups decides five others, whose facts are
    known, in another section."""
    conf = section("five", FIVE) + section("others", OTHERS)
    httpd = make(start, slapd, conf="AuthStatusCacheTime 5min 5min\n" + conf, cache=None)
    httpd.log.allow("AH01631")
    for name in ("five", "others"):
        assert httpd.get(f"/in/{name}", login=("bob", RIGHT)).status == 403
    for user, status, most in (("five", 200, (2, 3, 1)), ("cold1", 403, (2, 3, 1))):
        mark = slapd.mark()
        assert httpd.get("/in/five", login=(user, RIGHT)).status == status
        got = cost(slapd, mark)
        assert all(one <= limit for one, limit in zip(got, most)), (user, got)
        assert slapd.operations(mark)["connections"] == 0
    mark = slapd.mark()
    assert httpd.get("/in/others", login=("cold2", RIGHT)).status == 200
    first = cost(slapd, mark)
    mark = slapd.mark()
    assert httpd.get("/in/five", login=("cold2", RIGHT)).status == 403
    assert cost(slapd, mark) == (0, 0, 0), first


def test_members_that_are_not_indexed(workdirs):
    """20: ten levels, each one search, with the classes of groups in its filter."""
    text = TOP + person("deep", "o=slow") + "".join(
        group(f"n{level}", f"cn=n{level + 1},o=slow" if level < 10 else "uid=deep,o=slow", base="o=slow") for level in range(11))
    slow = Slapd(workdirs.new("slapd-slow"), [Database("o=slow", Text(text))]).start()
    try:
        with querying() as query:
            query.directory(f"ldap://127.0.0.1:{slow.port}/o=slow?uid", "cn=service,o=slow", "Pw!service")
            query.groups()
            query.login("deep", RIGHT)
            query.decide("group", "cn=n0,o=slow")
            query.forget()
            query.login("deep", RIGHT)
            mark = slow.mark()
            said = query.decide("group", "cn=n0,o=slow")
            assert (said.answer, said_cost(said)) == ("yes", "2C 11S"), said
            filters = [line.partition('filter="')[2] for line in slow.lines(mark) if " SRCH base=" in line]
            assert len(filters) == 11 and all(text.startswith("(&(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))(|")
                                              for text in filters), filters
    finally:
        slow.stop()


@pytest.mark.parametrize("kind", ["ldaps", "starttls"])
def test_a_directory_that_is_not_trusted(start, slapd, workdirs, authority, kind):  # noqa: F811
    """65: behind a login by a file: the administrator's, not "no member"; and nobody passes a ban."""
    stranger = Authority(workdirs.new("ca"), "stranger")
    fake = Fake(certificate=stranger.issue("untrusted"), ldaps=kind == "ldaps")
    scheme, mode = ("ldaps", "") if kind == "ldaps" else ("ldap", "STARTTLS")
    directory = f'AuthLDAPURL "{scheme}://127.0.0.1:{fake.port}/{BASE}?uid" {mode}\n    Use Account {BASE}'
    try:
        conf = f'LDAPTrustedGlobalCert CA_BASE64 "{authority.cert}"\n' + section(
            "group", any_of(STAFF), provider="file", directory=directory) + section(
            "not", all_of("valid-user", "not " + STAFF), provider="file", directory=directory)
        httpd = make(start, slapd, conf=conf)
        for name in ("group", "not"):
            httpd.log.expect("AS0061")
            answer = httpd.get(f"/in/{name}", login=("ann", RIGHT))
            verify(httpd, answer, "tls-failed", 500)
    finally:
        fake.stop()


USERS = 3000


def test_three_thousand_users_twice(start, workdirs):
    """72: the default store and the default memory of a process know them all in the second round."""
    text = TOP + "".join(person(f"m{number}", "o=crowd") for number in range(USERS)) + group(
        "everybody", *(f"uid=m{number},o=crowd" for number in range(0, USERS, 2)), base="o=crowd")
    crowd = Slapd(workdirs.new("slapd-crowd"), [Database("o=crowd", Text(text), ("index member eq", "maxsize 268435456"))]).start()
    try:
        conf = "LogLevel error\nAuthStatusCacheTime 10min 10min\n" + section(
            "everybody", any_of("ldap-group cn=everybody,o=crowd"), directory='Use Directory "ldap://127.0.0.1:${LDAP}" o=crowd')
        httpd = make(start, crowd, conf=conf, cache=None)
        httpd.log.allow("AH01631")

        def some(first):
            with httpd.connection() as connection:
                return [connection.request("/in/everybody", login=(f"m{number}", RIGHT)).status
                        == (403 if number % 2 else 200) for number in range(first, USERS, 4)]

        def all_of_them():
            with ThreadPoolExecutor(4) as pool:
                return [right for part in pool.map(some, range(4)) for right in part]

        assert all(all_of_them())
        mark = crowd.mark()
        assert all(all_of_them())
        assert cost(crowd, mark) == (0, 0, 0)
    finally:
        crowd.stop()


def test_many_groups_that_do_not_exist(start, slapd):  # noqa: F811
    """More than lines in doubt can be tried (64). Outside of a negation each is a plain "no", and within one none lets in."""
    missing = [ldap_group(f"missing{number}") for number in range(70)]
    httpd = make(start, slapd, conf=section("many", any_of(*missing, STAFF)) + section("none", none_of(*missing)))
    httpd.log.allow("AS0032", "AH01631", "AS0062")
    assert [httpd.get("/in/many", login=(user, RIGHT)).status for user in ("ann", "bob")] == [200, 403]
    verify(httpd, httpd.get("/in/none", login=("ann", RIGHT)), "directory-misconfigured", 500)


def test_an_outage_of_many_groups(start, slapd):  # noqa: F811
    """Who needs none of them is let in, and who could not be let in by any of them is refused, however many there are."""
    many = [STAFF, *(ldap_group(f"more{number}") for number in range(130))]
    down = f'AuthLDAPURL "ldap://127.0.0.1:{reserve_port()}/{BASE}?uid"\n    Use Account {BASE}'
    lines = {"any": any_of(*many[:70], "user ann"), "all": all_of("user ann", *many), "none": none_of(*many),
             "refused": "<RequireAll>\n    Require user ann\n    <RequireNone>\n    " + any_of(*many)
                        + "\n    </RequireNone>\n    </RequireAll>"}
    httpd = make(start, slapd, conf="AuthStatusBreaker 1 1min\n" + "".join(
        section(name, text, provider="file", directory=down) for name, text in lines.items()))
    httpd.log.allow("AS0050", "AS0060", "AH0163[01]")
    for name, statuses in {"any": (200, 503), "all": (503, 403), "none": (503, 503), "refused": (503, 403)}.items():
        assert tuple(httpd.get(f"/in/{name}", login=(user, RIGHT)).status for user in ("ann", "bob")) == statuses, name
