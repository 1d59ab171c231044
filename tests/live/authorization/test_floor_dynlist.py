# SPDX-License-Identifier: Apache-2.0
"""Dynamic groups and memberOf of OpenLDAP's overlay dynlist, from the floor of logins."""
import os

import pytest

from authorization.test_floor_openldap import RIGHT, group, person
from lab.slapd import TOP, Database, Slapd
from querying import cost, querying

SUFFIX = "o=floor"
SCHEMA = "/etc/ldap/schema/dyngroup.schema"
MODULE = "/usr/lib/ldap/dynlist.so"
needs_dynlist = pytest.mark.skipif(not (os.path.exists(SCHEMA) and os.path.exists(MODULE)), reason="no overlay dynlist")
pytestmark = needs_dynlist


class Dynamic(Slapd):
    def _write_configuration(self):
        super()._write_configuration()
        text = self.configuration.read_text().replace("modulepath", f"include {SCHEMA}\nmodulepath", 1)
        self.configuration.write_text(text.replace("moduleload back_mdb", "moduleload dynlist\nmoduleload back_mdb", 1))


@pytest.fixture(scope="module")
def slapd(workdirs):
    workdir = workdirs.new("slapd-dynlist")
    path = workdir / "floor.ldif"
    path.write_text(TOP + person("ann") + person("bob").replace("staff", "guest") + group("dev", "uid=ann")
                    + group("staff", "cn=dev") + group("other", "uid=zoe")
                    + "dn: cn=dynamic,@SUFFIX@\nobjectClass: groupOfURLs\n"
                      "memberURL: ldap:///@SUFFIX@??sub?(employeeType=staff)\n\n")
    slapd = Dynamic(workdir, [Database(SUFFIX, path, ("overlay dynlist",
                                                   "dynlist-attrset groupOfURLs memberURL member+memberOf@groupOfNames*"))])
    slapd.start()
    yield slapd
    slapd.stop()


@pytest.fixture
def query(slapd):
    with querying() as query:
        query.directory(f"ldap://127.0.0.1:{slapd.port}/{SUFFIX}?uid", f"cn=service,{SUFFIX}", "Pw!service")
        yield query


def g(name):
    return f"cn={name},{SUFFIX}"


def test_dynamic(query):
    """Row 17 of rows.tsv: a compare sees who is in it by the filter."""
    query.groups(attributes="member")
    for user, answer in (("ann", "yes"), ("bob", "no")):
        query.login(user, RIGHT)
        query.decide("group", g("dynamic"))
        query.forget()
        query.again()
        said = query.decide("group", g("dynamic"))
        assert (said.answer, cost(said)) == (answer, "1C"), said


def test_member_of(query):
    """Row 18 of rows.tsv: static, nested and dynamic groups, with the login's own search."""
    query.groups(mode="MemberOf")
    for user, expected in (("ann", "yes"), ("bob", "no")):
        query.login(user, RIGHT)
        for name in ("dev", "staff", "dynamic"):
            query.decide("group", g(name))
        query.forget()
        query.login(user, RIGHT)
        for name in ("dev", "staff", "dynamic"):
            said = query.decide("group", g(name))
            assert (said.answer, cost(said)) == (expected, ""), (name, said)
