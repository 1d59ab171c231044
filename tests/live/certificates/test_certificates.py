# SPDX-License-Identifier: Apache-2.0
"""Certificates are verified, over ldaps and StartTLS; one that fails is the administrator's to mend, and the log says
why. The good ones are a real slapd's; the bad ones need no more of a directory than a fake."""
import subprocess
from pathlib import Path

import pytest

from lab import tls
from lab.fake import Fake
from lab.httpd import MODULE
from lab.process import poll
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
BAD = {
    # what is wrong, and what the log must say of it
    "host": r"certificate for CN=elsewhere, issued by CN=authority, does not name 127\.0\.0\.1, but elsewhere\.test, 192\.0\.2\.1",
    "expired": "certificate for CN=expired, issued by CN=authority, expired on ",
    "untrusted": "certificate for CN=untrusted, issued by CN=stranger, is not signed by an authority in .*authority.pem",
    "self-signed": "certificate for CN=stranger, issued by CN=stranger, is (self-signed|not signed by an authority)",
}
KINDS = ["ldaps", "starttls"]

LOCATION = """
Use Login /in/{name} "{scheme}://{host}:{port}" {suffix}
<Location /in/{name}>
    AuthLDAPURL "{scheme}://{host}:{port}/{suffix}?uid" {mode}
    Use Account {suffix}
    AuthStatusDeadline 5s
</Location>
"""


@pytest.fixture(scope="module")
def slapd(start_slapd, authority, good_certificate):
    return start_slapd(Database("o=tls", HERE / "people.ldif"), tls=good_certificate, authority=authority)


@pytest.fixture(scope="module")
def fakes(workdirs, authority):
    stranger = tls.Authority(workdirs.new("ca"), "stranger")
    certificates = {
        "host": authority.issue("elsewhere", "DNS:elsewhere.test,IP:192.0.2.1"),
        "expired": authority.issue("expired", expired=True),
        "untrusted": stranger.issue("untrusted"),
        "self-signed": tls.Certificate(stranger.cert, stranger.key),
    }
    fakes = {(kind, name): Fake(certificate=certificate, ldaps=kind == "ldaps")
             for name, certificate in certificates.items() for kind in KINDS}
    yield fakes
    for fake in fakes.values():
        fake.stop()


def locations(slapd, fakes):
    text = "LogLevel warn authstatus:trace8\n"
    for kind in KINDS:
        scheme, mode, port = {"ldaps": ("ldaps", "", slapd.tls_port), "starttls": ("ldap", "STARTTLS", slapd.port)}[kind]
        for host in ("127.0.0.1", "localhost"):
            text += LOCATION.format(name=f"{kind}/good/{host}", scheme=scheme, host=host, port=port, suffix="o=tls",
                                    mode=mode)
    for (kind, name), fake in fakes.items():
        text += LOCATION.format(name=f"{kind}/{name}", scheme="ldaps" if kind == "ldaps" else "ldap", host="127.0.0.1",
                                port=fake.port, suffix="dc=fake", mode="" if kind == "ldaps" else "TLS")
    plain = LOCATION.format(name="plain", scheme="ldap", host="127.0.0.1", port=slapd.port, suffix="o=tls", mode="NONE")
    return text + plain


@pytest.fixture(scope="module")
def strict(start, slapd, fakes, authority):
    return start(f"LDAPTrustedGlobalCert CA_BASE64 {authority.cert}\n" + locations(slapd, fakes))


@pytest.fixture(scope="module")
def lenient(start, slapd, fakes):
    return start("LDAPVerifyServerCert Off\n" + locations(slapd, fakes))


@pytest.fixture(scope="module")
def without_ca(start, slapd, fakes):
    return start(locations(slapd, fakes))


@pytest.fixture(scope="module")
def trusted_mode(start, slapd, authority):
    """LDAPTrustedMode decides where the URL does not."""
    return start(f"LDAPTrustedGlobalCert CA_BASE64 {authority.cert}\nLDAPTrustedMode STARTTLS\n"
                 "LogLevel warn authstatus:trace8\n"
                 f"Use Login /in/default ldap://127.0.0.1:{slapd.port} o=tls\n"
                 + LOCATION.format(name="none", scheme="ldap", host="127.0.0.1", port=slapd.port, suffix="o=tls",
                                   mode="NONE"))


def connection_of(line):
    return line.split("conn=")[1].split()[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("kind", KINDS)
def test_good(strict, slapd, kind, host):
    path = f"/in/{kind}/good/{host}"
    mark = slapd.mark()
    verify(strict, strict.get(path, login=("ann", RIGHT)), "granted", 200)
    verify(strict, strict.get(path, login=("ann", WRONG)), "wrong-password", 401)
    lines = slapd.lines(mark)
    secure = {connection_of(line) for line in lines if "TLS established" in line}
    bound = {connection_of(line) for line in lines if " BIND dn=" in line}
    assert bound and bound <= secure, "a password in clear"


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", KINDS)
def test_bad(strict, fakes, kind, name):
    fake = fakes[kind, name]
    fake.forget()
    strict.log.expect(f"(?i)AS0061: .*({BAD[name]})")
    for password in (RIGHT, WRONG):
        verify(strict, strict.get(f"/in/{kind}/{name}", login=("ann", password)), "tls-failed", 500, user="ann")
    assert fake.count("service-bind") == fake.count("user-bind") == 0, "a password was sent to a stranger"


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", KINDS)
def test_bad_and_not_verified(lenient, kind, name):
    verify(lenient, lenient.get(f"/in/{kind}/{name}", login=("ann", RIGHT)), "granted", 200)
    verify(lenient, lenient.get(f"/in/{kind}/{name}", login=("ann", WRONG)), "wrong-password", 401)


@pytest.mark.parametrize("kind", KINDS)
def test_good_and_nobody_to_vouch(without_ca, kind):
    """Without LDAPTrustedGlobalCert the system's authorities count, and they do not know ours."""
    without_ca.log.expect("AS0061")
    verify(without_ca, without_ca.get(f"/in/{kind}/good/127.0.0.1", login=("ann", RIGHT)), "tls-failed", 500)


def test_other_places_are_not_concerned(strict):
    verify(strict, strict.get("/in/plain", login=("ann", RIGHT)), "granted", 200)


@pytest.mark.parametrize("path, established", [("default", True), ("none", False)])
def test_trusted_mode(trusted_mode, slapd, path, established):
    mark = slapd.mark()
    verify(trusted_mode, trusted_mode.get(f"/in/{path}", login=("ann", RIGHT)), "granted", 200)
    assert any("TLS established" in line for line in slapd.lines(mark)) == established


def test_plain_ldap_on_the_ldaps_port(start, slapd, authority):
    """A URL that forgot the s: slapd closes, and that is no fault of the user."""
    httpd = start(LOCATION.format(name="forgot", scheme="ldap", host="127.0.0.1", port=slapd.tls_port, suffix="o=tls",
                                  mode=""))
    httpd.log.expect("AS005[01]")
    answer = httpd.get("/in/forgot", login=("ann", RIGHT))
    assert answer.status == 503 and not answer.all("WWW-Authenticate")
    httpd.stop()


# -- ldap.conf, and what stays of a configuration that went ------------------------------------------------------------

def rewrite(httpd, old, new):
    text = httpd.configuration.read_text()
    assert old in text
    httpd.configuration.write_text(text.replace(old, new))


@pytest.mark.parametrize("beside", [True, False], ids=["beside-mod_ldap", "alone"])
def test_authority_that_was_removed(start, slapd, authority, beside):
    """mod_ldap leaves its authorities in libldap's global options for as long as the process lives."""
    line = f"LDAPTrustedGlobalCert CA_BASE64 {authority.cert}\n"
    httpd = start(line + LOCATION.format(name="removed", scheme="ldaps", host="127.0.0.1", port=slapd.tls_port, suffix="o=tls", mode=""),
                  ldap=beside, environment={"LDAPCONF": "/dev/null"})
    assert httpd.get("/in/removed", login=("ann", RIGHT)).status == 200
    rewrite(httpd, line, "")
    httpd.reload()
    httpd.log.expect("AS0061")
    assert httpd.get("/in/removed", login=("ann", RIGHT)).status == 500
    rewrite(httpd, "Use Login /in/removed", f"{line}Use Login /in/removed")
    httpd.reload()
    assert httpd.get("/in/removed", login=("ann", RIGHT)).status == 200
    httpd.stop()


@pytest.mark.parametrize("beside", [True, False], ids=["beside-mod_ldap", "alone"])
def test_authority_of_ldap_conf(start, workdirs, slapd, authority, beside):
    """It counts where no LDAPTrustedGlobalCert is, after restarts too."""
    path = workdirs.new("ldap-conf") / "ldap.conf"
    path.write_text(f"TLS_CACERT {authority.cert}\n")
    other = f"LDAPTrustedGlobalCert CA_BASE64 {authority.cert}\n"
    httpd = start(LOCATION.format(name="conf", scheme="ldaps", host="127.0.0.1", port=slapd.tls_port, suffix="o=tls", mode=""),
                  ldap=beside, environment={"LDAPCONF": str(path)})
    assert httpd.get("/in/conf", login=("ann", RIGHT)).status == 200
    rewrite(httpd, "Use Login /in/conf", f"{other}Use Login /in/conf")
    httpd.reload()
    assert httpd.get("/in/conf", login=("ann", RIGHT)).status == 200
    rewrite(httpd, other, "")
    httpd.reload()
    assert httpd.get("/in/conf", login=("ann", RIGHT)).status == 200
    httpd.stop()


def uses_gnutls():
    library = subprocess.run(["sh", "-c", f"ldd {MODULE} | grep -o '/.*libldap[^ ]*' | xargs ldd"], capture_output=True, text=True).stdout
    return "gnutls" in library


@pytest.mark.parametrize("revoked", [False, True], ids=["good", "revoked"])
def test_revocation_list_of_ldap_conf(start, workdirs, authority, revoked):
    """TLS_CRLFILE with GnuTLS; TLS_CRLCHECK with OpenSSL, where the list stands among the authorities."""
    workdir = workdirs.new("crl")
    certificate, stranger = authority.issue("revocable"), authority.issue("stranger")
    crl = authority.revoke(certificate if revoked else stranger)
    authorities = workdir / "ca.pem"
    authorities.write_text(authority.cert.read_text() + ("" if uses_gnutls() else crl.read_text()))
    path = workdir / "ldap.conf"
    path.write_text(f"TLS_CACERT {authorities}\n" + (f"TLS_CRLFILE {crl}\n" if uses_gnutls() else "TLS_CRLCHECK peer\n"))
    fake = Fake(certificate=certificate, ldaps=True)
    httpd = start(LOCATION.format(name="crl", scheme="ldaps", host="127.0.0.1", port=fake.port, suffix="dc=fake", mode=""),
                  environment={"LDAPCONF": str(path)})
    if revoked:
        httpd.log.expect("AS0061.*, is revoked")
    assert httpd.get("/in/crl", login=("ann", RIGHT)).status == (500 if revoked else 200)
    assert not (revoked and fake.binds())
    httpd.stop()
    fake.stop()


def test_check_without_a_revocation_list(start, workdirs, authority):
    """OpenSSL refuses a certificate whose authority has no list, where TLS_CRLCHECK requires one; the log names it."""
    if uses_gnutls():
        pytest.skip("libldap with GnuTLS does not know TLS_CRLCHECK")
    path = workdirs.new("no-crl") / "ldap.conf"
    path.write_text(f"TLS_CACERT {authority.cert}\nTLS_CRLCHECK peer\n")
    fake = Fake(certificate=authority.issue("unlisted"), ldaps=True)
    httpd = start(LOCATION.format(name="crl", scheme="ldaps", host="127.0.0.1", port=fake.port, suffix="dc=fake", mode=""),
                  environment={"LDAPCONF": str(path)})
    httpd.log.expect("AS0061.*, cannot be checked for TLS_CRLCHECK: its authority has no list in ldap.conf's TLS_CACERT")
    assert httpd.get("/in/crl", login=("ann", RIGHT)).status == 500
    assert not fake.binds()
    httpd.stop()
    fake.stop()


def test_localhost_is_this_machines_own_name(start, workdirs, authority):
    """libldap compares that name, and so does the log."""
    fake = Fake(certificate=authority.issue("localhost-alone", "DNS:localhost"), ldaps=True)
    httpd = start(f"LDAPTrustedGlobalCert CA_BASE64 {authority.cert}\n"
                  + LOCATION.format(name="localhost", scheme="ldaps", host="localhost", port=fake.port, suffix="dc=fake", mode=""))
    httpd.log.allow("AS0061: .*does not name .*, which libldap compares in place of localhost, but localhost")
    assert httpd.get("/in/localhost", login=("ann", RIGHT)).status in (200, 500)
    httpd.stop()
    fake.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_client_certificate_and_a_stranger(start, workdirs, authority, kind):
    """libldap over GnuTLS verifies the server's certificate after the handshake, in which the client's certificate was sent; over
    OpenSSL within it, and before. No password follows with either."""
    client = authority.issue(f"client-{kind}")
    client.key.chmod(0o644)
    stranger = Fake(certificate=tls.Authority(workdirs.new("ca"), "stranger").issue("directory"), ldaps=kind == "ldaps", authority=authority)
    httpd = start(f"LDAPTrustedGlobalCert CA_BASE64 {authority.cert}\n"
                  f"LDAPTrustedGlobalCert CERT_BASE64 {client.cert}\nLDAPTrustedGlobalCert KEY_BASE64 {client.key}\n"
                  + LOCATION.format(name="stranger", scheme="ldaps" if kind == "ldaps" else "ldap", host="127.0.0.1", port=stranger.port,
                                    suffix="dc=fake", mode="" if kind == "ldaps" else "TLS"))
    httpd.log.expect("AS0061: .*is not signed by an authority in")
    assert httpd.get("/in/stranger", login=("ann", RIGHT)).status == 500
    # The second handshake finds out for the log what is wrong, and never has the client's certificate.
    poll(lambda: None in stranger.peers, 60, "a handshake without the client's certificate")
    if uses_gnutls():
        poll(lambda: any(stranger.peers), 60, "the client's certificate, seen by a stranger")
    else:
        assert not any(stranger.peers)
    assert not stranger.binds()
    httpd.stop()
    stranger.stop()
