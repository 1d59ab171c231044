# SPDX-License-Identifier: Apache-2.0
"""A cached answer must not serve for too long: a change in the directory takes effect when the answer expires."""
from collections import namedtuple

import pytest

from lab.process import poll
from lab.stores import Memcached, Redis, key_file
from lab.verify import verify
from memory.shared import ADMINISTRATOR, LOGIN, NOTHING, QUERIED, RIGHT, SHMCB, WRONG, Person, cost

NEW = "Pw!new"

Change = namedtuple("Change", "name before change after status password", defaults=(RIGHT,))

CHANGES = [
    Change("password", 200, lambda person: person.set("userPassword", NEW), "wrong-password", 401),
    Change("locked", 200, lambda person: person.set("pwdAccountLockedTime", "000001010000Z"), "account-locked", 401),
    Change("deleted", 200, Person.delete, "unknown-user", 401),
    Change("reset", 200, lambda person: [person.set("pwdPolicySubentry", "cn=reset,ou=policies,o=memory"),
                                         person.set("pwdReset", "TRUE")], "password-must-change", 403),
    Change("expired", 200, lambda person: [person.set("pwdPolicySubentry", "cn=instant,ou=policies,o=memory"),
                                           person.set("userPassword", RIGHT)], "password-expired", 403),
    # Refusals end as well.
    Change("password-set-to-what-was-wrong", 401, lambda person: person.set("userPassword", NEW), "granted", 200, NEW),
]


@pytest.fixture(scope="module")
def forgetful(start, slapd):
    return start(f"AuthStatusCacheTime 1s 1s\n{LOGIN}", defines={"LDAP": slapd.port}, **SHMCB)


@pytest.mark.parametrize("row", CHANGES, ids=[row.name for row in CHANGES])
def test_change_is_noticed(forgetful, person, row):
    """Hits go on all the time: none extends the cached answer."""
    def changed():
        answer = forgetful.get("/in/", login=(person.uid, row.password))
        return answer if answer.status != row.before else None
    forgetful.log.allow("AH01617")
    assert forgetful.get("/in/", login=(person.uid, row.password)).status == row.before
    row.change(person)
    answer = poll(changed, 10, row.name)
    verify(forgetful, answer, row.after, row.status)


def test_name_that_is_another_entrys_now(forgetful, slapd):
    """The DN is cached; whose entry it is, no longer than an acceptance. The DN does not show it."""
    root = slapd.client(ADMINISTRATOR)

    def add(cn, uid, password):
        root.add_s(f"cn={cn},ou=people,o=memory",
                   [(name, [value.encode()]) for name, value in {"objectClass": "inetOrgPerson", "cn": cn, "sn": cn, "uid": uid,
                                                                 "userPassword": password}.items()])
    forgetful.log.allow("AH01617")
    add("former", "bearer", RIGHT)
    assert forgetful.get("/in/", login=("bearer", RIGHT)).status == 200
    root.modify_s("cn=former,ou=people,o=memory", [(2, "uid", [b"retired"])])
    add("present", "bearer", NEW)
    poll(lambda: forgetful.get("/in/", login=("bearer", RIGHT)).status == 401, 10, "the end of the former bearer's password")
    verify(forgetful, forgetful.get("/in/", login=("bearer", NEW)), "granted", 200)
    verify(forgetful, forgetful.get("/in/", login=("retired", RIGHT)), "granted", 200)


def test_two_times(start, slapd, person):
    """The first is for acceptances, the second for refusals."""
    httpd = start(f"AuthStatusCacheTime 1h 0\n{LOGIN}", defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.expect("AH01617")
    with httpd.connection() as connection:
        cost(slapd, connection, person.uid, RIGHT)
        assert cost(slapd, connection, person.uid, RIGHT) == (200, NOTHING)
        for _ in range(2):
            assert cost(slapd, connection, person.uid, WRONG) == (401, QUERIED)
    httpd.stop()
    httpd = start(f"AuthStatusCacheTime 0 1h\n{LOGIN}", defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.expect("AH01617")
    with httpd.connection() as connection:
        cost(slapd, connection, person.uid, WRONG)
        assert cost(slapd, connection, person.uid, WRONG) == (401, NOTHING)
        for _ in range(2):
            status, queried = cost(slapd, connection, person.uid, RIGHT)
            assert status == 200 and queried["user_binds"] == 1
    httpd.stop()


# -- a new password ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("cache, modules", [("shmcb", ("socache_shmcb",)), (None, ())], ids=["shmcb", "process"])
def test_new_password_drops_the_old_one_in_its_process(start, slapd, person, cache, modules):
    httpd = start(LOGIN, defines={"LDAP": slapd.port}, cache=cache, modules=modules)
    httpd.log.expect("AH01617")
    assert httpd.get("/in/", login=(person.uid, RIGHT)).status == 200
    person.set("userPassword", NEW)
    assert httpd.get("/in/", login=(person.uid, NEW)).status == 200
    verify(httpd, httpd.get("/in/", login=(person.uid, RIGHT)), "wrong-password", 401)
    verify(httpd, httpd.get("/in/", login=(person.uid, NEW)), "granted", 200)
    httpd.stop()


def test_new_password_drops_the_old_one_in_other_processes(start, slapd, person):
    """Two children of prefork that both have the old one cached."""
    httpd = start(LOGIN, mpm="prefork", defines={"LDAP": slapd.port}, **SHMCB)
    httpd.log.expect("AH01617")
    with httpd.connection() as one, httpd.connection() as two:
        assert cost(slapd, one, person.uid, RIGHT)[0] == 200
        assert cost(slapd, two, person.uid, RIGHT) == (200, NOTHING)
        person.set("userPassword", NEW)
        assert cost(slapd, one, person.uid, NEW)[0] == 200
        status, queried = cost(slapd, two, person.uid, RIGHT)
        assert status == 401 and queried["user_binds"] == 1
        assert cost(slapd, two, person.uid, NEW) == (200, NOTHING)
    httpd.stop()


@pytest.fixture(params=[Redis, Memcached], ids=["redis", "memcache"])
def pair(request, workdirs, start, slapd):
    """Two httpd, as on two machines: a store and a key in common, and nothing else."""
    store = request.param(workdirs.new("store")).start()
    key = key_file(store.workdir)
    site = f'AuthStatusCacheKey "{key}"\nAuthStatusCacheTime 3s 1s\n{LOGIN}'
    yield [start(site, defines={"LDAP": slapd.port}, cache=store.cache, modules=store.modules) for _ in range(2)]
    store.stop()


def test_new_password_drops_the_old_one_on_other_machines(pair, slapd, person):
    one, two = pair
    two.log.expect("AH01617")
    assert one.get("/in/", login=(person.uid, RIGHT)).status == 200
    person.set("userPassword", NEW)
    assert one.get("/in/", login=(person.uid, NEW)).status == 200
    verify(two, two.get("/in/", login=(person.uid, RIGHT)), "wrong-password", 401)
    for httpd in pair:
        httpd.stop()


def test_what_another_machine_caches_by_itself_ends_in_its_time(pair, slapd, person):
    """One that has the old password in its own memory, in front of the store."""
    one, two = pair
    two.log.expect("AH01617")
    assert [httpd.get("/in/", login=(person.uid, RIGHT)).status for httpd in pair] == [200, 200]
    person.set("userPassword", NEW)
    assert one.get("/in/", login=(person.uid, NEW)).status == 200
    poll(lambda: two.get("/in/", login=(person.uid, RIGHT)).status == 401, 10, "the end of the old password")
    for httpd in pair:
        httpd.stop()
