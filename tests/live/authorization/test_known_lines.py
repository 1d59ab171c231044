# SPDX-License-Identifier: Apache-2.0
"""Require ldap-* answered by what a process knows of a login that it finds by its header: the same answers, statuses and
variables as at the first time, and an end of them with whatever ends the login or the answer. The log's level is info: at
debug nothing is found by its header."""
import json

import ldap
import pytest

from lab.process import poll
from lab.slapd import Database, Slapd
from test_rows import (BASE, FIVE, HERE, RIGHT, ROWS, STAFF, Text, all_of, any_of, cost, header, ldap_group, ldif, make,
                       section, site_text, slapd)  # noqa: F401

# Lines that an expression makes, or that the access phase answers: asked each time.
CASES = [(name, user, status) for name, row in ROWS.items() for user, status in row.statuses.items() if user]
MORE = {
    "alias-of-lines": (any_of("staff", "user nobody"), {"ann": 200, "bob": 403}),
    "not-alias": (all_of("valid-user", "not staff"), {"ann": 403, "bob": 200}),
    "not-user": (all_of("valid-user", "not ldap-user ann"), {"ann": 403, "bob": 200}),
    "not-filter": (all_of("valid-user", "not ldap-filter employeeType=staff"), {"ann": 403, "bob": 200}),
    "mail": ("AuthLDAPRemoteUserAttribute mail\n    " + FIVE, {"five": 200, "bob": 403}),
    "prefix": ("AuthLDAPAuthorizePrefix LDAP_\n    " + any_of(STAFF), {"ann": 200, "bob": 403}),
    "valid": ("Require valid-user", {"ann": 200}),
    "user": (any_of("ldap-user ann"), {"ann": 200, "bob": 403}),
    "dn": (any_of(f"ldap-dn uid=ann,{BASE}"), {"ann": 200, "bob": 403}),
    "not-dn": (all_of("valid-user", f"not ldap-dn uid=ann,{BASE}"), {"ann": 403, "bob": 200}),
    "not-group": (all_of("valid-user", "not " + ldap_group("nobody")), {"ann": 200, "bob": 200}),
    "twice": (any_of(ldap_group("nobody"), ldap_group("nobody"), STAFF), {"ann": 200, "bob": 403}),
}


@pytest.fixture(scope="module")
def quiet(start, slapd):  # noqa: F811
    text = site_text().replace("authstatus:debug", "authstatus:info")
    text += "".join(section(name, lines) for name, (lines, _) in MORE.items())
    text += "<Location /report>\nSetHandler authstatus-report\nRequire local\n</Location>\n"
    return make(start, slapd, conf="AuthStatusCacheTime 5min 5min\n" + text, cache=None)


def seen(httpd, name, user):
    answer = httpd.get(f"/in/{name}", login=(user, RIGHT))
    return (answer.status, header(answer, "X-Group"), header(answer, "X-Uid"), header(answer, "X-Other"),
            httpd.access(answer).user, httpd.access(answer).outcome, answer.body)


@pytest.mark.parametrize("name,user,status", CASES + [(name, user, status) for name, (_, statuses) in MORE.items()
                                                      for user, status in statuses.items()])
def test_again_and_again_the_same(quiet, slapd, name, user, status):  # noqa: F811
    quiet.log.allow("AS00", "AH0163[01]", "AH01797", "AH01618")
    first = seen(quiet, name, user)
    assert first[0] == status, (name, user, first)
    for number in range(4):
        mark = slapd.mark()
        assert seen(quiet, name, user) == first, (name, user, number)
        if number and status in (200, 403) and "down" not in ROWS.get(name, [""])[0]:
            assert cost(slapd, mark) == (0, 0, 0), (name, user, number)


def test_the_log_counts_the_groups_that_are_known(quiet):
    quiet.log.allow("AH01631")
    for _ in range(4):
        answer = quiet.get("/in/five", login=("cold3", RIGHT))
        poll(lambda: any("in none of 5 groups" in line.text for line in quiet.log.of(answer.row)), 10, "the refusal's line")


# ---- what ends them

def counters(httpd):
    return json.loads(httpd.get("/report?json").body)["counters"]


@pytest.mark.parametrize("name,user", [(name, user) for name, (_, statuses) in MORE.items() for user in statuses])
def test_each_request_counts_the_same(quiet, name, user):
    """From the second request on: the cache gives the answers of the second, and what is known of the login those of the last."""
    quiet.log.allow("AH0163[01]")
    counted, lines = [], []
    for _ in range(5):
        before = counters(quiet)
        answer = quiet.get(f"/in/{name}", login=(user, RIGHT))
        lines.append([line.text.partition(": AS00")[2] for line in quiet.outcome_lines(answer)])
        after = counters(quiet)
        counted.append({counter: after[counter] - before[counter] for counter in after if after[counter] != before[counter]})
    assert counted[1]["cache_hits"] and all(one == counted[1] for one in counted[1:]), counted
    assert all(one == lines[1] for one in lines[1:]), lines


@pytest.fixture
def own(workdirs):
    slapd = Slapd(workdirs.new("slapd-known"), [Database(BASE, Text(ldif()), (  # noqa: F811
        "index member eq", f"rootdn cn=root,{BASE}", "rootpw Pw!root"))]).start()
    yield slapd
    slapd.stop()


LINES = section("who", "Require valid-user") + section("flat", any_of(STAFF)) + section("five", FIVE) + section(
    "not", all_of("valid-user", "not " + ldap_group("nobody"))) + section("user", any_of("ldap-user ann"))


def learn(httpd, *queried):
    for name, user, status in queried:
        for _ in range(4):
            assert httpd.get(f"/in/{name}", login=(user, RIGHT)).status == status, (name, user)


def until(httpd, name, user, status, password=RIGHT):
    poll(lambda: httpd.get(f"/in/{name}", login=(user, password)).status == status, 30, f"{status} for {user} in {name}")


def test_their_time_ends(start, own):
    """A member who is removed, one who is added, one who is banned."""
    httpd = make(start, own, conf="AuthStatusCacheTime 2s 1s\n" + LINES, cache=None)
    httpd.log.allow("AH01631", "AS003")
    learn(httpd, ("flat", "ann", 200), ("five", "bob", 403), ("not", "bob", 200))
    directory = own.client(f"cn=root,{BASE}", "Pw!root")
    ann, bob = f"uid=ann,{BASE}".encode(), f"uid=bob,{BASE}".encode()
    directory.modify_s(f"cn=staff,{BASE}", [(ldap.MOD_DELETE, "member", [ann])])
    directory.modify_s(f"cn=five3,{BASE}", [(ldap.MOD_ADD, "member", [bob])])
    directory.modify_s(f"cn=nobody,{BASE}", [(ldap.MOD_ADD, "member", [bob])])
    until(httpd, "flat", "ann", 403)
    until(httpd, "five", "bob", 200)
    until(httpd, "not", "bob", 403)


def test_another_entry_of_the_same_name_and_password(start, own):
    """Who logs in anew as another entry has none of the former one's groups, whatever is known of them."""
    httpd = make(start, own, conf="AuthStatusCacheTime 2s 1s\n" + LINES, cache=None)
    httpd.log.allow("AH01631", "AH01618", "AS003")
    learn(httpd, ("flat", "ann", 200), ("who", "ann", 200), ("user", "ann", 200))
    directory = own.client(f"cn=root,{BASE}", "Pw!root")
    directory.rename_s(f"uid=ann,{BASE}", "uid=former", delold=1)
    until(httpd, "who", "ann", 401)
    directory.rename_s(f"uid=bob,{BASE}", "uid=ann", delold=1)
    until(httpd, "who", "ann", 200)
    directory.modify_s(f"cn=staff,{BASE}", [(ldap.MOD_REPLACE, "member", [f"uid=former,{BASE}".encode()])])
    until(httpd, "flat", "ann", 403)
    assert httpd.get("/in/flat", login=("former", RIGHT)).status == 200


def test_a_new_password_ends_the_old_one(start, own):
    httpd = make(start, own, conf="AuthStatusCacheTime 5min 5min\n" + LINES, cache=None)
    httpd.log.allow("AH01617", "AH01631", "AS001")
    learn(httpd, ("flat", "ann", 200))
    own.client(f"cn=root,{BASE}", "Pw!root").modify_s(f"uid=ann,{BASE}", [(ldap.MOD_REPLACE, "userPassword", [b"Pw!other"])])
    assert httpd.get("/in/flat", login=("ann", "Pw!other")).status == 200
    until(httpd, "flat", "ann", 401)


def test_lines_of_htaccess_are_read_each_time(start, slapd):  # noqa: F811
    conf = f"""<Directory "${{DOCS}}/own">
    AllowOverride AuthConfig
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider authstatus
    {HERE}
    AuthStatus On
</Directory>
"""
    httpd = make(start, slapd, conf=conf, cache=None, files={"own/index.html": "own\n"})
    httpd.log.allow("AH01631")
    rules = httpd.workdir / "docs/own/.htaccess"
    for line, ann, bob in ((STAFF, 200, 403), (ldap_group("nobody"), 403, 403), ("ldap-user bob", 403, 200), (STAFF, 200, 403)):
        rules.write_text(f"Require {line}\n")
        rules.chmod(0o644)
        for _ in range(4):
            assert httpd.get("/own/", login=("ann", RIGHT)).status == ann, line
            assert httpd.get("/own/", login=("bob", RIGHT)).status == bob, line
