# SPDX-License-Identifier: Apache-2.0
"""authstatus-explain and passwords: on its command line, in files, and at a prompt on a terminal."""
import os
import pty
import subprocess
import time
from pathlib import Path

from lab.fake import BASE, SERVICE, SERVICE_PASSWORD, Fake, hang
from lab.process import poll, readable
from test_explain import EXIT, PROGRAM, RIGHT, SECONDS, environment, explain, secrets, service, slapd  # noqa: F401: fixtures too


def command_line(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_password_on_the_command_line_is_overwritten(secrets):
    fake = Fake({"search": hang})
    try:
        process = subprocess.Popen([PROGRAM, "-D", SERVICE, "-w", SERVICE_PASSWORD, f"ldap://127.0.0.1:{fake.port}/{BASE}?uid", "ann"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, env=environment())
        poll(lambda: fake.count("search"), 20, "it searches")
        assert SERVICE_PASSWORD.encode() not in command_line(process.pid)
        assert process.wait(SECONDS) == EXIT["unavailable"]
    finally:
        fake.stop()


def test_open_password_file_is_warned_of(slapd, secrets, workdirs):
    path = workdirs.new("secrets") / "open"
    path.write_text(RIGHT)
    path.chmod(0o644)
    said = explain(*service("o=loud", secrets), "--password-file", path, f"ldap://127.0.0.1:{slapd.port}/o=loud?uid", "good")
    assert said.code == 0 and "others can read" in said.errors


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(PROGRAM, [str(PROGRAM), *map(str, arguments)], environment())
        self.seen = ""

    def read(self, until=None):
        end = time.monotonic() + SECONDS
        while until is None or until not in self.seen:
            assert time.monotonic() < end, self.seen
            if not readable([self.fd], 0.2):
                continue
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                break
            self.seen += data.decode()

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        self.read()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_prompts(slapd):
    """It prompts for both passwords, echoes neither, and shows neither in the list of processes."""
    terminal = Terminal("-D", "cn=service,o=loud", "-W", f"ldap://127.0.0.1:{slapd.port}/o=loud?uid", "expired")
    terminal.read("service account cn=service,o=loud: ")
    assert b"Pw!" not in command_line(terminal.pid)
    terminal.type(SERVICE_PASSWORD + "\n")
    terminal.read("Password of expired")
    terminal.type(RIGHT + "\n")
    assert terminal.end() == EXIT["refused"]
    assert "password-expired" in terminal.seen and "Pw!" not in terminal.seen


def test_prompt_left_empty(slapd, secrets):
    terminal = Terminal(*service("o=loud", secrets), f"ldap://127.0.0.1:{slapd.port}/o=loud?uid", "good")
    terminal.read("Password of good")
    terminal.type("\n")
    assert terminal.end() == 0
    assert "so far       nothing is wrong" in terminal.seen


def test_prompt_interrupted(slapd, secrets):
    terminal = Terminal(*service("o=loud", secrets), f"ldap://127.0.0.1:{slapd.port}/o=loud?uid", "good")
    terminal.read("Password of good")
    terminal.type("\x03")
    assert terminal.end() == -2
