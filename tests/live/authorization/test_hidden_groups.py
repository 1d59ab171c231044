# SPDX-License-Identifier: Apache-2.0
"""Groups that the account may see and not look into, many of them, and more groups than are looked at: what a ban is worth
then. Each is looked at once an hour, many in one round trip; a bound is no "no"."""
import pytest

from lab.slapd import TOP, Database, Slapd
from querying import querying
from test_rows import Text, all_of, any_of, group, person, section

RIGHT, BASE, MANY = "Pw!right", "o=many", 120
HERE = f'Use Directory "ldap://127.0.0.1:${{LDAP}}" {BASE}'

ALIAS = f"""
<AuthzProviderAlias ldap-group banned-people cn=banned,{BASE}>
    {HERE}
</AuthzProviderAlias>
"""


def ldif():
    text = TOP + person("ann", BASE) + person("bob", BASE)
    text += "".join(group(f"closed{number}", f"uid=bob,{BASE}", base=BASE) for number in range(MANY))
    text += "".join(group(f"open{number}", f"uid=nobody,{BASE}", base=BASE) for number in range(MANY))
    text += group("banned", f"uid=ann,{BASE}", base=BASE) + group("outer", f"cn=closed77,{BASE}", base=BASE)
    return text


def directory(workdirs, *settings):
    slapd = Slapd(workdirs.new("slapd-many"), [Database(BASE, Text(ldif()), ("index member eq", *settings))])
    slapd.configuration.write_text(slapd.configuration.read_text().replace(
        "access to * by users read by * none",
        f'access to dn.regex="^cn=closed[0-9]+,{BASE}$" attrs=member by users =c by * none\n'
        "access to * by users read by * none", 1))
    return slapd.start()


def sections():
    banned, outer = (all_of("valid-user", f"not ldap-group cn={name},{BASE}") for name in ("banned", "outer"))
    return (section("banned", banned, directory=HERE) + section("outer", outer, directory=HERE)
            + section("flat", "AuthLDAPMaxSubGroupDepth 0\n    " + banned, directory=HERE)
            + section("plain", any_of(f"ldap-group cn=banned,{BASE}"), directory=HERE)
            + ALIAS + section("alias", any_of("banned-people"), directory=HERE))


def statuses(httpd):
    return {(name, user): httpd.get(f"/in/{name}", login=(user, RIGHT)).status
            for name in ("banned", "outer", "flat", "plain") for user in ("ann", "bob")}


def compares(slapd, mark):
    return sum(" CMP " in line for line in slapd.lines(mark))


def test_many_hidden_groups_are_looked_at_once(workdirs, start):
    slapd = directory(workdirs, "sizelimit unlimited")
    try:
        httpd = start(sections(), cache=None, defines={"LDAP": slapd.port}, modules=("socache_shmcb",))
        httpd.log.allow("AH01631", "AS0062")
        mark = slapd.mark()
        got = statuses(httpd)
        assert got == {("banned", "ann"): 403, ("banned", "bob"): 200, ("outer", "ann"): 500, ("outer", "bob"): 500,
                       ("flat", "ann"): 403, ("flat", "bob"): 200, ("plain", "ann"): 200, ("plain", "bob"): 403}, got
        queried = compares(slapd, mark)
        assert 2 * MANY <= queried <= 2 * MANY + 32, queried
        mark = slapd.mark()
        statuses(httpd)
        assert compares(slapd, mark) <= 4
    finally:
        slapd.stop()


def test_beyond_a_bound_nobody_passes_by_a_negation(workdirs, start):
    """The server sends fewer groups than there are: who is in the group is banned; of the others nothing is known, as bob's
    group within "outer" may be among those that were not sent. With AuthLDAPMaxSubGroupDepth 0 there is nothing to look for;
    outside of a negation, in an alias too, no proof is needed."""
    slapd = directory(workdirs, "sizelimit 50")
    try:
        httpd = start(sections(), cache=None, defines={"LDAP": slapd.port}, modules=("socache_shmcb",))
        httpd.log.allow("AH01631")
        assert httpd.get("/in/flat", login=("bob", RIGHT)).status == 200
        httpd.log.expect("AS0062.*cannot be found: .*more than 10000 groups, .*size limit")
        for _ in range(2):
            got = statuses(httpd)
            assert got == {("banned", "ann"): 403, ("banned", "bob"): 500, ("outer", "ann"): 500, ("outer", "bob"): 500,
                           ("flat", "ann"): 403, ("flat", "bob"): 200, ("plain", "ann"): 200, ("plain", "bob"): 403}, got
        answer = httpd.get("/in/banned", login=("bob", RIGHT))
        assert httpd.access(answer).outcome == "directory-misconfigured"
        assert httpd.get("/in/alias", login=("bob", RIGHT)).status == 403
        assert httpd.get("/in/alias", login=("ann", RIGHT)).status == 200
    finally:
        slapd.stop()


HALF = """dn: cn={name},o=half
objectClass: groupOfNames
objectClass: extensibleObject
member: uid=nobody,o=half
uniqueMember: {member},o=half

"""


@pytest.fixture(scope="module")
def half(workdirs):
    """Groups with members in two attributes, of which this account may search one, and compare both."""
    text = TOP + person("ann", "o=half") + person("bob", "o=half") + group("sub", "uid=ann,o=half", base="o=half")
    text += HALF.format(name="half", member="cn=sub") + HALF.format(name="between", member="uid=ann")
    text += HALF.format(name="open", member="cn=sub")
    text += group("outer", "cn=between,o=half", base="o=half") + group("other", "uid=nobody,o=half", base="o=half")
    slapd = Slapd(workdirs.new("slapd-half"), [Database("o=half", Text(text), ("index member eq",))])
    slapd.configuration.write_text(slapd.configuration.read_text().replace(
        "access to * by users read by * none",
        'access to dn.regex="^cn=(half|between),o=half$" attrs=uniqueMember by users =c by * none\n'
        "access to * by users read by * none", 1))
    slapd.start()
    yield slapd
    slapd.stop()


@pytest.mark.parametrize("user, name, safe", [
    ("ann", "half", False), ("bob", "half", False), ("ann", "outer", False), ("bob", "outer", False),
    ("ann", "other", True), ("bob", "open", True), ("bob", "sub", True),
])
def test_one_of_two_attributes_may_not_be_searched(half, user, name, safe):
    """Who is in a group within by that attribute is not found; a negation passes nobody."""
    with querying() as query:
        query.directory(f"ldap://127.0.0.1:{half.port}/o=half?uid", "cn=service,o=half", "Pw!service")
        query.groups()
        query.negated(True)
        query.login(user, RIGHT)
        for _ in range(2):
            said = query.decide("group", f"cn={name},o=half")
            assert (said.answer == "no" and not said.unsafe) == safe, said
            query.again()
        assert query.decide("group", "cn=open,o=half").answer == ("yes" if user == "ann" else "no")
