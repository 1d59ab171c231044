# SPDX-License-Identifier: Apache-2.0
"""authstatus-explain, for tests of directories: its output as JSON. Passwords come from files, and never appear in the output."""
import json
import os
import subprocess

from .httpd import BUILD

PROGRAM = BUILD / "authstatus-explain"


class Explain:
    """options: for every call; service: the service account and its password, where there is one."""

    def __init__(self, workdir, *options, service=None):
        self.workdir = workdir
        self.options = [*options, *(("-D", service[0], "-y", self._file(service[1])) if service else ())]

    def _file(self, password):
        path = self.workdir / f"password-{len(list(self.workdir.iterdir()))}"
        path.write_text(password)
        path.chmod(0o600)
        return str(path)

    def run(self, url, user=None, password=None, more=()):
        path = self._file(password) if password else None
        arguments = [*self.options, *more, "--json", *(("--password-file", path) if path else ()), *([url] if url else ()),
                     *([user] if user else ())]
        done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, start_new_session=True,
                              env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "LDAPNOINIT": "1",
                                   "ASAN_OPTIONS": "detect_leaks=0"})
        assert "Pw!" not in done.stdout + done.stderr and not done.stderr, done
        story = json.loads(done.stdout)
        assert story["exit_code"] == done.returncode
        return story
