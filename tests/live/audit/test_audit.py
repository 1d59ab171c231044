# SPDX-License-Identifier: Apache-2.0
"""authstatus-audit finds what a stock httpd gives away, and nothing where a virtual host masks."""
import subprocess
from pathlib import Path

import pytest
from lab.httpd import BUILD
from lab.slapd import Database

HERE = Path(__file__).parent
PROGRAM = BUILD / "authstatus-audit"

SITE = """
<Location /hidden>
    Require all denied
</Location>
<Location /inside>
    AuthType Basic
    AuthName "inside"
    AuthBasicProvider file
    AuthUserFile "${USERS}"
    Require user boss
</Location>
"""
TELLS_H2 = """
<Macro Tells>
    AuthStatus On
    AuthStatusMask All
    Protocols h2 h2c http/1.1
    <Location /hidden>
        Require all denied
    </Location>
    Header always set X-Tells yes "expr=%{SERVER_PROTOCOL} == 'HTTP/2.0' && %{REQUEST_URI} =~ m#^/hidden#"
</Macro>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Tells
</VirtualHost>
<VirtualHost 127.0.0.1:${TLS}>
    Use Tells
    SSLEngine on
    SSLCertificateFile "${CERTIFICATE}"
    SSLCertificateKeyFile "${KEY}"
</VirtualHost>
"""
PAGES = {"hidden/page.html": "hidden\n", "inside/page.html": "inside\n"}
# user "clerk" with the password Pw!clerk
USERS = "clerk:{SHA}owY9tI0xu+6FMjmehL8lhg2xNEY=\n"


def audit(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def url(site, path):
    return f"http://127.0.0.1:{site.port}{path}"


class Site:
    def __init__(self, kind, httpd):
        self.kind, self.httpd, self.port, self.log = kind, httpd, httpd.port, httpd.log


@pytest.fixture(scope="module", params=["stock", "masked"])
def site(request, start, workdirs):
    users = workdirs.new("users") / "users"
    users.write_text(USERS)
    policy = "AuthStatus On\nAuthStatusMask All\n" if request.param == "masked" else ""
    return Site(request.param, start(policy + SITE, defines={"USERS": users}, files=PAGES))


@pytest.mark.parametrize("forbidden, missing, more", [
    ("/hidden/page.html", "/absent/page.html", ()),
    ("/inside/page.html", "/absent/page.html", ("-a",)),
], ids=["safe", "all-methods-login"])
def test_pair(site, tmp_path, forbidden, missing, more):
    site.log.allow("AH01630", "AH01617", "AH01618", "AH01631", "AH01614", "AH00135", "AS00", "AH10244", "AH00026")
    password = tmp_path / "password"
    password.write_text("Pw!clerk\n")
    code, told, wrong = audit("-w", "20", "-u", "clerk", "-y", password, *more, url(site, forbidden), url(site, missing))
    assert not wrong
    assert "Pw!clerk" not in told and "Y2xlcms6" not in told
    if site.kind == "masked":
        assert (code, told.splitlines()[-1].strip().split(" of ")[0]) == (0, "0"), told
    else:
        assert code == 1, told
        assert "GET: the status line differs" in told
        assert "to see it  GET /" in told


THROTTLED = """
AuthStatusThrottle 4 15min
<Location /inside>
    AuthType Basic
    AuthName "inside"
    AuthBasicProvider authstatus
    AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/o=audit?uid"
    AuthLDAPBindDN "cn=service,o=audit"
    AuthLDAPBindPassword "Pw!service"
    Require valid-user
    AuthStatus On
    AuthStatusMask {mask}
</Location>
"""


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=audit", HERE.parent / "masking/people.ldif"))


@pytest.mark.parametrize("mask, code", (("All", 0), ("Forbidden", 1)))
def test_logins_and_an_outage(start, slapd, tmp_path, mask, code):
    """--login finds a throttle's 429, --outage a 503; under All there is neither, but for who has proven his password."""
    httpd = start(THROTTLED.format(mask=mask), files=PAGES, cache="shmcb", modules=("socache_shmcb", "http2"),
                  defines={"LDAP": slapd.port})
    httpd.log.allow("AH\\d", "AS00")
    password = tmp_path / "password"
    password.write_text("Pw!right\n")
    pages = url(httpd, "/inside/page.html"), url(httpd, "/absent/page.html")
    assert httpd.get("/inside/page.html", login=("ann", "Pw!right")).status == 200
    ended, told, wrong = audit("-w", "20", "--login", *pages)
    assert (ended, wrong) == (code, ""), told
    assert ("again and again: the status line differs" in told) == bool(code)
    slapd.stop()
    try:
        ended, told, wrong = audit("-w", "20", "--outage", "-u", "ann", "-y", password, *pages)
    finally:
        slapd.start()
    assert "Pw!right" not in told and not wrong


def test_over_http2(start, authority):
    """A server that reveals a resource over HTTP/2 alone, with prior knowledge and over TLS; the URL's own port."""
    certificate = authority.issue("audit", "DNS:localhost")
    httpd = start(TELLS_H2, listen=("HTTP", "TLS"), files=PAGES, modules=("http2", "ssl"),
                  defines={"CERTIFICATE": certificate.cert, "KEY": certificate.key})
    httpd.log.allow("AH\\d", "AS00")
    for scheme, port in (("http", httpd.ports["HTTP"]), ("https", httpd.ports["TLS"])):
        code, told, wrong = audit("-w", "3", "-k", *(f"{scheme}://localhost:{port}/{name}/page.html" for name in ("hidden", "absent")))
        assert (code, wrong) == (1, ""), told
        lines = [line for line in told.splitlines() if "differs" in line]
        assert lines and all(", over HTTP/2" in line or "an upgrade" in line for line in lines), told


def test_a_name_with_two_addresses(start, tmp_path):
    """That nobody listens at the first is no finding, as the second answers."""
    httpd = start("""AuthStatus On
AuthStatusMask All
<Location /hidden>
    Require all denied
</Location>
Header always set X-Tells yes "expr=%{REQUEST_URI} =~ m#^/hidden#"
""", files=PAGES)
    httpd.log.allow("AH\\d", "AS00")
    hosts = tmp_path / "hosts"
    hosts.write_text("::1 both.example\n127.0.0.2 both.example\n127.0.0.1 both.example\n")
    pages = [f"http://both.example:{httpd.port}/{name}/page.html" for name in ("hidden", "absent")]
    private = ["unshare", "-m", "--propagation", "private", "sh", "-c", 'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh", hosts]
    if subprocess.run([*private, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no mounts of one's own here")
    done = subprocess.run([*private, PROGRAM, "-w", "20", *pages], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (1, ""), done.stdout


@pytest.mark.parametrize("arguments", [
    (), ("http://127.0.0.1/a",), ("ftp://127.0.0.1/a", "ftp://127.0.0.1/b"), ("http://127.0.0.1/a", "http://127.0.0.2/b"),
    ("http://127.0.0.1/a", "https://127.0.0.1/b"), ("-y", "/dev/null", "http://127.0.0.1/a", "http://127.0.0.1/b"),
    ("-w", "0", "http://127.0.0.1/a", "http://127.0.0.1/b"), ("-x",),
    # Numbers that would be taken as others.
    *[(*options, f"http://127.0.0.1:{port}/a", f"http://127.0.0.1:{port}/b") for options, port in (
        ((), "65537"), ((), "0"), ((), "1x"), (("-w", "4294968"), "1"), (("-w", "5s"), "1"), (("-t", "many"), "1"), (("-t", "-1"), "1"))],
    ("-u", "ann", "-y", "/dev/null", "http://127.0.0.1:1/a", "http://127.0.0.1:1/b"),
])
def test_usage(arguments):
    code, told, wrong = audit(*arguments)
    assert (code, told) == (2, "")
    assert wrong
    assert arguments != ("-x",) or wrong.splitlines()[1:] == ["Try authstatus-audit --help"]


@pytest.mark.parametrize("arguments", [["--help"], ["http://127.0.0.1:1/a", "http://127.0.0.1:1/b"]])
def test_a_report_that_is_lost(arguments):
    """It must not end as if there were no difference."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 4 and "could not be written" in done.stderr


def test_help():
    for option in ("--help", "-h"):
        code, told, wrong = audit(option)
        assert (code, wrong) == (0, "") and told.startswith("usage: authstatus-audit ")
    code, told, wrong = audit("--version")
    assert (code, wrong) == (0, "") and told.startswith("authstatus-audit ")


def test_no_server():
    code, _, wrong = audit("http://127.0.0.1:1/a", "http://127.0.0.1:1/b")
    assert code == 3
    assert "refused" in wrong
