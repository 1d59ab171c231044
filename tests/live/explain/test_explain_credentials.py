# SPDX-License-Identifier: Apache-2.0
"""authstatus-explain --config: whose servers a credential is for, what a program may do, and nothing that controls a terminal."""
import os
import time

import pytest

from lab.fake import BASE, SERVICE, SERVICE_PASSWORD, Fake
from lab.slapd import Database
from test_explain import PEOPLE, explain
from test_explain_passwords import Terminal

EVIL = "\x1b]0;evil\x07\u202e\u0085"
ACCOUNT = f'AuthLDAPBindDN "{SERVICE}"\nAuthLDAPBindPassword "{SERVICE_PASSWORD}"\n'


@pytest.fixture
def fakes():
    fakes = [Fake() for _ in range(2)]
    yield fakes
    for fake in fakes:
        fake.stop()


def written(workdir, name, text, owner=None):
    path = workdir / name
    path.write_text(text)
    path.chmod(0o644)
    if owner is not None:
        os.chown(path, owner, -1)
    return path


def url(fake, mode=""):
    return f'AuthLDAPURL "ldap://127.0.0.1:{fake.port}/{BASE}?uid" {mode}\n'


def binds(fake):
    return [operation for operation in fake.operations if SERVICE in str(operation)]


# -- of several files -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("account, theirs", [
    (ACCOUNT, ""),  # it stands with no URL of its own
    ("<Location /x>\n" + ACCOUNT + "</Location>\n", ""),
    ("{url}" + ACCOUNT, ""),  # it stands with a URL of other servers
    ("{url}" + ACCOUNT, "same"),  # of the same: what .htaccess says is never completed
])
@pytest.mark.parametrize("first", ["mine", "theirs"])
def test_an_account_is_not_for_the_url_of_anothers_file(workdirs, fakes, account, theirs, first):
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    workdir = workdirs.new("files")
    mine = written(workdir, "site.conf", account.replace("{url}", url(fakes[0])))
    his = written(workdir, "his.conf", f"<Location /x>\n{url(fakes[0] if theirs else fakes[1])}</Location>\n", owner=65534)
    both = (mine, his) if first == "mine" else (his, mine)
    explain("--config", both[0], "--config", both[1], "--section", "/x", "ann")
    assert not binds(fakes[0]) and not binds(fakes[1])
    assert fakes[0].operations or fakes[1].operations, "it was asked, as nobody"


@pytest.mark.parametrize("order", [("url", "account"), ("account", "url")])
def test_the_administrators_files_go_together(workdirs, fakes, order):
    """conf-enabled and sites-enabled: a Location in two pieces is one place."""
    workdir = workdirs.new("files")
    texts = {"url": url(fakes[0]), "account": ACCOUNT}
    files = [written(workdir, f"{name}.conf", f"<Location /x>\n{texts[name]}</Location>\n") for name in order]
    explain("--config", files[0], "--config", files[1], "--section", "/x", "ann")
    assert bool(binds(fakes[0])) == (order == ("url", "account")), "the URL in force where it stands is its home"


# -- LDAPTrustedMode --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("default, outer, inner, same", [
    ("", "", "", True), ("", "", "NONE", True), ("STARTTLS", "", "STARTTLS", True), ("STARTTLS", "", "", True),
    ("STARTTLS", "", "NONE", False), ("", "STARTTLS", "", False), ("STARTTLS", "NONE", "", False), ("NONE", "STARTTLS", "NONE", False),
])
def test_the_mode_is_part_of_the_servers(workdirs, start_slapd, good_certificate, authority, default, outer, inner, same):
    """As the module compares: an inner AuthLDAPURL inherits the account only if TLS begins alike."""
    slapd = start_slapd(Database("o=loud", PEOPLE), tls=good_certificate, authority=authority)
    place = f'"ldap://localhost:{slapd.port}/o=loud?uid"'
    path = written(workdirs.new("modes"), "site.conf",
                   (f"LDAPTrustedMode {default}\n" if default else "") + f'LDAPTrustedGlobalCert CA_BASE64 "{authority.cert}"\n'
                   f"<Location />\nAuthLDAPURL {place} {outer}\nAuthLDAPBindDN cn=service,o=loud\n"
                   f'AuthLDAPBindPassword "{SERVICE_PASSWORD}"\n</Location>\n<Location /x>\nAuthLDAPURL {place} {inner}\n</Location>\n')
    said = explain("--config", path, "--section", "/x", "--no-password", "good")
    assert ("as cn=service,o=loud" in said.text) == same, said.text
    assert ("anonymously" in said.text) == (not same), said.text
    slapd.stop()


# -- exec: ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, said", [
    ("echo Pw!service; exit 3", "ended with status 3"), ("echo Pw!service; kill -9 $$", "ended by signal 9"),
    ("", "printed nothing"), ("head -c 5000 /dev/zero | tr '\\0' x", "too long"), ("sleep 1000", "did not end within 10 s"),
])
def test_a_program_is_judged_as_the_server_does(workdirs, fakes, text, said):
    workdir = workdirs.new("program")
    program = written(workdir, "program", f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    path = written(workdir, "site.conf", f'{url(fakes[0])}AuthLDAPBindDN "{SERVICE}"\nAuthLDAPBindPassword exec:{program}\n')
    begun = time.monotonic()
    done = explain("--config", path, "ann")
    assert done.code == 1 and said in done.errors and str(program) in done.errors, done.errors
    assert time.monotonic() - begun < 50 and not fakes[0].operations


# -- the terminal -----------------------------------------------------------------------------------------------------

def harmless(text):
    return not any(character in text for character in EVIL[:1] + EVIL[-3:]) and "\\x1b]0;evil\\x07" in text


def test_a_prompt_is_printable(fakes):
    terminal = Terminal("-D", f"cn={EVIL}", "-W", f"ldap://127.0.0.1:{fakes[0].port}/{BASE}?uid", f"ann{EVIL}")
    terminal.read("Password of the service account")
    terminal.type("x\n")
    terminal.read("Password of ann")
    terminal.type("\n")
    terminal.end()
    for line in terminal.seen.splitlines():
        if "Password of" in line:
            assert harmless(line), line


def test_a_sentence_about_a_file_is_printable(workdirs):
    workdir = workdirs.new("evil")
    for text in (f'AuthLDAPURL "ldap://x/o={EVIL}?uid?{EVIL}"\n', f'AuthLDAPURL "ldap://127.0.0.1:1/o=x?uid"\nLDAPTimeout "{EVIL}"\n',
                 f'AuthLDAPURL "{EVIL}"\n', f'<Location "/{EVIL}">\nAuthLDAPURL ldap://x/o=x\n</Location>\n'
                 '<Location /b>\nAuthLDAPURL ldap://y/o=x\n</Location>\n'):
        said = explain("--config", written(workdir, "site.conf", text))
        assert said.code == 1 and said.errors
        assert "\x1b" not in said.errors and "\u202e" not in said.errors and "\u0085" not in said.errors and "\x07" not in said.errors


def test_json_is_printable(fakes):
    said = explain("--json", f"ldap://127.0.0.1:{fakes[0].port}/{BASE}?uid", f"ann{EVIL}")
    assert not any(character in said.text for character in "\x1b\x07\u202e\u0085")
    assert said.json()["user"] == f"ann{EVIL}"
