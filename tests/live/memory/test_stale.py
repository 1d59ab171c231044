# SPDX-License-Identifier: Apache-2.0
"""AuthStatusCacheTime's stale=: while the directory is unavailable, acceptances serve for that much longer, as granted-stale."""
import base64
import hashlib
import re
import time

import pytest

from lab.httpd import SLACK
from lab.process import poll
from lab.slapd import Database, Slapd
from lab.stores import Redis, key_file
from memory.conftest import HERE, OPTIONS
from memory.shared import ADMINISTRATOR, LOGIN, RIGHT, SHMCB, WRONG, Person

# An acceptance is asked for again each time: what serves is stale whenever the directory is away.
DEADLINE = 5
QUERIED = f"""AuthStatusCacheTime 0 0 stale=10min
AuthStatusBreaker 2 1h
AuthStatusDeadline {DEADLINE}s
{LOGIN}<Location /report>
    SetHandler authstatus-report
    Require ip 127.0.0.1
</Location>
"""
AWAY = ("AS0050", "AS0051", "AS0220", "AS0094", "AS0020")


@pytest.fixture
def own(workdirs):
    """A slapd that a test may stop."""
    slapd = Slapd(workdirs.new("slapd-stale"), [Database("o=memory", HERE / "people.ldif", OPTIONS)]).start()
    yield slapd
    slapd.stop()


def serve(start, own, site=QUERIED, **options):
    httpd = start(site, defines={"LDAP": own.port}, **{**SHMCB, **options})
    httpd.log.allow(*AWAY, "AH0161[78]")
    return httpd


def outcome(httpd, person, password=RIGHT, path="/in/"):
    """(status, outcome) as the access log's note has it; of who is let in AUTHSTATUS_OUTCOME says the same."""
    answer = httpd.get(path, login=(person.uid, password))
    noted = httpd.access(answer).outcome
    assert answer.status != 200 or answer.header("X-Variables").startswith(f"outcome={noted};status=200;")
    return answer.status, noted


STALE, GRANTED, DOWN, TIMEOUT = (200, "granted-stale"), (200, "granted"), (503, "directory-down"), (503, "directory-timeout")


@pytest.mark.parametrize("options", [SHMCB, {"cache": None, "modules": ()}], ids=["shmcb", "process"])
def test_a_dead_directory(start, own, options):
    httpd = serve(start, own, **options)
    ann, bob = Person(own), Person(own)
    assert outcome(httpd, ann) == GRANTED
    own.kill()
    for _ in range(4):
        assert outcome(httpd, ann) == STALE
        assert outcome(httpd, bob) == DOWN, "nobody who was not accepted before"
        assert outcome(httpd, ann, WRONG) == DOWN
    own.start()
    httpd.stop()


def test_a_silent_directory_and_the_open_breaker(start, own):
    """Within the deadline, and at once when the circuit is open."""
    httpd = serve(start, own)
    ann = Person(own)
    assert outcome(httpd, ann) == GRANTED
    own.freeze()
    try:
        for _ in range(2):
            begun = time.monotonic()
            assert outcome(httpd, ann) == STALE
            assert time.monotonic() - begun < DEADLINE + SLACK
        begun = time.monotonic()
        for _ in range(5):
            assert outcome(httpd, ann) == STALE
        assert time.monotonic() - begun < 3 * DEADLINE, "each at once: none waits for the directory"
    finally:
        own.thaw()
    httpd.stop()


def test_when_it_is_back(start, own):
    """The directory's own word counts again at once, and one line says that the outage is over."""
    httpd = serve(start, own, QUERIED.replace("AuthStatusBreaker 2 1h", "AuthStatusBreaker 2 100ms"))
    ann = Person(own)
    assert outcome(httpd, ann) == GRANTED
    own.stop()
    assert outcome(httpd, ann) == STALE
    own.start()
    ann.set("userPassword", "Pw!new")
    poll(lambda: outcome(httpd, ann) == (401, "wrong-password"), 10, "the directory is asked again")
    own.stop()
    poll(lambda: outcome(httpd, ann) == DOWN, 10, "a password that was refused since serves no more")
    lines = [line.text for line in httpd.log.lines() if "AS0220" in line.text and line.level == "warn"]
    assert len(lines) == 1 and re.search(r'granted-stale, user "\w+", LDAP 0, cached \d+ s ago, directory-down, ".+"', lines[0]), lines
    poll(lambda: [line for line in httpd.log.lines() if "AS0094: granted-stale is over" in line.text], 10, "the end in the log")
    own.start()
    httpd.stop()


CHANGES = {
    "deleted": Person.delete,
    "locked": lambda person: person.set("pwdAccountLockedTime", "000001010000Z"),
    "password": lambda person: person.set("userPassword", "Pw!new"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_refused_serves_no_more(start, own, change):
    httpd = serve(start, own)
    ann = Person(own)
    assert outcome(httpd, ann) == GRANTED
    CHANGES[change](ann)
    assert outcome(httpd, ann)[0] in (401, 403)
    own.kill()
    assert outcome(httpd, ann) == DOWN
    own.start()
    httpd.stop()


def test_a_wrong_guess_ends_nobodys(start, own):
    httpd = serve(start, own)
    ann = Person(own)
    assert outcome(httpd, ann) == GRANTED
    assert outcome(httpd, ann, WRONG) == (401, "wrong-password")
    own.kill()
    assert outcome(httpd, ann) == STALE
    own.start()
    httpd.stop()


def test_a_misconfiguration_is_none(start, own):
    """The service account is refused: the administrator is to act."""
    httpd = serve(start, own)
    ann = Person(own)
    assert outcome(httpd, ann) == GRANTED
    httpd.log.allow("AS0060")
    own.client(ADMINISTRATOR).modify_s("cn=service,o=memory", [(2, "userPassword", [b"another"])])
    own.stop()
    own.start()
    poll(lambda: outcome(httpd, ann) == (500, "service-account-refused"), 10, "a new session")
    assert outcome(httpd, ann) == (500, "service-account-refused")
    httpd.stop()


def test_it_ends(start, own):
    httpd = serve(start, own, QUERIED.replace("stale=10min", "stale=3s"))
    ann = Person(own)
    begun = time.monotonic()
    assert outcome(httpd, ann) == GRANTED
    queried = time.monotonic()
    own.kill()
    while (got := outcome(httpd, ann)) == STALE:
        assert time.monotonic() - queried < 3 + SLACK, "hits do not extend it"
    assert got == DOWN and time.monotonic() - begun >= 3
    own.start()
    httpd.stop()


def test_without_it(start, own):
    httpd = serve(start, own, QUERIED.replace(" stale=10min", ""))
    ann = Person(own)
    assert outcome(httpd, ann) == GRANTED
    own.kill()
    assert outcome(httpd, ann) == DOWN
    own.start()
    httpd.stop()


def test_while_it_is_cached_it_is_granted(start, own):
    httpd = serve(start, own, QUERIED.replace("CacheTime 0 0", "CacheTime 1h 0"))
    ann = Person(own)
    assert outcome(httpd, ann) == GRANTED
    own.kill()
    for _ in range(3):
        assert outcome(httpd, ann) == GRANTED
    own.start()
    httpd.stop()


def test_guesses_are_throttled(start, own):
    """The directory's own lockout does not see them."""
    httpd = serve(start, own, f"AuthStatusThrottle 3 1h\n{QUERIED}")
    httpd.log.allow("AS0040")
    ann = Person(own)
    assert outcome(httpd, ann) == GRANTED
    own.kill()
    for number in range(3):
        assert outcome(httpd, ann, f"{WRONG}{number}") == DOWN
    for password in (WRONG, RIGHT):
        assert outcome(httpd, ann, password) == (429, "throttled")
    own.start()
    httpd.stop()


# -- processes, restarts, machines ------------------------------------------------------------------------------------

def test_other_processes(start, own):
    """Two children of prefork: one learns it, the other serves it; and one learns that it is over."""
    httpd = serve(start, own, mpm="prefork")
    ann = Person(own)

    def queries(connection, password=RIGHT):
        return connection.request("/in/", login=(ann.uid, password)).status
    with httpd.connection() as one, httpd.connection() as two:
        assert queries(one) == 200
        own.kill()
        assert queries(two) == 200
        own.start()
        ann.set("userPassword", "Pw!new")
        poll(lambda: queries(one) == 401, 10, "refused")
        own.kill()
        assert queries(two) == 503
    own.start()
    httpd.stop()


def test_a_restart_with_the_store_of_this_machine(start, own):
    """Its key is made anew: nothing serves."""
    httpd = serve(start, own)
    ann = Person(own)
    assert outcome(httpd, ann) == GRANTED
    own.kill()
    assert outcome(httpd, ann) == STALE
    httpd.reload()
    assert outcome(httpd, ann) == DOWN
    own.start()
    httpd.stop()


def test_a_restart_and_another_machine_with_a_key_and_redis(start, own, workdirs):
    store = Redis(workdirs.new("store")).start()
    site = f'AuthStatusCacheKey "{key_file(store.workdir)}"\n{QUERIED}'
    one, two = [serve(start, own, site, cache=store.cache, modules=store.modules) for _ in range(2)]
    for httpd in (one, two):
        httpd.log.allow("AS0084", "AS0085", r"AH0347[89]")
    ann = Person(own)
    assert outcome(one, ann) == GRANTED
    own.kill()
    one.reload()
    for httpd in (one, two):
        assert outcome(httpd, ann) == STALE
    store.flush()
    for httpd in (one, two):
        assert outcome(httpd, ann) == DOWN, "what is no longer in the store"
    store.stop()
    assert outcome(one, ann) == DOWN
    own.start()
    one.stop()
    two.stop()


# -- groups -----------------------------------------------------------------------------------------------------------

GROUPS = """<Location /in/members>
    Require ldap-group cn=members,o=memory
</Location>
<Location /in/others>
    Require ldap-group cn=others,o=memory
</Location>
<Location /in/banned>
    <RequireAll>
        Require valid-user
        Require not ldap-group cn=others,o=memory
    </RequireAll>
</Location>
"""


@pytest.mark.parametrize("seconds", ["0", "1h"], ids=["stale-login", "cached-login"])
def test_a_yes_of_a_group(start, own, seconds):
    """A yes serves; a no does not, and what is not known closes."""
    httpd = serve(start, own, QUERIED.replace("CacheTime 0 0", f"CacheTime {seconds} 0") + GROUPS)
    httpd.log.allow("AH01631")
    ann = Person(own)
    for name, member in (("members", ann.dn), ("others", "uid=nobody,o=memory")):
        own.client(ADMINISTRATOR).add_s(f"cn={name},o=memory", [
            ("objectClass", [b"groupOfNames"]), ("cn", [name.encode()]), ("member", [member.encode()])])
    assert outcome(httpd, ann, path="/in/members") == GRANTED
    assert outcome(httpd, ann, path="/in/others") == (403, "not-authorized")
    assert outcome(httpd, ann, path="/in/banned") == GRANTED
    own.kill()
    assert outcome(httpd, ann, path="/in/members") == (STALE if seconds == "0" else GRANTED)
    assert outcome(httpd, ann, path="/in/others") == DOWN
    assert outcome(httpd, ann, path="/in/banned") == DOWN
    own.start()
    httpd.stop()


def test_a_yes_of_a_group_behind_another_modules_login(start, own, workdirs):
    """A password file says who it is; the directory, who is in the group."""
    passwords = workdirs.new("passwords") / "file"
    ann = Person(own)
    own.client(ADMINISTRATOR).add_s("cn=members,o=memory", [
        ("objectClass", [b"groupOfNames"]), ("cn", [b"members"]), ("member", [ann.dn.encode()])])
    passwords.write_text(f"{ann.uid}:{{SHA}}{base64.b64encode(hashlib.sha1(RIGHT.encode()).digest()).decode()}\n")
    httpd = serve(start, own, QUERIED + GROUPS + f'<Location /in/members>\nAuthBasicProvider file\nAuthUserFile "{passwords}"\n</Location>\n',
                  modules=("authn_file", "socache_shmcb"))
    assert outcome(httpd, ann, path="/in/members") == GRANTED
    own.kill()
    assert outcome(httpd, ann, path="/in/members") == STALE
    own.start()
    httpd.stop()


# -- what is seen -----------------------------------------------------------------------------------------------------

def test_report_and_metrics(start, own):
    httpd = serve(start, own)
    ann = Person(own)
    assert outcome(httpd, ann) == GRANTED
    own.kill()
    for _ in range(3):
        assert outcome(httpd, ann) == STALE
    metrics = httpd.get("/report?metrics").body.decode()
    assert re.search(r'^authstatus_outcomes_total\{class="granted",outcome="granted-stale"\} 3$', metrics, re.M)
    assert '"granted-stale"' in httpd.get("/report?json").body.decode()
    assert "granted-stale" in httpd.get("/report").body.decode()
    own.start()
    httpd.stop()
