# SPDX-License-Identifier: Apache-2.0
"""The configuration of docs/hiding-a-tree.md, as it is written there: with a directory that refuses anonymous searches, and
under Debian's layout."""
import re
from pathlib import Path

import pytest

from lab.outcomes import SOURCE
from lab.slapd import SERVICE_PASSWORD, TOP, Database

HERE = Path(__file__).parent
ANN, NOBODY = ("ann", "Pw!right"), ("nobody", "Pw!right")
# What Debian's apache2.conf has around a site.
DEBIAN = r"""
<Directory />
    Options FollowSymLinks
    AllowOverride None
    Require all denied
</Directory>
<Directory "${DOCS}">
    Options Indexes FollowSymLinks
    AllowOverride None
    Require all granted
</Directory>
AccessFileName .htaccess
<FilesMatch "^\.ht">
    Require all denied
</FilesMatch>
IncludeOptional "${WORKDIR}/conf-enabled/*.conf"
IncludeOptional "${WORKDIR}/sites-enabled/*.conf"
"""
PEOPLE = TOP + """dn: uid=ann,@SUFFIX@
objectClass: inetOrgPerson
cn: Ann
sn: Ann
userPassword: Pw!right

dn: cn=staff,@SUFFIX@
objectClass: groupOfNames
member: uid=ann,@SUFFIX@
"""


def guide():
    text = re.search(r"```apache\n(.*?)```", (SOURCE / "docs/hiding-a-tree.md").read_text(), re.S)[1]
    for pattern, instead in ((r"\*:443", "127.0.0.1:${HTTP}"), (r"/srv/www", "${DOCS}"),
                             (r"ldaps://ldap.example.org/ou=people,dc=example,dc=org", "ldap://127.0.0.1:${LDAP}/o=guide"),
                             (r"cn=httpd,dc=example,dc=org", "cn=service,o=guide"), (r"/etc/apache2/ldap-password", "${WORKDIR}/password"),
                             (r"cn=staff,ou=groups,dc=example,dc=org", "cn=staff,o=guide")):
        text, count = re.subn(pattern, lambda match, instead=instead: instead, text)
        assert count == 1, pattern
    return text


@pytest.fixture(scope="module")
def site(start, start_slapd, workdirs):
    ldif = workdirs.new("people") / "people.ldif"
    ldif.write_text(PEOPLE)
    slapd = start_slapd(Database("o=guide", ldif, ("require authc",)))
    httpd = start.make(DEBIAN, ldap=True, files={"projects/page.html": "a project\n"}, defines={"LDAP": slapd.port})
    for folder in ("conf-available", "conf-enabled", "sites-available", "sites-enabled"):
        (httpd.workdir / folder).mkdir()
    (httpd.workdir / "conf-available/security.conf").write_text("ServerTokens OS\nServerSignature On\nTraceEnable Off\n")
    (httpd.workdir / "conf-enabled/security.conf").symlink_to("../conf-available/security.conf")
    (httpd.workdir / "sites-available/www.conf").write_text(guide())
    (httpd.workdir / "sites-enabled/www.conf").symlink_to("../sites-available/www.conf")
    password = httpd.workdir / "password"
    password.write_text(SERVICE_PASSWORD + "\n")
    password.chmod(0o600)
    httpd.start()
    return httpd


@pytest.fixture(autouse=True)
def lines_of_other_modules(site):
    site.log.allow(r"AH\d{5}: ", "AS00")


def test_who_is_in_the_group_gets_in(site):
    answer = site.get("/projects/page.html", login=ANN, host="www.example.org")
    assert (answer.status, answer.body) == (200, b"a project\n")


@pytest.mark.parametrize("method", ("GET", "PUT", "OPTIONS"))
@pytest.mark.parametrize("login", (None, NOBODY, ("ann", "Pw!wrong")))
def test_others_see_nothing(site, login, method):
    hidden, missing = (site.get(f"/{place}/page.html", login=login, method=method, host="www.example.org")
                       for place in ("projects", "absentes"))
    assert hidden.comparable() == missing.comparable()


def test_the_doorway(site):
    assert site.get("/projects/login", host="www.example.org").status == 401
    assert site.get("/projects/login", login=ANN, host="www.example.org").status == 404
