# SPDX-License-Identifier: Apache-2.0
"""httpd -t -D DUMP_AUTHSTATUS of directives and words that are accepted, and have no effect, or too much."""
import pytest

from test_dump import LOGIN, dump, warnings  # noqa: F401: a fixture

SITE = LOGIN.replace("Require valid-user", "")
COMMA, NAME, PAIR = "separates names by spaces: ", "is not the name of an attribute", "separates pairs by spaces: "
NAMES, DNS = "AuthLDAPGroupAttribute memberUid holds names", "AuthLDAPGroupAttributeIsDN Off, and the attributes"
GROUP = "\nRequire ldap-group cn=a,dc=x"
ALONE, OPEN = "AuthLDAPInitialBindPattern has no effect", "Satisfy Any lets in everybody"


@pytest.mark.parametrize("lines, expected", [
    ("Require ldap-user ann,bob", [COMMA + '"ann,bob"']),
    ("Require ldap-user ann, bob", [COMMA + '"ann,"']),
    ("Require user ann,bob", [COMMA + '"ann,bob"']),
    ('Require ldap-user "Doe, Ann" bob', []),
    ("Require ldap-user ann bob", []),
    ("Require ldap-attribute employeeType = active", [NAME]),
    ("Require ldap-attribute employeeType!=active", [NAME]),
    ('Require ldap-attribute "employeeType=active"', [NAME]),
    ("Require ldap-attribute employeeType=active, l=Berlin", [PAIR + 'the comma belongs to the value "active,"']),
    ('Require ldap-attribute employeeType="on, off" l=Berlin', []),
    ("Require ldap-attribute l=%{ENV:CITIES}", []),
    ("AuthLDAPGroupAttribute memberUid" + GROUP, [NAMES]),
    ("AuthLDAPGroupAttribute memberUid\nAuthLDAPGroupAttributeIsDN Off" + GROUP, []),
    ("AuthLDAPGroupAttributeIsDN Off" + GROUP, [DNS]),
    ("AuthLDAPGroupAttribute member\nAuthLDAPGroupAttributeIsDN Off" + GROUP, [DNS]),
    ("AuthLDAPGroupAttribute member memberUid" + GROUP, []),
    ("AuthLDAPGroupAttribute memberUid\nRequire valid-user", []),
    ('AuthLDAPInitialBindPattern (.+) uid=$1,dc=x\nRequire valid-user', [ALONE]),
    ('AuthLDAPInitialBindAsUser On\nAuthLDAPInitialBindPattern (.+) uid=$1,dc=x\nRequire valid-user', []),
])
def test_without_effect(dump, lines, expected):
    text = dump(f"<Location /x>\n{SITE}{lines}\n</Location>")
    found = [warning for warning in warnings(text) if "Basic without TLS" not in warning and "%{ldap:" not in warning]
    assert len(found) == len(expected) and all(part in warning for part, warning in zip(expected, found)), text


@pytest.mark.parametrize("lines, expected", [
    ('AuthLDAPURL "ldaps://ds.test/dc=x,?uid"', ["the base of AuthLDAPURL, "]),
    ('AuthLDAPURL "ldaps://ds.test/ou=people,x?uid"', ["the base of AuthLDAPURL, "]),
    ('AuthLDAPURL "ldaps://ds.test/?uid"', []),
    ('AuthLDAPURL "ldaps://ds.test/<GUID=a1b2>?uid"', []),
    ("AuthLDAPBindDN cn=s,,dc=x", ["AuthLDAPBindDN "]),
    ("AuthLDAPBindDN httpd@x.test", []),
])
def test_no_dn(dump, lines, expected):
    login = "\n".join(line for line in LOGIN.split("\n") if line.split()[0] not in lines or "Password" in line)
    text = dump(f"<Location /x>\n{login}\n{lines}\n</Location>")
    found = [warning for warning in warnings(text) if "Basic without TLS" not in warning and "AuthLDAPURL (" not in warning]
    assert len(found) == len(expected) and all(part in warning for part, warning in zip(expected, found)), text


# Each as httpd answers: a login that is not needed is none.
@pytest.mark.parametrize("lines, warned", [
    ("Satisfy Any", True),
    ("Satisfy Any\nOrder deny,allow", True),
    ("Satisfy Any\nOrder allow,deny\nAllow from all", True),
    ("Satisfy Any\nOrder allow,deny", False),
    ("Satisfy Any\nDeny from all", False),
    ("Satisfy Any\nOrder deny,allow\nDeny from all\nAllow from 10.0.0.0/8", False),
    ("Satisfy All\nAllow from all", False),
])
def test_satisfy_any(start, dump, lines, warned):
    conf = f"<Location /index.html>\n{SITE}Require valid-user\n{lines}\n</Location>"
    text = dump(conf, modules=("access_compat",))
    assert any(warning.startswith(OPEN) for warning in warnings(text)) is warned, text
    site = start(conf, modules=("access_compat",), cache=None)
    site.log.allow("AH01797", "AS0021", "AS0020")
    assert (site.get("/index.html").status == 200) is warned


def test_a_key_without_its_certificate(dump, authority):
    made = authority.issue("client")
    for files, warned in ((f'LDAPTrustedClientCert KEY_BASE64 "{made.key}"', True),
                          (f'LDAPTrustedClientCert CERT_BASE64 "{made.cert}"\nLDAPTrustedClientCert KEY_BASE64 "{made.key}"', False)):
        text = dump(f"<Location /x>\n{SITE}Require valid-user\n{files}\n</Location>")
        assert any(warning.startswith("a client key (KEY_BASE64)") for warning in warnings(text)) is warned, text
