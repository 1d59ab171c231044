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
def site(workdirs, fakes):
    path = workdirs.new("sections") / "site.conf"
    path.write_text(SITE.format(one=fakes[0].port, two=fakes[1].port, service=SERVICE, password=SERVICE_PASSWORD))
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def explain(workdirs):
    return Explain(workdirs.new("explain"))


def run(*arguments):
    """authstatus-explain, without a terminal."""
    return subprocess.run([BUILD / "authstatus-explain", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, start_new_session=True, env={"LDAPNOINIT": "1", "PATH": "/usr/bin:/bin"})


def text(*arguments):
    return run(*arguments).stdout


def write_site(workdir, slapd, lines):
    """A configuration with a directory for the whole site, whose first section goes on with `lines`; beside it the password of
    its users."""
    (workdir / "right").write_text(RIGHT)
    (workdir / "right").chmod(0o600)
    (workdir / "site.conf").write_text(f'''<Location />
AuthLDAPURL "ldap://127.0.0.1:{slapd.port}/o=loud?uid"
AuthLDAPBindDN "cn=service,o=loud"
AuthLDAPBindPassword "{SERVICE_PASSWORD}"
{lines}''')
    return workdir / "site.conf"


def explain_site(site, how, section, user):
    """What is said of a user of that configuration, and how the program ended."""
    done = run("--json", how, "--section", section, "--password-file", site.parent / "right", user)
    return json.loads(done.stdout), done.returncode


def answers_of(story):
    return [line["answer"] for line in story["require"]]


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

dn: cn=uids,@SUFFIX@
objectClass: posixGroup
cn: uids
gidNumber: 4242
memberUid: good

dn: uid=ann b,ou=people,@SUFFIX@
objectClass: inetOrgPerson
uid: ann b
cn: ann b
sn: ann b
l: Berlin
employeeType: Full time
userPassword: Pw!right
"""


@pytest.fixture(scope="module")
def slapd(start_slapd, workdirs):
    ldif = workdirs.new("ldif") / "people.ldif"
    ldif.write_text(PEOPLE.read_text() + GROUP)
    return start_slapd(Database("o=loud", ldif))


@pytest.fixture(scope="module")
def queries(workdirs, slapd):
    explain = Explain(workdirs.new("explain"), service=("cn=service,o=loud", SERVICE_PASSWORD))
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
def test_require(queries, lines, answers, outcome, status):
    story = queries(*lines)
    assert [line["answer"] for line in story["require"]] == answers
    assert (story["outcome"], story["status"]) == (outcome, status)
    assert story["exit_code"] == {"granted": 0, "not-authorized": 6, "directory-misconfigured": 5}[outcome]
    assert [line["line"] for line in story["require"]] == list(lines)


def test_a_whole_line_that_was_pasted(queries):
    story = queries("Require ldap-user good", "  require valid-user")
    assert [(line["line"], line["answer"]) for line in story["require"]] == [("ldap-user good", "yes"), ("valid-user", "yes")]


@pytest.mark.parametrize("line, answer", [
    ('ldap-attribute l="Berlin"', "yes"),
    ('ldap-attribute employeeType="Full time"', "yes"),
    ('ldap-attribute l=Bonn employeeType="Full time"', "yes"),
    ("ldap-attribute l=Bonn", "no"),
    ("ldap-user ann b", "yes"),  # the whole line is a name too
    ('ldap-user "ann b" other', "yes"),
    ("ldap-user ann c", "no"),
    ('ldap-dn "uid=ann b,ou=people,o=loud"', "yes"),
    ('ldap-filter (employeeType=Full time)', "yes"),
    (r"ldap-filter (cn=ann\\20b)", "yes"),  # httpd's expressions take one backslash away
    (r"ldap-filter (cn=ann\040b)", "yes"),  # or read an octal number
])
@pytest.mark.parametrize("source", ["--require", "config", "httpd"])
def test_the_arguments_of_a_line_are_read_as_the_module_reads_them(start, workdirs, slapd, queries, source, line, answer):
    if source == "--require":
        assert [said["answer"] for said in queries(line, user="ann b")["require"]] == [answer]
        return
    site = write_site(workdirs.new("arguments"), slapd, f"Require {line}\n</Location>\n")
    how = f"--config={site}"
    if source == "httpd":
        how = f"--httpd={write_program(start.make(site.read_text(), modules=('authn_core',), ldap=True))}"
    story, _ = explain_site(site, how, "/", "ann b")
    assert answers_of(story) == [answer], story


def test_require_is_not_asked_for_who_is_not_let_in(queries):
    assert queries("ldap-user nobody", user="nobody")["require"] == []


def test_what_was_not_looked_at_is_said(workdirs, slapd):
    workdir = workdirs.new("secrets")
    for name, secret in (("right", RIGHT), ("service", SERVICE_PASSWORD)):
        (workdir / name).write_text(secret)
        (workdir / name).chmod(0o600)
    def query(*more, user="good"):
        return text("-D", "cn=service,o=loud", "-y", workdir / "service", "--password-file", workdir / "right", *more,
                    f"ldap://127.0.0.1:{slapd.port}/o=loud?uid", user)
    assert "not decided  whether the user may go on: Require of the section decides" in query()
    assert "not decided  whether the user may go on: no line that was looked at grants it alone" in query("--require", "ip 10.0.0.0/8")
    assert "not decided" not in query("--require", "ip 10.0.0.0/8", "--require", "ldap-user good")
    assert "not decided" not in query("--require", "ldap-user other")
    assert "does the entry match base, scope, attribute and filter of the URL" in query(user="nobody")


def test_require_of_the_section(workdirs, slapd):
    """AuthMerging is Off: the innermost section that has lines decides."""
    site = write_site(workdirs.new("require"), slapd, """Require valid-user
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
""")
    for section, answers, outcome in (("/", ["yes"], "granted"), ("/staff", ["no"], "not-authorized"), ("/all", ["yes", "no"], "not-authorized")):
        story, code = explain_site(site, f"--config={site}", section, "good")
        assert answers_of(story) == answers and story["outcome"] == outcome
        assert code == {"granted": 0, "not-authorized": 6}[outcome]
        assert all(line["combined"] == (section == "/all") for line in story["require"])


# -- httpd itself ------------------------------------------------------------------------------------------------------

MORE = """
<Macro Corp $port>
    AuthLDAPURL "ldap://127.0.0.1:$port/dc=fake?uid"
    AuthLDAPBindDN "{service}"
    AuthLDAPBindPassword "exec:/bin/echo {password}"
</Macro>
<AuthnProviderAlias authstatus corp>
    Use Corp {two}
    AuthLDAPRemoteUserAttribute cn
</AuthnProviderAlias>
<LocationMatch "^/match">
    Use Corp {two}
    Require ldap-user "ann b" ann
    <RequireAll>
        Require ldap-group cn=x,dc=fake
    </RequireAll>
</LocationMatch>
<Location /as-user>
    AuthLDAPURL "ldap://127.0.0.1:{one}/dc=fake?uid"
    AuthLDAPInitialBindAsUser On
    AuthLDAPInitialBindPattern "^(.+)$" "uid=$1,dc=fake"
</Location>
"""


def write_program(httpd):
    """Writes a program that is httpd with its configuration, as apachectl is, and with what loads the module (the sanitizers')."""
    script = httpd.workdir / "httpd"
    settings = " ".join(f"'{name}={value}'" for name, value in httpd._environment().items())
    script.write_text(f"#!/bin/sh\nexec env {settings} " + " ".join(map(str, httpd._command())) + ' "$@"\n')
    script.chmod(0o755)
    return script


@pytest.fixture(scope="module")
def program(start, fakes):
    """A program that is httpd with a configuration of its own."""
    names = {"one": fakes[0].port, "two": fakes[1].port, "service": SERVICE, "password": SERVICE_PASSWORD}
    httpd = start.make((SITE + MORE).format(**names), modules=("authn_core", "macro"), ldap=True)
    script = write_program(httpd)
    return script


def query(program, section, *arguments):
    done = run("--json", f"--httpd={program}", "--section", section, *arguments)
    assert SERVICE_PASSWORD not in done.stdout + done.stderr and "LeakSanitizer" not in done.stderr, done.stderr
    story = json.loads(done.stdout) if done.stdout else {"error": done.stderr}
    return done if "error" in story else story


SERVICE_BIND = [(SERVICE, SERVICE_PASSWORD)]


@pytest.mark.parametrize("section, seen, binds", [
    ("/", 0, SERVICE_BIND), ("/board/", 0, SERVICE_BIND), ("/board/deep/page", 0, SERVICE_BIND), ("/board/x", 0, SERVICE_BIND),
    ("/boards", 1, []), ("/srv/a/b", 1, []), ("corp", 1, SERVICE_BIND), ("^/match", 1, SERVICE_BIND), ("/as-user", 0, SERVICE_BIND),  # of the same server, in Location /
])
def test_httpd_tells(program, fakes, section, seen, binds):
    for fake in fakes:
        fake.forget()
    story = query(program, section)
    assert story["partial"] and story["url"].startswith(f"ldap://127.0.0.1:{fakes[seen].port}/dc=fake?uid"), story
    assert fakes[seen].binds() == binds and not fakes[1 - seen].operations


def test_httpd_tells_the_lines_of_require(program, workdirs):
    path = workdirs.new("password") / "right"
    path.write_text(PASSWORD)
    path.chmod(0o600)
    story = query(program, "^/match", "--password-file", path, "ann")
    assert [(line["line"], line["combined"]) for line in story["require"]] == [("ldap-user ann b ann", False), ("ldap-group cn=x,dc=fake", True)]
    assert story["outcome"] == "granted" and story["require"][0]["answer"] == "yes"


def test_httpd_tells_how_a_user_searches_for_himself(program, fakes, workdirs):
    path = workdirs.new("password") / "right"
    path.write_text(PASSWORD)
    path.chmod(0o600)
    fakes[0].forget()
    query(program, "/as-user", "--password-file", path, "ann")
    assert fakes[0].binds()[0] == (f"uid=ann,{BASE}", PASSWORD)


def test_httpd_tells_no_password_to_a_terminal(program):
    """Its standard output has no password, for any user."""
    done = subprocess.run([program, "-t", "-DDUMP_AUTHSTATUS_JSON"], capture_output=True, text=True, timeout=60)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert len(lines) > 6 and all(line["url"].startswith("ldap://") for line in lines)
    assert SERVICE in done.stdout and SERVICE_PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize("httpd, says", [("/nonexistent/httpd", "cannot be run"), ("/bin/true", "reported no section")])
def test_httpd_that_tells_nothing(httpd, says):
    done = query(httpd, "/")
    assert done.returncode == 1 and says in done.stderr


HOSTS = """<Directory "{folder}">
    Require all granted
</Directory>
<Directory "{folder}">
    AuthLDAPURL "ldap://127.0.0.1:{one}/dc=fake?uid"
</Directory>
<Location /alike>
    AuthLDAPURL "ldap://127.0.0.1:{two}/dc=fake?uid"
</Location>
<VirtualHost *:${{HTTP}}>
    ServerName first.lab.test
    <Location /own>
        AuthLDAPURL "ldap://127.0.0.1:{one}/dc=fake?uid"
    </Location>
</VirtualHost>
<VirtualHost *:${{HTTP}}>
    ServerName second.lab.test
    <Location /own>
        AuthLDAPURL "ldap://127.0.0.1:{two}/dc=fake?uid"
    </Location>
</VirtualHost>
"""


@pytest.fixture(scope="module")
def hosts(start, fakes, workdirs):
    folder = workdirs.new("folder")
    httpd = start.make(HOSTS.format(one=fakes[0].port, two=fakes[1].port, folder=folder), modules=("authn_core",))
    script = write_program(httpd)
    return script, httpd.port, str(folder)


def test_a_section_that_each_virtual_host_has(hosts, fakes):
    """It is one section as long as the same is in force in all of them."""
    for section in ("/alike", "/alike/x"):
        assert f":{fakes[1].port}/" in query(hosts[0], section)["url"]


def test_a_section_of_one_virtual_host(hosts, fakes):
    script, port, _ = hosts
    several = query(script, "/own")
    assert several.returncode == 1 and f"'second.lab.test:{port} <Location /own>'" in several.stderr
    for host, seen in (("first.lab.test", 0), (f"second.lab.test:{port}", 1)):
        for name in ("/own", "<Location /own>"):
            assert f":{fakes[seen].port}/" in query(script, f"{host} {name}")["url"]


ALIKE = """Listen 127.0.0.2:${{HTTP}}
<Directory "{folder}/a">
    <Files x>
        AuthLDAPURL "ldap://127.0.0.1:{one}/dc=fake?uid"
    </Files>
</Directory>
<Directory "{folder}/b">
    <Files x>
        AuthLDAPURL "ldap://127.0.0.1:{two}/dc=fake?uid"
    </Files>
</Directory>
<Directory "{folder}/c">
    <Files y>
        AuthLDAPURL "ldap://127.0.0.1:{one}/dc=fake?uid"
    </Files>
    <Files y>
        AuthLDAPURL "ldap://127.0.0.1:{two}/dc=fake?uid"
    </Files>
</Directory>
<VirtualHost 127.0.0.1:${{HTTP}}>
    ServerName same.lab.test
    <Location /own>
        AuthLDAPURL "ldap://127.0.0.1:{one}/dc=fake?uid"
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.2:${{HTTP}}>
    ServerName same.lab.test
    <Location /own>
        AuthLDAPURL "ldap://127.0.0.1:{two}/dc=fake?uid"
    </Location>
</VirtualHost>
"""


def test_sections_of_one_name_are_told_apart(start, fakes, workdirs):
    """None is silently chosen: each is named, and can be chosen by that name."""
    folder = workdirs.new("folder")
    httpd = start.make(ALIKE.format(one=fakes[0].port, two=fakes[1].port, folder=folder), modules=("authn_core",))
    script = write_program(httpd)
    several = query(script, "x")
    assert several.returncode == 1, several
    for name, seen in (("a", 0), ("b", 1)):
        section = f'<Directory "{folder}/{name}"> <Files x>'
        assert section in several.stderr
        assert f":{fakes[seen].port}/" in query(script, section)["url"]
    assert "there are several sections" in query(script, "y").stderr
    for section in ("/own", "/own/page", "same.lab.test /own"):
        several = query(script, section)
        assert several.returncode == 1 and several.stderr.count("<Location /own>' of /") == 2, several
    hosts = [line.rpartition(" of ")[2] for line in several.stderr.splitlines() if " of /" in line]
    for seen, host in enumerate(sorted(hosts, key=lambda host: int(host.rpartition(":")[2]))):
        assert f":{fakes[seen].port}/" in query(script, f"{host} /own")["url"]


@pytest.mark.parametrize("deaf", [False, True])
def test_an_httpd_that_does_not_end(workdirs, deaf):
    """SIGTERM ends it; one that is deaf to it is killed."""
    script = workdirs.new("stuck") / "httpd"
    script.write_text("#!/usr/bin/python3\nimport os, signal\n" + ("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if deaf else "") +
                      "os.write(9, b'\\n')\nos.close(9)\nwhile True:\n    signal.pause()\n")
    script.chmod(0o755)
    done = query(script, "/")
    assert done.returncode == 1, done


def test_a_directory_that_is_written_twice(hosts, fakes):
    """Both are in force; and a name without the slash that httpd puts behind it."""
    script, _, folder = hosts
    for name in (folder, folder + "/", folder + "/page.html"):
        assert f":{fakes[0].port}/" in query(script, name)["url"]


def test_a_file_below_a_directory(site, fakes):
    only = site.parent / "only.conf"
    only.write_text(f'<Directory /srv/a>\nAuthLDAPURL "ldap://127.0.0.1:{fakes[1].port}/dc=fake?uid"\n</Directory>\n')
    assert f"127.0.0.1 port {fakes[1].port}" in text("--config", only, "--section", "/srv/a/b/page.html")


@pytest.mark.parametrize("reader", ["config", "httpd"])
def test_groups_as_the_section_has_them(start, workdirs, slapd, reader):
    site = write_site(workdirs.new("groups"), slapd, """AuthStatusGroups Member
AuthLDAPGroupAttribute member
</Location>
<Location /uids>
AuthLDAPGroupAttribute roleOccupant
AuthLDAPGroupAttribute memberUid
AuthLDAPGroupAttributeIsDN Off
Require ldap-group cn=uids,o=loud
</Location>
<Location /dns>
Require ldap-group cn=uids,o=loud
</Location>
""")
    how = f"--config={site}"
    if reader == "httpd":
        how = f"--httpd={write_program(start.make(site.read_text(), modules=('authn_core',), ldap=True))}"
    for section, answer in (("/uids", "yes"), ("/dns", "no")):
        story, _ = explain_site(site, how, section, "good")
        assert answers_of(story) == [answer], (section, story)
