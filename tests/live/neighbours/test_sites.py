# SPDX-License-Identifier: Apache-2.0
"""What administrators write, from guides and bug reports: each row is asked of mod_authnz_ldap and of this module. Where the one says
yes the other does, and the application sees the same; a refusal has the status of its outcome."""
import base64
import hashlib
import os
import socket
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.process import poll
from lab.slapd import Database

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
ANN, BOB, NOBODY = ("ann", RIGHT), ("bob", RIGHT), ("nobody", RIGHT)
BAD, EXPIRED = ("ann", WRONG), ("expired", RIGHT)
HASH = "{SHA}" + base64.b64encode(hashlib.sha1(b"Pw!file").digest()).decode()
GITHTTP = "/usr/lib/git-core/git-http-backend"
MODULES_NEEDED = ("rewrite", "proxy", "proxy_http", "proxy_wstunnel", "access_compat", "authz_groupfile", "authn_socache", "socache_shmcb",
                  "dav", "dav_fs", "cgid", "cgi")
CGI = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s|%s|%s|%s' \"$REMOTE_USER\" \"$HTTP_AUTHORIZATION\" \"$AUTHENTICATE_UID\" \"$AUTH_TYPE\"\n"
BASIC = "Basic " + base64.b64encode(b"ann:Pw!right").decode()


class WebSocket:
    """Accepts an upgrade, and counts the connections that came."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.count = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                one, _ = self.server.accept()
            except OSError:
                return
            self.count += 1
            with one:
                one.settimeout(10)
                while b"\r\n\r\n" not in one.recv(65536):
                    pass
                one.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")


@pytest.fixture(scope="module")
def backend():
    websocket = WebSocket()
    yield websocket
    websocket.server.close()


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=sites", HERE / "sites.ldif"))


@pytest.fixture(scope="module")
def sites(start, slapd, backend, needs_module):
    needs_module(*MODULES_NEEDED[:-2])

    def make(provider, modules, **options):
        text = "LogLevel alert\n" if provider == "ldap" else "AuthStatus On\nAuthStatusDisclose Always\n"
        httpd = start.make(text + f'Include "{HERE / "sites.conf"}"\n', modules=modules, ldap=provider == "ldap",
                           listen=("HTTP", "BACKEND"), authstatus=provider != "ldap",
                           files={f"cgi/{name}.cgi": CGI for name in ("pass", "environment")},
                           defines={"LDAP": slapd.port, "PROVIDER": provider, "SOCKET": backend.port}, **options)
        (httpd.workdir / "users").write_text(f"filed:{HASH}\n")
        (httpd.workdir / "groups").write_text("editors: ann filed\n")
        for name in ("dav", "git"):
            (httpd.workdir / name).mkdir()
            (httpd.workdir / name).chmod(0o777)
        (httpd.workdir / "run").chmod(0o777)
        return httpd.start()
    return SimpleNamespace(theirs=make("ldap", MODULES_NEEDED), ours=make("authstatus", MODULES_NEEDED))


def seen(answer):
    """What an application was told: all but the password that it may have been given."""
    return answer.header("X-Saw"), answer.body if answer.status < 300 else None


UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "eA=="), ("Sec-WebSocket-Version", "13")]
ROWS = [
    # path, method, login, more headers, status of this module, what the application sees
    *[(path, "GET", login, (), status, saw) for path, saw in (("/lookahead/x", "ann|||"), ("/expression/x", f"ann|ann@lab.test|ann|{BASIC}"),
                                                             ("/fake/x", "|||Basic " + base64.b64encode(b"ann:Pw!backend").decode()))
      for login, status, saw in ((ANN, 200, saw), (BAD, 401, None), (EXPIRED, 403, None), (None, 401, None))],
    ("/in/satisfy", "GET", None, (), 401, None), ("/in/satisfy", "GET", ANN, (), 200, None), ("/in/satisfy", "GET", BAD, (), 401, None),
    ("/in/satisfy", "GET", EXPIRED, (), 403, None),
    ("/in/satisfied", "GET", None, (), 200, None), ("/in/satisfied", "GET", ANN, (), 200, None), ("/in/satisfied", "GET", BAD, (), 200, None),
    ("/in/address", "GET", None, (), 200, None), ("/in/address", "GET", BAD, (), 200, None),
    ("/in/if", "GET", None, (), 401, None), ("/in/if", "GET", ANN, (), 200, None),
    ("/in/limit", "GET", None, (), 200, None), ("/in/limit", "POST", None, (), 401, None), ("/in/limit", "POST", ANN, (), 200, None),
    ("/in/except", "GET", None, (), 200, None), ("/in/except", "POST", None, (), 401, None), ("/in/except", "POST", ANN, (), 200, None),
    ("/in/except", "OPTIONS", None, (), 200, None), ("/in/except", "MERGE", None, (), 401, None),
    ("/in/expr", "GET", ANN, (), 200, None), ("/in/expr", "GET", BOB, (), 403, None),
    ("/in/expr", "GET", ANN, (("User-Agent", "bad"),), 403, None), ("/in/expr", "GET", None, (), 401, None),
    ("/in/groupfile", "GET", ANN, (), 200, None), ("/in/groupfile", "GET", BOB, (), 403, None), ("/in/groupfile", "GET", BAD, (), 401, None),
    ("/in/names", "GET", ANN, (), 200, None), ("/in/names", "GET", BOB, (), 403, None),
    *[(path, "GET", login, (), status, None) for path in ("/in/cached", "/in/cache-behind")
      for login, status in ((ANN, 200), (ANN, 200), (BAD, 401), (ANN, 200), (("filed", "Pw!file"), 200), (("filed", "Pw!file"), 200),
                            (EXPIRED, 403), (NOBODY, 401))],
    ("/in/lax", "GET", ANN, (), 200, None), ("/in/lax", "GET", BAD, (), 401, None), ("/in/lax", "GET", EXPIRED, (), 403, None),
    ("/in/lax", "GET", NOBODY, (), 401, None),
    *[("/dav/", method, login, (("Depth", "0"),), status if method != "OPTIONS" or status != 207 else 200, None)
      for method in ("OPTIONS", "PROPFIND") for login, status in ((ANN, 207), (BAD, 401), (None, 401), (EXPIRED, 403))],
    ("/dav/new", "MKCOL", BAD, (), 401, None), ("/dav/new", "MKCOL", ANN, (), 201, None), ("/dav/new/", "DELETE", EXPIRED, (), 403, None),
    ("/dav/new/", "DELETE", ANN, (), 204, None),
    ("/cgi/pass.cgi", "GET", ANN, (), 200, f"ann|{BASIC}|ann|Basic"), ("/cgi/environment.cgi", "GET", ANN, (), 200, f"ann|{BASIC}|ann|Basic"),
    ("/cgi/pass.cgi", "GET", EXPIRED, (), 403, None), ("/cgi/environment.cgi", "GET", BAD, (), 401, None),
]


@pytest.mark.parametrize("path, method, login, headers, status, saw", ROWS)
def test_row(sites, path, method, login, headers, status, saw):
    sites.ours.log.allow(r"AS00\d\d", r"AH0161[78]", "AH01629", "AH01630", "AH01631", "AH01797")
    if path == "/in/lax":
        sites.ours.log.allow("AH01796")  # httpd's own, of no other module that would log in
    theirs, ours = [site.get(path, method=method, login=login, headers=headers) for site in (sites.theirs, sites.ours)]
    assert ours.status == status, (theirs, ours)
    assert (theirs.status < 400) == (ours.status < 400), (theirs, ours)
    if ours.status in (200, 201):
        assert seen(ours) == seen(theirs), "the application sees the same"
    assert saw is None or saw in (ours.header("X-Saw"), ours.body.decode()), ours
    assert bool(ours.all("WWW-Authenticate")) == (status == 401)


def test_a_realm_is_an_expression(sites):
    sites.ours.log.allow(r"AS00\d\d")
    theirs, ours = [site.get("/in/realm", host="wiki.lab.test") for site in (sites.theirs, sites.ours)]
    assert ours.header("WWW-Authenticate") == theirs.header("WWW-Authenticate") + ', charset="UTF-8"'
    assert "wiki.lab.test only" in ours.header("WWW-Authenticate")


@pytest.mark.parametrize("login, status", [(None, 401), (BAD, 401), (EXPIRED, 403), (ANN, 101)])
def test_websocket(sites, backend, login, status):
    """Nothing reaches the backend before the login."""
    sites.ours.log.allow(r"AS00\d\d", "AH01617")
    before = backend.count
    assert sites.ours.get("/socket/x", login=login, headers=UPGRADE).status == status
    assert backend.count == before + (status == 101)


def test_socache_in_front_is_no_way_round(start, slapd, needs_module):
    """mod_authn_socache never gets what this module accepted: a throttled account stays throttled."""
    needs_module("authn_socache")
    httpd = start("""Use Login /in/x "ldap://127.0.0.1:${LDAP}" o=sites
<Location /in/x>
AuthBasicProvider socache authstatus
AuthnCacheProvideFor authstatus
AuthStatusThrottle 2 5min
</Location>""", modules=("authn_socache", "socache_shmcb"), defines={"LDAP": slapd.port})
    httpd.log.allow(r"AS00\d\d", "AH01617")
    assert [httpd.get("/in/x", login=login).status for login in (ANN, BAD, BAD, ANN)] == [200, 401, 401, 429]


HASHED = """Use Login /in/x "ldap://127.0.0.1:${LDAP}" o=sites
<Location /in/x>
AuthBasicProvider file authstatus
AuthUserFile "${WORKDIR}/users"
AuthBasicUseDigestAlgorithm MD5
AuthStatusThrottle 2 5min
</Location>"""


def test_a_hashed_password_is_not_sent(start, slapd):
    """Each would be a failure of the account's. mod_auth_basic does not call a provider that has no hashes, and says so."""
    httpd = start.make(HASHED, defines={"LDAP": slapd.port})
    (httpd.workdir / "users").write_text("")
    httpd.start()
    httpd.log.expect("AH02493")
    mark = slapd.mark()
    for _ in range(3):
        assert httpd.get("/in/x", login=ANN).status == 500
    assert slapd.operations(mark)["searches"] == 0


@pytest.mark.parametrize("conf, modules, said", [
    ("AuthType Digest\nAuthDigestProvider authstatus", ("auth_digest",), "doesn't support Digest"),
    ("AuthType Basic\nAuthBasicProvider authstatos", (), "authstatos"),
])
def test_refused_by_its_own_module(start, needs_module, conf, modules, said):
    needs_module(*modules)
    httpd = start.make(f"<Location /x>\n{conf}\nAuthName x\nRequire valid-user\n</Location>", modules=modules)
    code, text = httpd.configtest()
    assert code != 0 and said in text


GIT = [(ANN, 0, ""), (BAD, 128, "Authentication failed"), (EXPIRED, 128, "403")]


@pytest.mark.skipif(not os.path.exists(GITHTTP), reason="git-http-backend is not there")
@pytest.mark.parametrize("login, code, said", GIT)
def test_git(sites, login, code, said):
    """A client that asks again with a password where it is challenged, and reads the status where not."""
    sites.ours.log.allow(r"AS00\d\d", "AH01617")
    repository = sites.ours.workdir / "git/one.git"
    if not repository.exists():
        subprocess.run(["git", "init", "-q", "--bare", repository], check=True, capture_output=True)
        (sites.ours.workdir / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
    url = f"http://{login[0]}:{login[1].replace('!', '%21')}@127.0.0.1:{sites.ours.port}/git/one.git"
    done = subprocess.run(["git", "-c", "credential.helper=", "ls-remote", url], capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0", "HOME": str(sites.ours.workdir), "LC_ALL": "C"})
    assert done.returncode == code and said in done.stderr, done


def test_rows_reach_both(sites):
    """Else the comparison above would show nothing."""
    assert poll(lambda: sites.theirs.access_path.read_text().count("\t200\t"), 10, "their access log") >= 1
