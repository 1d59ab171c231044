# SPDX-License-Identifier: Apache-2.0
"""The line of an outcome that the administrator must act on names what to look at first: the base, the bind DN, the host's name."""
import pytest

from lab.slapd import Database
from test_log import HERE

LOGIN = """<Location /in/{name}>
AuthType Basic
AuthName "the lab"
AuthBasicProvider authstatus
AuthLDAPURL "ldap://{host}/{base}?uid"
AuthLDAPBindDN "{dn}"
AuthLDAPBindPassword "{password}"
AuthStatus On
Require valid-user
</Location>
"""


@pytest.fixture(scope="module")
def site(start, start_slapd):
    slapd = start_slapd(Database("o=subjects", HERE / "people.ldif"))
    locked = start_slapd(Database("o=locked", HERE / "locked.ldif", ("ppolicy_use_lockout",)))
    here = f"127.0.0.1:{slapd.port}"
    service = "cn=service,o=subjects"
    rows = {
        "base": (here, "ou=nowhere,o=subjects", service, "Pw!service"),
        "account": (here, "o=subjects", service, "another"),
        "no-account": (here, "o=subjects", "cn=nobody,o=subjects", "another"),
        "locked": (f"127.0.0.1:{locked.port}", "o=locked", "cn=service,o=locked", "Pw!service"),
        "name": ("nowhere.invalid:389", "o=subjects", service, "Pw!service"),
    }
    return start("".join(LOGIN.format(name=name, host=host, base=base, dn=dn, password=password)
                         for name, (host, base, dn, password) in rows.items()))


@pytest.mark.parametrize("name, tag, status, words", [
    ("base", "AS0062", 500, ('"base ou=nowhere,o=subjects"',)),
    ("account", "AS0060", 500, ('"bind DN cn=service,o=subjects"', "LDAP 49")),
    ("no-account", "AS0060", 500, ('"bind DN cn=nobody,o=subjects"',)),
    ("locked", "AS0060", 500, ('"bind DN cn=service,o=locked"', "LDAP 49/pp1", '"the account is locked"')),
    ("name", "AS0050", 503, ("nowhere.invalid", "the address of nowhere.invalid is not found")),
])
def test_subject(site, name, tag, status, words):
    site.log.expect(tag)
    answer = site.get(f"/in/{name}/", login=("ann", "Pw!right"))
    assert answer.status == status
    (line,) = site.outcome_lines(answer)
    assert tag in line.text and all(word in line.text for word in words), line.text
