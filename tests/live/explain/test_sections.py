# SPDX-License-Identifier: Apache-2.0
"""authstatus-explain --config: what is in force in a section, as httpd has it; and the lines of Require."""
import json
import subprocess
from pathlib import Path

import pytest

from lab.explain import Explain
from lab.fake import BASE, PASSWORD, SERVICE, SERVICE_PASSWORD, Fake
from lab.httpd import BUILD
from lab.slapd import Database

HERE = Path(__file__).parent
PEOPLE = HERE.parent / "outcomes/people.ldif"
RIGHT = "Pw!right"
SITE = """
AuthStatusThrottle 3 5min
<Location />
    AuthLDAPURL "ldap://127.0.0.1:{one}/dc=fake?uid"
    AuthLDAPBindDN "{service}"
    AuthLDAPBindPassword "{password}"
    AuthStatusDeadline 7s
</Location>
<Location /board/>
    AuthType Basic
    Require valid-user
</Location>
<Location /boards>
    AuthLDAPURL "ldap://127.0.0.1:{two}/dc=fake?uid"
</Location>
<Location /board/x>
    AuthLDAPURL "ldap://127.0.0.1:{one}/dc=fake?uid?one"
</Location>
<Directory /srv/a/b>
    AuthStatusDeadline 4s
</Directory>
<Directory /srv/a>
    AuthLDAPURL "ldap://127.0.0.1:{two}/dc=fake?uid"
    AuthStatusDeadline 3s
</Directory>
"""


@pytest.fixture(scope="module")
def fakes():
    fakes = [Fake() for _ in range(2)]
    yield fakes
    for fake in fakes:
        fake.stop()


@pytest.fixture(scope="module")
def site(rooms, fakes):
    path = rooms.new("sections") / "site.conf"
    path.write_text(SITE.format(one=fakes[0].port, two=fakes[1].port, service=SERVICE, password=SERVICE_PASSWORD))
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def explain(rooms):
    return Explain(rooms.new("explain"))


def text(*arguments):
    return subprocess.run([BUILD / "authstatus-explain", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, start_new_session=True, env={"LDAPNOINIT": "1"}).stdout


@pytest.mark.parametrize("section, seen, binds, deadline", [
    ("/", 0, [(SERVICE, SERVICE_PASSWORD)], "7 s"),
    ("/board/", 0, [(SERVICE, SERVICE_PASSWORD)], "7 s"),  # inherited
    ("/board/deep/page", 0, [(SERVICE, SERVICE_PASSWORD)], "7 s"),  # has no section of its own
    ("/board/x", 0, [(SERVICE, SERVICE_PASSWORD)], "7 s"),  # another URL of the same server
    ("/boards", 1, [], "7 s"),  # another server: no account, and what is no credential is inherited
    ("/srv/a/b", 1, [], "4 s"),  # directories apply from the outermost, in whatever order
])
def test_in_force(site, fakes, section, seen, binds, deadline):
    for fake in fakes:
        fake.forget()
    said = text("--config", site, "--section", section)
    assert f"port {fakes[seen].port};" in said and f"deadline     {deadline} for" in said
    assert fakes[seen].binds() == binds and not fakes[1 - seen].operations


def test_throttle_of_the_server(site, explain, fakes):
    """It is in force in a section that does not say it."""
    assert "no AuthStatusThrottle counts" not in text("--config", site, "--section", "/board/")


# -- Require -----------------------------------------------------------------------------------------------------------

GROUP = """
dn: cn=staff,@SUFFIX@
objectClass: groupOfNames
cn: staff
member: uid=good,ou=people,@SUFFIX@
"""


@pytest.fixture(scope="module")
def slapd(start_slapd, rooms):
    ldif = rooms.new("ldif") / "people.ldif"
    ldif.write_text(PEOPLE.read_text() + GROUP)
    return start_slapd(Database("o=loud", ldif))


@pytest.fixture(scope="module")
def asks(rooms, slapd):
    explain = Explain(rooms.new("explain"), service=("cn=service,o=loud", SERVICE_PASSWORD))
    return lambda *lines, user="good": explain.run(f"ldap://127.0.0.1:{slapd.port}/o=loud?uid", user, RIGHT,
                                                   [word for line in lines for word in ("--require", line)])


@pytest.mark.parametrize("lines, answers, outcome, status", [
    (("ldap-group cn=staff,o=loud",), ["yes"], "granted", 0),
    (("ldap-group cn=nobody,o=loud",), ["no"], "not-authorized", 403),
    (("ldap-user good",), ["yes"], "granted", 0),
    (("ldap-user other", "ldap-dn cn=x,o=loud"), ["no", "no"], "not-authorized", 403),
    (("ldap-user other", "ldap-filter uid=good"), ["no", "yes"], "granted", 0),
    (("ldap-attribute uid=other", "valid-user"), ["no", "yes"], "granted", 0),
    (("ldap-user other", "ip 10.0.0.0/8"), ["no", "not looked at"], "granted", 0),
    (("ldap-filter (uid=",), ["unknown"], "directory-misconfigured", 500),
], ids=str)
def test_require(asks, lines, answers, outcome, status):
    story = asks(*lines)
    assert [line["answer"] for line in story["require"]] == answers
    assert (story["outcome"], story["status"]) == (outcome, status)
    assert [line["line"] for line in story["require"]] == list(lines)


def test_require_is_not_asked_for_who_is_not_let_in(asks):
    assert asks("ldap-user nobody", user="nobody")["require"] == []


def test_what_was_not_looked_at_is_said(rooms, slapd):
    room = rooms.new("secrets")
    for name, secret in (("right", RIGHT), ("service", SERVICE_PASSWORD)):
        (room / name).write_text(secret)
        (room / name).chmod(0o600)
    said = text("-D", "cn=service,o=loud", "-y", room / "service", "--password-file", room / "right",
                f"ldap://127.0.0.1:{slapd.port}/o=loud?uid", "good")
    assert "not asked    whether the user may go on: Require of the section decides" in said


def test_require_of_the_section(rooms, slapd):
    """AuthMerging is Off: the innermost section that has lines decides. RequireAll is not taken apart."""
    room = rooms.new("require")
    (room / "right").write_text(RIGHT)
    (room / "right").chmod(0o600)
    (room / "site.conf").write_text(f'''<Location />
AuthLDAPURL "ldap://127.0.0.1:{slapd.port}/o=loud?uid"
AuthLDAPBindDN "cn=service,o=loud"
AuthLDAPBindPassword "{SERVICE_PASSWORD}"
Require valid-user
</Location>
<Location /staff>
Require ldap-group cn=nobody,o=loud
</Location>
<Location /all>
<RequireAll>
Require ldap-user good
Require ldap-user other
</RequireAll>
</Location>
''')
    for section, answers, outcome in (("/", ["yes"], "granted"), ("/staff", ["no"], "not-authorized"), ("/all", ["yes", "no"], "granted")):
        done = subprocess.run([BUILD / "authstatus-explain", "--json", "--config", room / "site.conf", "--section", section,
                               "--password-file", room / "right", "good"], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, start_new_session=True, env={"LDAPNOINIT": "1"})
        story = json.loads(done.stdout)
        assert [line["answer"] for line in story["require"]] == answers and story["outcome"] == outcome
        assert done.returncode == {"granted": 0, "not-authorized": 3}[outcome]
        assert all(line["combined"] == (section == "/all") for line in story["require"])
