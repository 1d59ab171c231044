# SPDX-License-Identifier: Apache-2.0
"""What authstatus-explain says to do: about what went wrong, not about its class; and about a password that is not what it looks like."""
import pytest

from lab.fake import BASE, SERVICE, Fake, answer, close, rubbish
from lab.slapd import Database
from lab.tls import Authority
from test_explain import PEOPLE, RIGHT, explain, secrets, service, slapd  # noqa: F401: fixtures

PPOLICY = "1.3.6.1.4.1.42.2.27.8.5.1"
ADVICE = {
    "no-name": ("ldap://nowhere.invalid/o=x?uid", None, "resolver know it?"),
    "starttls-refused": (None, {"starttls": answer(2, "unsupported extended operation")}, "does not offer StartTLS"),
    "no-base": (None, {"search": answer(32)}, "does not exist, or this account"),
    "referral": (None, {"search": answer(10, referrals=["ldap://other.lab.test/dc=x"])}, "LDAPReferrals On"),
    "tls-required": (None, {"service-bind": answer(13, "confidentiality required")}, "ldaps:// or STARTTLS"),
    "ad-anonymous": (None, {"search": answer(1, "a successful bind must be completed on the connection")}, "set AuthLDAPBindDN"),
    "closed": (None, {"service-bind": close}, "does this port want TLS"),
    "not-ldap": (None, {"service-bind": rubbish}, "is it a directory"),
    "service-locked": (None, {"service-bind": answer(49, "", [(PPOLICY, bytes.fromhex("3003810101"))])}, "has locked the account"),
    "service-expired": (None, {"service-bind": answer(49, "", [(PPOLICY, bytes.fromhex("3003810100"))])}, "has expired: set a new one"),
    "service-account": (None, {"service-bind": answer(49)}, "look at AuthLDAPBindDN and AuthLDAPBindPassword"),
}


@pytest.mark.parametrize("case", ADVICE, ids=str)
def test_what_to_do(secrets, case):
    """The advice is about what went wrong, and not about the class of it."""
    url, script, advice = ADVICE[case]
    fake = Fake(script or {})
    try:
        more = ("-Z",) if case == "starttls-refused" else ()
        said = explain("-D", SERVICE, "-y", secrets / "service", *more, "--password-file", secrets / "right",
                       url or f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", "ann")
        assert advice in said.text.partition("what to do   ")[2], said.text
    finally:
        fake.stop()


@pytest.mark.parametrize("script, line", [
    ({}, "ldap-group no-dn"),
    ({}, "ldap-filter (uid="),
    ({"compare": answer(50)}, f"ldap-group cn=staff,{BASE}"),
], ids=str)
def test_what_to_do_about_a_line_of_require(secrets, script, line):
    """The login was granted: advice about a login's base, TLS or account is untrue."""
    fake = Fake(script)
    try:
        said = explain("-D", SERVICE, "-y", secrets / "service", "--password-file", secrets / "right", "--require", line,
                       f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", "ann")
        assert said.code == 5 and f"require      {line}: unknown (" in said.text, said.text
        assert said.text.partition("what to do   ")[2].startswith("the line of Require above that is unknown says what is wrong"), said.text
    finally:
        fake.stop()


@pytest.mark.parametrize("line", ["ldapgroup cn=staff,o=x", "Require ldap-groups cn=staff,o=x", "LDAP_user ann"])
def test_a_line_that_no_module_has(line):
    """It decides nothing, so that its user would seem to be let in."""
    said = explain("--no-password", "--require", "ldap-user ann", "--require", line, "ldap://127.0.0.1:1/o=x?uid", "ann")
    name = line.removeprefix("Require ").split()[0]
    assert said.code == 1 and f"--require: there is no Require {name}; use one of ldap-user, ldap-group, ldap-dn" in said.errors


def test_a_section_that_is_written_otherwise(workdirs):
    """/wiki for /wiki/, and a site that stands in a virtual host: the sections that there are follow."""
    site = workdirs.new("site") / "site.conf"
    site.write_text('<VirtualHost *:443>\n<Location "/wiki/">\nAuthLDAPURL "ldap://127.0.0.1:1/o=x?uid"\nAuthLDAPBindDN cn=x\n'
                    f'AuthLDAPBindPassword exec:{site.parent}/none\n</Location>\n</VirtualHost>\n')
    said = explain("--config", site, "--section", "/wiki", "--no-password", "ann")
    assert said.code == 1 and f"; there is one in:\n  'VirtualHost *:443, Location /wiki/' ({site}:3)\n" in said.errors, said.errors
    assert "there is one in" not in explain("--config", "/dev/null", "--section", "/wiki", "--no-password", "ann").errors
    said = explain("--config", site, "--section", "VirtualHost *:443, Location /wiki/", "--no-password", "ann")
    assert said.code == 1 and f"site.conf:5: AuthLDAPBindPassword: the program \"{site.parent}/none\" gave no password" in said.errors, said.errors


@pytest.fixture(scope="module")
def bad_certificates(start_slapd, authority):
    """Directories with a certificate that is refused: expired, and of another host."""
    return {name: start_slapd(Database("o=loud", PEOPLE), tls=certificate, authority=authority) for name, certificate in
            (("expired", authority.issue("expired-advice", expired=True)), ("elsewhere", authority.issue("elsewhere", "DNS:ldap.elsewhere.test")))}


@pytest.mark.parametrize("of, ca, port, advice", [
    ("expired", True, "tls_port", "the directory needs a new certificate"),
    ("elsewhere", True, "tls_port", "write a name in the URL that the certificate has"),
    ("elsewhere", False, "tls_port", "names a file with the certificate of that authority"),
    ("elsewhere", True, "port", "does this port speak TLS from the start?"),
])
def test_what_to_do_about_a_certificate(bad_certificates, secrets, authority, workdirs, of, ca, port, advice):
    """An empty file of authorities is another fault where libldap has OpenSSL: here it is one that did not sign."""
    trusted = authority if ca else Authority(workdirs.new("ca"), "stranger")
    said = explain(*service("o=loud", secrets), "-o", f"tls_cacert={trusted.cert}", "--no-password",
                   f"ldaps://127.0.0.1:{getattr(bad_certificates[of], port)}/o=loud?uid", "good")
    assert advice in said.text.partition("what to do   ")[2], said.text


def test_a_password_that_is_not_what_it_looks_like(slapd, secrets, workdirs):
    """A file in UTF-16, or with a byte order mark, is another password than its owner sees: it is not sent, and the reason is told."""
    workdir = workdirs.new("unicode")
    for name, content, says in (("utf-16", RIGHT.encode("utf-16"), "byte order mark"), ("utf-16le", RIGHT.encode("utf-16-le"), "NUL octet"),
                                ("bom", b"\xef\xbb\xbf" + RIGHT.encode(), "byte order mark"), ("later", RIGHT.encode() + b"\n\0", "NUL octet")):
        (workdir / name).write_bytes(content)
        (workdir / name).chmod(0o600)
        said = explain(*service("o=loud", secrets), "--password-file", workdir / name, f"ldap://127.0.0.1:{slapd.port}/o=loud?uid", "good")
        assert said.code == 1 and says in said.errors, said.errors
