# SPDX-License-Identifier: Apache-2.0
"""Require ldap-* while the directory changes: it goes down or hangs between login and authorization, members come and go,
refusals are masked."""
import ldap
import pytest

from lab.httpd import SANITIZE
from lab.httpd import SLACK
from lab.process import poll
from lab.slapd import Database, Slapd
from lab.verify import verify
from test_rows import BASE, RIGHT, STAFF, Text, all_of, any_of, ldap_group, ldif, make, section

DOWN = section("flat", any_of(STAFF)) + section("five", any_of(ldap_group("five1"))) + section(
    "not", all_of("valid-user", "not " + ldap_group("nobody")))


@pytest.fixture
def own(workdirs):
    """A slapd that a test may stop."""
    slapd = Slapd(workdirs.new("slapd-changes"), [Database(BASE, Text(ldif()), (
        "index member eq", f"rootdn cn=root,{BASE}", "rootpw Pw!root"))]).start()
    yield slapd
    slapd.stop()


def test_the_directory_goes_down_behind_a_cached_login(start, own):
    """A cached answer to a line is still served; one that is not cached is 503, for members and strangers alike."""
    httpd = make(start, own, conf="AuthStatusCacheTime 5min 5min\n" + DOWN, cache=None)
    httpd.log.allow("AH01631")
    assert httpd.get("/in/flat", login=("ann", RIGHT)).status == 200
    assert httpd.get("/in/flat", login=("bob", RIGHT)).status == 403
    own.kill()
    assert httpd.get("/in/flat", login=("ann", RIGHT)).status == 200
    assert httpd.get("/in/flat", login=("bob", RIGHT)).status == 403
    httpd.log.allow("AS0050")
    for path in ("/in/five", "/in/not"):
        got = httpd.get(path, login=("ann", RIGHT))
        verify(httpd, got, "directory-down", 503, retry_after=got.header("Retry-After"))
        assert not any("AH01631" in line.text for line in httpd.log.of(got.row))


def test_login_and_lines_share_the_deadline(start, own):
    """The login is cached; the directory hangs: the answer comes at the deadline."""
    httpd = make(start, own, conf="AuthStatusDeadline 4s\n" + DOWN, cache=None)
    assert httpd.get("/in/flat", login=("ann", RIGHT)).status == 200
    own.freeze()
    try:
        httpd.log.expect("AS0051")
        got = httpd.get("/in/five", login=("ann", RIGHT))
        verify(httpd, got, "directory-timeout", 503)
        assert got.seconds < 4 + SLACK
    finally:
        own.thaw()


def test_members_come_and_go(start, own):
    httpd = make(start, own, conf="AuthStatusCacheTime 2s 1s\n" + DOWN, cache=None)
    httpd.log.allow("AH01631")
    directory = own.client(f"cn=root,{BASE}", "Pw!root")
    group = f"cn=staff,{BASE}"

    def status(user):
        return httpd.get("/in/flat", login=(user, RIGHT)).status

    assert (status("bob"), status("ann")) == (403, 200)
    directory.modify_s(group, [(ldap.MOD_ADD, "member", f"uid=bob,{BASE}".encode())])
    poll(lambda: status("bob") == 200, 30, "a new member is let in")
    directory.modify_s(group, [(ldap.MOD_DELETE, "member", f"uid=ann,{BASE}".encode())])
    poll(lambda: status("ann") == 403, 30, "a former member is not")


def test_lines_as_the_user_behind_a_cached_login(start, own):
    """The login is cached for longer than the no: the line queries again, with the password of this request."""
    as_user = "AuthLDAPSearchAsUser On\n    AuthLDAPCompareAsUser On\n    " + any_of(STAFF)
    httpd = make(start, own, conf="AuthStatusCacheTime 5min 1s\n" + section("as-user", as_user), cache=None)
    httpd.log.allow("AH01631")
    assert httpd.get("/in/as-user", login=("bob", RIGHT)).status == 403
    mark = own.mark()

    def was_queried():
        assert httpd.get("/in/as-user", login=("bob", RIGHT)).status == 403
        return any(" CMP " in line for line in own.lines(mark))
    poll(was_queried, 30, "the line was asked again")
    assert httpd.get("/in/as-user", login=("ann", RIGHT)).status == 200


def test_a_refusal_can_be_masked_mapped_and_helped(start, own):
    conf = section("masked/secret", "AuthStatusMask Forbidden\n    " + any_of(STAFF))
    conf += section("mapped", "AuthStatusMap not-authorized 404\n    " + any_of(STAFF))
    conf += section("helped", "AuthStatusHelp not-authorized /ask-for-it\n    " + any_of(STAFF))
    httpd = make(start, own, conf=conf.replace("/in/masked", "/masked"), files={"masked/secret": "secret\n"})
    httpd.log.allow("AH01631", "AH00128")
    assert httpd.get("/masked/secret", login=("ann", RIGHT)).status == 200
    refused = httpd.get("/masked/secret", login=("bob", RIGHT))
    missing = httpd.get("/masked/nothing", login=("bob", RIGHT))
    assert (refused.status, missing.status) == (404, 404)
    assert refused.comparable().replace(b"secret", b"nothing") == missing.comparable()
    assert httpd.access(refused).outcome == "not-authorized"
    assert httpd.get("/in/mapped", login=("bob", RIGHT)).status == 404
    helped = httpd.get("/in/helped", login=("bob", RIGHT))
    assert helped.status == 403 and b"/ask-for-it" in helped.body


def test_many_requests_leave_nothing_behind(start, own):
    """Lines of every kind, refused and let in: memory stays flat, and there is a session a thread at most."""
    if SANITIZE:
        pytest.skip("AddressSanitizer keeps what was freed")
    conf = section("flat", any_of(STAFF)) + section("top", any_of(ldap_group("top"))) + section(
        "attribute", any_of("ldap-attribute employeeType=staff")) + section("filter", any_of("ldap-filter sn=Person"))
    httpd = make(start, own, conf=conf, threads=4)
    httpd.log.allow("AH01631")

    def round_of(times):
        with httpd.connection() as connection:
            for number in range(times):
                for path in ("flat", "top", "attribute", "filter"):
                    connection.request(f"/in/{path}", login=(("ann", "bob", "deep")[number % 3], RIGHT))

    round_of(150)
    before = httpd.resident_memory()
    round_of(300)
    assert httpd.resident_memory() - before < 1024 * 1024
    own.wait_for_silence(2 * 4)
