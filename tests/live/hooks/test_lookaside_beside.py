# SPDX-License-Identifier: Apache-2.0
"""A login that is found by its header, beside what changes the header or the answer: mod_ssl's FakeBasicAuth, and a password
that expires soon."""
import re
import subprocess

import pytest

from lab.slapd import Database

TIMES = 5
RIGHT = "Pw!right"
CONF = """
AuthStatusCacheTime 1h 1h
AliasMatch "^/beside/" "${DOCS}/env.shtml"
<Directory "${DOCS}">
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
<Location /beside>
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider authstatus
    Use Directory "ldap://127.0.0.1:${LDAP}" o=look
    AuthStatus On
    AuthStatusHelp password-expiring /change
    AuthStatusHelp granted /welcome
    Require valid-user
</Location>
"""
TLS = """
<VirtualHost 127.0.0.1:${TLS}>
    DocumentRoot "${DOCS}"
    SSLEngine on
    SSLCertificateFile "@CERT@"
    SSLCertificateKeyFile "@KEY@"
    SSLCACertificateFile "@CA@"
    SSLVerifyClient optional
    SSLOptions +FakeBasicAuth
</VirtualHost>
"""
FILES = {"env.shtml": "<!--#printenv -->"}


@pytest.fixture(scope="module")
def slapd(start_slapd, people):
    return start_slapd(Database("o=look", people.parent / "beside.ldif"))


def make(start, slapd, conf, **options):
    return start(conf, defines={"LDAP": slapd.port}, cache="shmcb", files=FILES, **options)


def variables(body):
    return dict(re.findall(r"(?m)^((?:REMOTE_USER|AUTH)\w*)=(.*)$", body))


def test_fake_basic_auth(start, slapd, authority, needs_module):
    """mod_ssl replaces the header that the client sent, in a hook before mod_auth_basic: each request is that of the certificate,
    whatever login was found by the client's header before."""
    needs_module("ssl")
    server, client = authority.issue("localhost"), authority.issue("fake")
    conf = TLS.replace("@CERT@", str(server.cert)).replace("@KEY@", str(server.key)).replace("@CA@", str(authority.cert))
    httpd = make(start, slapd, CONF + conf, modules=("socache_shmcb", "include", "ssl"), listen=("HTTP", "TLS"))
    # What mod_ssl makes of no certificate is a login without a header, and of another user's header one that it refuses.
    httpd.log.allow("AH01617", "AH01618", "AS00", "AH02", "AH01873")

    def fetch(*more):
        done = subprocess.run(["curl", "-q", "-s", "-k", "--max-time", "30", "--noproxy", "*", *more, "-w", "\n%{http_code}",
                               f"https://localhost:{httpd.ports['TLS']}/beside/page"], capture_output=True, text=True, check=True)
        body, _, status = done.stdout.rpartition("\n")
        return status, variables(body)

    certificate = ("--cert", str(client.cert), "--key", str(client.key))
    ann = ("-u", f"ann:{RIGHT}")
    for _ in range(TIMES):
        status, of_ann = fetch(*ann)
        assert status == "200" and of_ann["REMOTE_USER"] == "ann"
    for more in (certificate, (*certificate, *ann)) * TIMES:
        status, of_certificate = fetch(*more)
        assert status == "200" and of_certificate["REMOTE_USER"] in ("CN=fake", "/CN=fake"), of_certificate
        assert of_certificate["AUTHENTICATE_UID"] != "ann"
    assert fetch(*ann) == ("200", of_ann)


def test_help_on_a_password_that_expires(start, slapd):
    """The time that is left counts down, and each answer has it and the help for it."""
    httpd = make(start, slapd, CONF, modules=("socache_shmcb", "include"))
    httpd.log.allow("AS00")
    lefts = []
    with httpd.connection() as connection:
        for _ in range(TIMES):
            answer = connection.request("/beside/page", login=("soon", RIGHT))
            shown = variables(answer.body.decode())
            assert answer.status == 200 and shown["AUTHSTATUS_OUTCOME"] == "password-expiring", shown
            assert shown["AUTHSTATUS_HELP"] == "/change" and shown["REMOTE_USER"] == "soon"
            lefts.append(int(shown["AUTHSTATUS_PASSWORD_EXPIRES_IN"]))
            assert httpd.access(answer).outcome == "password-expiring"
            # Beside it a login that is found by its header, with another help.
            other = variables(connection.request("/beside/page", login=("ann", RIGHT)).body.decode())
            assert other["AUTHSTATUS_OUTCOME"] == "granted" and other["AUTHSTATUS_HELP"] == "/welcome", other
    assert lefts == sorted(lefts, reverse=True) and lefts[0] <= 43200
