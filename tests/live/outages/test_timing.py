# SPDX-License-Identifier: Apache-2.0
"""AuthStatusUniformTiming compares passwords of like length: a directory refuses some of them without hashing ({CRYPT}
those of 512 octets and more), and is slow for others."""
import statistics
import time

from lab.fake import Fake, answer
from lab.ber import BIND_RESPONSE

SLOW = 0.6
SHORT, LONG = "Pw!wrong", "x" * 600


def hash_or_refuse(connection, message_id, tag):
    if connection.fake.people.get(connection.fake.operations[-1].detail) and len(connection.password) < 512:
        time.sleep(SLOW)
    answer(49)(connection, message_id, BIND_RESPONSE)


def test_passwords_of_like_length(start):
    fake = Fake({"user-bind": hash_or_refuse})
    httpd = start(f"Use Login /in ldap://127.0.0.1:{fake.port} dc=fake")
    httpd.log.allow("AH0161[78]")

    def times(user, password):
        return [httpd.get("/in/", login=(user, f"{password}{number}")).seconds for number in range(8)]
    # Any answer may come late on a machine that is busy, and none comes early: of those that are not held back one is quick.
    known = [times("ann", password) for password in (SHORT, LONG)]
    unknown = [times("nobody", password) for password in (SHORT, LONG)]
    assert min(known[0]) > SLOW > min(known[1])
    assert statistics.median(unknown[0]) > SLOW * 0.8, "held back as for a known user"
    assert min(unknown[1]) < SLOW * 0.8, "a long password is refused at once for a known user, so for nobody too"
    httpd.stop()
    fake.stop()
