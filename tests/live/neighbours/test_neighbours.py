# SPDX-License-Identifier: Apache-2.0
"""Logins that other modules judge: by their rules, with their challenges."""
import base64
import hashlib
from pathlib import Path

import pytest

from lab.kerberos import HOST, Realm
from lab.process import reserve_port

HERE = Path(__file__).parent
HASH = "{SHA}" + base64.b64encode(hashlib.sha1(b"Pw!file").digest()).decode()
SITE = """
LogLevel authstatus:debug
<Macro Place $path $type>
    <Location "$path">
        AuthType $type
        AuthName "the lab"
        Require valid-user
        AuthStatus On
        AuthStatusDisclose Always
    </Location>
</Macro>
Use Place /in/file Basic
Use Place /in/anon Basic
Use Place /in/both Basic
<Location /in/file>
    AuthBasicProvider file
    AuthUserFile "${WORKDIR}/users"
</Location>
<Location /in/anon>
    AuthBasicProvider anon
    Anonymous *
    Anonymous_NoUserID On
    Anonymous_MustGiveEmail Off
</Location>
<Location /in/both>
    AuthBasicProvider file authstatus
    AuthUserFile "${WORKDIR}/users"
    AuthLDAPURL "ldap://127.0.0.1:${NOBODY}/o=x?uid"
</Location>
"""


@pytest.fixture(scope="module")
def site(start):
    httpd = start.make(SITE, modules=("authn_anon",), defines={"NOBODY": reserve_port()})
    (httpd.workdir / "users").write_bytes(b"j\xfcrgen:" + HASH.encode() + b"\nb\x07ell:" + HASH.encode() + b"\n")
    return httpd.start()


@pytest.mark.parametrize("path, credentials, status, outcome", [
    ("/in/file", b"j\xfcrgen:Pw!file", 200, "granted"),
    ("/in/file", "jürgen:Pw!file".encode(), 401, "denied"),
    ("/in/file", b"b\x07ell:Pw!file", 200, "granted"),
    ("/in/file", b"nobody:Pw!\xff", 401, "denied"),
    ("/in/file", b":Pw!file", 401, "denied"),
    ("/in/file", b"no colon", 401, "malformed-credentials"),
    ("/in/file", b"", 401, "no-credentials"),
    ("/in/anon", b":", 200, "granted"),
    ("/in/anon", b":x", 200, "granted"),
    ("/in/anon", b"\xff\xfe:x", 200, "granted"),
    ("/in/anon", b"no colon", 401, "malformed-credentials"),
    ("/in/both", b"j\xfcrgen:Pw!file", 200, "granted"),
    # The next provider is ours: what it cannot take to a directory is malformed.
    ("/in/both", b"k\xfcrgen:Pw!file", 401, "malformed-credentials"),
    ("/in/both", b"k\x07:Pw!file", 401, "malformed-credentials"),
    ("/in/both", b"k:Pw!\0file", 401, "malformed-credentials"),
    ("/in/both", b"k:", 401, "empty-password"),
])
def test_credentials_of_other_providers(site, path, credentials, status, outcome):
    site.log.allow("AH01617", "AH01618", "AH01807")
    answer = site.get(path, authorization=b"Basic " + base64.b64encode(credentials))
    assert (answer.status, site.access(answer).outcome) == (status, outcome)


# -- challenges -------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def realm(workdirs):
    realm = Realm(workdirs.new("kerberos"), {"ann": "Pw!ann"}).start()
    yield realm
    realm.stop()


@pytest.fixture(scope="module")
def kerberos(start, realm, needs_module):
    needs_module("auth_gssapi")
    environment = {"KRB5_CONFIG": str(realm.workdir / "krb5.conf")}
    return start(HERE / "kerberos.conf", modules=("auth_gssapi",), defines={"KEYTAB": realm.keytab}, environment=environment)


def test_each_challenge_is_a_field_of_its_own(kerberos):
    answer = kerberos.get("/in/kerberos")
    assert answer.status == 401
    fields = answer.all("WWW-Authenticate")
    assert [field.split()[0] for field in fields] == ["Negotiate", "Basic"]
    assert fields[1].endswith('charset="UTF-8"') and "charset" not in fields[0]


def test_a_refused_login_is_challenged_alike(kerberos):
    kerberos.log.allow("auth_gssapi", "GSS", "gss_")
    answer = kerberos.get("/in/kerberos", login=("ann", "Pw!wrong"))
    assert answer.status == 401 and [field.split()[0] for field in answer.all("WWW-Authenticate")] == ["Negotiate", "Basic"]


def test_quiet_opens_no_dialog(kerberos):
    answer = kerberos.get("/in/quiet")
    assert [field.split()[0] for field in answer.all("WWW-Authenticate")] == ["xNegotiate", "xBasic"]


def test_a_ticket_and_a_password_are_granted(kerberos, realm):
    kerberos.log.allow("gss_", "GSS")
    url = f"http://{HOST}:{kerberos.port}/in/kerberos"
    assert realm.curl("ann", url, "-o", "/dev/null", "-w", "%{http_code}") == "200"
    assert kerberos.get("/in/kerberos", login=("ann", "Pw!ann")).status == 200


@pytest.mark.parametrize("conf, modules, status", [
    ('AuthType form\nAuthFormProvider file\nAuthUserFile "${WORKDIR}/users"\nSession On\nSessionCookieName s path=/',
     ("auth_form", "session", "session_cookie", "request"), 401),
    ("AuthType openid-connect\nOIDCUnAuthAction 401", ("auth_openidc",), 401),
], ids=["form", "openidc"])
def test_a_challenge_is_not_invented(start, needs_module, conf, modules, status):
    """What logs in by a page has no challenge of its own."""
    needs_module(*modules)
    server = ""
    if "auth_openidc" in modules:
        server = """OIDCProviderIssuer https://idp.example
OIDCProviderAuthorizationEndpoint https://idp.example/authorize
OIDCProviderJwksUri https://idp.example/keys
OIDCClientID id
OIDCClientSecret Pw!secret
OIDCRedirectURI http://localhost/in/callback
OIDCCryptoPassphrase 0123456789012345678901234567890123456789
"""
    httpd = start.make(f"""{server}<Location /in/x>
{conf}
AuthName "the lab"
Require valid-user
AuthStatus On
</Location>""", modules=modules)
    (httpd.workdir / "users").write_text("")
    httpd.log.allow("oidc", "AH01808", "AH01811")
    httpd.start()
    httpd.log.allow("oidc", "AH01808", "AH01811")
    answer = httpd.get("/in/x")
    assert answer.status == status and answer.all("WWW-Authenticate") == []
