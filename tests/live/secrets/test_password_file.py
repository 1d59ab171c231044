# SPDX-License-Identifier: Apache-2.0
"""AuthLDAPBindPassword file:, and exec:. What others could read stops the start-up."""
import os
import subprocess
import time
from collections import namedtuple
from pathlib import Path

import pytest

from lab.httpd import BUILD, SANITIZE
from lab.process import poll
from lab.slapd import SERVICE_PASSWORD, Database
from process_memory import find

HERE = Path(__file__).parent
USER, RIGHT = "somebody-whose-name-is-long-enough-to-be-found-again", "Pw!right"
CONF = """Use Login /in "ldap://127.0.0.1:${LDAP}" o=secrets
<Location /in>
    AuthLDAPBindPassword "${WHERE}"
</Location>
"""


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=secrets", HERE / "people.ldif"))


def password_file(workdir, content=SERVICE_PASSWORD, mode=0o400, owner=None):
    path = workdir / "password"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    if owner is not None:
        os.chown(path, owner, -1)
    return path


Row = namedtuple("Row", "name options words", defaults=((),))
GOOD = [
    Row("no-line-end", {}),
    Row("line-end", {"content": SERVICE_PASSWORD + "\n"}),
    Row("crlf", {"content": SERVICE_PASSWORD + "\r\n"}),
    Row("more-lines", {"content": SERVICE_PASSWORD + "\nits owner is Ann\n"}),
    Row("writable", {"mode": 0o600}),
    Row("padded", {"content": SERVICE_PASSWORD.encode() + 3 * b"\0"}),
]
BAD = [
    Row("group-may-read", {"mode": 0o440}, ("its owner alone",)),
    Row("all-may-read", {"mode": 0o644}, ("its owner alone",)),
    Row("all-may-write", {"mode": 0o602}, ("its owner alone",)),
    Row("of-somebody-else", {"owner": 65534}, ("its owner alone", "owner root")),
    Row("empty", {"content": ""}, ("empty",)),
    Row("empty-line", {"content": "\nsecond\n"}, ("empty",)),
    Row("too-long", {"content": "x" * 5000}, ("too long",)),
    Row("utf-16", {"content": SERVICE_PASSWORD.encode("utf-16")}, ("byte order mark",)),
    Row("utf-16le", {"content": SERVICE_PASSWORD.encode("utf-16-le")}, ("NUL octet",)),
    Row("nul-within", {"content": SERVICE_PASSWORD.encode() + b"\0\0x\n"}, ("NUL octet",)),
    Row("byte-order-mark", {"content": b"\xef\xbb\xbf" + SERVICE_PASSWORD.encode()}, ("byte order mark",)),
    Row("as-long-as-it-gets", {"content": "x" * 1024}, ("too long",)),
]


@pytest.mark.parametrize("row", GOOD, ids=[row.name for row in GOOD])
def test_good(start, workdirs, slapd, row):
    httpd = start(CONF, defines={"LDAP": slapd.port, "WHERE": f"file:{password_file(workdirs.new('file'), **row.options)}"})
    assert httpd.get("/in/", login=(USER, RIGHT)).status == 200
    httpd.stop()


def must_stop(start, where, *words):
    """With a sentence that has in it the directive, and these words, and nothing of the file."""
    httpd = start.make(CONF, defines={"LDAP": 9, "WHERE": where})
    code, said = httpd.configtest()
    assert code != 0 and "AuthLDAPBindPassword" in said, said
    for word in words:
        assert word in said, said
    assert SERVICE_PASSWORD not in said and "xxxx" not in said
    assert "AuthLDAPBindPassword" in httpd.must_not_start()


@pytest.mark.parametrize("row", BAD, ids=[row.name for row in BAD])
def test_bad(start, workdirs, row):
    if "owner" in row.options and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    must_stop(start, f"file:{password_file(workdirs.new('file'), **row.options)}", *row.words)


@pytest.mark.parametrize("where", ["file:/nonexistent/password", "file:", "file:/tmp", "file:/dev/zero"])
def test_no_file(start, where):
    must_stop(start, where, "file:")


def test_relative_to_the_server_root(start, slapd):
    httpd = start.make(CONF, defines={"LDAP": slapd.port, "WHERE": "file:password"})
    password_file(httpd.workdir)
    httpd.start()
    assert httpd.get("/in/", login=(USER, RIGHT)).status == 200
    httpd.stop()


def test_not_in_htaccess(start, workdirs, slapd):
    """Its author could have httpd send the first line of its own files to a directory of his."""
    path = password_file(workdirs.new("file"))
    htaccess = (f'AuthType Basic\nAuthName x\nAuthBasicProvider authstatus\nAuthLDAPURL "ldap://127.0.0.1:{slapd.port}/o=secrets?uid"\n'
                f'AuthLDAPBindDN cn=service,o=secrets\nAuthLDAPBindPassword "file:{path}"\nRequire valid-user\n')
    httpd = start('<Directory "${DOCS}">\nAllowOverride AuthConfig\n</Directory>', files={"a/.htaccess": htaccess, "a/x.html": "secret"})
    httpd.log.expect(r"file: cannot be used in \.htaccess")
    mark = slapd.mark()
    answer = httpd.get("/a/x.html", login=(USER, RIGHT))
    assert answer.status == 500 and b"secret" not in answer.body
    assert slapd.operations(mark)["connections"] == 0
    httpd.stop()


def test_read_again_by_a_graceful_restart(start, workdirs, slapd):
    """A password that was changed, and no trace of the one before in the parent."""
    path = password_file(workdirs.new("file"), "Pw!of-yesterday-5b1f7c02", 0o600)
    httpd = start(CONF, defines={"LDAP": slapd.port, "WHERE": f"file:{path}"})
    httpd.log.expect(r'AS0060: .*"bind DN cn=service,o=secrets"')
    assert httpd.get("/in/", login=(USER, RIGHT)).status == 500
    # The shadow of AddressSanitizer is too large to be looked through.
    assert SANITIZE or find([httpd.child.pid], b"Pw!of-yesterday-5b1f7c02"), "the parent has it, to give it to its children"
    path.write_text(SERVICE_PASSWORD)
    httpd.reload()
    assert httpd.get("/in/", login=(USER, RIGHT)).status == 200
    assert SANITIZE or not find([httpd.child.pid], b"Pw!of-yesterday-5b1f7c02")
    httpd.stop()


# -- exec: ------------------------------------------------------------------------------------------------------------

Program = namedtuple("Program", "name text words mode", defaults=(0o755,))
PROGRAMS_GOOD = [
    Program("line", f"#!/bin/sh\necho {SERVICE_PASSWORD}\n", ()),
    Program("more-lines", f"#!/bin/sh\necho {SERVICE_PASSWORD}\nhead -c 200000 /dev/zero\n", ()),
    Program("leaves-a-process-behind", f"#!/bin/sh\nsleep 5 &\necho {SERVICE_PASSWORD}\n", ()),
    Program("padded", f"#!/bin/sh\nprintf '{SERVICE_PASSWORD}\\000\\000'\n", ()),
    Program("finds-its-programs", f"#!/bin/sh\nprintf %s {SERVICE_PASSWORD} | sed s/x/x/\n", ()),
]
PROGRAMS_BAD = [
    Program("not-executable", "#!/bin/sh\necho Pw!x\n", ("cannot be run", "ermission"), 0o644),
    Program("no-interpreter", "#!/nonexistent/shell\n", ("cannot be run", "No such file")),
    Program("no-program", "x", ("cannot be run", "xec format")),
    Program("fails", "#!/bin/sh\necho Pw!x\nexit 3\n", ("status 3",)),
    Program("killed", "#!/bin/sh\necho Pw!x\nkill -9 $$\n", ("signal 9",)),
    Program("prints-nothing", "#!/bin/sh\n", ("printed nothing",)),
    Program("prints-an-empty-line", "#!/bin/sh\necho\necho Pw!x\n", ("printed nothing",)),
    Program("prints-a-byte-order-mark", "#!/bin/sh\nprintf '\\357\\273\\277Pw!x'\n", ("byte order mark", "print it without")),
    Program("prints-a-nul", "#!/bin/sh\nprintf 'Pw!x\\000y'\n", ("NUL octet",)),
    Program("prints-too-much", "#!/bin/sh\nhead -c 5000 /dev/zero | tr '\\0' x\n", ("too long",)),
    Program("prints-without-end", "#!/bin/sh\nexec yes Pw!x\n", ("did not end within 10 s",)),
    Program("does-not-end", "#!/bin/sh\necho Pw!x\nsleep 1000\n", ("did not end within 10 s",)),
]


def program_of(workdir, row):
    path = workdir / "program"
    path.write_text(row.text)
    path.chmod(row.mode)
    return path


@pytest.mark.parametrize("row", PROGRAMS_GOOD, ids=[row.name for row in PROGRAMS_GOOD])
def test_program(start, workdirs, slapd, row):
    httpd = start(CONF, defines={"LDAP": slapd.port, "WHERE": f"exec:{program_of(workdirs.new('exec'), row)}"})
    assert httpd.get("/in/", login=(USER, RIGHT)).status == 200
    httpd.stop()


@pytest.mark.parametrize("row", PROGRAMS_BAD, ids=[row.name for row in PROGRAMS_BAD])
def test_bad_program(start, workdirs, row):
    """The sentence names the program and says why; it has nothing of what the program printed."""
    path = program_of(workdirs.new("exec"), row)
    began = time.monotonic()
    code, said = start.make(CONF, defines={"LDAP": 9, "WHERE": f"exec:{path}"}).configtest()
    assert code != 0 and time.monotonic() - began < 100
    for word in ("AuthLDAPBindPassword", str(path), *row.words):
        assert word in said, said
    assert "Pw!" not in said and "xxxx" not in said


@pytest.mark.parametrize("where", ["exec:/nonexistent/program", "exec:", "exec:/tmp"])
def test_no_program(start, where):
    must_stop(start, where, "exec:", *[where[5:]] if where != "exec:" else ())


def test_program_that_hangs_is_killed(start, workdirs):
    """With all that it has started."""
    workdir = workdirs.new("exec")
    workdir.chmod(0o777)
    path = program_of(workdir, Program("", f"#!/bin/sh\nsleep 1000 &\necho $! >{workdir}/pid\nwait\n", ()))
    start.make(CONF, defines={"LDAP": 9, "WHERE": f"exec:{path}"}).configtest()
    poll(lambda: not alive(int((workdir / "pid").read_text())), 10, "the program's child ended")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_explain_reads_it(workdirs, slapd):
    workdir = workdirs.new("explain")
    path = password_file(workdir, SERVICE_PASSWORD + "\nmore\n")
    (workdir / "right").write_text(RIGHT)
    (workdir / "right").chmod(0o400)
    (workdir / "site.conf").write_text(f'ServerRoot "{workdir}"\n<Location /in>\nAuthLDAPURL "ldap://127.0.0.1:{slapd.port}/o=secrets?uid"\n'
                                    f'AuthLDAPBindDN cn=service,o=secrets\nAuthLDAPBindPassword "file:{path.name}"\n</Location>\n')
    said = subprocess.run([BUILD / "authstatus-explain", "--config", workdir / "site.conf", "--password-file", workdir / "right", USER],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, "LDAPNOINIT": "1", "ASAN_OPTIONS": "detect_leaks=0"}, timeout=60)
    assert said.returncode == 0 and "granted" in said.stdout, said
    assert SERVICE_PASSWORD not in said.stdout + said.stderr
