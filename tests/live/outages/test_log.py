# SPDX-License-Identifier: Apache-2.0
"""An outage in the error log: a line when it begins, one now and then while it goes on, and one when it is over, with the
right numbers; over all processes. What users do wrong keeps a line each."""
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.process import poll
from lab.slapd import Database

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
# The breaker is no matter here: it would only make the end come later.
SITE = """
LogLevel warn authstatus:info
AuthStatusBreaker 1000 1s
AuthStatusDeadline 5s
Use Login /in "ldap://127.0.0.1:${LDAP}" o=log
Use Login /in/other "ldap://127.0.0.1:${LDAP}" o=log
<Location /in/other>
    AuthLDAPURL "ldap://127.0.0.1:${LDAP}/ou=elsewhere,o=log?uid"
</Location>
# The same server, and another directory: what is told of one says nothing of the other.
Use Login /in/third "ldap://127.0.0.1:${LDAP}" o=log
<Location /in/third>
    AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=log?uid,cn"
</Location>
"""
BURST = 16


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=log", HERE / "people.ldif"))


@pytest.fixture(scope="module")
def sites(start, slapd):
    return [start(SITE, mpm=mpm, defines={"LDAP": slapd.port}) for mpm in ("event", "prefork")]


def login(site, password=RIGHT, path="/in/"):
    site.log.allow("AH01617")
    return site.get(path, login=("ann", password)).status


def lines(site, tag):
    return [line for line in site.log.lines() if line.module == "authstatus" and f"{tag}: " in line.text]


class Outage:
    """Seen from one httpd: how many requests met it, counted by their answers."""

    def __init__(self, site, path="/in/"):
        self.site, self.path = site, path
        self.met = 0

    def burst(self):
        with ThreadPoolExecutor(8) as threads:
            statuses = list(threads.map(lambda _: login(self.site, path=self.path), range(BURST)))
        assert statuses == [503] * BURST
        self.met += BURST

    def one_more(self):
        assert login(self.site, path=self.path) == 503
        self.met += 1

    def is_told_again(self):
        self.one_more()
        return len(lines(self.site, "AS0050")) == 2

    def is_over(self):
        status = login(self.site, path=self.path)
        assert status in (200, 503)
        self.met += status == 503
        return status == 200


def test_an_outage(sites, slapd, workdirs):
    outages = [Outage(site) for site in sites]
    for site in sites:
        assert login(site) == 200
        site.log.expect("AS0050", "AS0094")
    slapd.stop()
    for outage in outages:
        outage.burst()
        (first,) = lines(outage.site, "AS0050")
        assert first.level == "error" and f'user "ann", server 127.0.0.1:{slapd.port}' in first.text
        assert first.text.endswith(", answered 503")
    # Both wait for the same ten seconds.
    for outage in outages:
        poll(outage.is_told_again, 30, "another line about the outage")
        _, second = lines(outage.site, "AS0050")
        # That it is right means that nothing of it was lost between the processes.
        more = re.search(r", answered 503; and (\d+) more since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", second.text)
        assert more and int(more[1]) == outage.met - 2, second.text
    for outage in outages:
        outage.one_more()
    slapd.start()
    for outage in outages:
        poll(outage.is_over, 30, "the end of the outage")
        (over,) = poll(lambda outage=outage: lines(outage.site, "AS0094"), 10, "the line about the end")
        assert over.level == "warn" and "[client" not in over.text, over
        number = re.search(r"directory-down is over: \S+ answers; (\d+) requests failed from (\S+ \S+) to (\S+ \S+)$", over.text)
        assert number and int(number[1]) == outage.met and number[2] < number[3], over.text
        assert len(lines(outage.site, "AS0050")) == 2
        # Each has its note, whatever the error log says.
        def noted(site=outage.site):
            return site.access_path.read_text().count("\tdirectory-down\t503\t")
        poll(lambda outage=outage: noted() >= outage.met, 10, "the access log, which httpd writes after the answer")
        assert noted() == outage.met
        assert nobody_is_banned(outage.site, workdirs)


def nobody_is_banned(site, workdirs):
    """In httpd's own format none of it is a failure for fail2ban."""
    program = shutil.which("fail2ban-regex")
    assert program, "fail2ban is not installed"
    ours = [re.sub(r"^(\[[^]]*\] \[[^]]*\]) \[[^]]*\] \[pid", r"\1 [pid", line)
            for line in site.log.path.read_text().splitlines() if "[authstatus:" in line]
    assert len(ours) >= 3
    path = workdirs.new("fail2ban") / "error.log"
    path.write_text("\n".join(ours) + "\n")
    done = subprocess.run([program, str(path), "apache-auth"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return re.search(r"^Lines: .* (\d+) matched", done.stdout, re.MULTILINE)[1] == "0"


def test_what_the_administrator_did_is_told_likewise(sites):
    """A missing base: logged once, and not over because another base of the same server answers."""
    for site in sites:
        site.log.expect("AS0062")
        assert [login(site, path="/in/other/") for _ in range(5)] == [500] * 5
        assert login(site) == 200
        (line,) = lines(site, "AS0062")
        assert line.level == "error" and line.text.endswith(", answered 500") and '"base ou=elsewhere,o=log"' in line.text
        assert not lines(site, "AS0094")


def test_what_users_do_has_a_line_each(sites):
    for site in sites:
        assert [login(site, WRONG) for _ in range(5)] == [401] * 5
        assert [site.get("/in/", login=("nobody", WRONG)).status for _ in range(5)] == [401] * 5
        site.log.expect("AH01617", "AH01618")
        assert len(lines(site, "AS0015")) == len(lines(site, "AS0013")) == 5


def test_it_goes_on_through_a_graceful_restart(sites, slapd):
    """Counts are of the server and not of a generation of its children."""
    site = sites[0]
    outage = Outage(site, "/in/third/")
    site.log.expect("AS0050", "AS0094")
    slapd.stop()
    outage.burst()
    site.reload()
    outage.burst()
    # One that takes longer has another line now and then; it does not begin anew.
    _, *later = lines(site, "AS0050")
    assert all(" more since " in line.text for line in later)
    slapd.start()
    poll(outage.is_over, 30, "the end of the outage")
    (over,) = poll(lambda: lines(site, "AS0094"), 10, "the line about the end")
    assert f"; {outage.met} requests failed from " in over.text
