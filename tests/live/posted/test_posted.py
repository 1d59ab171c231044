# SPDX-License-Identifier: Apache-2.0
"""Configurations as people post them, with the provider changed: each starts and answers right, or stops with a sentence that says what
to write instead."""
import base64
import hashlib
from pathlib import Path

import pytest

from lab.process import reserve_port
from lab.slapd import Database

HERE = Path(__file__).parent
SUFFIX = "dc=example,dc=com"
RIGHT = "Pw!right"
ANN, BOB, JANE, BAD = ("ann", RIGHT), ("bob", RIGHT), ("jane smith", RIGHT), ("ann", "Pw!wrong")
FILED = ("filed", "Pw!file")
HASH = "{SHA}" + base64.b64encode(hashlib.sha1(b"Pw!file").digest()).decode()
HTACCESS = """AuthType Basic
AuthName "By .htaccess"
AuthBasicProvider authstatus
AuthLDAPURL "ldap://127.0.0.1:{port}/dc=example,dc=com?uid?sub?(objectClass=*)"
AuthLDAPBindDN "cn=service,dc=example,dc=com"
AuthLDAPBindPassword "Pw!service"
AuthUserFile /dev/null
<Limit GET POST>
require ldap-group cn=Web Admins,ou=Groups,dc=example,dc=com
</Limit>
"""


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database(SUFFIX, HERE / "people.ldif"))


@pytest.fixture(scope="module")
def httpd(start, slapd, needs_module):
    needs_module("access_compat")
    httpd = start.make(f'Include "{HERE / "posted.conf"}"\n', modules=("access_compat", "authz_groupfile"),
                       defines={"LDAP": slapd.port, "DEAD": reserve_port()},
                       files={"htaccess/index.html": "here\n", "htaccess/.htaccess": HTACCESS.format(port=slapd.port)})
    (httpd.workdir / "users").write_text(f"filed:{HASH}\n")
    httpd.log.allow(r"AS0175", "AS0221")
    return httpd.start()


ROWS = {
    "/in/svn": {None: 200, BAD: 200},
    "/in/thruk": {None: 401, ANN: 403, BOB: 200, BAD: 401},
    "/in/awstats": {None: 401, ANN: 200, BOB: 403, BAD: 401},
    "/in/phpmyadmin": {None: 401, ANN: 200, BOB: 403, BAD: 401, FILED: 200},
    "/in/quoted": {None: 401, ANN: 200, BOB: 401, BAD: 401},
    "/in/unique": {None: 401, ANN: 200, BOB: 403, BAD: 401},
    "/in/names": {None: 401, ANN: 403, BOB: 200, JANE: 200},
    "/in/attribute": {ANN: 200, BOB: 403},
    "/in/filter": {ANN: 403, BOB: 200},
    "/in/dn": {ANN: 200, BOB: 403},
    "/in/blank": {JANE: 200, ANN: 401},
    "/in/percent": {JANE: 200, ANN: 401},
    "/in/either": {None: 401, ANN: 200, BOB: 403},
    "/in/initial": {None: 401, ANN: 200, BOB: 403, BAD: 401},
    "/in/nagios": {None: 401, ANN: 200, BOB: 200, BAD: 401},
    "/in/icinga": {None: 401, ANN: 200, BOB: 403, BAD: 401},
    "/in/moodle": {None: 200, BAD: 200},
    "/in/freeipa": {None: 401, ANN: 200, BOB: 200, BAD: 401},
    "/htaccess/": {None: 401, ANN: 200, BOB: 403, BAD: 401},
}


@pytest.mark.parametrize("path, login, status", [(path, login, status) for path, row in ROWS.items() for login, status in row.items()])
def test_answers(httpd, path, login, status):
    httpd.log.allow(r"AS\d{4}", "AH01617", "AH01618", "AH01631", "AH01797")
    answer = httpd.get(path, login=login)
    assert answer.status == status, answer
    assert bool(answer.all("WWW-Authenticate")) == (status == 401)


def test_what_the_application_sees(httpd):
    httpd.log.allow("AS0032")
    assert httpd.get("/in/names", login=BOB).header("X-User") == "Bob Baker"
    assert httpd.get("/in/unique", login=ANN).header("X-Name") == "Ann"
    assert httpd.get("/in/svn", method="PUT").status == 401


# A section as many post it, and one line in it.
POSTED = """<Location /in/posted>
AuthType Basic
AuthName x
AuthBasicProvider authstatus
AuthLDAPURL {url}
{line}
Require valid-user
AuthStatus On
</Location>
"""
URL = '"ldap://h/dc=example,dc=com?uid"'
STOPPED = [
    # what is wrong, the URL, a line of the section, the sentence
    ("AuthzLDAPAuthoritative", URL, "AuthzLDAPAuthoritative off", "httpd 2.2 and earlier; leave it out"),
    ("AuthLDAPAuthoritative", URL, "AuthLDAPAuthoritative on", "httpd 2.2 and earlier; leave it out"),
    ("AuthLDAPEnabled", URL, "AuthLDAPEnabled on", "leave it out: AuthBasicProvider authstatus"),
    ("AuthLDAPStartTLS", URL, "AuthLDAPStartTLS on", "write STARTTLS behind the URL"),
    ("typographic quotes", "\u201cldap://h/dc=x?uid\u201d", "", 'AuthLDAPURL: there is a typographic quote (U+201C or the like); write "'),
    ("typographic quotes of a name", URL, "AuthLDAPBindDN \u201ccn=a,dc=x\u201d", 'AuthLDAPBindDN: there is a typographic quote'),
    ("a typographic quote at the end", URL, "AuthLDAPBindDN cn=a,dc=x\u2019", 'AuthLDAPBindDN: there is a typographic quote'),
    ("typographic quotes of a group", URL, "Require ldap-group \u201ccn=a,dc=x\u201d", "typographic quotes are part of it, so write it without"),
    ("two URLs in one", '"ldap://h1/dc=x?uid ldap://h2/dc=x?uid"', "", '"ldap://host1 host2:port/base?attribute"'),
    ("two URLs, bases alone", '"ldap://h1/dc=x ldaps://h2/dc=x"', "", '"ldap://host1 host2:port/base?attribute"'),
    ("two schemes", '"ldap://h1 ldap://h2/dc=x?uid"', "", '"ldap://host1 host2:port/base?attribute"'),
    ("two schemes and a comma", '"ldap://h1,ldap://h2/dc=x?uid"', "", '"ldap://host1 host2:port/base?attribute"'),
    ("two URLs with filters", '"ldap://h1/dc=x?uid?sub?(a=b) ldap://h2/dc=x?uid?sub?(a=b)"', "", '"ldap://host1 host2:port/base?attribute"'),
    ("two URLs as two words", '"ldap://h1/dc=x?uid" "ldap://h2/dc=x?uid"', "", '"ldap://host1 host2:port/base?attribute"'),
    ("no quotes", "ldap://h/dc=x?uid?sub?(memberOf=cn=Web Admins,dc=x)", "", "a URL with a space in it stands in quotes"),
    ("StartTLS by another name", URL + " start_tls", "", "must be one of NONE, SSL, TLS, STARTTLS"),
    ("StartTLS in the quotes", '"ldap://h/dc=x?uid STARTTLS"', "", 'write STARTTLS behind the quotes: "ldap://host/base?attribute" STARTTLS'),
    ("TLS behind a filter", '"ldap://h/dc=x?uid?sub?(a=b) TLS"', "", "write TLS behind the quotes"),
    ("scope", '"ldap://h/dc=x?uid?all"', "", "must be one of one, sub"),
    ("a group's name", URL, "Require ldap-group staff", '"staff" is not a DN (RFC 4514); write the whole of it: cn=staff,...'),
    ("a broken DN", URL, "Require ldap-group cn=a,,dc=x", "is not a DN (RFC 4514): octet 6 "),
    ("an attribute without =", URL, "Require ldap-attribute employeeType active", '"employeeType active" is not attribute=value'),
    ("no password file", URL, "AuthLDAPBindDN cn=a,dc=x\nAuthLDAPBindPassword exec:/etc/none", "cannot be run: No such file or directory"),
]


@pytest.mark.parametrize("url, line, said", [row[1:] for row in STOPPED], ids=[row[0] for row in STOPPED])
def test_is_stopped_with_a_sentence(start, url, line, said):
    code, text = start.make(POSTED.format(url=url, line=line)).configtest()
    assert code != 0 and said in text, text


@pytest.mark.parametrize("line, said", [
    ("LDAPTrustedGlobalCert CA_BASE64 /etc/none.pem", 'the file "/etc/none.pem" cannot be read: No such file or directory'),
    ("LDAPTrustedCA /etc/ca.pem", "LDAPTrustedGlobalCert CA_BASE64"),
    ("LDAPTrustedCAType BASE64_FILE", "LDAPTrustedGlobalCert CA_BASE64"),
])
def test_a_line_of_the_server_is_stopped(start, line, said):
    code, text = start.make(line).configtest()
    assert code != 0 and said in text, text


@pytest.mark.parametrize("name", ["cn=web,o=Stadtwerke \u201eNord\u201c", "o=\u201cNorth\u201d", "cn=\u2018a\u2019,dc=x"])
def test_a_name_may_end_in_its_own_quotes(start, name):
    code, text = start.make(POSTED.format(url=URL, line=f'AuthLDAPBindDN "{name}"\nAuthLDAPBindPassword x')).configtest()
    assert code == 0, text


def test_what_lets_in_more_is_named(httpd):
    """Of these sections alone: a line of Require decides for the others beside it."""
    done = httpd.run("-t", "-D", "DUMP_AUTHSTATUS")
    sections = done.stdout.split("\n  <Location ")[1:]
    assert {section.split(">")[0] for section in sections if "one line of Require is enough" in section} == {"/in/moodle", "/in/freeipa"}, done.stdout


def test_a_dash_is_no_quote(start):
    code, text = start.make(POSTED.format(url=URL, line="Require ldap-group \u2014cn")).configtest()
    assert code != 0 and "typographic" not in text, text


def test_a_filter_may_have_a_url_in_it(start):
    """It is not taken for a second one."""
    code, text = start.make(POSTED.format(url='"ldap://h/dc=x?uid?sub?(labeledURI=see ldap://h2/dc=x)"', line="")).configtest()
    assert code == 0, text


@pytest.mark.parametrize("line, said", [
    ("Require group cn=staff,dc=x", "a group of the directory is Require ldap-group and its DN"),
    ("Require not group cn=staff,dc=x", "a group of the directory is Require ldap-group and its DN"),
    ("AuthLDAPBindPassword Pw!service", "AuthLDAPBindPassword without AuthLDAPBindDN: the search is anonymous"),
    ("Require group staff", None),
])
def test_is_doubted(start, line, said):
    """DUMP_AUTHSTATUS warns of what starts, and does not do what was meant."""
    within = f"<RequireAll>\nRequire valid-user\n{line}\n</RequireAll>" if line.startswith("Require") else line
    httpd = start.make(POSTED.format(url=URL, line=within), modules=("authz_groupfile",))
    done = httpd.run("-t", "-D", "DUMP_AUTHSTATUS")
    assert done.returncode == 0, done.stderr
    if said:
        assert said in done.stdout
    else:
        assert "mod_authz_groupfile" not in done.stdout
