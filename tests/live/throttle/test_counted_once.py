# SPDX-License-Identifier: Apache-2.0
"""One wrong password is one bind, also where what was cached about its name may be out of date."""
from lab.fake import BASE, Fake, answer

PPOLICY = "1.3.6.1.4.1.42.2.27.8.5.1"
WITH_POLICY, WITHOUT = answer(49, controls=[(PPOLICY, b"\x30\x00")]), answer(49)


def test_a_refusal_without_the_policy_is_not_sent_again(start):
    """The entry's password policy was taken away: the refusals look like those of a name that is gone."""
    fake = Fake({"user-bind": [WITH_POLICY, WITHOUT]})
    site = start(f'AuthStatusThrottle 5 1h\nUse Login /in "ldap://127.0.0.1:{fake.port}" {BASE}', cache="shmcb",
                 modules=("socache_shmcb",))
    site.log.allow("AH01617", "AS0040")
    statuses = [site.get("/in/", login=("ann", f"Pw!wrong{number}")).status for number in range(7)]
    assert statuses == [401] * 5 + [429] * 2 and fake.count("user-bind") == 5
    fake.stop()


def test_an_entry_that_has_moved_is_found(start):
    """And the new entry gets its bind."""
    fake = Fake({"user-bind": [WITH_POLICY, WITHOUT]}, people={"uid=ann,ou=old,dc=fake": "Pw!right"})
    site = start(f'AuthStatusThrottle 5 1h\nUse Login /in "ldap://127.0.0.1:{fake.port}" {BASE}', cache="shmcb",
                 modules=("socache_shmcb",))
    site.log.allow("AH01617")
    assert site.get("/in/", login=("ann", "Pw!wrong")).status == 401
    fake.people = {"uid=ann,ou=new,dc=fake": "Pw!right"}
    fake.act_out({"user-bind": [WITHOUT, answer(0)]})
    assert site.get("/in/", login=("ann", "Pw!right")).status == 200
    assert [operation.detail for operation in fake.operations if operation.step == "user-bind"] == [
        "uid=ann,ou=old,dc=fake", "uid=ann,ou=old,dc=fake", "uid=ann,ou=new,dc=fake"]
    fake.stop()
