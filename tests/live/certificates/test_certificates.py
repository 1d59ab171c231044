# SPDX-License-Identifier: Apache-2.0
"""Certificates are verified, over ldaps and StartTLS; one that fails is the administrator's to mend, and the log says
why. The good ones are a real slapd's; the bad ones need no more of a directory than a fake."""
from pathlib import Path

import pytest

from lab import tls
from lab.fake import Fake
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
BAD = {
    # what is wrong, and what the log must say of it
    "host": r"\bhost|\bname",
    "expired": "expired|not valid today",
    "untrusted": "issuer|signer|signed by|trust",
    "self-signed": "issuer|signer|signed|trust",
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
def fakes(rooms, authority):
    stranger = tls.Authority(rooms.new("ca"), "stranger")
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
