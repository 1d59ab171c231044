# SPDX-License-Identifier: Apache-2.0
"""What mod_authnz_ldap takes and was refused here once: it is taken, or a sentence says what to write instead, and the guide has it."""
import re

import pytest

from lab.fake import BASE, PASSWORD, SERVICE, SERVICE_PASSWORD, Fake
from lab.outcomes import SOURCE

LOGIN = """<Location /in>
AuthType Basic
AuthName "the lab"
AuthBasicProvider authstatus
AuthLDAPURL "ldap://127.0.0.1:{port}/{base}{rest}"
AuthLDAPBindDN "{service}"
AuthLDAPBindPassword "{password}"
AuthStatus On
Require valid-user
</Location>
"""
GUIDE = (SOURCE / "docs/from-mod_authnz_ldap.md").read_text()


@pytest.fixture(scope="module")
def fake():
    fake = Fake()
    yield fake
    fake.stop()


@pytest.mark.parametrize("rest", ["?uid,*", "?uid,+", "?uid?sub?objectClass=person", "?uid?sub?(objectClass=person)"])
def test_a_url_that_is_taken(start, fake, rest):
    """And logged in through."""
    httpd = start(LOGIN.format(port=fake.port, base=BASE, rest=rest, service=SERVICE, password=SERVICE_PASSWORD))
    assert httpd.get("/in/", login=("ann", PASSWORD)).status == 200
    httpd.stop()


REFUSED = [
    # what was written, a row of the guide's table, and what the sentence says to do
    ("LDAPTrustedGlobalCert CA_DER /etc/ca.der", "CA_DER", "openssl x509 -inform DER"),
    ("LDAPTrustedGlobalCert CA_BASE64 /etc", "CA_BASE64 /etc/ssl/certs", "*.pem"),
    ("<Location /x>\nAuthLDAPURL ldapi://%2frun%2fldapi/dc=x?uid\n</Location>", "ldapi://", "ldap://127.0.0.1/"),
    ("<Location /x>\nAuthLDAPURL ldap://127.0.0.1/dc=x?*\n</Location>", "dc=x?*", "name of an attribute"),
    ("<Location /x>\n<RequireAll>\nAuthStatus On\nRequire all granted\n</RequireAll>\n</Location>", "<RequireAll>", "AuthStatus"),
]


@pytest.mark.parametrize("conf, row, said", REFUSED, ids=[row for _, row, _ in REFUSED])
def test_a_form_that_is_refused(start, conf, row, said):
    code, text = start.make(conf).configtest()
    assert code != 0 and said in text, text
    table = GUIDE.partition("## What is refused at start-up")[2].partition("\n## ")[0]
    assert re.search(r"^\|.*" + re.escape(row), table, re.M), f"the guide has no row for {row}"


URL = "AuthLDAPURL ldap://127.0.0.1/dc=x?uid\n"
ALIAS = f"<AuthnProviderAlias authstatus corp>\n{URL}</AuthnProviderAlias>\n"
OWN_WORDS = [
    # what was written, httpd's own sentence, and how what-to-do-when.md prints it
    ("<Location /x>\nAuthBasicProvider ldap\n</Location>", "Unknown Authn provider: ldap", "Unknown Authn provider: ldap"),
    ("<Location /x>\nAuthBasicProvider corp\n</Location>\n" + ALIAS, "Unknown Authn provider: corp", "Unknown Authn provider:"),
    (f"<VirtualHost *>\n{ALIAS}</VirtualHost>", "<AuthnProviderAlias> cannot occur within <VirtualHost> section",
     "<AuthnProviderAlias> cannot occur within <VirtualHost> section"),
    ("<Location /x>\nRequire ldap_group cn=x,dc=x\n</Location>", "Unknown Authz provider: ldap_group", "Unknown Authz provider: ldap_group"),
    ("<Location /x>\nLDAPVerifyServerCert Off\n</Location>", "LDAPVerifyServerCert not allowed in <Location> context",
     "not allowed in <Location> context"),
    ("<VirtualHost *>\nAuthStatusCacheTime 60s\n</VirtualHost>", "AuthStatusCacheTime cannot occur within <VirtualHost> section",
     "cannot occur within <VirtualHost> section"),
]


@pytest.mark.parametrize("conf, said, printed", OWN_WORDS, ids=[said for _, said, _ in OWN_WORDS])
def test_a_sentence_of_httpd_is_in_the_guide(start, conf, said, printed):
    """It names no remedy, so the guide does."""
    code, text = start.make(conf).configtest()
    assert code != 0 and said in text, text
    table = (SOURCE / "docs/what-to-do-when.md").read_text().partition("## httpd does not start")[2].partition("\n## ")[0]
    assert f"`{printed}`" in table
