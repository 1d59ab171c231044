# SPDX-License-Identifier: Apache-2.0
"""Fault x MPM: a directory that fails at any step, what the client gets, and that the server is whole afterwards."""
import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from every import STATUS, Every, at_work, descriptors, is_whole
from lab.fake import BASE, Fake, alert, broken_record, close, half_handshake, half_record, reset
from lab.httpd import MPMS, SLACK
from lab.process import Timeout, poll
from lab.slapd import Database
from outages.test_fake import BROKEN, HANGING, Row

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
# Of what hangs; many at once take their time, but nothing else needs this long.
DEADLINE = 2
ROUNDS = 2

TLS = [
    Row("half-a-handshake-and-close", {"tls": half_handshake(close)}, "directory-down", 503, tls="ldaps"),
    Row("half-a-handshake-and-hang", {"tls": half_handshake(None)}, "directory-timeout", 503, tls="ldaps"),
    Row("half-a-handshake-and-reset", {"tls": half_handshake(reset)}, "directory-down", 503, tls="ldaps"),
    Row("alert-for-a-handshake", {"tls": alert}, "tls-failed", 500, tls="ldaps"),
    *(Row(f"{tls}-{name}-at-{step}", {step: action}, outcome, 503, tls=tls)
      for tls in ("ldaps", "starttls") for step in ("search", "user-bind")
      for name, action, outcome in (("half-a-record-and-close", half_record(close), "directory-down"),
                                    ("half-a-record-and-hang", half_record(None), "directory-timeout"))),
    *(Row(f"{tls}-broken-record-at-search", {"search": broken_record}, "directory-down", 503, tls=tls)
      for tls in ("ldaps", "starttls")),
    # The first answer after the handshake cannot be decrypted: it is TLS that failed.
    *(Row(f"{tls}-broken-record-at-user-bind", {"user-bind": broken_record}, "tls-failed", 500, tls=tls)
      for tls in ("ldaps", "starttls")),
]
ROWS = HANGING + BROKEN + TLS

LOCATION = """
Use Login /in/{row.name} "ldap{s}://127.0.0.1:{port}" dc=fake
<Location /in/{row.name}>
    AuthLDAPURL "ldap{s}://127.0.0.1:{port}/dc=fake?uid" {mode}
    Use Account dc=fake
    {more}
</Location>
"""


@pytest.fixture(scope="module")
def fakes(good_certificate):
    fakes = {row.name: Fake({}, certificate=good_certificate if row.tls else None, ldaps=row.tls == "ldaps") for row in ROWS}
    yield fakes
    for fake in fakes.values():
        fake.stop()


@pytest.fixture(scope="module")
def every(start, fakes, authority):
    text = f"LogLevel warn authstatus:trace8\nAuthStatusDeadline 20s\nAuthStatusInFlight 16\n{STATUS}"
    text += "LDAPConnectionPoolTTL 0\n"  # each login goes through each step
    text += f'LDAPTrustedGlobalCert CA_BASE64 "{authority.cert}"\n'
    for row in ROWS:
        text += LOCATION.format(row=row, port=fakes[row.name].port, s="s" if row.tls == "ldaps" else "",
                                mode={"starttls": "STARTTLS", "ldaps": "SSL", None: ""}[row.tls],
                                more=f"AuthStatusDeadline {DEADLINE}s" if row.outcome == "directory-timeout" else "")
    return Every(lambda mpm: start(text, mpm=mpm, modules=("status",)))


def fetch_all(httpd):
    """One login at each row's Location, eight at a time: {row's name: answer}."""
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda row: httpd.get(f"/in/{row.name}", login=("ann", RIGHT)), ROWS)
    return {row.name: answer for row, answer in zip(ROWS, answers)}


def fetch_all_well(httpd):
    """The same where all is well. A deadline may be short for a machine that is busy: that login is tried again."""
    answers = fetch_all(httpd)
    for row in ROWS:
        with contextlib.suppress(Timeout):
            if answers[row.name].status != 200:
                answers[row.name] = poll(lambda: (answer := httpd.get(f"/in/{row.name}", login=("ann", RIGHT))).status == 200 and answer,
                                         10, f"{row.name} is well")
    return answers


@pytest.fixture(scope="module")
def story(every, fakes):
    """Well, then faults and recoveries in turn: what all were answered, and what the servers held then."""
    every.allow(r"AS00\d\d", "AH01617")
    story = {"well": every.do(fetch_all_well), "faulty": [], "again": [], "held": []}
    for _ in range(ROUNDS):
        for row in ROWS:
            fakes[row.name].act_out(row.script)
        story["faulty"].append(every.do(fetch_all))
        for row in ROWS:
            fakes[row.name].act_out({})
        story["again"].append(every.do(fetch_all_well))
        story["held"].append(every.do(descriptors))
    every.allow(r"AS00\d\d", "AH01617")
    return story


@pytest.mark.parametrize("model", MPMS)
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_fault(every, story, row, model):
    httpd = every.httpds[model]
    assert story["well"][model][row.name].status == 200
    for answers in story["faulty"]:
        answer = answers[model][row.name]
        record = httpd.access(answer)
        assert (answer.status, record.outcome) == (row.status, row.outcome), f"{answer} {record}"
        assert answer.all("Retry-After") == (["10"] if row.status == 503 else []) and not answer.all("WWW-Authenticate")
        assert answer.seconds < DEADLINE + SLACK or row.outcome != "directory-timeout"
    for answers in story["again"]:
        assert answers[model][row.name].status == 200, "the server is not whole again"


@pytest.mark.parametrize("model", MPMS)
def test_whole_afterwards(every, story, model):
    httpd = every.httpds[model]
    # What failed may be noted after the login that followed it: then the next one ends that outage.
    httpd.log.allow("AH01617", "AS0094")
    poll(lambda: not at_work(httpd), 10, "nobody is at work")
    held = [one[model] for one in story["held"]]
    # A connection that the client has closed is one of httpd's for a moment yet.
    poll(lambda: descriptors(httpd) <= held[0] + 2, 10, f"the descriptors of before: {held}")
    is_whole(httpd, ("ann", RIGHT), f"/in/{ROWS[0].name}")


# -- a real one -------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=faults", HERE / "people.ldif"))


@pytest.fixture(scope="module")
def real(start, slapd):
    text = f'LogLevel warn authstatus:trace8\nAuthStatusDeadline 3s\n{STATUS}Use Login /in "ldap://127.0.0.1:{slapd.port}" o=faults'
    return Every(lambda mpm: start(text, mpm=mpm, modules=("status",)))


@pytest.mark.parametrize("end", ["killed", "stopped", "frozen"])
def test_directory_ends_and_comes_back(real, slapd, end):
    real.allow(r"AS00\d\d", "AH01617")
    real.do(lambda httpd: is_whole(httpd, ("ann", RIGHT), "/in/"))
    if end == "frozen":
        slapd.freeze()
    else:
        slapd.child.process.kill() if end == "killed" else slapd.child.process.terminate()
        slapd.child.wait(10)
    try:
        for password in (RIGHT, WRONG):
            for answer in real.do(lambda httpd: httpd.get("/in/", login=("ann", password))).values():
                assert answer.status == 503 and answer.header("Retry-After") == "10" and answer.seconds < 3 + SLACK
    finally:
        if end == "frozen":
            slapd.thaw()
        else:
            slapd.child = None
            slapd.start()
    real.do(lambda httpd: is_whole(httpd, ("ann", RIGHT), "/in/"))
