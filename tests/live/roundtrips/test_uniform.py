# SPDX-License-Identifier: Apache-2.0
"""AuthStatusUniformTiming On: whatever a login fails for, the directory has the same work and the client gets the same octets,
for the first wrong password, another one, and that one again. tests/bench/names.py measures what a clock sees; the delays are
those of tests/unit/test_uniform_timing.c and test_delay.c."""
from pathlib import Path

import pytest

from lab.fake import Fake, entries
from lab.slapd import Database

HERE = Path(__file__).parent
SITE = """
AuthStatusCacheTime 60s 60s
AuthStatusThrottle {throttle}
AuthStatusDisclose {disclose}
Use Login /in "ldap://127.0.0.1:${{LDAP}}" o=trips
"""
# What failed, and that name's outcome.
NAMES = {"nobody": "unknown-user", "ann": "wrong-password", "twin": "ambiguous-user", "eve": "account-locked"}
# Searches and binds as users, of the three.
WORK = [("one", (1, 1)), ("another", (0, 1)), ("another", (0, 0))]


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=trips", HERE / "locked.ldif", ("ppolicy_use_lockout",)))


def octets(answer):
    """Whatever the client sees, but for the time of day."""
    return answer.status, [header for header in answer.headers if header[0] != "Date"], answer.body


@pytest.mark.parametrize("disclose", ["Proven", "Never"])
@pytest.mark.parametrize("throttle", ["Off", '"10 5min"'])
def test_failures_are_alike(start, slapd, throttle, disclose):
    httpd = start(SITE.format(throttle=throttle.strip('"'), disclose=disclose), defines={"LDAP": slapd.port}, cache="shmcb",
                  modules=("socache_shmcb",))
    httpd.log.allow("AH01617", "AH01618", "ambiguous-user", "account-locked")
    seen = {}
    with httpd.connection() as connection:
        for password in ("Pw!early", "Pw!right"):  # what httpd does once is done, and ann logged in lately
            connection.request("/in/", login=("ann", password))
        for user, outcome in NAMES.items():
            for number, (password, work) in enumerate(WORK):
                mark = slapd.mark()
                answer = connection.request("/in/", login=(user, f"Pw!{password}"))
                assert httpd.access(answer).outcome == outcome
                counted = slapd.operations(mark)
                if (user, number) != ("ann", 0):  # this client's failure before was the first one
                    assert (counted["searches"], counted["user_binds"]) == work, (user, number)
                seen.setdefault(number, {})[user] = octets(answer)
    for number, answers in seen.items():
        assert answers["nobody"][0] == 401
        for user, answer in answers.items():
            assert answer == answers["nobody"], (number, user)
    httpd.stop()


def test_one_of_several_is_no_less_work(start):
    """A server whose own size limit is one entry: that entry is not bound, and the name costs a bind all the same, with a password
    that nobody sent."""
    fake = Fake({"search": entries("uid=ann,dc=fake", code=4)})
    httpd = start('Use Login /in "ldap://127.0.0.1:${LDAP}" dc=fake', defines={"LDAP": fake.port})
    httpd.log.allow("AH0161[78]", "ambiguous-user")
    answer = httpd.get("/in/", login=("ann", "Pw!right"))
    assert (answer.status, httpd.access(answer).outcome) == (401, "ambiguous-user")
    bound = [(operation.detail, operation.password) for operation in fake.operations if operation.step == "user-bind"]
    assert len(bound) == 1, bound
    assert bound[0][0] != "uid=ann,dc=fake" and bound[0][1] != "Pw!right" and len(bound[0][1]) == len("Pw!right"), bound
    httpd.stop()
    fake.stop()
