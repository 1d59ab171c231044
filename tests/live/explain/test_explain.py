# SPDX-License-Identifier: Apache-2.0
"""authstatus-explain, as somebody at three in the morning runs it: what it says, as text and as JSON, its exit codes, and
that no password gets out of it."""
import json
import os
import subprocess
import time
from collections import namedtuple
from pathlib import Path

import pytest

from lab.fake import BASE, SERVICE, SERVICE_PASSWORD, Fake, answer, close, entries, hang, notice, rubbish
from lab.httpd import BUILD
from lab.process import reserve_port
from lab.slapd import Database

HERE = Path(__file__).parent
PROGRAM = BUILD / "authstatus-explain"
PEOPLE = HERE.parent / "outcomes/people.ldif"
RIGHT, WRONG = "Pw!right", "Pw!wrong"
EXIT = {"granted": 0, "unauthenticated": 2, "refused": 3, "unavailable": 4, "misconfigured": 5}
SECONDS = 60

# 1.3.6.1.4.1.42.2.27.8.5.1
PPOLICY = "1.3.6.1.4.1.42.2.27.8.5.1"
AD = "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {}, v1db1"


@pytest.fixture(scope="module")
def slapd(start_slapd, authority, good_certificate):
    return start_slapd(Database("o=loud", PEOPLE, ("ppolicy_use_lockout",)), Database("o=quiet", PEOPLE),
                       tls=good_certificate, authority=authority)


@pytest.fixture(scope="module")
def secrets(workdirs):
    """Password files: their names say what is in them."""
    workdir = workdirs.new("secrets")
    for name, text in {"right": RIGHT, "right-and-line-end": RIGHT + "\n", "wrong": WRONG, "service": SERVICE_PASSWORD + "\n",
                       "empty": "", "control": "Pw!\x01"}.items():
        (workdir / name).write_text(text)
        (workdir / name).chmod(0o600)
    return workdir


class Said:
    def __init__(self, code, text, errors):
        self.code, self.text, self.errors = code, text, errors
        for secret in (RIGHT, WRONG, SERVICE_PASSWORD):
            assert secret not in text + errors
        assert "runtime error" not in errors and "Sanitizer" not in errors

    def json(self):
        return json.loads(self.text)


def environment(**more):
    # LDAPNOINIT: this machine's ldap.conf has nothing to say.
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "LDAPNOINIT": "1", "ASAN_OPTIONS": "detect_leaks=0", **more}


def explain(*arguments, **options):
    """Without a terminal, so that there is no prompt."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, errors="strict", timeout=SECONDS,
                          stdin=subprocess.DEVNULL, start_new_session=True, env=environment(), **options)
    return Said(done.returncode, done.stdout, done.stderr)


def service(suffix, secrets):
    return "-D", f"cn=service,{suffix}", "-y", secrets / "service"


# -- every state of an account -----------------------------------------------------------------------------------------

Row = namedtuple("Row", "suffix user password outcome of proven ldap status always says", defaults=(None, ""))

ROWS = [
    Row("loud", "good", "right", "granted", "granted", True, "0", 0),
    Row("loud", "good", "right-and-line-end", "granted", "granted", True, "0", 0),
    Row("loud", "good", "wrong", "wrong-password", "unauthenticated", False, "49", 401),
    Row("loud", "good", "empty", "empty-password", "unauthenticated", False, "", 401),
    Row("loud", "good", "control", "malformed-credentials", "unauthenticated", False, "", 401),
    Row("loud", "nobody", "right", "unknown-user", "unauthenticated", False, "0", 401),
    Row("loud", "twin", "right", "ambiguous-user", "unauthenticated", False, None, 401),
    Row("loud", "locked", "right", "account-locked", "refused", False, "49/pp1", 401, 403, "the account is locked"),
    Row("quiet", "locked", "right", "wrong-password", "unauthenticated", False, "49", 401),
    Row("loud", "expired", "right", "password-expired", "refused", True, "49/pp0", 403, 403, "the password has expired"),
    Row("loud", "must-change", "right", "password-must-change", "refused", True, "0/pp2", 403, 403, "must be changed"),
    Row("loud", "grace", "right", "grace-login", "granted", True, "0", 0, 0, "grace logins left: "),
    Row("loud", "expiring", "right", "password-expiring", "granted", True, "0", 0, 0, "the password expires in "),
    Row("loud", "*", "right", "unknown-user", "unauthenticated", False, "0", 401),
]


def name(row):
    return f"{row.suffix}-{row.user}-{row.password}".replace("*", "star")


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_text(slapd, secrets, row):
    said = explain(*service(f"o={row.suffix}", secrets), "--password-file", secrets / row.password,
                   f"ldap://127.0.0.1:{slapd.port}/o={row.suffix}?uid", row.user)
    assert said.code == EXIT[row.of], said.text + said.errors
    assert f"\noutcome      {row.outcome} (class {row.of}" in "\n" + said.text
    assert row.says in said.text
    if row.status:
        assert f"\nstatus       {row.status}" in said.text
    if row.always and row.always != row.status:
        assert f"under AuthStatusDisclose Always: {row.always}, {row.outcome}" in said.text
    assert said.errors == ""


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_json(slapd, secrets, row):
    story = explain("--json", *service(f"o={row.suffix}", secrets), "--password-file", secrets / row.password,
                    f"ldap://127.0.0.1:{slapd.port}/o={row.suffix}?uid", row.user).json()
    assert (story["outcome"], story["class"], story["proven"], story["status"]) == \
        (row.outcome, row.of, row.proven, row.status)
    assert row.ldap is None or story["ldap"] == row.ldap
    assert story["exit_code"] == EXIT[row.of] and not story["partial"]
    if row.always:
        assert story["status_always"] == row.always


def test_steps(slapd, secrets, authority):
    """Each step once, in its order, each with its time; the certificate, the filter, the entry and the controls in words."""
    arguments = (*service("o=loud", secrets), "-o", f"tls_cacert={authority.cert}", "--password-file", secrets / "right",
                 f"ldaps://localhost:{slapd.tls_port}/o=loud?uid,mail", "good")
    story = explain("--json", *arguments).json()
    assert [step["step"] for step in story["steps"]] == \
        ["connect", "tls", "service-bind", "search", "connect", "tls", "user-bind"]
    assert all(step["ok"] and 0 <= step["milliseconds"] < SECONDS * 1000 for step in story["steps"])
    connect, tls, bind, search, *_, user = story["steps"]
    assert connect["address"] == "127.0.0.1" and connect["server"] == f"localhost:{slapd.tls_port}"
    assert tls["protocol"].startswith("TLS")
    assert tls["certificate"]["subject"] == "CN=good" and tls["certificate"]["issuer"] == "CN=authority"
    assert tls["certificate"]["not_before"] < tls["certificate"]["not_after"] and tls["certificate"]["days_left"] in (1, 2)
    assert bind["name"] == "cn=service,o=loud" and bind["code"] == 0
    assert search["filter"] == "(&(objectClass=*)(uid=good))"
    assert search["dn"] == "uid=good,ou=people,o=loud"
    assert search["attributes"] == {"uid": ["good"], "mail": ["good@outcomes.test"]}
    assert user["controls"] == [{"oid": PPOLICY, "name": "password policy", "value": "3000",
                                 "says": "nothing is wrong with the password's age or the account"}]
    text = explain(*arguments).text
    for line in ("certificate of CN=good", "issued by CN=authority", "valid from 20", "mail: good@outcomes.test",
                 "search for (&(objectClass=*)(uid=good)): one entry", "[3000]"):
        assert line in text
    assert text.count("certificate of") == 1


def test_without_a_password(slapd, secrets):
    url = f"ldap://127.0.0.1:{slapd.port}/o=loud?uid"
    for more in ((), ("--no-password",)):
        said = explain(*service("o=loud", secrets), *more, url, "good")
        assert said.code == 0 and "uid=good,ou=people,o=loud" in said.text
        assert "so far       nothing is wrong" in said.text and "outcome" not in said.text
    assert explain(*service("o=loud", secrets), url, "nobody").code == EXIT["unauthenticated"]
    # This slapd says to strangers that there is nothing; another may say that it found nobody.
    said = explain(url, "good")
    assert said.code == EXIT["misconfigured"] and "does not see it: try a service account" in said.text
    fake = Fake()
    try:
        said = explain(f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", "ann")
        assert said.code == EXIT["unauthenticated"] and "try a service account" in said.text
    finally:
        fake.stop()


def test_without_a_user(slapd, secrets):
    said = explain(*service("o=loud", secrets), f"ldap://127.0.0.1:{slapd.port}/o=loud?uid")
    assert said.code == 0 and "the base is there" in said.text
    said = explain(*service("o=loud", secrets), f"ldap://127.0.0.1:{slapd.port}/ou=nowhere,o=loud?uid")
    assert said.code == EXIT["misconfigured"] and "directory-misconfigured" in said.text
    assert "there is something at o=loud" in said.text


def test_starttls(slapd, secrets, authority):
    for option in ("-Z", "-ZZ"):
        said = explain(*service("o=loud", secrets), option, "-o", f"tls_cacert={authority.cert}",
                       f"ldap://localhost:{slapd.port}/o=loud?uid", "good")
        assert said.code == 0 and "certificate of CN=good" in said.text


def test_certificate_that_is_not_trusted(slapd, secrets):
    url = f"ldaps://localhost:{slapd.tls_port}/o=loud?uid"
    said = explain(*service("o=loud", secrets), url, "good")
    assert said.code == EXIT["misconfigured"]
    assert "tls-failed" in said.text and "issued by CN=authority" in said.text and "-o tls_cacert" in said.text
    said = explain(*service("o=loud", secrets), "-o", "TLS_REQCERT=never", url, "good")
    assert said.code == 0 and "any certificate is taken" in said.text


def test_service_account_refused(slapd, secrets):
    said = explain("-D", "cn=service,o=loud", "-y", secrets / "wrong", "--password-file", secrets / "right",
                   f"ldap://127.0.0.1:{slapd.port}/o=loud?uid", "good")
    assert said.code == EXIT["misconfigured"] and "service-account-refused" in said.text
    assert "AuthLDAPBindPassword" in said.text and "user's password" not in said.text


# -- directories that do not answer, or lie ----------------------------------------------------------------------------

Case = namedtuple("Case", "script outcome of says", defaults=("",))

CASES = {
    "closed": Case({"accept": close}, "directory-down", "unavailable"),
    "hung": Case({"search": hang}, "directory-timeout", "unavailable", "search for (&(objectClass=*)(uid=ann)): no answer"),
    "hung-bind": Case({"user-bind": hang}, "directory-timeout", "unavailable"),
    "rubbish": Case({"search": rubbish}, "directory-down", "unavailable"),
    "notice": Case({"user-bind": notice}, "directory-down", "unavailable"),
    "busy": Case({"search": answer(51, "too much to do")}, "directory-busy", "unavailable", '"too much to do"'),
    "tls-required": Case({"service-bind": answer(13, "TLS confidentiality required")}, "directory-misconfigured",
                         "misconfigured", "TLS confidentiality required"),
    "unknown-code": Case({"user-bind": answer(123, "who knows")}, "unknown-result", "misconfigured", "LDAP 123"),
    "ad-expired": Case({"user-bind": answer(49, AD.format("532"))}, "password-expired", "refused", "data 532"),
    "ad-disabled": Case({"user-bind": answer(49, AD.format("533"))}, "account-disabled", "refused", "LDAP 49/533"),
    "ad-locked": Case({"user-bind": answer(49, AD.format("775"))}, "account-locked", "refused", "as wrong-password"),
    "bad-control": Case({"user-bind": answer(0, "", [(PPOLICY, b"\x30\x7f")])}, "unknown-result", "misconfigured",
                        "nothing in this answer is believed"),
    "other-control": Case({"user-bind": answer(0, "", [("1.2.3.4", b"x")])}, "granted", "granted", "passed over"),
    "terminal": Case({"user-bind": answer(49, "\x1b[31mred\x07 \u202eevil\x9b")}, "wrong-password", "unauthenticated",
                     r"\x1b[31mred\x07 \xe2\x80\xaeevil"),
    "terminal-in-a-name": Case({"search": entries("uid=\x1b]0;x\x07,dc=fake")}, "wrong-password", "unauthenticated"),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(secrets, case):
    script, outcome, of, says = CASES[case]
    fake = Fake(script)
    try:
        # The others are answered at once, however busy the machine is.
        deadline = "3s" if case.startswith("hung") else "20s"
        arguments = ("-D", SERVICE, "-y", secrets / "service", "-o", f"deadline={deadline}", "--password-file", secrets / "right",
                     f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", "ann")
        begun = time.monotonic()
        said = explain(*arguments)
        assert time.monotonic() - begun < 20
        assert f"outcome      {outcome} (class {of}" in said.text
        assert said.code == EXIT[of]
        assert says in said.text
        assert all(character.isprintable() or character == "\n" for character in said.text)
        story = explain("--json", *arguments).json()
        assert (story["outcome"], story["exit_code"]) == (outcome, EXIT[of])
    finally:
        fake.stop()


def test_second_server(secrets):
    fake = Fake()
    try:
        said = explain("-D", SERVICE, "-y", secrets / "service", "--password-file", secrets / "right",
                       f"ldap://127.0.0.1:{reserve_port()} 127.0.0.1:{fake.port}/{BASE}?uid", "ann")
        assert said.code == 0 and "Connection refused" in said.text and "granted" in said.text
    finally:
        fake.stop()


def test_nobody_there_and_no_such_name(secrets):
    said = explain(f"ldap://127.0.0.1:{reserve_port()}/{BASE}?uid", "ann")
    assert said.code == EXIT["unavailable"] and "Connection refused" in said.text
    said = explain(f"ldap://no-such-host.invalid/{BASE}?uid", "ann")
    assert said.code == EXIT["unavailable"] and "no-such-host.invalid is not found" in said.text


# -- a configuration ---------------------------------------------------------------------------------------------------

CONFIGURATION = """
# a comment, with AuthLDAPURL "ldap://nowhere/"
Define LDAP 127.0.0.1:{port}
LDAPTrustedGlobalCert CA_BASE64 {ca}
<IfModule mod_ldap.c>
    LDAPTimeout 7
</IfModule>
<VirtualHost *:443>
    <Location "/secure">
        AuthBasicProvider authstatus
        AuthLDAPBindDN "cn=service,o=loud"
        AuthLDAPBindPassword "exec:/bin/cat {secret}"
        authldapurl "ldap://${{LDAP}}/ou=people,o=loud\\
?uid" STARTTLS
        AuthStatusDeadline 9s
    </Location>
    <Location "/public">
        Require all granted
    </Location>
</VirtualHost>
<AuthnProviderAlias authstatus quiet>
    AuthLDAPURL "ldap://${{LDAP}}/o=quiet?uid?sub?(objectClass=inetOrgPerson)"
    AuthLDAPBindDN cn=service,o=quiet
    AuthLDAPBindPassword '{password}'
    AuthLDAPRemoteUserAttribute sn
</AuthnProviderAlias>
<Location "/as-user">
    AuthLDAPURL "ldap://${{LDAP}}/o=loud?uid"
    AuthLDAPInitialBindAsUser On
    AuthLDAPInitialBindPattern "^(.+)$" "uid=$1,ou=people,o=loud"
</Location>
"""


@pytest.fixture(scope="module")
def configuration(workdirs, slapd, secrets, authority):
    path = workdirs.new("configuration") / "site.conf"
    path.write_text(CONFIGURATION.format(port=slapd.port, ca=authority.cert, secret=secrets / "service",
                                         password=SERVICE_PASSWORD).replace("127.0.0.1", "localhost"))
    return path


@pytest.mark.parametrize("section", ["/secure", "VirtualHost *:443, Location /secure"])
def test_section(configuration, secrets, section):
    said = explain("--config", configuration, "--section", section, "--password-file", secrets / "right", "good")
    assert said.code == 0, said.text + said.errors
    assert "StartTLS" in said.text and "in  ou=people,o=loud" in said.text and "deadline     9 s" in said.text


def test_alias(configuration, secrets):
    said = explain("--config", configuration, "--section", "quiet", "--password-file", secrets / "right", "--json", "good")
    search = said.json()["steps"][2]
    assert said.code == 0 and search["filter"] == "(&(objectClass=inetOrgPerson)(uid=good))"
    assert search["attributes"] == {"uid": ["good"], "sn": ["Person"]}


def test_initial_bind_as_user(configuration, secrets):
    said = explain("--config", configuration, "--section", "/as-user", "--password-file", secrets / "right", "good")
    assert said.code == 0, said.text
    assert "bind as uid=good,ou=people,o=loud" in said.text and "service account" not in said.text


def test_options_go_before_the_configuration(configuration, secrets):
    said = explain("--config", configuration, "--section", "quiet", "-D", "cn=service,o=loud", "-y", secrets / "wrong", "good")
    assert said.code == EXIT["misconfigured"] and "cn=service,o=loud" in said.text


def test_bind_as_user_without_a_password(configuration):
    """It names the query that is impossible, and neither searches anonymously nor blames the site."""
    said = explain("--config", configuration, "--section", "/as-user", "--no-password", "good")
    assert said.code == 1 and "without his password no query is possible" in said.errors and said.text == ""


@pytest.mark.parametrize("word", ["exec", "file"])
@pytest.mark.parametrize("what", [".htaccess", "of-somebody-else", "others-may-write"])
def test_what_is_not_the_administrators(workdirs, secrets, word, what):
    """root looks at a user's file: nothing is run, and nothing of his own is sent to where that file says."""
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    workdir, fake = workdirs.new("his"), Fake()
    path = workdir / what
    program = workdir / "program"
    program.write_text(f"#!/bin/sh\ntouch {workdir}/was-run\necho x\n")
    program.chmod(0o755)
    value = f"exec:{program}" if word == "exec" else f"file:{secrets / 'service'}"
    path.write_text(f"AuthLDAPURL ldap://127.0.0.1:{fake.port}/{BASE}?uid\nAuthLDAPBindDN {SERVICE}\nAuthLDAPBindPassword {value}\n")
    path.chmod(0o666 if what == "others-may-write" else 0o644)
    if what == "of-somebody-else":
        os.chown(path, 65534, -1)
    said = explain("--config", path)
    assert said.code == 1 and f"{path}:3: AuthLDAPBindPassword: exec: and file:" in said.errors
    assert not (workdir / "was-run").exists() and not fake.operations
    fake.stop()


# -- what it does not take ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, says", [
    ((), "there is no URL"),
    (("-Q",), "Try authstatus-explain --help"),
    (("http://localhost/", "ann"), "http://localhost/: "),
    (("ldap://localhost/o=x", "ann", "too", "many"), "too many arguments"),
    (("--section", "/a", "ldap://localhost/o=x"), "--section needs --httpd or --config"),
    (("-o", "colour=red", "ldap://localhost/o=x", "ann"), "colour: there is no such option"),
    (("-o", "deadline=soon", "ldap://localhost/o=x", "ann"), "deadline: it takes a time"),
    (("-a", "sometimes", "ldap://localhost/o=x", "ann"), "-a takes"),
    (("-D", "cn=x", "ldap://localhost/o=x", "ann"), "use -W or -y"),
    (("-D", "cn=x", "-W", "ldap://localhost/o=x", "ann"), "no terminal"),
    (("-D", "cn=x", "-y", "/nowhere/file", "ldap://localhost/o=x", "ann"), "/nowhere/file"),
    (("--password-file", "/nowhere/file", "ldap://localhost/o=x", "ann"), "/nowhere/file"),
    (("--config", "/nowhere/site.conf"), "/nowhere/site.conf"),
    (("--httpd=/nowhere/apachectl",), "--httpd=/usr/sbin/apachectl"),
    (("--config", "/dev/null"), "there is no AuthLDAPURL (Include and Use are not followed"),
], ids=str)
def test_usage(arguments, says):
    said = explain(*arguments)
    assert said.code == 1 and says in said.errors and said.text == ""


@pytest.mark.parametrize("arguments", [("-Q", "--json"), ("--json",), ("--json", "--config"), ("--json", "ldap://localhost/o=x", "a", "b"),
                                       ("--json", "--config", "/nowhere/\x1b"), ("--json", "--password-file", "/nowhere", "ldap://h/o=x", "a")], ids=str)
def test_usage_for_programs(arguments):
    """What a program reads is JSON whatever happened, and the sentence is on standard error as well."""
    said = explain(*arguments)
    story = said.json()
    assert said.code == story["exit_code"] == 1 and story["error"] and said.errors


def test_several_urls(configuration):
    said = explain("--config", configuration, "good")
    assert said.code == 1
    for place in ("'VirtualHost *:443, Location /secure'", "'AuthnProviderAlias authstatus quiet'", "'Location /as-user'"):
        assert place in said.errors
    assert "no AuthLDAPURL in a section" in explain("--config", configuration, "--section", "/public", "good").errors


def test_mistake_in_a_configuration(workdirs):
    path = workdirs.new("configuration") / "bad.conf"
    path.write_text(f'<Location />\n  AuthLDAPURL ldap://x/\n  AuthLDAPBindPassword {RIGHT}\n  LDAPReferrals maybe\n</Location>\n')
    said = explain("--config", path, "good")
    assert said.code == 1 and f"{path}:4: LDAPReferrals: it takes On or Off" in said.errors


def test_help():
    said = explain("--help")
    assert said.code == 0 and "usage:" in said.text
    assert explain("--version").text.startswith("authstatus-explain ")


def test_output_that_goes_nowhere(slapd, secrets):
    """A pager that is left early is no failure of the directory, and no signal ends the program in silence."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, *map(str, service("o=loud", secrets)), f"ldap://127.0.0.1:{slapd.port}/o=loud?uid", "good"],
                              stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, env=environment(),
                              start_new_session=True, timeout=SECONDS)
    assert done.returncode == 1 and "could not be written" in done.stderr


# -- programs ----------------------------------------------------------------------------------------------------------

def test_a_relative_program_is_no_program_of_this_place(workdirs, monkeypatch):
    """root starts it in somebody's folder: what lies there is not run, nor what another's file defines."""
    workdir = workdirs.new("here")
    (workdir / "bin").mkdir()
    program = workdir / "bin/program"
    program.write_text(f"#!/bin/sh\ntouch {workdir}/was-run\necho x\n")
    program.chmod(0o755)
    conf = workdir / "httpd.conf"
    lines = f"AuthLDAPURL ldap://127.0.0.1:1/{BASE}?uid\nAuthLDAPBindDN {SERVICE}\nAuthLDAPBindPassword "
    monkeypatch.chdir(workdir)
    for value, said in {"exec:bin/program": "ServerRoot", "file:bin/program": "ServerRoot", "'exec:\"bin/program\"'": "relative"}.items():
        conf.write_text(f"{lines}{value}\n")
        done = explain("--config", conf)
        assert done.code == 1 and said in done.errors, done
    if os.geteuid() == 0:
        other = workdir / "other.conf"
        other.write_text(f"Define HELPER {program}\nServerRoot {workdir}\n")
        os.chown(other, 65534, -1)
        for value in ("exec:${HELPER}", "exec:bin/program"):
            conf.write_text(f"{lines}{value}\n")
            assert explain("--config", other, "--config", conf).code == 1
    assert not (workdir / "was-run").exists()
