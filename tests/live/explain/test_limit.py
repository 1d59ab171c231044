# SPDX-License-Identifier: Apache-2.0
"""After how many failures the directory itself locks an account, and whether AuthStatusThrottle is below it: OpenLDAP's
policies, printed by authstatus-explain and by DUMP_AUTHSTATUS. Samba and 389 are in directories."""
import subprocess
import time
from pathlib import Path

import ldap
import pytest

from directories.states import dump
from lab.explain import PROGRAM, Explain
from lab.fake import BASE, SERVICE, SERVICE_PASSWORD, Fake, hang
from lab.process import reserve_port
from lab.slapd import Database

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
DEFAULT = "cn=default,ou=policies,o=limit"


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=limit", HERE / "people.ldif", ('rootdn "cn=root,o=limit"', "rootpw Pw!root")))


@pytest.fixture
def policies(slapd):
    """Changes policies for one test: policies(name, attributes)."""
    client = ldap.initialize(f"ldap://127.0.0.1:{slapd.port}")
    client.simple_bind_s("cn=root,o=limit", "Pw!root")
    added = []

    def add(name, **attributes):
        added.append(f"cn={name},ou=policies,o=limit")
        client.add_s(added[-1], [("objectClass", [b"organizationalRole", b"pwdPolicy"]), ("pwdAttribute", b"userPassword"),
                                 *((key, str(value).encode()) for key, value in attributes.items())])

    def change(name, value):
        client.modify_s(DEFAULT, [(ldap.MOD_REPLACE, name, str(value).encode())])
    add.change = change
    yield add
    for dn in added:
        client.delete_s(dn)
    change("pwdLockout", "TRUE")
    change("pwdMaxFailure", 20)
    client.unbind_s()


@pytest.fixture(scope="module")
def explain(workdirs):
    return Explain(workdirs.new("explain"), service=("cn=service,o=limit", SERVICE_PASSWORD))


def url(slapd, base="ou=people,o=limit"):
    return f"ldap://127.0.0.1:{slapd.port}/{base}?uid"


def configuration(url, throttle, more=""):
    return f"""<Location /secure>
    AuthLDAPURL "{url}"
    AuthLDAPBindDN "cn=service,o=limit"
    AuthLDAPBindPassword "{SERVICE_PASSWORD}"
    AuthStatus On
    {throttle}
    {more}
</Location>
"""


def test_one_policy(slapd, explain):
    """It stands beside the base of the URL, and is found from there."""
    for user, password in (("ann", RIGHT), ("ann", WRONG), ("nobody", RIGHT), ("ann", None), (None, None)):
        story = explain.run(url(slapd), user, password)
        assert story["lockout"] == {"from": f"pwdMaxFailure of {DEFAULT}", "failures": 20}


def test_several_policies(slapd, explain, policies):
    policies("strict", pwdLockout="TRUE", pwdMaxFailure=3)
    policies("stricter-but-locks-nobody", pwdLockout="FALSE", pwdMaxFailure=2)
    policies("lax", pwdLockout="TRUE", pwdMaxFailure=0)
    assert explain.run(url(slapd))["lockout"] == {"from": "the strictest of several policies", "failures": 3}


def test_a_policy_that_locks_nobody(slapd, explain, policies):
    policies.change("pwdLockout", "FALSE")
    assert explain.run(url(slapd))["lockout"] == {"from": "no policy locks", "failures": 0}


def test_who_may_not_look(slapd, workdirs):
    """Strangers see nothing of this slapd; a directory without policies is no other."""
    assert "lockout" not in Explain(workdirs.new("stranger")).run(url(slapd), "ann", RIGHT)
    fake = Fake()
    try:
        story = Explain(workdirs.new("fake"), service=(SERVICE, SERVICE_PASSWORD)).run(f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", "ann")
        assert story["lockout"] == {"from": "the service account may not read it"}
    finally:
        fake.stop()


CASES = [("AuthStatusThrottle 19 5min", 19, False), ("AuthStatusThrottle 20 5min", 20, True), ("AuthStatusThrottle 64 5min Both", 64, True),
         ("AuthStatusThrottle 64 5min Client", None, False), ("AuthStatusThrottle Off", None, False), ("", None, False)]


@pytest.mark.parametrize("throttle, failures, warned", CASES, ids=[case[0] or "none" for case in CASES])
def test_throttle(slapd, start, explain, workdirs, throttle, failures, warned):
    conf = configuration(url(slapd), throttle)
    path = workdirs.new("configuration") / "site.conf"
    path.write_text(conf)
    story = explain.run(None, "ann", RIGHT, ("--config", path))
    assert story["lockout"].get("throttle") == failures and story["lockout"]["failures"] == 20
    text = subprocess.run([PROGRAM, "--config", path], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                          start_new_session=True).stdout
    assert f"lockout      the directory locks an account after 20 failures (pwdMaxFailure of {DEFAULT})\n" in text
    assert ("it must be below 20" in text) == warned
    assert ("no AuthStatusThrottle counts by user here" in text) == (failures is None)
    said = dump(start, conf)
    assert ("the directory locks an account after 20 failures" in said) == (failures is not None)
    assert (f"lets {failures} failures of a user reach the directory" in said) == warned


def test_an_alias(slapd, explain, workdirs):
    """The throttle stands where the alias is used, so that nothing can be said of it here."""
    path = workdirs.new("configuration") / "site.conf"
    path.write_text(configuration(url(slapd), "").replace("<Location /secure>", "<AuthnProviderAlias authstatus corp>")
                    .replace("</Location>", "</AuthnProviderAlias>").replace("AuthStatus On", ""))
    text = subprocess.run([PROGRAM, "--config", path, "--section", "corp"], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, start_new_session=True).stdout
    assert "locks an account after 20 failures" in text and "AuthStatusThrottle" not in text


def test_dump_of_a_directory_that_does_not_answer(start, slapd):
    """It takes no longer than the deadline, once for each directory, and says why it does not know."""
    fake = Fake({"search": hang})
    try:
        begun = time.monotonic()
        hung = configuration(f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", "AuthStatusThrottle 4 5min", "AuthStatusDeadline 1s")
        said = dump(start, hung + hung.replace("/secure", "/other")
                    + configuration(f"ldap://127.0.0.1:{reserve_port()}/{BASE}?uid", "AuthStatusThrottle 4 5min").replace("/secure", "/gone"))
        assert time.monotonic() - begun < 50
    finally:
        fake.stop()
    assert said.count("the directory's own limit is not known: ") == 3
    assert "the directory did not answer" in said


def test_no_directory_is_asked_when_a_server_starts(start, slapd):
    mark = slapd.mark()
    start(configuration(url(slapd), "AuthStatusThrottle 20 5min"), cache="shmcb", modules=("socache_shmcb",))
    code, said = start.make(configuration(url(slapd), "AuthStatusThrottle 20 5min"), cache="shmcb", modules=("socache_shmcb",)).configtest()
    assert code == 0, said
    assert not any(slapd.operations(mark).values())


def test_dump_of_a_name_that_controls_terminals(start):
    """What a directory says is made printable."""
    evil = f"cn=\x1b]0;evil\x07\u202e,{BASE}"
    httpd = start.make(f'<Location /x>\nAuthLDAPURL "ldap://127.0.0.1:9/{BASE}?uid"\nAuthLDAPBindDN "{evil}"\nAuthStatus On\n</Location>')
    said = httpd.run("-t", "-DDUMP_AUTHSTATUS").stdout
    assert "\x1b" not in said and "\u202e" not in said and "\\x1b]0;evil\\x07" in said
