# SPDX-License-Identifier: Apache-2.0
"""Row 14: groups of 10,000 and of 50,000 members on OpenLDAP, by operations."""
import pytest

from lab.slapd import TOP, Database, Slapd
from querying import cost, querying
from test_rows import Text, group, person

BASE, RIGHT = "o=large", "Pw!right"
SIZES = (10000, 50000)


def ldif():
    text = TOP + person("ann", BASE) + person("bob", BASE)
    for size in SIZES:
        text += group(f"of{size}", *(f"uid=m{number},{BASE}" for number in range(size - 1)), f"uid=ann,{BASE}", base=BASE)
    return text + group("above", f"cn=of{SIZES[-1]},{BASE}", base=BASE)


@pytest.fixture(scope="module")
def slapd(workdirs):
    slapd = Slapd(workdirs.new("slapd-large"), [Database(BASE, Text(ldif()), ("index member eq", "maxsize 268435456"))]).start()
    yield slapd
    slapd.stop()


@pytest.mark.parametrize("name, user, answer, operations", [
    *((f"of{size}", user, *expected) for size in SIZES for user, expected in (("ann", ("yes", "1C")), ("bob", ("no", "1C 1S")))),
    ("above", "ann", "yes", "1C 2S"), ("above", "bob", "no", "1C 1S")])
def test_group(slapd, name, user, answer, operations):
    """Members are compared and searched for; none is ever read."""
    with querying() as query:
        query.directory(f"ldap://127.0.0.1:{slapd.port}/{BASE}?uid", f"cn=service,{BASE}", "Pw!service")
        query.groups(attributes="member")
        query.login("bob", RIGHT)
        query.decide("group", f"cn={name},{BASE}")
        query.forget()
        query.login(user, RIGHT)
        mark = slapd.mark()
        said = query.decide("group", f"cn={name},{BASE}")
        assert (said.answer, cost(said)) == (answer, operations), said
        assert not any(" SRCH attr=" in line and "member" in line for line in slapd.lines(mark))
        query.negated(True)
        query.forget()
        query.login(user, RIGHT)
        assert query.decide("group", f"cn={name},{BASE}").answer == answer
