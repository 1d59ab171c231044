# SPDX-License-Identifier: Apache-2.0
"""`apachectl graceful` with another configuration, while children of the one before still serve: they count together, and take no
answer of other settings."""
import json
import os
import re
import shutil
import socket
from pathlib import Path

import pytest

from lab import client
from lab.httpd import MODULE, SANITIZE
from lab.process import poll
from lab.stores import Redis, key_file
from memory.shared import NOTHING, RIGHT, SHMCB, STATUS
from pages.test_upgrade import swapped

REPORT = "<Location /report>\nSetHandler authstatus-report\nRequire local\n</Location>\n"


class Begun(client.Connection):
    """A request of which a child has the first line: the child ends when it has answered it."""

    def __init__(self, httpd):
        super().__init__(httpd.port)
        self.socket = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.socket.sendall(b"GET /in/ HTTP/1.1\r\n")

    def end(self, *login):
        raw = self._exchange(b"Host: localhost\r\nAuthorization: " + client.basic(*login) + b"\r\n\r\n", False)
        return client.Answer(raw, "", 0).status


class Site:
    """The first configuration, and as many requests as are wanted of its children."""

    def __init__(self, start, slapd, wanted=0, more="", inner="", **options):
        options["modules"] = (*options.get("modules", ()), "status")
        self.slapd = slapd
        self.httpd = start.make(STATUS + REPORT + "Timeout 600\n", **options)
        self.before = self.httpd.configuration.read_text()
        self.write(more, inner)
        self.httpd.start()
        self.httpd.log.allow("AH0161[78]", "AS0040")
        self.begun = [Begun(self.httpd) for _ in range(wanted)]
        poll(lambda: self.httpd.scoreboard().count("R") == wanted, 10, "the children read")

    def write(self, more="", inner=""):
        self.httpd.configuration.write_text(f'{self.before}\n{more}\nUse Login /in "ldap://127.0.0.1:{self.slapd.port}" o=memory\n'
                                            f"<Location /in>\n{inner}\n</Location>\n")

    def change(self, *configuration):
        self.write(*configuration)
        self.httpd.reload()

    def old(self, *login):
        """The answer of a child of the first configuration."""
        return self.begun.pop().end(*login)

    def new(self, *login):
        return self.httpd.get("/in/", login=login).status

    def counts(self):
        outcomes = json.loads(self.httpd.get("/report?json").body)["outcomes"]
        return {name: outcome["count"] for name, outcome in outcomes.items() if outcome["count"]}

    def stop(self):
        assert not self.begun and not [line for line in self.httpd.log.lines(0) if "exit signal" in line.text]
        self.httpd.stop()


@pytest.mark.parametrize("model", ["event", "prefork"])
def test_limits_of_a_throttle(start, slapd, person, model):
    """Each child judges the failures of all by the limit of its own configuration; a success ends them for all."""
    site = Site(start, slapd, 4, "AuthStatusThrottle 4 1h", mpm=model, **SHMCB)
    site.change("AuthStatusThrottle 2 1h")
    assert [site.new(person.uid, "1"), site.old(person.uid, "2"), site.new(person.uid, "3")] == [401, 401, 429]
    assert [site.old(person.uid, "4"), site.old(person.uid, RIGHT), site.new(person.uid, "5")] == [401, 200, 401]
    site.change()
    assert [site.new(person.uid, "6"), site.old(person.uid, "7")] == [401, 401]
    site.change("AuthStatusThrottle 2 1h")
    assert site.new(person.uid, RIGHT) == 429, "two failures were counted"
    assert site.counts() == {"granted": 1, "wrong-password": 6, "throttled": 2}
    site.stop()


@pytest.mark.parametrize("inner, login, status", [
    ("AuthStatusDeadline 6s", NOTHING, 200),
    ('AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=memory?uid?sub?(sn=boss)"\nUse Account o=memory', None, 401),
    ("AuthLDAPBindDN cn=root,o=memory", None, 200),
], ids=["policy", "filter", "account"])
def test_answers_in_a_store(start, slapd, person, workdirs, inner, login, status):
    """An answer serves the children of both configurations exactly where its directory is the same."""
    store = Redis(workdirs.new("store")).start()
    more = f'AuthStatusCacheKey "{key_file(store.workdir)}"'
    site = Site(start, slapd, 3, more, cache=store.cache, modules=store.modules, defines={"LDAP": slapd.port})
    site.change(more, inner)
    assert site.old(person.uid, RIGHT) == 200
    mark = slapd.mark()
    assert site.new(person.uid, RIGHT) == status
    assert (slapd.operations(mark) == NOTHING) == (login == NOTHING)
    mark = slapd.mark()
    assert site.old(person.uid, RIGHT) == 200
    assert slapd.operations(mark) == NOTHING, "of its own directory"
    person.set("userPassword", "Pw!second")
    assert site.new(person.uid, "Pw!second") == status
    assert site.old(person.uid, RIGHT) == (401 if login == NOTHING else 200), "an acceptance ends with that of another password"
    site.stop()
    store.stop()


def test_another_layout(start, slapd, person, tmp_path):
    """The counters of an older module are read by its own children alone; the failures, which mean the same, by all."""
    module = tmp_path / "mod_authstatus.so"
    shutil.copy(MODULE, module)
    swapped(b"directory-down", b"account-locked")(module, tmp_path / "new.so")
    site = Site(start, slapd, 3, "AuthStatusThrottle 3 1h", module=module, **SHMCB)
    os.replace(tmp_path / "new.so", module)
    site.change("AuthStatusThrottle 3 1h")
    assert [site.new(person.uid, "1"), site.old(person.uid, "2"), site.new(person.uid, "3")] == [401] * 3
    assert [site.old(person.uid, RIGHT), site.new(person.uid, RIGHT), site.old(person.uid, RIGHT)] == [429] * 3
    assert site.counts() == {"wrong-password": 2, "throttled": 1}
    site.stop()


def test_a_wrong_configuration_is_not_taken(start, slapd, person):
    """Neither by `apachectl graceful`, where httpd would end, nor as syntax that is OK; a line of Require too that httpd reads before
    it reads that the line is ours."""
    site = Site(start, slapd, **SHMCB, ldap=True)
    site.write("", "AuthStatus Off\nRequire ldap-group staff\nAuthStatus On")
    for command in (("-t",), ("-k", "graceful")):
        done = site.httpd.run(*command, timeout=180)
        assert done.returncode and "is not a DN" in done.stderr, done
    assert site.new(person.uid, RIGHT) == 200
    site.stop()


@pytest.mark.skipif(SANITIZE, reason="memory growth: AddressSanitizer keeps what was freed")
@pytest.mark.parametrize("beside", [True, False], ids=["beside-mod_ldap", "alone"])
def test_restarts_take_no_memory(start, slapd, beside):
    """A leak of 3 kB a restart would show in the parent, which outlives them all."""
    site = Site(start, slapd, more="AuthStatusThrottle 3 1h", inner="AuthStatusMask All", ldap=beside, **SHMCB)

    def restart(times):
        for _ in range(times):
            site.httpd.reload()
        status = Path(f"/proc/{site.httpd.child.pid}/status").read_text()
        return int(re.search(r"^VmData:\s+(\d+) kB", status, re.M)[1])
    before = restart(10)
    assert restart(20) - before < 60
    site.stop()
