# SPDX-License-Identifier: Apache-2.0
"""Mistakes in the configuration stop the start-up with a sentence; what is well passes."""
import re

import pytest

MAP_STATUSES = ("401", "403", "404", "410", "429", "451", "500", "502", "503")
URL = "AuthLDAPURL ldap://127.0.0.1/dc=x?uid"


@pytest.fixture
def make(start):
    return start.make


def location(line):
    return f"<Location /x>\n{line}\n</Location>\n"


MISTAKES = [
    # line, what is said of it: the directive's name, and the words allowed or what is wrong
    (location("AuthStatus Maybe"), "AuthStatus", ("On", "Off")),
    (location("AuthStatus"), "AuthStatus", ("On", "Off")),
    (location("AuthStatusMap nonsense 403"), "AuthStatusMap", ("nonsense", "account-locked", "unknown-user", "refused",
                                                               "directory-down", "not-authorized", "throttled")),
    (location("AuthStatusMap account-locked 200"), "AuthStatusMap", ("200", *MAP_STATUSES)),
    (location("AuthStatusMap account-locked 302"), "AuthStatusMap", ("302", *MAP_STATUSES)),
    (location("AuthStatusMap account-locked 999"), "AuthStatusMap", MAP_STATUSES),
    (location("AuthStatusMap account-locked 4030"), "AuthStatusMap", MAP_STATUSES),
    (location("AuthStatusMap account-locked +403"), "AuthStatusMap", MAP_STATUSES),
    (location("AuthStatusMap account-locked 403x"), "AuthStatusMap", MAP_STATUSES),
    (location("AuthStatusMap account-locked forbidden"), "AuthStatusMap", MAP_STATUSES),
    (location("AuthStatusMap account-locked -1"), "AuthStatusMap", MAP_STATUSES),
    (location("AuthStatusMap granted 403"), "AuthStatusMap", ("granted",)),
    (location("AuthStatusMap password-expiring 403"), "AuthStatusMap", ("password-expiring",)),
    (location("AuthStatusMap grace-login 404"), "AuthStatusMap", ("grace-login",)),
    (location("AuthStatusMap account-locked"), "AuthStatusMap", ()),
    (location("AuthStatusDisclose Sometimes"), "AuthStatusDisclose", ("Proven", "Always", "Never")),
    (location("AuthStatusChallenge Loud"), "AuthStatusChallenge", ("Dialog", "Quiet")),
    (location('AuthStatusChallenge Quiet "when=1"'), "AuthStatusChallenge", ("expr=",)),
    (location('AuthStatusChallenge Quiet "expr=1 =="'), "AuthStatusChallenge", ("1 ==",)),
    (location("AuthStatusHelp refused help"), "AuthStatusHelp", ("https://", "http://")),
    (location("AuthStatusHelp refused javascript:alert(1)"), "AuthStatusHelp", ("https://",)),
    (location("AuthStatusHelp refused https://hilfe.example/paßwort"), "AuthStatusHelp", ("%20", "%XX")),
    (location('AuthStatusHelp refused "/help me"'), "AuthStatusHelp", ("%20",)),
    (location("AuthStatusHelp refused /help%2"), "AuthStatusHelp", ("%XX",)),
    (location("AuthStatusHelp refused /<b>"), "AuthStatusHelp", ("%XX",)),
    (location("AuthStatusRetryAfter -5"), "AuthStatusRetryAfter", ("-5",)),
    (location("AuthStatusRetryAfter soon"), "AuthStatusRetryAfter", ("soon",)),
    (location("AuthStatusRetryAfter 5parsecs"), "AuthStatusRetryAfter", ("5parsecs",)),
    (location("AuthStatusDeadline -1s"), "AuthStatusDeadline", ("-1s",)),
    (location("AuthStatusDeadline 0"), "AuthStatusDeadline", ("0",)),
    (location("AuthStatusDeadline never"), "AuthStatusDeadline", ("never",)),
    (location("AuthStatusDeadline 99999999999999999999s"), "AuthStatusDeadline", ()),
    (location("AuthLDAPURL http://127.0.0.1/dc=x"), "AuthLDAPURL", ("ldap://", "ldaps://")),
    (location("AuthLDAPURL 127.0.0.1"), "AuthLDAPURL", ()),
    (location("AuthLDAPURL ldapi://%2frun%2fldapi/dc=x?uid"), "AuthLDAPURL", ("ldap://127.0.0.1/",)),
    (location("AuthLDAPURL ldap://127.0.0.1/dc=x?*"), "AuthLDAPURL", ('"*"', "attribute")),
    (location("AuthLDAPURL ldap://127.0.0.1/dc=x?+,uid"), "AuthLDAPURL", ('"+"', "attribute")),
    (location('AuthLDAPURL ""'), "AuthLDAPURL", ()),
    (location("AuthLDAPURL ldap://127.0.0.1:99999/dc=x"), "AuthLDAPURL", ("port",)),
    (location("AuthLDAPURL ldap://127.0.0.1:port/dc=x"), "AuthLDAPURL", ("port",)),
    (location("AuthLDAPURL ldap://127.0.0.1/dc=x?uid?everything"), "AuthLDAPURL", ("one", "sub")),
    (location("AuthLDAPURL ldap://127.0.0.1/dc=x?uid?sub?(uid=*"), "AuthLDAPURL", ("filter",)),
    (location("AuthLDAPURL ldap://127.0.0.1/dc=x?uid SECRET"), "AuthLDAPURL", ("NONE", "SSL", "TLS", "STARTTLS")),
    (location(URL + "\nAuthLDAPBindPassword exec:/nonexistent/program"), "AuthLDAPBindPassword", ()),
    (location(URL + "\nAuthLDAPInitialBindPattern (( x"), "AuthLDAPInitialBindPattern", ("((",)),
    (location('Require ldap-filter "&(cell=*)(department=marketing)"'), "Require ldap-filter", ("without",)),
    # Every user would bind with one name.
    (location(URL + '\nAuthLDAPInitialBindPattern ".+" "$1@x"'), "AuthLDAPInitialBindPattern", ("$1", "(.+)")),
    (location(URL + '\nAuthLDAPInitialBindPattern "(.+)" "$1@$2"'), "AuthLDAPInitialBindPattern", ("$2",)),
    (location("AuthLDAPURL ldap://127.0.0.1/o=a%00b?uid"), "AuthLDAPURL", ("%00",)),
    (location("AuthLDAPURL ldap://127.0.0.1/o=a%e4b?uid"), "AuthLDAPURL", ("UTF-8",)),
    (location("AuthLDAPRemoteUserAttribute mail,cn"), "AuthLDAPRemoteUserAttribute", ("mail,cn", "one attribute")),
    (location("AuthLDAPGroupAttribute .."), "AuthLDAPGroupAttribute", ("..", "OID")),
    (location("AuthLDAPAuthorizePrefix A=B"), "AuthLDAPAuthorizePrefix", ("A=B", "underscores")),
    (location("AuthStatusDisclose " + "x" * 10000), "AuthStatusDisclose", ("...", "Proven", "Always", "Never")),
    (location(URL + "\nAuthLDAPDereferenceAliases sometimes"), "AuthLDAPDereferenceAliases", ("never", "always")),
    ("LDAPTrustedGlobalCert CA_BASE64 /nonexistent/ca.pem", "LDAPTrustedGlobalCert", ("/nonexistent/ca.pem",)),
    ("LDAPTrustedGlobalCert CA_BASE64 /etc/passwd", "LDAPTrustedGlobalCert", ("/etc/passwd",)),
    ("LDAPTrustedGlobalCert CA_BASE64 /etc", "LDAPTrustedGlobalCert", ("/etc", "directory", "*.pem")),
    ("LDAPTrustedGlobalCert CA_BASE64 /dev/zero", "LDAPTrustedGlobalCert", ("/dev/zero", "no plain file")),
    ("LDAPTrustedGlobalCert CA_DER /etc/ca.der", "LDAPTrustedGlobalCert", ("openssl x509 -inform DER", "CA_BASE64")),
    ("LDAPTrustedGlobalCert KEY_DER /etc/key.der", "LDAPTrustedGlobalCert", ("openssl pkey -inform DER", "KEY_BASE64")),
    (location("LDAPTrustedClientCert CERT_DER /etc/c.der"), "LDAPTrustedClientCert", ("openssl x509", "CERT_BASE64")),
    ("LDAPTrustedGlobalCert CA_STONE /etc/passwd", "LDAPTrustedGlobalCert", ("CA_STONE", "CA_BASE64")),
    ("LDAPTrustedMode Rather", "LDAPTrustedMode", ("Rather", "SSL")),
    ("LDAPVerifyServerCert Perhaps", "LDAPVerifyServerCert", ("On", "Off")),
    ("LDAPConnectionTimeout -1", "LDAPConnectionTimeout", ()),
    ("LDAPTimeout soon", "LDAPTimeout", ()),
    ("LDAPConnectionPoolTTL later", "LDAPConnectionPoolTTL", ("-1", "min")),
    (location("LDAPTrustedClientCert CA_BASE64 /etc/passwd"), "LDAPTrustedClientCert", ("LDAPTrustedGlobalCert", "CERT_BASE64")),
    (location("LDAPTrustedClientCert STONE /etc/passwd"), "LDAPTrustedClientCert", ("use CERT_BASE64 or KEY_BASE64",)),
    ('AuthStatusBreaker " 5" 10s', "AuthStatusBreaker", ("1 to",)),
    ("AuthStatusInFlight +5", "AuthStatusInFlight", ("1 to",)),
    (location("LDAPReferrals maybe"), "LDAPReferrals", ()),
]


@pytest.mark.parametrize("text, directive, words", MISTAKES,
                         ids=[re.sub(r"[^\w.-]+", "-", row[0]).strip("-").removeprefix("Location-x-")
                              .removesuffix("-Location") for row in MISTAKES])
def test_mistake(make, text, directive, words):
    httpd = make(text)
    said = httpd.must_not_start()
    sentence = "\n".join(line for line in said.splitlines() if directive in line and "Syntax error" not in line)
    assert sentence, f"nothing about {directive} in:\n{said}"
    for word in words:
        assert word in sentence, f"{word} is not in:\n{sentence}"
    httpd.log.allow(".")


@pytest.mark.parametrize("text, directive", [
    ("<VirtualHost *>\nLDAPVerifyServerCert Off\n</VirtualHost>", "LDAPVerifyServerCert"),
    ("<VirtualHost *>\nLDAPTrustedGlobalCert CA_BASE64 /etc/passwd\n</VirtualHost>", "LDAPTrustedGlobalCert"),
    (location("LDAPVerifyServerCert Off"), "LDAPVerifyServerCert"),
])
def test_out_of_place(make, text, directive):
    """As mod_ldap has it: these are the whole server's."""
    httpd = make(text)
    assert directive in httpd.must_not_start()
    httpd.log.allow(".")


def within(section, line="AuthStatusMask All"):
    return f"{section}\n{line}\n</{section[1:].split()[0].rstrip('>')}>\n"


NO_EFFECT = [
    # where a directive would be taken and do nothing, and the section that says so
    (within('<Proxy "*">'), "<Proxy>"),
    (within('<ProxyMatch "^http:">'), "<ProxyMatch>"),
    (within('<Proxy "*">', '<If "true">\nAuthStatusMask Forbidden\n</If>'), "<Proxy>"),
    (within("<AuthnProviderAlias authstatus corp>"), "<AuthnProviderAlias>"),
    (within("<AuthnProviderAlias authstatus corp>", "AuthStatus On"), "<AuthnProviderAlias>"),
    (within("<AuthzProviderAlias user staff ann>"), "<AuthzProviderAlias>"),
    (within("<AuthzProviderAlias user staff ann>", "AuthStatusThrottle 4 5min"), "<AuthzProviderAlias>"),
    (location(within("<Limit GET>", "AuthStatus On")), "<Limit>"),
    (location(within("<LimitExcept GET>", "AuthStatusMap refused 401")), "<LimitExcept>"),
]


@pytest.mark.parametrize("text, section", NO_EFFECT)
def test_a_directive_without_effect(make, text, section):
    httpd = make(text, modules=("proxy",))
    code, said = httpd.configtest()
    assert code and f"has no effect in {section}" in said and "AS0151" in said, said


@pytest.mark.parametrize("text", [
    within('<Proxy "*">', "AuthStatus On\nAuthStatusMap not-authorized 403"),
    within("<AuthnProviderAlias authstatus corp>", "AuthStatusDeadline 2s\n" + URL),
    location(within('<If "true">')), '<Directory "/tmp">\n' + within('<Files "x">') + "</Directory>\n",
])
def test_a_directive_with_an_effect(make, text):
    code, said = make(text, modules=("proxy",)).configtest()
    assert code == 0, said


WELL = [
    "AuthStatus On\nAuthStatusMap refused 404\nAuthStatusDisclose Always\nAuthStatusDeadline 500ms",
    location("AuthStatus on\nAuthStatusMap ACCOUNT-LOCKED 401\nAuthStatusMap throttled 503"),
    location("AuthStatusRetryAfter 2min\nAuthStatusDeadline 3\nAuthStatusChallenge quiet \"expr=true\""),
    "<Directory /tmp>\nAuthStatus Off\n</Directory>\n<VirtualHost *>\nAuthStatus On\nAuthStatusDisclose never\n</VirtualHost>",
    location('AuthLDAPURL "ldap://127.0.0.1:389 127.0.0.2 [::1]:390/dc=x?uid,mail?one?(&(a=b)(!(c=*)))"'),
    location("AuthLDAPURL ldaps://127.0.0.1/"),
    location("AuthLDAPURL ldap:///dc=x starttls"),
    location("AuthLDAPURL ldap://127.0.0.1 TLS"),
    "LDAPConnectionPoolTTL 172800",
    location('AuthLDAPInitialBindPattern "(.+)@(.+)" "$2\\\\$1 costs \\\\$3"'),
    "LDAPConnectionPoolTTL -1\nLDAPConnectionTimeout 3\nLDAPTimeout 4\nLDAPTrustedMode TLS\nLDAPVerifyServerCert off",
    location("AuthStatusHelp denied \"https://[::1]:8443/p%C3%A4ge;x?a=1&b='2'#y\"\nAuthStatusHelp refused /help"),
    location("AuthLDAPBindAuthoritative off\nAuthLDAPDereferenceAliases finding\nLDAPReferrals off"),
]


@pytest.mark.parametrize("ldap", [False, True], ids=["alone", "beside-mod_ldap"])
@pytest.mark.parametrize("number", range(len(WELL)))
def test_well(make, number, ldap):
    text = WELL[number]
    if ldap and "::1" in text:
        text = text.replace(" [::1]:390", "")  # mod_authnz_ldap takes no such list
    code, said = make(text, ldap=ldap).configtest()
    assert code == 0 and "Syntax OK" in said, said


def test_says_syntax_ok_with_no_directive_at_all(make):
    code, said = make("").configtest()
    assert code == 0 and "Syntax OK" in said, said


# -- .htaccess --------------------------------------------------------------------------------------------------------

HTACCESS = ["AuthStatus Off", "AuthStatus On", "AuthStatusMap refused 401", "AuthStatusDisclose Always",
            "AuthStatusChallenge Quiet", "AuthStatusRetryAfter 1s", "AuthStatusDeadline 1s",
            "AuthStatusHelp refused /help"]


@pytest.fixture(scope="module")
def shared(start):
    files = {f"{number}/.htaccess": line for number, line in enumerate(HTACCESS)}
    files |= {f"{number}/index.html": "secret\n" for number in range(len(HTACCESS))}
    files |= {"ldap/.htaccess": "AuthType Basic\nAuthName x\nAuthBasicProvider authstatus\nRequire valid-user\n"
                                "AuthLDAPURL ldap://127.0.0.1:9/dc=x?uid\nAuthLDAPBindAuthoritative off\n"}
    return start('<Directory "${DOCS}">\nAllowOverride All\nAuthStatus On\n</Directory>', files=files)


@pytest.mark.parametrize("number", range(len(HTACCESS)), ids=[line.replace(" ", "-") for line in HTACCESS])
def test_htaccess_must_not_loosen(shared, number):
    directive = HTACCESS[number].split()[0]
    shared.log.expect(rf"{directive} not allowed")
    answer = shared.get(f"/{number}/")
    assert answer.status == 500 and b"secret" not in answer.body


UNKNOWN = {"retired": ("AuthzLDAPAuthoritative off", "AuthzLDAPAuthoritative is a directive of httpd 2.2"),
           "form": ("AuthFormLoginRequiredLocation /in", "AuthFormLoginRequiredLocation: mod_auth_form is not loaded")}


@pytest.fixture(scope="module", params=["Nonfatal=Unknown", "Nonfatal=All", ""])
def tolerant(start, request):
    files = {f"{name}/.htaccess": line for name, (line, _) in UNKNOWN.items()} | {f"{name}/index.html": "here\n" for name in UNKNOWN}
    return start(f'<Directory "${{DOCS}}">\nAllowOverride AuthConfig {request.param}\n</Directory>', files=files, ldap=False), request.param


@pytest.mark.parametrize("name", UNKNOWN)
def test_htaccess_with_a_directive_that_httpd_would_not_know(tolerant, name):
    """AllowOverride Nonfatal=Unknown ignores it with a warning, as without this module."""
    httpd, nonfatal = tolerant
    httpd.log.expect(rf"AS0177: .*\.htaccess:1: ignored, as AllowOverride has Nonfatal: {UNKNOWN[name][1]}" if nonfatal else UNKNOWN[name][1])
    assert httpd.get(f"/{name}/").status == (200 if nonfatal else 500)


def test_htaccess_may_name_a_directory(shared):
    """AuthLDAP* stay allowed with AllowOverride AuthConfig, as httpd's manual has them."""
    answer = shared.get("/ldap/")
    assert answer.status == 401, answer
