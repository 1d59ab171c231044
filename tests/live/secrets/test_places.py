# SPDX-License-Identifier: Apache-2.0
"""Where passwords must not be, whatever is configured: every log at its most talkative, the store, the memory that
processes share, the report page, the policy in force, mod_status. The service account's is among them."""
import subprocess
from pathlib import Path

import pytest

from lab.httpd import SANITIZE
from lab.slapd import SERVICE_PASSWORD, Database
from lab.stores import Memcached, Redis, key_file
from process_memory import dump

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wr0ng-0d2f5e"
USER = "somebody-whose-name-is-long-enough-to-be-found-again"
# mod_log_forensic and mod_dumpio are made to write the Authorization field, and httpd's core does so at trace4: in base64.
MODULES = ("socache_shmcb", "socache_redis", "socache_memcache", "status", "auth_form", "request", "session", "session_cookie")
CONF = """LogLevel trace8
ExtendedStatus On
AuthStatusDeadline 20s
AuthStatusThrottle 9 1h
AuthStatusCacheKey "${KEY}"
GlobalLog "${WORKDIR}/logs/whole" "%t %r %u %{Authorization}e %{REMOTE_USER}e %{AUTHSTATUS_OUTCOME}e %{authstatus-outcome}n %{authstatus-ldap}n"
Use ShowVariables
Use Login /in "ldap://127.0.0.1:${LDAP}" o=secrets
Use Login /gone "ldap://127.0.0.1:9" o=secrets
Use Login /refused "ldap://127.0.0.1:${LDAP}" o=secrets
<Location /refused>
    AuthLDAPBindPassword Pw!service-but-another
</Location>
<Location /status>
    SetHandler server-status
    Require local
</Location>
<Location /report>
    SetHandler authstatus-report
    Require local
</Location>
"""
SECRETS = [RIGHT, WRONG, SERVICE_PASSWORD]


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=secrets", HERE / "people.ldif"))


@pytest.fixture
def store(workdirs, request):
    if request.param is None:
        yield None
        return
    store = request.param(workdirs.new("store")).start()
    yield store
    store.stop()


def memcached_items(store):
    """The whole of its memory: what it has is there."""
    return b"".join(octets for _, octets in dump(store.child.pid))


def stored(store):
    if isinstance(store, Redis):
        return b"".join(key + (store.read(key) or b"") for key in store.keys())
    return memcached_items(store)


def shared_memory(httpd):
    """What the children share with each other."""
    return b"".join(octets for _, octets in dump(httpd.child.pid, lambda name: "(deleted)" in name or name.startswith("/dev/")))


@pytest.mark.skipif(SANITIZE, reason="what is looked for here has nothing to do with how memory is used")
@pytest.mark.parametrize("store", [None, Redis, Memcached], ids=["shmcb", "redis", "memcache"], indirect=True)
def test_nowhere(start, slapd, workdirs, store):
    key = key_file(workdirs.new("key"))
    httpd = start(CONF, defines={"LDAP": slapd.port, "KEY": key}, cache=store.cache if store else "shmcb", modules=MODULES)
    httpd.log.allow("AH0161[478]", r"AS00\d\d", "")  # every line of trace8 is looked at below
    pages = []
    for path in ("/in/", "/gone/", "/refused/"):
        for password in (RIGHT, WRONG, WRONG, f"{RIGHT}:x", ""):
            pages.append(httpd.get(path, login=(USER, password)))
        pages.append(httpd.get(path, login=("nobody", RIGHT)))
        pages.append(httpd.get(path, login=(USER, RIGHT), headers=[("Accept", "application/problem+json")]))
    assert {page.status for page in pages} == {200, 401, 503, 500}
    for path in ("/report", "/report?json", "/report?metrics", "/status", "/status?auto"):
        pages.append(httpd.get(path))
        assert pages[-1].status == 200
    dumped = subprocess.run(httpd._command("-t", "-DDUMP_AUTHSTATUS"), capture_output=True, env=httpd._environment(),
                            timeout=60).stdout
    assert b"/refused" in dumped
    places = {"an answer": b"".join(page.raw for page in pages), "DUMP_AUTHSTATUS": dumped,
              "the store": stored(store) if store else b"", "shared memory": shared_memory(httpd)}
    places |= {f"logs/{log.name}": log.read_bytes() for log in (httpd.workdir / "logs").iterdir()}
    assert len(places["shared memory"]) > 10000 and USER.encode() in places["logs/error"]
    for place, octets in places.items():
        for secret in SECRETS:
            assert secret.encode() not in octets, f"{secret} is in {place}"
    httpd.stop()
