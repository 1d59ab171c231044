# SPDX-License-Identifier: Apache-2.0
"""The table "Remaining differences" of docs/hiding-a-tree.md: each row is shown to be true, so that it neither misses nor
overstates."""
import re
import socket
import ssl

import pytest

from lab import raw
from lab.httpd import has_module
from lab.outcomes import SOURCE

import sites

ROWS = re.findall(r"^\| (?!what \||---)(.+?) \| ", (SOURCE / "docs/hiding-a-tree.md").read_text().split("## Remaining differences")[1], re.M)

SITE = r"""
<Macro Site $name>
    ServerName $name
    DocumentRoot "${DOCS}"
    AuthStatus On
    AuthStatusMask Forbidden
    <Directory "${DOCS}">
        Options +FollowSymLinks
    </Directory>
    <Directory "${DOCS}/secret">
        Require all denied
    </Directory>
    <Files "hidden.html">
        Require all denied
    </Files>
</Macro>
<Macro Host $name>
    <VirtualHost 127.0.0.1:${HTTP}>
        Use Site $name
        Include "${WORKDIR}/$name.conf"
    </VirtualHost>
</Macro>
DavLockDB "${WORKDIR}/run/locks"
"""
HOSTS = {
    "slash": '<Directory "${DOCS}/noindex">\nOptions -Indexes\n</Directory>',
    "front": "AddHandler cgi-script .cgi\n<Directory \"${DOCS}\">\nOptions +ExecCGI\n</Directory>\nFallbackResource /front.cgi",
    "typed": 'AddHandler cgi-script .cgi\n<Directory "${DOCS}">\nOptions +ExecCGI\n</Directory>\nAction app /front.cgi virtual\n'
             '<FilesMatch "\\.html$">\nSetHandler app\n</FilesMatch>',
    "spelling": "CheckSpelling On",
    "dav": '<Directory "${DOCS}">\nDav On\n</Directory>',
    "own": 'AddHandler cgi-script .cgi\n<Directory "${DOCS}">\nOptions +ExecCGI\n</Directory>',
    "methods": '<Directory "${DOCS}/secret">\nAllowMethods GET\n</Directory>',
    "named": 'SetEnvIf Request_URI "^/secret" IS_SECRET\nHeader always set X-Secret yes env=IS_SECRET',
    "piece": 'RewriteEngine on\nRewriteRule "^/(...)" - [E=PIECE:$1]\nHeader always set X-Piece "%{PIECE}e"',
    "counted": '<LocationMatch "^/\\d{4}/">\nHeader always set X-Year yes\n</LocationMatch>\n'
               '<LocationMatch "^/\\d+/">\nHeader always set X-Number yes\n</LocationMatch>\n'
               '<Location /2024>\nRequire all denied\n</Location>',
    "inside": 'RewriteEngine On\n<Directory "${DOCS}">\nRewriteEngine On\nRewriteRule "^(.*)\\.html$" "$1.htm"\n</Directory>\nHeader always set X-Where "expr=%{REQUEST_URI}"',
    "early": '<IfModule security2_module>\nSecRuleEngine On\nSecRule REQUEST_URI "@beginsWith /open/p" "id:1,phase:1,deny,status:403,nolog"\n'
             'SecRule REQUEST_URI "@beginsWith /open/h" "id:2,phase:2,deny,status:403,nolog"\n'
             'SecRule ARGS "@contains attack" "id:3,phase:2,deny,status:403,nolog"\n</IfModule>',
    "filename": 'Header always set X-Where "expr=%{REQUEST_FILENAME}"',
    "there": 'Header always set X-There yes "expr=-f %{REQUEST_FILENAME}"\n<Files "asks.shtml">\nOptions +Includes\nSetOutputFilter INCLUDES\n</Files>',
    "listed": 'RewriteEngine On\nRewriteRule ^/lists/byrule - [F]\n<Directory "${DOCS}">\nOptions +Indexes\n</Directory>\n'
              '<Location /lists/shown>\nIndexOptions +ShowForbidden\n</Location>',
    "broken": '<Directory "${DOCS}/broken">\nAllowOverride All\nRequire all denied\n</Directory>',
    "numbered": 'AuthStatusMask All\n<Location /secret>\nAuthType Digest\nAuthName x\nAuthDigestProvider file\nAuthUserFile "${WORKDIR}/users"\nAuthDigestNonceLifetime 0\n'
                'AuthMerging Off\nRequire valid-user\n</Location>\n<Location /secret/login>\nAuthStatusMask Forbidden\n</Location>',
    "status": '<Location /server-status>\nSetHandler server-status\nRequire all denied\n</Location>',
}
OWN = "#!/bin/sh\necho 'Status: 403 Forbidden'\necho 'Content-Type: text/plain'\necho\necho no\n"
SLOW = OWN.replace("\n", "\nsleep 3\n", 1)
NPH = "#!/bin/sh\nprintf 'HTTP/1.1 403 Forbidden\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n'\n"
QUERIES = "".join(f'{what}: <!--#if expr="-A \'/{place}/page.html\'" -->there<!--#endif -->\n' for what, place in (("hidden", "secret"), ("missing", "absent")))
FILES = {"asks.shtml": QUERIES, "secret/page.html": "x\n", "open/hidden.html": "x\n", "noindex/a.txt": "x\n", "open/page.html": "x\n", "lists/byrule.html": "x\n",
         "lists/unread.html": "x\n", "lists/hidden.html": "x\n", "lists/shown/hidden.html": "x\n", "broken/.htaccess": "No directive\n", "says.cgi": OWN, "slow.cgi": SLOW,
         "nph-says.cgi": NPH, "front.cgi": "#!/bin/sh\nprintf 'Status: 404\\nContent-Type: text/plain\\n\\nfront\\n'\n"}
TLS = r"""
<VirtualHost 127.0.0.1:${TLS}>
    Use Site encrypted
    SSLEngine on
    SSLProtocol TLSv1.2
    SSLCertificateFile "${CERTIFICATE}"
    SSLCertificateKeyFile "${KEY}"
    SSLCACertificateFile "${CERTIFICATE}"
    <Location /secret>
        SSLVerifyClient require
    </Location>
    <Location /cipher>
        SSLCipherSuite AES128-SHA256
        Require all denied
    </Location>
</VirtualHost>
"""


@pytest.fixture(scope="module")
def site(start, authority):
    certificate = authority.issue("tells", "DNS:encrypted")
    httpd = start.make(SITE + "\n".join(f"Use Host {name}" for name in HOSTS) + TLS, files=FILES, listen=("HTTP", "TLS"),
                       modules=("cgid", "actions", "rewrite", "speling", "dav", "dav_fs", "allowmethods", "status", "autoindex", "ssl", "include", "unique_id", "security2", "auth_digest"),
                       defines={"CERTIFICATE": certificate.cert, "KEY": certificate.key})
    for name, text in HOSTS.items():
        (httpd.workdir / f"{name}.conf").write_text(text + "\n")
    (httpd.workdir / "run").chmod(0o777)
    (httpd.workdir / "docs/lists/unread.html").chmod(0)
    (httpd.workdir / "users").write_text(sites.USERS)
    httpd.start()
    return httpd


@pytest.fixture(autouse=True)
def httpds_own_lines(site):
    site.log.allow(r"AH\d{5}: ", "AS00", "Could not", "nph-says", "SSL Library Error", "htaccess: Invalid command")


def tells(site, host, hidden, missing, **options):
    """Do the two differ, but for their names?"""
    one, other = (site.get(path, host=host, **options) for path in (hidden, missing))
    return one.comparable().replace(hidden.encode(), b"PATH") != other.comparable().replace(missing.encode(), b"PATH")


def a_slash(site):
    assert site.get("/noindex/", host="slash").status == 404
    return tells(site, "slash", "/noindex", "/absent1")


def a_front_controller(site):
    return tells(site, "front", "/secret/page.html", "/absent/page.html")


def a_handler_of_a_type(site):
    return tells(site, "typed", "/open/hidden.html", "/open/absent.html")


def a_correction(site):
    assert not tells(site, "spelling", "/open/hidden.html", "/open/abcdef.html")
    return tells(site, "spelling", "/open/hiden.html", "/open/abcde.html")


def a_dav_tree(site):
    def copy(place):
        return site.get("/open/page.html", host="dav", method="COPY", headers=[("Destination", f"http://dav/{place}/page.html")]).status
    assert copy("secret") == 404 and copy("absent") != 404
    return tells(site, "dav", "/open/hidden.html", "/open/absent.html", method="PROPFIND", headers=[("Depth", "0")])


def exchange(site, host, path, *lines):
    text = "\r\n".join((f"POST {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines)) + "\r\n\r\nzz\r\n\r\n"
    return raw.exchange(site.port, text.encode())


def a_refusal_of_a_script(site):
    assert not tells(site, "own", "/says.cgi", "/miss.cgi")
    bodies = [exchange(site, "own", path, "Transfer-Encoding: chunked") for path in ("/says.cgi", "/miss.cgi")]
    expect = [exchange(site, "own", path, "Content-Length: 6", "Expect: 100-continue") for path in ("/says.cgi", "/miss.cgi")]
    return bodies[0] != bodies[1] or expect[0] != expect[1]


def a_refusal_before_all(site):
    if not has_module("security2"):
        pytest.skip("mod_security is not installed")
    assert not tells(site, "early", "/open/hidden.html", "/open/absent.html")
    return site.get("/open/page.html", host="early").status == 403


def a_refusal_of_content(site):
    if not has_module("security2"):
        pytest.skip("mod_security is not installed")
    names = [f"/open/{name}.html?a=attack" for name in ("hidden", "absent")]
    assert not tells(site, "early", *names)
    return tells(site, "early", *names, method="OPTIONS")


def a_method_that_is_not_allowed(site):
    return site.get("/secret/page.html", method="POST", host="methods").status == 405 and \
        site.get("/absent/page.html", method="POST", host="methods").status == 404


def a_rule_that_names_it(site):
    return tells(site, "named", "/secret/page.html", "/absent/page.html")


def a_piece_of_a_name(site):
    """Three letters are not known again; of a missing one they are its own."""
    hidden, missing = (site.get(f"/{place}/page.html", host="piece").header("X-Piece") for place in ("secret", "absent"))
    return missing == "abs" and hidden != "sec"


def a_rule_of_a_section(site):
    """The answer is the same, but for the URL that the rule has made."""
    hidden, missing = (site.get(f"/{place}/page.html", host="inside") for place in ("secret", "absent"))
    assert (hidden.status, hidden.body) == (missing.status, missing.body)
    return (hidden.header("X-Where"), missing.header("X-Where")) == ("/secret/page.html", "/absent/page.htm")


def a_count_of_characters(site):
    hidden, missing = (site.get(f"/{year}/x", host="counted") for year in ("2024", "1987"))
    assert hidden.header("X-Number") == missing.header("X-Number") == "yes"
    return missing.header("X-Year") == "yes" and hidden.header("X-Year") is None


def a_file_name(site):
    """The hidden place shows as much as the missing one; the visible part of the path reveals how much of it exists."""
    one, other = (site.get(f"/{place}/x/y", host="filename").header("X-Where") for place in ("open", "absent"))
    shown = site.get("/asks.shtml", host="there").body.split()
    assert shown == [b"hidden:", b"missing:", b"there"]
    there, none = (site.get(f"/open/{name}.html", host="there").header("X-There") for name in ("hidden", "absent"))
    return one.count("/") != other.count("/") and there == "yes" and none is None


def a_listing(site):
    listing, shown = (site.get(path, host="listed").body for path in ("/lists/", "/lists/shown/"))
    assert b"hidden.html" not in listing and b"shown" in listing
    assert b"hidden.html" not in shown and site.get("/lists/unread.html", host="listed").status == 404
    return b"byrule.html" in listing and b"unread.html" in listing


def a_broken_htaccess(site):
    return site.get("/broken/x", host="broken").status == 500


def the_clock(site):
    """A script that takes its time before it refuses takes it behind the mask too."""
    slow, missing = (site.get(path, host="own") for path in ("/slow.cgi", "/miss.cgi"))
    assert slow.comparable() == missing.comparable()
    return slow.seconds >= 3 and missing.seconds < slow.seconds


def credentials_unasked(site):
    """test_all.py has a directory that does not answer."""
    return "def test_credentials_sent_unasked_take_a_directorys_time(" in (SOURCE / "tests/live/masking/test_all.py").read_text()


def groups_of_a_user(site):
    """test_login.py counts queries."""
    return "def test_what_a_hidden_place_requires_is_queried_for_who_has_logged_in(" in (SOURCE / "tests/live/masking/test_login.py").read_text()


def a_number_of_challenges(site):
    def count(path):
        numbers = [0, 0]
        for at in range(2):
            challenge = site.get("/secret/login", host="numbered").header("WWW-Authenticate")
            numbers[at] = int(re.search(r'opaque="(\w+)"', challenge)[1], 16)
            assert site.get(path, host="numbered").status == 404
        return numbers[1] - numbers[0]
    return count("/secret/page.html") > count("/absent/page.html")


def a_script_that_speaks_for_itself(site):
    return site.get("/nph-says.cgi", host="own").status == 403


def a_certificate(site):
    """Who has no certificate, or another cipher, is cut off in the hidden place, or negotiates anew, before it is refused."""
    def fetch(path):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", site.ports["TLS"])) as plain, \
                context.wrap_socket(plain, server_hostname="encrypted") as tls:
            try:
                tls.sendall(f"GET {path} HTTP/1.1\r\nHost: encrypted\r\nConnection: close\r\n\r\n".encode())
                return tls.recv(12), tls.cipher()
            except OSError as error:
                return str(error).encode(), None
    missing, certificate, cipher = (fetch(f"/{place}/page.html") for place in ("absent", "secret", "cipher"))
    assert missing[0] == b"HTTP/1.1 404" and cipher != missing
    return certificate != missing


def a_counter(site):
    """test_walks.py counts: three walks of both, one of who is allowed."""
    return (SOURCE / "tests/live/masking/test_walks.py").read_text().count("== [3]") == 1


def a_page_of_a_module(site):
    """Hidden like anything else, where access to it is refused."""
    return not tells(site, "status", "/server-status", "/absent-status")


SHOWN = {
    "the 301 from": a_slash, "front controllers": a_front_controller, "handlers that speak": a_handler_of_a_type,
    "`CheckSpelling`": a_correction, "a DAV tree": a_dav_tree, "a script or a backend that": a_refusal_of_a_script,
    "a module that refuses": a_refusal_before_all, "a rule of mod_security": a_refusal_of_content,
    "`AllowMethods`": a_method_that_is_not_allowed, "rules that name": a_rule_that_names_it, "rules that copy": a_piece_of_a_name,
    "`RewriteRule` in a section": a_rule_of_a_section,
    "patterns that count": a_count_of_characters, "`%{REQUEST_FILENAME}`": a_file_name,
    "the listing of a parent": a_listing, "a `.htaccess` with": a_broken_htaccess,
    "time": the_clock, "credentials that": credentials_unasked, "`Require ldap-group`": groups_of_a_user,
    "`AuthType Digest`": a_number_of_challenges,
    "a script whose name": a_script_that_speaks_for_itself, "`SSLVerifyClient`": a_certificate,
    "modules that count": a_counter, "modules that answer": a_page_of_a_module,
}


def test_the_table_has_these_rows():
    for row in ROWS:
        assert sum(row.startswith(begin) for begin in SHOWN) == 1, row
    assert len(ROWS) == len(SHOWN)


@pytest.mark.parametrize("row", SHOWN)
def test_row(site, row):
    assert SHOWN[row](site)
