# SPDX-License-Identifier: Apache-2.0
"""A login that is found by its header: nobody sees anything of it. The requests of one login are equal in status, headers,
environment, access line and counters, from the second on, which the cache answers; and a header that is not the very same is
judged as it would be without."""
import json
import os
import random
import re

import pytest

from lab.httpd import SANITIZE
from lab.client import basic
from lab.process import poll
from lab.slapd import Database

RIGHT = "Pw!right"
TIMES = 5
ATTRIBUTES = ("uid,cn,sn,mail,description,givenName,initials,title,ou,o,l,st,street,postalCode,telephoneNumber,mobile")
FILES = {"env.shtml": "<!--#printenv -->", "index.html": "the page\n", "own/index.html": "own\n"}
SITE = """
AuthStatusCacheTime 1h 1h
AliasMatch "^/look/" "${DOCS}/env.shtml"
<Directory "${DOCS}">
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
<Macro Place $name $attributes>
    <Location /look/$name>
        AuthType Basic
        AuthName "the lab"
        AuthBasicProvider authstatus
        AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=look?$attributes?sub"
        AuthLDAPBindDN "cn=service,o=look"
        AuthLDAPBindPassword "Pw!service"
        AuthStatus On
        Require valid-user
    </Location>
</Macro>
Use Place plain uid
Use Place many @ATTRIBUTES@
Use Place attribute uid,cn
<Location /look/attribute>
    AuthLDAPRemoteUserAttribute cn
</Location>
Use Place dn uid
<Location /look/dn>
    AuthLDAPRemoteUserIsDN On
</Location>
Use Place help uid
<Location /look/help>
    AuthStatusHelp granted /welcome
</Location>
Use Place nested uid
<Location /look/nested/deeper>
    AuthLDAPRemoteUserAttribute cn
    AuthName "deeper"
</Location>
Use Place require uid,sn
<Location /look/require>
    AuthMerging Off
    Require ldap-attribute sn=Ann
</Location>
Use Place expression uid
<Location /look/expression>
    AuthType "%{HTTP:X-Type}"
</Location>
Use Place other-provider uid
<Location /look/other-provider>
    AuthBasicProvider file
    AuthUserFile "${WORKDIR}/users"
</Location>
Use Place digest uid
<Location /look/digest/deeper>
    AuthBasicUseDigestAlgorithm MD5
</Location>
<Directory "${DOCS}/own">
    AllowOverride AuthConfig
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider authstatus
    Use Directory "ldap://127.0.0.1:${LDAP}" o=look
    AuthStatus On
    Require valid-user
</Directory>
Use Place with-error-page uid
<Location /look/with-error-page>
    ErrorDocument 403 /look/plain
    AuthMerging Off
    Require user nobody
</Location>
Use Place two uid
<Location /look/two>
    AuthBasicProvider file authstatus
    AuthUserFile "${WORKDIR}/users"
</Location>
<AuthnProviderAlias authstatus corp>
    AuthLDAPURL "ldap://127.0.0.1:${LDAP}/o=look?uid,sn?sub"
    AuthLDAPBindDN "cn=service,o=look"
    AuthLDAPBindPassword "Pw!service"
</AuthnProviderAlias>
<Location /look/alias>
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider corp
    AuthStatus On
    Require valid-user
</Location>
<Location /look/alias-require>
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider corp
    AuthStatus On
    Require ldap-attribute sn=Ann
</Location>
<Location /report>
    SetHandler authstatus-report
    Require local
</Location>
<VirtualHost *:${SECOND}>
    ServerName second
    DocumentRoot "${DOCS}"
</VirtualHost>
""".replace("@ATTRIBUTES@", ATTRIBUTES)


@pytest.fixture(scope="module")
def slapd(start_slapd, people):
    return start_slapd(Database("o=look", people.parent / "lookaside.ldif", ('rootdn "cn=root,o=look"', "rootpw Pw!service")))


@pytest.fixture(scope="module")
def make(start, slapd):
    def make_one(conf=SITE, **options):
        httpd = start.make(conf, defines={"LDAP": slapd.port}, cache="shmcb", modules=("socache_shmcb", "include"), files=FILES,
                           listen=("HTTP", "SECOND"), **options)
        (httpd.workdir / "users").write_text("both:{SHA}" + "x" * 28 + "\n")
        return httpd.start()
    return make_one


@pytest.fixture(scope="module")
def site(make):
    return make()


def seen(site, answer):
    """All that is seen of an answer, but for what is of the moment."""
    line = site.access(answer)
    body = re.sub(rb"(?m)^(DATE_\w+|REMOTE_PORT|HTTP_X_ROW|LAST_MODIFIED)=.*\n", b"", answer.body)
    return answer.status, [header for header in answer.headers if header[0] != "Date"], body, line._replace(row="")


def counters(site):
    report = json.loads(site.get("/report?json").body)
    return report


def flat(value, path=""):
    """{path: number}"""
    if isinstance(value, dict):
        return {key: number for name, inner in value.items() for key, number in flat(inner, f"{path}/{name}").items()}
    if isinstance(value, list):
        return {key: number for at, inner in enumerate(value) for key, number in flat(inner, f"{path}/{at}").items()}
    return {path: value} if isinstance(value, (int, float)) and not isinstance(value, bool) else {}


USERS = {"ann": RIGHT, "ünal": "Pw!rïght", "far": RIGHT, "bob": "Pw!bob"}
PLACES = ("plain", "many", "attribute", "dn", "help", "nested", "nested/deeper", "alias", "two")


@pytest.mark.parametrize("port", ["HTTP", "SECOND"])
@pytest.mark.parametrize("place", PLACES)
def test_all_requests_are_equal(site, place, port):
    for user, password in USERS.items():
        with site.connection(port) as connection:
            answers = [connection.request(f"/look/{place}", login=(user, password)) for _ in range(TIMES)]
        assert answers[0].status == 200, (user, answers[0])
        all_seen = [seen(site, answer) for answer in answers]
        for number, one in enumerate(all_seen[1:], 2):
            assert one == all_seen[0], f"{user}, request {number}"
        body = answers[-1].body.decode()
        assert "AUTH_TYPE=Basic\n" in body and "AUTHSTATUS_OUTCOME=granted\n" in body, body
        assert f"AUTHENTICATE_UID={user}\n" in body
        who = {"attribute": {"ann": "Ann", "ünal": "Ünal Öztürk", "far": "Far", "bob": "Bob"}[user],
               "dn": None}.get(place.replace("nested/deeper", "attribute"), user)
        assert who is None or f"REMOTE_USER={who}\n" in body, body
        if place == "dn":
            assert re.search(rf"(?m)^REMOTE_USER=uid={user},.*o=look$", body), body
        if place == "many" and user == "ann":
            assert "AUTHENTICATE_CN=Ann; Ann the second\n" in body and "AUTHENTICATE_MOBILE=\n" in body


@pytest.mark.parametrize("place", ["require", "alias-require"])
def test_lines_of_require_know_the_entry(site, slapd, place):
    """The lines concern the entry of the login, which the cache has: nothing searches for it by its name."""
    site.log.allow("AH01631", "AS00")
    for user, status in (("ann", 200), ("bob", 403), ("ünal", 403)):
        with site.connection() as connection:
            first = [seen(site, connection.request(f"/look/{place}", login=(user, USERS[user]))) for _ in range(2)]
            mark = slapd.mark()
            more = [seen(site, connection.request(f"/look/{place}", login=(user, USERS[user]))) for _ in range(3)]
        assert first[0][0] == status and all(one == first[0] for one in first[1:] + more), (user, first, more)
        assert slapd.operations(mark)["searches"] == 0


def count(site, connection, path="/look/plain"):
    """What one login adds to the counters. Both reports are of one minute, in which the lists of series begin alike; and what
    was lately is no counter: it falls with time."""
    while True:
        before = counters(site)
        connection.request(path, login=("ann", RIGHT))
        after = counters(site)
        if after["series"]["hour"]["begins"] == before["series"]["hour"]["begins"]:
            break
    before, after = flat(before), flat(after)
    return {path: after[path] - before.get(path, 0) for path in after if after[path] != before.get(path, 0)
            and re.search("hits|granted|misses|coalesced|questions", path) and not path.endswith(("/per_minute", "/lately"))}


def test_each_is_counted_once(site):
    with site.connection() as connection:
        connection.request("/look/plain", login=("ann", RIGHT))
        connection.request("/look/plain", login=("ann", RIGHT))
        differences = [count(site, connection) for _ in range(4)]
    assert differences[0] and all(difference == differences[0] for difference in differences), differences
    assert set(differences[0].values()) == {1}, differences


def test_an_error_page_is_no_hit_of_its_own(site):
    """The section of the page has the same directory: one login, one hit, whichever way it is found."""
    site.log.allow("AH01631")
    with site.connection() as connection:
        for _ in range(2):
            assert connection.request("/look/with-error-page", login=("ann", RIGHT)).status == 403
        differences = [count(site, connection, "/look/with-error-page") for _ in range(3)]
    assert differences[0]["/counters/cache_hits"] == 1 and all(difference == differences[0] for difference in differences), differences


def test_digests_are_refused(site):
    """AuthBasicUseDigestAlgorithm: mod_auth_basic refuses what no provider of ours can check, whatever is known of the login."""
    site.log.expect("AH02493")
    (site.workdir / "docs/own/.htaccess").unlink(missing_ok=True)
    with site.connection() as connection:
        for path in ("/look/digest", "/own/"):
            for _ in range(TIMES):
                assert connection.request(path, login=("ann", RIGHT)).status == 200, path
        site.write("own/.htaccess", "AuthBasicUseDigestAlgorithm MD5\n")
        for path in ("/look/digest/deeper/page", "/own/"):
            for _ in range(TIMES):
                assert connection.request(path, login=("ann", RIGHT)).status == 500, path
        assert connection.request("/look/digest", login=("ann", RIGHT)).status == 200


def test_the_directory_is_asked_once(site, slapd):
    mark = slapd.mark()
    with site.connection() as connection:
        for _ in range(TIMES):
            assert connection.request("/look/plain?once", login=("bob", "Pw!bob")).status == 200
    assert slapd.operations(mark)["user_binds"] <= 1


def test_another_provider_and_another_type_are_asked(site):
    """What was learnt of a section is no answer to a request that another module answers."""
    site.log.expect("AH01618")  # user not found, in the file
    with site.connection() as connection:
        for _ in range(TIMES):
            assert connection.request("/look/expression", login=("ann", RIGHT), headers=(("X-Type", "Basic"),)).status == 200
        site.log.expect("AS0070|AH01796|AH01797|AH00027|AuthType")
        assert connection.request("/look/expression", login=("ann", RIGHT), headers=(("X-Type", "Nothing"),)).status in (401, 500)
        assert connection.request("/look/expression", login=("ann", RIGHT), headers=(("X-Type", "Basic"),)).status == 200
        assert connection.request("/look/other-provider", login=("ann", RIGHT)).status == 401


def variants(header):
    """Headers like this one."""
    scheme, value = header.split(" ")
    yield from (header, f"basic {value}", f"BASIC {value}", f"Basic  {value}", f"Basic\t{value}", f"{header} ", f"{header}=",
                f"{header}\t", header.rstrip("="), f"Basic {value}x", f"Basic {value[:-1]}", f"{header},", f"{header}, {header}",
                f"Bearer {value}", f"Basic{value}", "Basic", "Basic ", f"Basic =={value}", f"Basic {value[1:]}",
                f"Basic {value} {value}", f"{value}", f"Negotiate {value}", f"Basic {value.replace('U', 'u')}",
                f"Basic {value.swapcase()}", "Basic " + "A" * 600, "Basic " + "A" * 8000)
    # bits that pad: another digit for the same octets
    if value.endswith("="):
        digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        bare = value.rstrip("=")
        for digit in digits:
            yield f"Basic {bare[:-1]}{digit}{'=' * (len(value) - len(bare))}"


def test_header_variants(make):
    """With the lookaside, where the header is known, and with LogLevel debug, where there is none: the same verdict."""
    fast, slow = make(), make("LogLevel authstatus:debug\n" + SITE)
    for httpd in (fast, slow):
        httpd.log.allow("AH0161[78]", "AH01614", "AH01630", "AH00027", "AS00")
    header = basic("ann", RIGHT).decode()
    with fast.connection() as one, slow.connection() as two:
        for connection in (one, two):
            for _ in range(3):
                assert connection.request("/look/plain", authorization=header).status == 200
        chosen = list(variants(header)) + list(variants(basic("bob", "Pw!bob").decode()))
        for variant in chosen:
            answers = [connection.request("/look/plain", authorization=variant) for connection in (one, two)]
            assert answers[0].status == answers[1].status, variant
            assert [answer.header("WWW-Authenticate") for answer in answers][0] == answers[1].header("WWW-Authenticate"), variant
            assert one.request("/look/plain", authorization=header).status == 200


def test_fuzz_fast_against_long(make):
    """Changed octets, sections and users at random, each sent in both ways."""
    fast, slow = make(), make("LogLevel authstatus:debug\n" + SITE)
    for httpd in (fast, slow):
        httpd.log.allow("AH0161[78]", "AH01614", "AH01630", "AH00027", "AS00")
    seed = int(os.environ.get("AUTHSTATUS_SEED", random.randrange(1 << 30)))
    choose = random.Random(seed)
    logins = [basic(user, password).decode() for user, password in USERS.items()]
    logins += [basic("ann", "Pw!wrong").decode(), basic("nobody", RIGHT).decode(), basic("ann", "").decode()]
    with fast.connection() as one, slow.connection() as two:
        for _ in range(600):
            header = choose.choice(logins)
            if choose.random() < 0.3:
                at = choose.randrange(6, len(header))
                header = header[:at] + choose.choice("AZaz09+/=~ ") + header[at + choose.randrange(2):]
            path = f"/look/{choose.choice(PLACES)}"
            answers = [connection.request(path, authorization=header.strip()) for connection in (one, two)]
            bodies = [re.sub(rb"(?m)^(DATE_\w+|REMOTE_PORT|HTTP_X_ROW|LAST_MODIFIED|SERVER_PORT|DOCUMENT_ROOT|SCRIPT_FILENAME|"
                             rb"CONTEXT_DOCUMENT_ROOT|SERVER_SIGNATURE|DOCUMENT_PATH_INFO|HTTP_HOST)=.*\n", b"", answer.body)
                      for answer in answers]
            assert answers[0].status == answers[1].status and bodies[0] == bodies[1], (seed, path, header)


# -- the end of an acceptance -----------------------------------------------------------------------------------------

def test_a_new_password_in_another_process(make, slapd):
    """The old one is refused at once in every process, as soon as one has seen the new one."""
    httpd = make(mpm="prefork")
    httpd.log.expect("AH01617")
    root = slapd.client("cn=root,o=look")
    try:
        for _ in range(200):  # eight processes
            assert httpd.get("/look/plain", login=("bob", "Pw!bob")).status == 200
        root.modify_s("uid=bob,o=look", [(2, "userPassword", [b"Pw!new"])])
        assert httpd.get("/look/plain", login=("bob", "Pw!bob")).status == 200  # cached
        assert httpd.get("/look/plain", login=("bob", "Pw!new")).status == 200
        for _ in range(50):
            assert httpd.get("/look/plain", login=("bob", "Pw!bob")).status == 401
    finally:
        root.modify_s("uid=bob,o=look", [(2, "userPassword", [b"Pw!bob"])])


def test_its_time_is_not_extended(make, slapd):
    httpd = make(SITE.replace("AuthStatusCacheTime 1h 1h", "AuthStatusCacheTime 2s 1s"))
    httpd.log.expect("AH01617")
    root = slapd.client("cn=root,o=look")
    try:
        with httpd.connection() as connection:
            assert connection.request("/look/plain", login=("bob", "Pw!bob")).status == 200
            root.modify_s("uid=bob,o=look", [(2, "userPassword", [b"Pw!new"])])
            # without a pause: each is a hit until it ends
            poll(lambda: connection.request("/look/plain", login=("bob", "Pw!bob")).status == 401, 10, "the end")
    finally:
        root.modify_s("uid=bob,o=look", [(2, "userPassword", [b"Pw!bob"])])


def test_graceful_restart_with_changed_settings(make):
    """What a section says now is what counts: of a process before nothing is left."""
    httpd = make()
    with httpd.connection() as connection:
        for _ in range(TIMES):
            assert "REMOTE_USER=ann\n" in connection.request("/look/plain", login=("ann", RIGHT)).body.decode()
    with open(httpd.configuration, "a") as text:
        text.write("<Location /look/plain>\nAuthLDAPRemoteUserAttribute cn\n</Location>\n")
    httpd.reload()
    with httpd.connection() as connection:
        for _ in range(TIMES):
            assert "REMOTE_USER=Ann\n" in connection.request("/look/plain", login=("ann", RIGHT)).body.decode()
    with open(httpd.configuration, "a") as text:
        text.write("<Location /look/plain>\nAuthLDAPURL ldap://127.0.0.1:1/o=look?uid\n</Location>\n")
    httpd.reload()
    httpd.log.expect("AS00")
    assert httpd.get("/look/plain", login=("ann", RIGHT)).status == 503


def test_no_password_in_a_core(make):
    """No decoded password is in the memory of a process after many requests; what came by the network is httpd's."""
    if SANITIZE:
        pytest.skip("a core with AddressSanitizer's shadow is of terabytes")
    httpd = make()
    with httpd.connection() as connection:
        for _ in range(TIMES):
            assert connection.request("/look/plain", login=("ann", RIGHT)).status == 200
    found = [needle for pid in httpd.children() for needle in (b"ann:" + RIGHT.encode(), RIGHT.encode(), b"cn=service,o=look") if needle in memory(pid)]
    assert found == [b"cn=service,o=look"], "of the configuration: what is there is found"


def memory(pid):
    regions = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as all_memory:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match and "[v" not in line:
                begin, end = int(match[1], 16), int(match[2], 16)
                try:
                    all_memory.seek(begin)
                    regions.append(all_memory.read(end - begin))
                except OSError:
                    pass
    return b"".join(regions)
