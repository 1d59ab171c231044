# SPDX-License-Identifier: Apache-2.0
"""Require ldap-group behind logins that other modules make: Kerberos tickets, certificates, forms with sessions, OAuth 2.0
tokens. The entry is found by REMOTE_USER, once; a line has three values here as anywhere."""
import base64
import hashlib
import json
import subprocess
import time
from urllib.parse import urlencode

import pytest

from lab.client import octets
from lab.kerberos import HOST, Realm
from test_rows import BASE, HASH, RIGHT, STAFF, VARIABLES, all_of, any_of, cost, header, ldap_group, make, section, slapd  # noqa: F401

BY = f'AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/{BASE}?%s"\n    Use Account {BASE}'
DOWN = f'AuthLDAPURL "ldap://127.0.0.1:${{NOBODY}}/{BASE}?uid"\n    Use Account {BASE}'
# Lines, and the statuses of ann, who is in staff, of bob, who is not, and of somebody without an entry.
LINES = {"group": (any_of(STAFF), (200, 403, 403)),
         "not": (all_of("valid-user", "not " + STAFF), (403, 200, 200)),
         "not-missing": (all_of("valid-user", "not " + ldap_group("missing")), (500, 500, 200)),
         "down": (any_of(STAFF), (503, 503, 503)),
         "down-or-user": (any_of(STAFF, "user ann bob"), None),
         "not-down": (all_of("valid-user", "not " + STAFF), (503, 503, 503))}
WHO = ("ann", "bob", "nowhere")
CASES = [(name, who, status) for name, (_, statuses) in LINES.items() for who, status in zip(WHO, statuses or ())]


def places(login, attribute="uid"):
    text = ""
    for name, (lines, _) in LINES.items():
        directory = DOWN if "down" in name else BY % attribute
        text += f'<Location "/in/{name}">\n    {login}\n    {directory}\n    AuthStatus On\n    {lines}\n</Location>\n'
    return text


def allow(httpd):
    httpd.log.allow("AH0163[01]", "AS0032", "AS0050", "AS0062", "AS0094", "AH01873", "GSS", "gss_", "oidc")


# -- mod_auth_gssapi, with MIT's KDC

@pytest.fixture(scope="module")
def realm(workdirs):
    realm = Realm(workdirs.new("kerberos"), {name: f"Pw!{name}" for name in WHO}).start()
    yield realm
    realm.stop()


@pytest.fixture(scope="module")
def kerberos(start, slapd, realm, needs_module):  # noqa: F811
    needs_module("auth_gssapi")
    login = ('AuthType GSSAPI\n    AuthName "the lab"\n    GssapiCredStore "keytab:${KEYTAB}"\n    GssapiBasicAuth On\n'
             "    GssapiAllowedMech krb5")
    conf = f'Define KEYTAB "{realm.keytab}"\n' + VARIABLES + places(login, "mail")
    return make(start, slapd, conf=conf, modules=("auth_gssapi",), environment={"KRB5_CONFIG": str(realm.workdir / "krb5.conf")})


@pytest.mark.parametrize("name, who, status", CASES)
def test_kerberos(kerberos, realm, name, who, status):
    """49: the principal is ann@LAB.TEST, and the entry's mail ann@lab.test."""
    allow(kerberos)
    url = f"http://{HOST}:{kerberos.port}/in/{name}"
    assert realm.curl(who, url, "-o", "/dev/null", "-w", "%{http_code}") == str(status)


def test_kerberos_publishes_the_entry(kerberos, realm, slapd):  # noqa: F811
    allow(kerberos)
    mark = slapd.mark()
    said = realm.curl("ann", f"http://{HOST}:{kerberos.port}/in/group", "-D", "-", "-o", "/dev/null").lower()
    assert f"x-group: cn=staff,{BASE}" in said, said
    compares, searches, binds = cost(slapd, mark)
    assert compares == 2 and searches >= 1 and binds == 0
    answer = kerberos.get("/in/group", login=("ann", "Pw!ann"))
    assert answer.status == 200 and header(answer, "X-Group") == f"cn=staff,{BASE}"


# -- mod_ssl: SSLUserName, FakeBasicAuth

@pytest.fixture(scope="module")
def tls(start, slapd, authority, needs_module):  # noqa: F811
    needs_module("ssl")
    server = authority.issue("localhost")
    fake = ('AuthType Basic\n    AuthName "the lab"\n    AuthBasicProvider file\n    AuthUserFile "${WORKDIR}/certificates"\n'
            "    SSLOptions +FakeBasicAuth")
    conf = f"""<VirtualHost 127.0.0.1:${{TLS}}>
SSLEngine on
SSLCertificateFile "{server.cert}"
SSLCertificateKeyFile "{server.key}"
SSLCACertificateFile "{authority.cert}"
SSLVerifyClient require
{VARIABLES}
{places("SSLUserName SSL_CLIENT_S_DN_CN")}
{places(fake, "cn").replace("/in/", "/in/fake/")}
{places(fake, "description").replace("/in/", "/in/subject/")}
</VirtualHost>
"""
    httpd = make(start, slapd, conf=conf, modules=("ssl",), listen=("HTTP", "TLS"))
    password = "{SHA}" + base64.b64encode(hashlib.sha1(b"password").digest()).decode()
    (httpd.workdir / "certificates").write_text("".join(f"{prefix}{name}:{password}\n" for name in WHO
                                                     for prefix in ("/CN=", "CN=")))
    httpd.certificates = {name: authority.issue(name) for name in WHO}
    return httpd


def with_certificate(httpd, who, path):
    certificate = httpd.certificates[who]
    return subprocess.run(["curl", "-q", "-s", "-k", "--max-time", "60", "--noproxy", "*", "--cert", certificate.cert, "--key",
                           certificate.key, "-D", "-", "-o", "/dev/null", "-w", "%{http_code}",
                           f"https://localhost:{httpd.ports['TLS']}{path}"], capture_output=True, text=True, check=True).stdout


def check_with_certificate(tls, who, path, name, status, uid):
    """The answer to a certificate's owner: its status, no challenge, and what the line of a group publishes."""
    allow(tls)
    said = with_certificate(tls, who, f"{path}/{name}")
    assert said.endswith(str(status)), said
    assert ("Retry-After" in said) == (status == 503) and "WWW-Authenticate" not in said, said
    assert status != 200 or name != "group" or f"X-Group: cn=staff,{BASE}" in said and f"X-Uid: {uid}" in said


@pytest.mark.parametrize("name, who, status", CASES)
def test_ssl_user_name(tls, name, who, status):
    check_with_certificate(tls, who, "/in", name, status, "ann")


@pytest.mark.parametrize("who, status", [("ann", 200), ("bob", 200), ("nowhere", 503)])
def test_ssl_user_name_another_line_decides(tls, who, status):
    allow(tls)
    assert with_certificate(tls, who, "/in/down-or-user").endswith(str(status))


@pytest.mark.parametrize("name, status", [("group", 403), ("not", 200), ("down", 503)])
def test_fake_basic_auth(tls, name, status):
    """REMOTE_USER is the certificate's subject, which is no value of cn here: nobody's entry."""
    allow(tls)
    said = with_certificate(tls, "ann", f"/in/fake/{name}")
    assert said.endswith(str(status)), said


@pytest.mark.parametrize("name, who, status", CASES)
def test_fake_basic_auth_of_a_subject(tls, name, who, status):
    """The directory has the subject as a value of the URL's attribute."""
    check_with_certificate(tls, who, "/in/subject", name, status, "")


# -- mod_auth_form with mod_session

@pytest.fixture(scope="module")
def form(start, slapd):  # noqa: F811
    session = 'AuthType form\n    AuthName "the form"\n    Session On\n    SessionCookieName session path=/\n    '
    modules = ("auth_form", "request", "session", "session_cookie")
    conf = VARIABLES
    for provider in ("authstatus", "file"):
        login = session + f'AuthFormProvider {provider}\n    AuthUserFile "${{WORKDIR}}/users"'
        conf += places(login).replace("/in/", f"/in/{provider}/")
    httpd = make(start, slapd, conf=conf, modules=modules)
    return httpd


@pytest.mark.parametrize("provider", ["authstatus", "file"])
@pytest.mark.parametrize("name, who, status", [("group", "ann", 200), ("group", "bob", 403), ("not", "ann", 403),
                                               ("not", "bob", 200), ("not-missing", "bob", 500), ("down", "ann", 503)])
def test_form(form, provider, name, who, status):
    """The login's own request, and one with the session's cookie."""
    allow(form)
    path = f"/in/{provider}/{name}"
    fields = {"httpd_username": who, "httpd_password": RIGHT}
    answer = form.get(path, method="POST", body=urlencode(fields),
                      headers=[("Content-Type", "application/x-www-form-urlencoded")])
    assert answer.status == status, answer
    if status == 200:
        cookie = answer.header("Set-Cookie").split(";")[0]
        again = form.get(path, headers=[("Cookie", cookie)])
        assert again.status == 200, again
        assert form.get(path, headers=[("Cookie", "session=nothing")]).status == 401
        assert form.get(f"/in/{provider}/{'not' if name == 'group' else 'group'}", headers=[("Cookie", cookie)]).status == 403


# -- mod_auth_openidc: a token that says who it is

SECRET = "0123456789abcdef0123456789abcdef"


def token(who, key):
    def part(value):
        return base64.urlsafe_b64encode(octets(value)).rstrip(b"=")
    text = part(json.dumps({"alg": "RS256", "typ": "JWT"})) + b"." + part(json.dumps({"sub": who, "exp": int(time.time()) + 600}))
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text, stdout=subprocess.PIPE, check=True).stdout
    return (text + b"." + part(signature)).decode()


@pytest.fixture(scope="module")
def openidc(start, slapd, needs_module, tmp_path_factory):  # noqa: F811
    """The keys are a certificate's: mod_auth_openidc 2.4.17 (Debian 13) takes none from OIDCOAuthVerifySharedKeys."""
    needs_module("auth_openidc")
    workdir = tmp_path_factory.mktemp("openidc")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=issuer", "-days", "3",
                    "-keyout", workdir / "key", "-out", workdir / "certificate"], check=True, capture_output=True)
    conf = f"""OIDCOAuthVerifyCertFiles "{workdir / 'certificate'}"
OIDCOAuthRemoteUserClaim sub
OIDCCryptoPassphrase {SECRET}
""" + VARIABLES + places("AuthType oauth20")
    httpd = make(start, slapd, conf=conf, modules=("auth_openidc",))
    httpd.token_key = workdir / "key"
    return httpd


@pytest.mark.parametrize("name, who, status", CASES)
def test_openidc(openidc, name, who, status):
    allow(openidc)
    answer = openidc.get(f"/in/{name}", authorization="Bearer " + token(who, openidc.token_key))
    assert answer.status == status, (answer, openidc.log.of(answer.row))
