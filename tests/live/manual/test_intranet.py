# SPDX-License-Identifier: Apache-2.0
"""docs/examples/intranet.conf, walked through: nothing of it is replaced but names of hosts, files and ports."""
import base64
import ssl
import urllib.error
import urllib.request
from collections import namedtuple

import pytest

from lab.outcomes import SOURCE
from lab.process import poll, read_lines, reserve_port
from lab.slapd import SERVICE_PASSWORD, Database

RIGHT, WRONG = "Pw!right", "Pw!wrong"
PERSON = """
dn: uid={name},ou=people,@SUFFIX@
objectClass: inetOrgPerson
cn: {name}
sn: {name}
userPassword: Pw!right
"""
GROUP = """
dn: cn={name},ou=groups,@SUFFIX@
objectClass: groupOfNames
member: uid={member},ou=people,@SUFFIX@
"""


class Ldif:
    @staticmethod
    def read_text():
        text = (SOURCE / "tests/live/manual/people.ldif").read_text().replace("@DC@", "example")
        for name in ("clerk", "dealer", "root"):
            text += PERSON.format(name=name)
        for name, member in (("merger", "dealer"), ("admins", "root")):
            text += GROUP.format(name=name, member=member)
        return text


@pytest.fixture(scope="module")
def site(start, start_slapd, workdirs, authority, good_certificate, needs_module):
    needs_module("ssl", "include", "negotiation", "headers")
    slapd = start_slapd(Database("dc=example,dc=org", Ldif, ("ppolicy_use_lockout",)), tls=good_certificate, authority=authority)
    workdir = workdirs.new("intranet")
    (workdir / "ldap-password").write_text(f"#!/bin/sh\necho '{SERVICE_PASSWORD}'\n")
    (workdir / "ldap-password").chmod(0o755)
    (workdir / "errors").mkdir()
    (workdir / "errors/login-failed.html.var").write_text((SOURCE / "docs/examples/login-failed.html.var").read_text())
    text = (SOURCE / "docs/examples/intranet.conf").read_text()
    port = reserve_port()
    for name, value in {
            "/etc/ssl/certs/ca-certificates.crt": authority.cert, "*:443": f"127.0.0.1:{port}",
            "/etc/ssl/certs/intranet.pem": good_certificate.cert, "/etc/ssl/private/intranet.key": good_certificate.key,
            "/etc/apache2/ldap-password": workdir / "ldap-password", "/var/www/errors": workdir / "errors",
            "ldap1.example.org ldap2.example.org": f"localhost:{reserve_port()} localhost:{slapd.tls_port}",
            "/srv/intranet": "${DOCS}", "/var/log/apache2": workdir}.items():
        assert name in text, name
        text = text.replace(name, str(value))
    httpd = start.make(f"Listen 127.0.0.1:{port}\n{text}", modules=("ssl", "include", "negotiation", "socache_shmcb"), ldap=True, cache="shmcb",
                       files={f"{place}/index.html": place for place in ("wiki", "board", "merger")})
    # The lab's certificate has another name, and the lab's httpd has no SSLSessionCache.
    httpd.log.allow("AH01909", "AH01873")
    httpd.start()
    httpd.log.allow("AH01909", "AH01873")
    httpd.tls_port = port
    return httpd


Answer = namedtuple("Answer", "status headers text")


def get(site, path, user=None, password=RIGHT):
    request = urllib.request.Request(f"https://127.0.0.1:{site.tls_port}{path}")
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    context = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return Answer(answer.status, answer.headers, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read().decode())


@pytest.mark.parametrize("path, user, password, status, text", [
    ("/wiki/", None, None, 401, "Please sign in"),
    ("/wiki/", "clerk", WRONG, 401, "is wrong"),
    ("/wiki/", "clerk", RIGHT, 200, "wiki"),
    ("/wiki/", "expired", RIGHT, 403, "Your password has expired"),
    ("/board/", "clerk", RIGHT, 403, "You are signed in, but"),
    ("/board/", "alice", RIGHT, 200, "board"),
    ("/merger/", "dealer", RIGHT, 200, "merger"),
    ("/logins", "clerk", RIGHT, 403, "You are signed in, but"),
    ("/logins", "root", RIGHT, 200, "Logins at"),
    ("/switch", None, None, 200, "Sign in as someone else"),
    ("/errors/login-failed.html.var", None, None, 200, "No access"),
])
def test_walk(site, path, user, password, status, text):
    site.log.allow(r"AS00\d\d", r"AH0161[78]", "AH01631", "AH01909", "AH01873")
    answer = get(site, path, user, password)
    assert answer.status == status and text in answer.text, answer
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_the_hidden_tree_is_not_there(site):
    site.log.allow(r"AS00\d\d", "AH01631")
    hidden, missing = get(site, "/merger/", "clerk"), get(site, "/nothing/", "clerk")
    assert (hidden.status, hidden.text.replace("merger", "nothing")) == (404, missing.text)


def test_the_throttle(site):
    site.log.allow(r"AS00\d\d", r"AH0161[78]")
    for number in range(4):
        assert get(site, "/wiki/", "bob", f"{WRONG}{number}").status == 401
    answer = get(site, "/wiki/", "bob", RIGHT)
    assert answer.status == 429 and "Too many attempts" in answer.text and int(answer.headers["Retry-After"]) > 0


def test_the_log_tells_the_truth(site):
    site.log.allow(r"AS00\d\d", "AH01631")
    get(site, "/merger/x", "clerk")
    log = next(site.workdir.parent.glob("*-intranet/intranet.log"))

    def line():
        return [line for line in read_lines(log)[0] if '"GET /merger/x HTTP/1.1" 404' in line]
    (truth,) = poll(line, 10, "the line of the access log, which httpd writes after the answer")
    assert "not-authorized 403" in truth
