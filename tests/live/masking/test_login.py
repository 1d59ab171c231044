# SPDX-License-Identifier: Apache-2.0
"""Masks in front of a directory: a request that goes two ways logs in once, is counted once, and answers alike."""
import json
from pathlib import Path

import pytest

from lab.process import poll
from lab.slapd import Database

HERE = Path(__file__).parent
ANN, WRONG, NOBODY = ("ann", "Pw!right"), ("ann", "Pw!wrong"), ("nobody", "Pw!right")
SITE = """
<Macro Tree $path $require>
    <Location "$path">
        AuthType Basic
        AuthName "the lab"
        AuthBasicProvider authstatus
        Use Directory "ldap://127.0.0.1:${LDAP}" o=masks
        Require $require
    </Location>
</Macro>
<Macro Trees>
    Use Tree / valid-user
    Use Tree /user "user admin"
    Use Tree /group "ldap-group cn=staff,o=masks"
    Use Tree /dn "ldap-dn cn=service,o=masks"
    Use Tree /filter "ldap-filter employeeType=boss"
    Use Tree /name "ldap-user bob"
    Use Tree /attribute "ldap-attribute employeeType=boss"
    ProxyPass /proxied http://127.0.0.1:1/
    Use Tree /proxied "ldap-group cn=staff,o=masks"
    Use Tree /gone "ldap-group cn=gone,o=masks"
    <Location /gone/denied>
        Require all denied
    </Location>
</Macro>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName forbidden
    AuthStatus On
    AuthStatusMask Forbidden
    Use Trees
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName all
    AuthStatus On
    AuthStatusMask All
    Use Tree /user "user admin"
    Use Tree /group "ldap-group cn=staff,o=masks"
    Use Tree /anybody valid-user
</VirtualHost>
# Directories in each other, all of which refuse.
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName nested
    AuthStatus On
    AuthStatusMask All
    AuthStatusThrottle 4 1h Client
""" + "".join(f"""
    Use Tree {"/nest" * depth} valid-user
    <Location {"/nest" * depth}>
        AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/o=masks?uid?sub?(!(sn={depth}))"
    </Location>
""" for depth in range(1, 7)) + """
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName stock
    AuthStatus On
    Use Trees
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName report
    <Location /report>
        SetHandler authstatus-report
        Require local
    </Location>
</VirtualHost>
"""
TREES = ("user", "group", "dn", "filter", "name", "attribute", "anybody")
FILES = {f"{tree}/page.html": f"{tree}\n" for tree in TREES}


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=masks", HERE / "people.ldif"))


@pytest.fixture(scope="module", params=("event", "prefork"))
def site(request, start, slapd):
    httpd = start(SITE, mpm=request.param, ldap=True, modules=("proxy", "proxy_http"), files=FILES, defines={"LDAP": slapd.port})
    yield httpd


@pytest.fixture(autouse=True)
def lines_of_other_modules(site):
    site.log.allow("AH01617", "AH01618", "AH01630", "AH01631", r"^AS00")


@pytest.mark.parametrize("tree", ("user", "group", "dn", "filter", "name", "attribute"))
@pytest.mark.parametrize("method", ("GET", "HEAD", "POST", "PUT", "OPTIONS", "PROPFIND"))
def test_who_is_not_allowed_sees_nothing_there(site, tree, method):
    hidden = site.get(f"/{tree}/page.html", method=method, login=ANN, host="forbidden")
    missing = site.get(f"/{'x' * len(tree)}/page.html", method=method, login=ANN, host="forbidden")
    assert hidden.comparable() == missing.comparable()
    assert hidden.status in (404, 405, 200)


@pytest.mark.parametrize("tree", ("user", "group", "anybody"))
@pytest.mark.parametrize("login", (None, WRONG, NOBODY, ANN))
def test_all_hides_the_question_too(site, tree, login):
    hidden = site.get(f"/{tree}/page.html", login=login, host="all")
    missing = site.get(f"/{'x' * len(tree)}/page.html", login=login, host="all")
    if (tree, login) == ("anybody", ANN):
        assert (hidden.status, hidden.body) == (200, b"anybody\n")
    else:
        assert hidden.comparable() == missing.comparable()
        assert hidden.status == 404 and not hidden.all("WWW-Authenticate")


def outcomes(site):
    """Counted so far, but for zeros."""
    report = json.loads(site.get("/report?json", host="report").body)
    return {name: figures["count"] for name, figures in report["outcomes"].items() if figures["count"]}


def costs(site, slapd, path, login, host):
    """The request is counted before its line of the access log is written."""
    mark, before = slapd.mark(), outcomes(site)
    site.access(site.get(path, login=login, host=host))
    after = outcomes(site)
    counted = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    operations = slapd.operations(mark)
    return (operations["searches"], operations["user_binds"]), counted


@pytest.mark.parametrize("host, login, counted", (
    ("forbidden", ANN, {"granted": 1, "not-authorized": 1}), ("all", ANN, {"granted": 1, "not-authorized": 1}),
    ("all", WRONG, {"wrong-password": 1}), ("all", NOBODY, {"unknown-user": 1}), ("all", None, {"no-credentials": 1})))
def test_a_masked_request_logs_in_once_and_is_counted_once(site, slapd, host, login, counted):
    with site.connection() as connection:
        for _ in range(20):  # each child has its sessions
            last = connection.request("/user/page.html", login=ANN, host=host)
    site.access(last)
    expected = (1, 1) if login else (0, 0)
    assert costs(site, slapd, "/user/page.html", login, host) == (expected, counted)


def test_a_client_is_counted_once_wherever_a_masked_request_logs_in(site):
    site.log.expect("AS0040")

    def counted():
        return [outcomes(site).get(name, 0) for name in ("unknown-user", "throttled")]

    refused, throttled = counted()
    for _ in range(5):
        site.get("/nest" * 6 + "/page.html", login=NOBODY, host="nested")
    poll(lambda: sum(counted()) == refused + throttled + 5, 10, "five outcomes")
    assert counted() == [refused + 4, throttled + 1]


def test_a_walk_uses_up_no_warning_of_a_missing_group(site):
    site.log.expect("AS0032")
    with site.connection() as connection:  # that is one process
        for path in ("/gone/denied/page.html", "/gone/page.html"):
            connection.request(path, login=ANN, host="forbidden")
    poll(lambda: [line for line in site.log.lines() if "AS0032" in line.text], 10, "the warning")


@pytest.mark.parametrize("tree", ("user", "group", "dn", "filter", "name", "attribute", "proxied"))
@pytest.mark.parametrize("below", ("/page.html", "/page.html/path/info", "/" + "/".join(f"d{number}.x" for number in range(16))),
                         ids=("short", "path info", "deep"))
@pytest.mark.parametrize("login", (ANN, WRONG), ids=("ann", "wrong"))
def test_a_masked_request_costs_the_directory_what_its_refusal_does(site, slapd, tree, below, login):
    def queried(host):
        with site.connection() as connection:
            for _ in range(20):  # each child has its sessions, and mod_ldap its cache
                connection.request(f"/{tree}{below}", login=login, host=host)
            mark = slapd.mark()
            connection.request(f"/{tree}{below}", login=login, host=host)
        return {name: count for name, count in slapd.operations(mark).items() if name in ("searches", "user_binds", "other")}

    assert queried("forbidden") == queried("stock")


def test_what_a_hidden_place_requires_is_queried_for_who_has_logged_in(site, slapd):
    """A row of docs/hiding-a-tree.md: the octets are the same, the directory's work is not."""
    def count(tree):
        mark = slapd.mark()
        assert site.get(f"/{tree}/page.html", login=("eva", "Pw!right"), host="forbidden").status == 404
        operations = slapd.operations(mark)
        return operations["searches"] + operations["other"]
    missing = count("absent")
    assert count("user") == missing
    assert all(count(tree) > missing for tree in ("group", "filter", "name", "attribute"))
