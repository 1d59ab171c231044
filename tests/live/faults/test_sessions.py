# SPDX-License-Identifier: Apache-2.0
"""Sessions: many sections have them in common, a process keeps a bounded number, and what .htaccess files name costs
nobody else one. All are counted: connections at slapd, descriptors of the child, binds."""
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faults.machine import Faults
from lab.fake import BASE, Fake, answer
from lab.httpd import open_descriptors
from lab.process import poll, reserve_port
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
LOGIN = ("ann", RIGHT)
DESCRIPTORS = 1024
SHARE = DESCRIPTORS // 4
LIMITS = (f"--nofile={DESCRIPTORS}:",)
LOG = "LogLevel warn authstatus:trace8\n"


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=faults", HERE / "people.ldif", ('rootdn "cn=root,o=faults"', "rootpw Pw!service")))


def section(number, slapd, filter="(objectClass=*)", account="cn=service,o=faults"):
    return f"""<Location "/in/{number}/">
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider authstatus
    AuthLDAPURL "ldap://127.0.0.1:{slapd.port}/o=faults?uid?sub?{filter}"
    AuthLDAPBindDN "{account}"
    AuthLDAPBindPassword "Pw!service"
    AuthStatusUniformTiming Off
    AuthStatus On
    Require valid-user
</Location>
"""


def spelled(number):
    """The service account, as nobody else writes it."""
    return f"cn=service,{' ' * number}o=faults"


def htaccess(slapd, account):
    return (f'AuthType Basic\nAuthName x\nAuthBasicProvider authstatus\nAuthLDAPURL "ldap://127.0.0.1:{slapd.port}/o=faults?uid"\n'
            f'AuthLDAPBindDN "{account}"\nAuthLDAPBindPassword Pw!service\nRequire valid-user\n')


def test_many_sections_have_one_pool(start, slapd):
    """600 that differ in the filter alone: one service bind, and two connections for logins one after the other."""
    slapd.wait_for_silence()
    httpd = start("AuthStatusDeadline 30s\n" + "".join(section(number, slapd, f"(!(cn={number}))") for number in range(600)), limits=LIMITS)
    mark = slapd.mark()
    assert {httpd.get(f"/in/{number}/", login=LOGIN).status for number in range(600)} == {200}
    count = slapd.operations(mark)
    print(count, [open_descriptors(child) for child in httpd.children()])
    assert count["connections"] == 2 and count["service_binds"] == 1 and count["user_binds"] == 600
    assert httpd.get("/index.html").status == 200
    httpd.stop()


def test_many_accounts_share_the_descriptors(start, slapd):
    """300 directories: the sessions that were idle for longest make space, and nobody notices."""
    slapd.wait_for_silence()
    httpd = start("".join(section(number, slapd, account=spelled(number)) for number in range(300)), limits=LIMITS)
    for turn in range(2):
        assert {httpd.get(f"/in/{number}/", login=LOGIN).status for number in range(300)} == {200}
        slapd.wait_for_silence(SHARE + 2)
        assert max(map(open_descriptors, httpd.children())) < DESCRIPTORS / 2
    assert slapd.open_connections() > SHARE - 20, "as many as there may be are kept"
    assert httpd.get("/index.html").status == 200
    httpd.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_descriptor_is_left(start, slapd, library, faults, host):
    """Idle sessions are closed for it, and the request is tried once more; without any it is no outage. By name, too, where
    the resolver then says that the name does not exist."""
    fake = Fake()
    slapd.wait_for_silence()
    httpd = start(LOG + "AuthStatusBreaker 1 1h\n" + "".join(section(number, slapd, account=spelled(number)) for number in range(3))
                  + f'Use Login /in/other "ldap://{host}:{fake.port}" {BASE}', preload=library,
                  environment={"FAULTS_FILE": str(faults.path)})
    with httpd.connection() as connection:
        for number in range(3):
            assert connection.request(f"/in/{number}/", login=LOGIN).status == 200
        poll(lambda: slapd.open_connections() == 6, 10, "two connections for each")
        child, = httpd.children()
        faults.set(sockets=1 + max(map(int, os.listdir(f"/proc/{child}/fd"))))
        assert connection.request("/in/other/", login=("ann", RIGHT)).status == 200
        slapd.wait_for_silence()
        faults.set(sockets=1)
        fake.hang_up()
        got = connection.request("/in/other/", login=("ann", RIGHT))
        verify(httpd, got, "directory-overload", 503)
        faults.clear()
        assert connection.request("/in/other/", login=("ann", RIGHT)).status == 200, "the circuit is closed"
    httpd.stop()
    fake.stop()


@pytest.fixture(scope="module")
def wordings(start, slapd, library, workdirs):
    """A directory for each of 520 .htaccess files, and the administrator's."""
    made = Faults(workdirs.new("faults"))
    files = {f"his/{number}/.htaccess": htaccess(slapd, spelled(number)) for number in range(520)}
    files |= {f"his/{number}/x.html": "his\n" for number in range(520)}
    httpd = start('<Directory "${DOCS}/his">\nAllowOverride AuthConfig\nAuthStatus On\n</Directory>\n' + section("a", slapd),
                  files=files, preload=library, environment={"FAULTS_FILE": str(made.path)}, limits=LIMITS)
    httpd.faults = made
    return httpd


def test_wordings_of_htaccess(wordings, slapd):
    """They have a quarter of the sessions for all of them together, and nobody else's."""
    assert wordings.get("/in/a/", login=LOGIN).status == 200
    children = wordings.children()
    before = slapd.open_connections()
    assert {wordings.get(f"/his/{number}/x.html", login=LOGIN).status for number in range(520)} == {200}
    slapd.wait_for_silence(before + SHARE // 4 + 2)
    assert max(map(open_descriptors, wordings.children())) < DESCRIPTORS / 4
    mark = slapd.mark()
    assert wordings.get("/in/a/", login=LOGIN).status == 200
    assert slapd.operations(mark)["connections"] == 0, "the administrator's sessions were kept"
    assert wordings.get("/index.html").status == 200 and wordings.children() == children


def test_idle_for_a_minute(wordings, slapd):
    """Those of .htaccess are closed, with further logins or without."""
    assert wordings.get("/in/a/", login=LOGIN).status == 200
    for number in range(10):
        assert wordings.get(f"/his/{number}/x.html", login=LOGIN).status == 200
    before = slapd.open_connections()
    wordings.faults.set(passed=61)
    poll(lambda: slapd.open_connections() <= 2, 15, f"of {before} connections, all but the administrator's two")
    assert slapd.open_connections() == 2


# -- the service account ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind, more", [("event", ""), ("prefork", ""), ("prefork", "MaxConnectionsPerChild 2\n")],
                         ids=["event", "prefork", "new-children"])
def test_refused_service_account(start, slapd, library, faults, kind, more):
    """Three refusals, whatever the number of requests and of processes; then it is not used for 10 s, 20 s, 40 s, ..."""
    root = slapd.client("cn=root,o=faults")
    httpd = start(LOG + more + section("a", slapd, account="cn=other,o=faults"), mpm=kind, preload=library,
                  environment={"FAULTS_FILE": str(faults.path)})
    mark, begun = slapd.mark(), time.monotonic()

    def refused():
        got = httpd.get("/in/a/", login=LOGIN)
        verify(httpd, got, "service-account-refused", 500, ldap="49")
        return got
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: refused(), range(20)))
    count = slapd.operations(mark)
    assert count["service_binds"] + count["user_binds"] == 3 and count["connections"] <= 20, count
    passed, pause, binds = 0, 10, 3
    for _ in range(3):
        # Half of the pause is over, with what the machine has taken since the last bind.
        faults.set(passed=passed + max(0, pause // 2 - int(time.monotonic() - begun)))
        refused()
        assert slapd.operations(mark)["user_binds"] == binds, f"{pause} s are not over"
        passed += pause + 1
        binds += 1
        begun = time.monotonic()
        faults.set(passed=passed)
        assert httpd.get("/in/a/", login=LOGIN).status == 500
        assert slapd.operations(mark)["user_binds"] == binds, f"one after {pause} s"
        pause *= 2
    root.add_s("cn=other,o=faults", [("objectClass", [b"organizationalRole", b"simpleSecurityObject"]),
                                     ("userPassword", [b"Pw!service"])])
    faults.set(passed=passed + pause + 1)
    httpd.log.allow("AS0094")
    for _ in range(3):
        assert httpd.get("/in/a/", login=LOGIN).status == 200
    httpd.stop()
    root.delete_s("cn=other,o=faults")


# -- AuthStatusInFlight ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("of_htaccess", [True, False], ids=["htaccess", "configured"])
def test_slow_directory_beside_a_healthy_one(start, slapd, of_htaccess):
    """Wherever it is named: it holds no more than its share of the slots, and nobody else is refused."""
    released = threading.Event()

    def slowly(connection, message_id, tag):
        released.wait(60)
        answer(0)(connection, message_id, tag)
    slow = Fake({"search": slowly}, people={f"uid=u{number},{BASE}": RIGHT for number in range(20)})
    directory = (f'AuthType Basic\nAuthName x\nAuthBasicProvider authstatus\nAuthLDAPURL "ldap://127.0.0.1:{slow.port}/{BASE}?uid"\n'
                 "Require valid-user\n")
    httpd = start(f'ServerLimit 1\nAuthStatusDeadline 25s\n<Directory "${{DOCS}}/his">\nAllowOverride AuthConfig\nAuthStatus On\n'
                  f'{"" if of_htaccess else directory}</Directory>\n{section("a", slapd)}', threads=32, in_flight=None,
                  files={"his/x.html": "his\n", **({"his/.htaccess": directory} if of_htaccess else {})})
    httpd.log.allow("AS005[0-3]", "AH0161[78]")
    with ThreadPoolExecutor(13) as threads:
        his = [threads.submit(httpd.get, "/his/x.html", login=(f"u{number}", RIGHT)) for number in range(13)]
        poll(lambda: slow.count("search") >= 4, 10, "it has its share")
        assert [httpd.get("/in/a/", login=LOGIN).status for _ in range(40)] == [200] * 40
        most = 16 // (4 if of_htaccess else 2)
        assert slow.count("search") <= most
        released.set()
        assert {one.result().status for one in his} <= {200, 401, 503}
    httpd.stop()
    slow.stop()


# -- the report -----------------------------------------------------------------------------------------------------------

def test_rows_of_the_report(start, slapd, workdirs):
    """However many servers .htaccess files name, a dead one of the configuration is shown, with its circuit."""
    files = {f"his/{number}/.htaccess": f'AuthType Basic\nAuthName x\nAuthBasicProvider authstatus\nAuthLDAPURL '
             f'"ldap://127.0.0.1:{reserve_port()}/o=x?uid"\nRequire valid-user\n' for number in range(80)}
    files |= {f"his/{number}/x.html": "his\n" for number in range(80)}
    fake = Fake()
    httpd = start('AuthStatusBreaker 2 1h\n<Directory "${DOCS}/his">\nAllowOverride AuthConfig\nAuthStatus On\n</Directory>\n'
                  f'Use Login /in/dead "ldap://127.0.0.1:{fake.port}" {BASE}\n<Location /report>\nSetHandler authstatus-report\nRequire ip 127.0.0.1\n</Location>',
                  files=files)
    httpd.log.allow("AS005[0-3]")
    fake.stop()
    for number in range(80):
        for _ in range(3):
            assert httpd.get(f"/his/{number}/x.html", login=LOGIN).status == 503
    for _ in range(3):
        assert httpd.get("/in/dead/", login=LOGIN).status == 503
    metrics = httpd.get("/report?metrics").body.decode()
    assert f'directory_circuit_open_processes{{server="127.0.0.1:{fake.port}"}} 1' in metrics, metrics
    shown = metrics.count("directory_circuit_open_processes{")
    assert 10 < shown <= 17
    assert "more" in httpd.get("/report").body.decode()
    httpd.stop()
