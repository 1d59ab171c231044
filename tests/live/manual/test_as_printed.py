# SPDX-License-Identifier: Apache-2.0
"""Each configuration of the manual as it is printed, not a word replaced, on a machine with the folders, names and ports that it
names: in Debian's layout and in httpd's own, against a directory that refuses anonymous searches.

What is no whole configuration is completed by these rules: the modules are httpd's usual ones, authstatus with what it depends on, and
those that the same document tells to enable (`a2enmod ...`), mod_authnz_ldap where a configuration of its own is shown; a program or file that is named prints the account's password; a virtual
host's DocumentRoot that apache2.conf denies gets a <Directory> that lets it in; what a document says goes where the other logs are is
put there."""
import re

import pytest

from lab import printed
from lab.outcomes import SOURCE
from lab.slapd import SERVICE_PASSWORD, Database
from test_manual import BLOCKS, HERE, LOGINS, Block, packages_of

# A whole site of its own.
EXAMPLE = Block("intranet", 1, (SOURCE / "docs/examples/intranet.conf").read_text())
ALL = {**BLOCKS, "intranet-1": EXAMPLE}
# An account by its UPN is Active Directory's alone: such a configuration is loaded here, and logged in through in
# test_active_directory.py.
ROWS = [row for row in LOGINS if "@corp.example" not in ALL[row.block].text]
OWN_LOGS = ("/var/log/apache2/", "logs/")


class Ldif:
    def __init__(self, dc):
        self.dc = dc

    def read_text(self):
        text = (HERE / "people.ldif").read_text().replace("@DC@", self.dc)
        # hiding-a-tree.md's account, and the names that Active Directory has.
        text += "\ndn: cn=httpd,@SUFFIX@\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\nuserPassword: @SERVICE_PASSWORD@\n"
        return re.sub(r"(dn: uid=(\w+),.*\nobjectClass: inetOrgPerson\n)",
                      r"\1objectClass: adPerson\nsAMAccountName: \2\nuserPrincipalName: \2@example.org\n", text)


@pytest.fixture(scope="module")
def machine(workdirs, authority):
    problem = printed.why_not()
    if problem:
        pytest.skip(problem)
    machine = printed.Machine(workdirs.new("machine"))
    try:
        names = ",".join(f"DNS:{name}" for name in ("localhost", "intranet.example.org", *printed.NAMES))
        certificate = authority.issue("printed", names)
        slapd = printed.PrintedSlapd(machine, workdirs.new("slapd-printed"), [
            Database("dc=example,dc=org", Ldif("example"), ("ppolicy_use_lockout",)),
            Database("dc=corp,dc=example", Ldif("corp"), ("ppolicy_use_lockout",))], tls=certificate, authority=authority).start()
        machine.write("/etc/ssl/certs/ca-certificates.crt", authority.cert.read_text())
        machine.write("/etc/ssl/certs/intranet.pem", certificate.cert.read_text())
        machine.write("/etc/ssl/private/intranet.key", certificate.key.read_text(), "600")
        machine.write("/var/www/errors/login-failed.html.var", (SOURCE / "docs/examples/login-failed.html.var").read_text())
        yield machine
        slapd.stop()
    finally:
        machine.stop()


def document_of(block):
    name = block.guide.removesuffix("-indented")
    path = {"README": SOURCE / "README", "intranet": SOURCE / "docs/examples/intranet.conf"}.get(name, SOURCE / f"docs/{name}.md")
    return path.read_text()


def modules_of(block):
    """Returns the modules that the document enables."""
    told = re.sub(r"\n#?\s*", " ", document_of(block))
    before = ["ldap", "authnz_ldap"] if "AuthBasicProvider ldap\n" in block.text else []
    before += packages_of(block.text)
    return before + [name for words in re.findall(r"a2enmod ((?:[a-z_]+[ `).,;]*)+)", told) for name in re.findall(r"[a-z_]+", words)]


def put(machine, layout, key):
    block = ALL[key]
    text = block.text
    printer = f"#!/bin/sh\necho '{SERVICE_PASSWORD}'\n"
    for path in dict.fromkeys(re.findall(r"/etc/apache2/[\w.-]+", text)):
        if f"/bin/cat {path}" in text:
            machine.write(path, f"{SERVICE_PASSWORD}\n", "400")
        elif path.endswith("-password"):
            machine.write(path, printer, "755")
        else:
            machine.write(path, "k" * 64, "400")
    if layout == "own":
        text = text.replace(*OWN_LOGS)
    for root in re.findall(r"DocumentRoot (\S+)", text):
        machine.write(f"{root}/index.html", "the page\n")
        if f'<Directory "{root}">' not in text:
            text += f'<Directory "{root}">\n    Require all granted\n</Directory>\n'
    machine.lay_out(layout, key, text, modules_of(block))
    for path in ("index.html", "wiki/index.html", "wiki/board/index.html", "shared/index.html", "intranet/index.html"):
        machine.write(f"{machine.documents}/{path}", "the page\n")


@pytest.mark.parametrize("layout", ["debian", "own"])
@pytest.mark.parametrize("key", ALL, ids=str)
def test_is_taken(machine, needs_module, layout, key):
    needs_module(*packages_of(ALL[key].text))
    put(machine, layout, key)
    code, said = machine.configtest()
    assert code == 0 and "Syntax OK" in said, said


@pytest.mark.parametrize("layout", ["debian", "own"])
@pytest.mark.parametrize("key", dict.fromkeys(row.block for row in ROWS))
def test_login(machine, layout, key):
    put(machine, layout, key)
    machine.start_httpd()
    try:
        port = 443 if "*:443" in ALL[key].text else 80
        for row in ROWS:
            if row.block == key:
                answer = machine.get(row.path, row.user, row.password, port)
                assert answer.status == row.status and row.body in answer.text, f"{row}\n{answer}\n{machine.log()}"
                assert ("WWW-Authenticate" in answer.headers) == (row.status == 401)
    finally:
        machine.stop_httpd()


@pytest.mark.parametrize("layout", ["debian", "own"])
def test_the_whole_site(machine, layout):
    """docs/examples/intranet.conf: TLS, the error page, the log where the others are."""
    put(machine, layout, "intranet-1")
    machine.start_httpd()
    try:
        for path, user, password, status, text in (("/", "", "", 401, "Please sign in"), ("/", "alice", "Pw!right", 200, "the page"),
                                                   ("/", "alice", "Pw!wrong", 401, "is wrong"),
                                                   ("/", "expired", "Pw!right", 403, "Your password has expired")):
            answer = machine.get(path, user, password, 443, "https")
            assert answer.status == status and text in answer.text, f"{path} {user}\n{answer}\n{machine.log()}"
    finally:
        machine.stop_httpd()


def test_the_directory_refuses_anonymous_searches(machine):
    """Or the accounts that are printed would prove nothing."""
    done = machine.run("ldapsearch", "-x", "-H", "ldap://ldap.example.org", "-b", "dc=example,dc=org", "uid=alice", check=False)
    assert "uid=alice" not in done.stdout.replace("filter: uid=alice", ""), done.stdout
