# SPDX-License-Identifier: Apache-2.0
"""The directory of a partner that gives its user the name of an employee: a DN counts elsewhere only below the base of the
AuthLDAPURL that found it."""
import re

import pytest

from lab.fake import SERVICE, SERVICE_PASSWORD, Fake
from lab.process import poll
from lab.slapd import TOP, Database
from test_rows import RIGHT, Text, all_of, any_of, group, person, section

BASE, PARTNERS = "o=employees", "o=partners"


@pytest.fixture(scope="module")
def slapd(start_slapd):
    text = TOP + person("ann", BASE) + person("bob", BASE)
    text += group("auditors", f"uid=ann,{BASE}", f"uid=pat,{PARTNERS}", base=BASE)
    return start_slapd(Database(BASE, Text(text)))


@pytest.fixture
def partners():
    """Its user "ann" is an employee by name; "pat" is a partner."""
    fake = Fake({}, people={f"uid=ann,{BASE}": "Pw!hers", f"uid=pat,{PARTNERS}": RIGHT})
    yield fake
    fake.stop()


ALIASES = f"""
<AuthnProviderAlias authstatus partners>
    AuthLDAPURL "ldap://127.0.0.1:${{FAKE}}/{PARTNERS}?uid"
    AuthLDAPBindDN {SERVICE}
    AuthLDAPBindPassword {SERVICE_PASSWORD}
</AuthnProviderAlias>
<AuthnProviderAlias authstatus employees>
    Use Directory "ldap://127.0.0.1:${{LDAP}}" {BASE}
</AuthnProviderAlias>
<AuthzProviderAlias ldap-group auditors cn=auditors,{BASE}>
    Use Directory "ldap://127.0.0.1:${{LDAP}}" {BASE}
</AuthzProviderAlias>
"""
ELSEWHERE = f'Use Directory "ldap://127.0.0.1:${{LDAP}}" {BASE}'
# Section: its lines, its directory, and the statuses of the partner's "ann" and of pat. The employee ann is let in.
ROWS = {"alias": (any_of("auditors"), "", 403, 200),
        "group": (any_of(f"ldap-group cn=auditors,{BASE}"), ELSEWHERE, 403, 200),
        "user": (any_of("ldap-user ann"), ELSEWHERE, 403, 403),
        "attribute": (any_of("ldap-attribute mail=ann@lab.test"), ELSEWHERE, 403, 403),
        "filter": (any_of("ldap-filter mail=ann@lab.test"), ELSEWHERE, 403, 403),
        "dn": (any_of(f"ldap-dn uid=ann,{BASE}"), "", 403, 403),
        "not": (all_of("valid-user", f"not ldap-dn uid=bob,{BASE}"), ELSEWHERE, 500, 500)}


def test_a_partner_with_the_name_of_an_employee(start, slapd, partners):
    conf = "LogLevel warn authstatus:info\n" + ALIASES + "".join(
        section(name, lines, provider="partners employees", directory=directory) for name, (lines, directory, _, _) in ROWS.items())
    httpd = start(conf, defines={"LDAP": slapd.port, "FAKE": partners.port})
    httpd.log.allow("AH01631", "AS0032", "AS0062", "AS0094")
    got = {name: tuple(httpd.get(f"/in/{name}", login=login).status for login in (("ann", "Pw!hers"), ("pat", RIGHT)))
           for name in ROWS}
    assert got == {name: (ann, pat) for name, (_, _, ann, pat) in ROWS.items()}
    httpd.log.expect("AS0062.*outside of the base of its AuthLDAPURL")
    poll(lambda: any(re.search('AS0030: not-authorized, user "ann",.* outside of the base', line.text) for line in httpd.log.lines()),
         10, "the log says why")


def test_a_base_beyond_ascii(start, slapd):
    """Capitals of any script are the same to directories."""
    base = "ou=\u00e4u\u00dfen,o=p\u00e4rtners"
    fake = Fake({}, people={f"uid=ann,{BASE}": "Pw!hers", f"uid=bob,{base}": RIGHT})
    conf = ALIASES.replace(f"/{PARTNERS}?", "/OU=\u00c4U\u1e9eEN,O=P\u00c4RTNERS?")
    conf += section("dn", any_of(f"ldap-dn uid=ann,{BASE}", f"ldap-dn uid=bob,{base}"), provider="partners", directory="")
    httpd = start(conf, defines={"LDAP": slapd.port, "FAKE": fake.port})
    httpd.log.allow("AH01631")
    assert [httpd.get("/in/dn", login=login).status for login in (("ann", "Pw!hers"), ("bob", RIGHT))] == [403, 200]
    fake.stop()


def test_the_employee_himself(start, slapd, partners):
    """His own provider finds him; his entry is below its base, in another spelling of it too."""
    spelled = f"{BASE}\n</AuthnProviderAlias>"
    assert spelled in ALIASES
    httpd = start(ALIASES.replace(spelled, "O=Employees\n</AuthnProviderAlias>")
                  + "".join(section(name, lines, provider="employees", directory=directory)
                            for name, (lines, directory, _, _) in ROWS.items()),
                  defines={"LDAP": slapd.port, "FAKE": partners.port})
    assert {name: httpd.get(f"/in/{name}", login=("ann", RIGHT)).status for name in ROWS} == dict.fromkeys(ROWS, 200)
