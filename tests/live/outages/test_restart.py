# SPDX-License-Identifier: Apache-2.0
"""A real slapd that stops, comes back, and freezes; an httpd that restarts gracefully."""
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.httpd import SLACK
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
DEADLINE = 5


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=restart", HERE / "people.ldif"))


@pytest.fixture(scope="module")
def start_site(start, slapd, authority):
    def start_one():
        return start(f"""Include "{HERE}/site.conf"
                     Use Login /in "ldap://127.0.0.1:${{LDAP}}" o=restart""",
                     defines={"LDAP": slapd.port, "DEADLINE": f"{DEADLINE}s", "CA": authority.cert})
    return start_one


@pytest.fixture(scope="module")
def site(start_site):
    return start_site()


def login(site, password=RIGHT):
    return site.get("/in/", login=("ann", password))


def test_stopped_and_back(site, slapd):
    verify(site, login(site), "granted", 200)
    slapd.stop()
    site.log.expect("AS0050")
    verify(site, login(site), "directory-down", 503)
    verify(site, login(site, WRONG), "directory-down", 503)
    slapd.start()
    verify(site, login(site), "granted", 200)
    verify(site, login(site, WRONG), "wrong-password", 401)


def test_restarted_while_nobody_looked(site, slapd):
    """The sessions that httpd kept are dead; the first request finds out and is answered well all the same."""
    verify(site, login(site), "granted", 200)
    slapd.stop()
    slapd.start()
    verify(site, login(site), "granted", 200)
    slapd.stop()
    slapd.start()
    verify(site, login(site, WRONG), "wrong-password", 401)
    verify(site, login(site), "granted", 200)


def test_many_sessions_die_at_once(site, slapd):
    """As many as httpd has threads: none of the first requests afterwards takes a dead one for an answer."""
    def burst():
        with ThreadPoolExecutor(12) as threads:
            return [answer.status for answer in threads.map(lambda _: login(site), range(24))]
    assert burst() == [200] * 24
    slapd.stop()
    slapd.start()
    assert burst() == [200] * 24


def test_frozen_and_thawed(site, slapd):
    verify(site, login(site), "granted", 200)
    slapd.freeze()
    try:
        site.log.expect("AS0051")
        answer = login(site)
        verify(site, answer, "directory-timeout", 503)
        assert answer.seconds < DEADLINE + SLACK
    finally:
        slapd.thaw()
    verify(site, login(site), "granted", 200)


def test_frozen_for_many(start_site, slapd):
    """Each has the same deadline; nobody waits for another's."""
    site = start_site()
    slapd.freeze()
    try:
        site.log.allow("AS005[0-3]")
        with ThreadPoolExecutor(6) as threads:
            answers = list(threads.map(lambda _: login(site), range(6)))
    finally:
        slapd.thaw()
    for answer in answers:
        assert answer.status == 503 and answer.seconds < DEADLINE + SLACK
        assert not answer.all("WWW-Authenticate")


def test_graceful_restart(site, slapd):
    for _ in range(3):
        verify(site, login(site), "granted", 200)
        site.reload()
    verify(site, login(site), "granted", 200)
    verify(site, login(site, WRONG), "wrong-password", 401)


def test_a_child_that_ends_takes_its_sessions_along(site, slapd):
    site.stop()
    slapd.wait_for_silence()
    site.start()
    verify(site, login(site), "granted", 200)
