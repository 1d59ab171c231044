# SPDX-License-Identifier: Apache-2.0
"""A virtual host without AuthStatus On answers byte for byte as an httpd without the module, whatever it serves, though
the virtual host beside it masks everything. untouched/ has the failed logins; here is all that needs none."""
import base64
import hashlib
import re
from collections import namedtuple
from pathlib import Path

import pytest

from lab.client import get_h2
from lab.httpd import SANITIZE

pytestmark = pytest.mark.skipif(SANITIZE, reason="bytes: the sanitizers have nothing to look at in a module that does nothing")

HERE = Path(__file__).parent
RIGHT = "Pw!right"
HASH = "{SHA}" + base64.b64encode(hashlib.sha1(RIGHT.encode()).digest()).decode()
MODULES = ("auth_digest", "auth_form", "request", "session", "session_cookie", "autoindex", "negotiation", "include", "cgid",
           "proxy", "proxy_http", "rewrite", "status", "http2", "allowmethods", "deflate", "filter", "authz_groupfile", "asis",
           "access_compat", "dav", "dav_fs", "socache_shmcb", "actions", "expires", "speling", "substitute")
CGI = {
    "cgi/well.cgi": "#!/bin/sh\necho 'Content-Type: text/plain'\necho\necho \"user=$REMOTE_USER type=$AUTH_TYPE\"\nenv | grep -c AUTHSTATUS\n",
    "cgi/says403.cgi": "#!/bin/sh\necho 'Status: 403'\necho 'Content-Type: text/plain'\necho\necho no\n",
    "cgi/says401.cgi": "#!/bin/sh\necho 'Status: 401'\necho 'WWW-Authenticate: Basic realm=\"cgi\"'\necho\necho no\n",
    "cgi/says503.cgi": "#!/bin/sh\necho 'Status: 503'\necho\necho busy\n",
    "cgi/nothing.cgi": "#!/bin/sh\nexit 1\n",
    "cgi/body.cgi": "#!/bin/sh\necho 'Content-Type: text/plain'\necho\ncat\n",
}
FILES = {**CGI, "page.shtml": 'user=<!--#echo var="REMOTE_USER" --> <!--#include virtual="/closed/x.html" -->\n',
         "list/a.html": "a\n", "list/b.txt": "b\n", "lang/x.html.en": "english\n", "lang/x.html.de": "deutsch\n",
         "closed/x.html": "secret\n", "big.html": "x" * 20000, "asis/x.asis": "Status: 410 Gone by itself\nContent-Type: text/plain\n\ngone\n",
         "login.html": "log in\n", "missing-told.html": "not here\n", "dav/x.html": "x\n"}
SITE = """Protocols h2c http/1.1
ServerSignature On
KeepAlive On
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName localhost
    <Directory "${DOCS}">
        Options +Includes +ExecCGI +Indexes +MultiViews
        AllowOverride All
    </Directory>
    AddHandler cgi-script .cgi
    AddOutputFilter INCLUDES .shtml
    AddHandler send-as-is .asis
    AddLanguage en .en
    AddLanguage de .de
    IndexOptions FancyIndexing
    ErrorDocument 410 "it is gone"
    <Location /told>
        ErrorDocument 404 /missing-told.html
    </Location>
    <Location /closed>
        Require all denied
    </Location>
    <Location /elsewhere>
        Require ip 192.0.2.1
    </Location>
    <Location /old-way>
        Order deny,allow
        Deny from all
    </Location>
    <Location /methods>
        AllowMethods GET
    </Location>
    <Location /digest>
        AuthType Digest
        AuthName lab
        AuthUserFile "${WORKDIR}/digest"
        Require valid-user
    </Location>
    <Location /form>
        AuthType Form
        AuthName lab
        AuthFormProvider file
        AuthUserFile "${WORKDIR}/users"
        Session On
        SessionCookieName s path=/
        AuthFormLoginRequiredLocation "/login.html"
        Require valid-user
    </Location>
    <Location /form-plain>
        AuthType Form
        AuthName lab
        AuthFormProvider file
        AuthUserFile "${WORKDIR}/users"
        Session On
        SessionCookieName s path=/
        Require valid-user
    </Location>
    <Location /basic>
        AuthType Basic
        AuthName lab
        AuthBasicProvider file
        AuthUserFile "${WORKDIR}/users"
        Require valid-user
    </Location>
    Alias /basic/cgi "${DOCS}/cgi"
    <Location /basic/group>
        AuthGroupFile "${WORKDIR}/groups"
        Require group staff
    </Location>
    <Location /basic/send>
        AuthzSendForbiddenOnFailure On
        Require user somebody
    </Location>
    <Location /dav>
        Dav On
    </Location>
    ProxyPass /backend/ http://127.0.0.1:${HTTP}/
    ProxyPass /dead/ http://127.0.0.1:9/
    Redirect /moved /list/
    Redirect gone /gone
    RewriteEngine On
    RewriteRule ^/forbidden-by-rule - [F]
    RewriteRule ^/passed/(.*) /basic/$1 [PT]
    LimitRequestBody 100
</VirtualHost>
<IfModule authstatus_module>
    <VirtualHost 127.0.0.1:${HTTP}>
        ServerName masked.test
        AuthStatusMask All
        <Location />
            AuthStatus On
        </Location>
    </VirtualHost>
</IfModule>
"""
IN, OUT = ("ann", RIGHT), ("ann", "Pw!wrong")
Row = namedtuple("Row", "method path options", defaults=({},))


def rows():
    plain = ["/", "/missing", "/told/x", "/closed/x.html", "/elsewhere", "/old-way/x", "/methods/x", "/digest/x", "/form/x", "/form-plain/x",
             "/basic/index.html", "/basic/cgi/well.cgi", "/basic/group/x", "/basic/send/x", "/cgi/well.cgi", "/cgi/says403.cgi",
             "/cgi/says401.cgi", "/cgi/says503.cgi", "/cgi/nothing.cgi", "/page.shtml", "/list/", "/list", "/lang/x", "/lang/x.html",
             "/big.html", "/asis/x.asis", "/backend/", "/backend/closed/x.html", "/backend/basic/index.html", "/backend/missing", "/dead/x",
             "/moved", "/gone", "/forbidden-by-rule", "/passed/index.html", "/dav/x.html", "/dav/none", "/%2e%2e/etc", "/a%00b", "/" + "n" * 300]
    for path in plain:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "TRACE", "NONSENSE"):
            yield Row(method, path)
        for login in (IN, OUT):
            yield Row("GET", path, {"login": login})
    for path in ("/", "/closed/x.html", "/basic/index.html", "/cgi/body.cgi", "/missing", "/lang/x"):
        yield Row("GET", path, {"headers": [("Range", "bytes=0-3")]})
        yield Row("GET", path, {"headers": [("If-Modified-Since", "Sun, 13 Sep 2020 12:26:40 GMT")]})
        yield Row("GET", path, {"headers": [("Accept-Language", "de"), ("Accept", "application/problem+json")]})
        yield Row("POST", path, {"body": "b" * 50})
        yield Row("POST", path, {"body": "b" * 500})
        yield Row("GET", path, {"headers": [("Connection", "close")]})
        yield Row("GET", path, {"authorization": b"Digest username=x"})
    for form in ("httpd_username=ann&httpd_password=Pw!right", "httpd_username=ann&httpd_password=no", "nonsense"):
        for path in ("/form/x", "/form-plain/x"):
            yield Row("POST", path, {"body": form, "headers": [("Content-Type", "application/x-www-form-urlencoded")]})


ROWS = list(rows())


@pytest.fixture(scope="module")
def pair(start, needs_module):
    """(without the module, with it)"""
    needs_module(*MODULES)
    pair = []
    for loaded in (False, True):
        httpd = start.make(f'ScriptSock "${{WORKDIR}}/run/cgid"\nDavLockDB "${{WORKDIR}}/run/dav"\n{SITE}', authstatus=loaded, modules=MODULES,
                           files=FILES, cache="Off")
        (httpd.workdir / "users").write_text(f"ann:{HASH}\n")
        (httpd.workdir / "groups").write_text("staff: bob\n")
        (httpd.workdir / "digest").write_text("ann:lab:" + hashlib.md5(f"ann:lab:{RIGHT}".encode()).hexdigest() + "\n")
        (httpd.workdir / "run").chmod(0o777)
        pair.append(httpd.start())
    return pair


def normal(answer, httpd, path):
    """What differs from one request to the next in any httpd: nonces, the order of methods, the port, when a file was
    made, the tag of what was negotiated; and whether a CGI ended before its answer was begun, which decides on the framing."""
    raw = answer.comparable().replace(answer.row.encode(), b"ROW")  # which TRACE tells
    for pattern in (rb'nonce="[^"]*"', rb"<lp1:creationdate>[^<]*", rb' xmlns:lp.="[^"]*"', rb'(?<=;)[0-9a-f]{10,}(?=\r\nAccept)'):
        raw = re.sub(pattern, b"", raw)
    raw = re.sub(rb"(?m)^Allow: [^\r]*", lambda allow: b",".join(sorted(allow[0][7:].split(b","))), raw)
    if "cgi" in path or "page.shtml" in path:
        raw = re.sub(rb"(?i)\r\n(content-length|transfer-encoding|keep-alive|connection): [^\r]*", b"", raw)
    return raw.replace(b"%d" % httpd.port, b"PORT")


def fetch(httpd, row):
    httpd.log.allow("")  # what httpd says of all this is its own
    answer = httpd.get(row.path, method=row.method, **row.options)
    return answer.status, normal(answer, httpd, row.path)


@pytest.mark.parametrize("path", sorted({row.path for row in ROWS}), ids=lambda path: path[:30])
def test_the_same(pair, path):
    for row in (row for row in ROWS if row.path == path):
        without, loaded = [fetch(httpd, row) for httpd in pair]
        assert without == loaded, row


def test_rows_are_of_many_kinds(pair):
    """Else all might be one and the same error."""
    statuses = {fetch(pair[1], row)[0] for row in ROWS if row.method in ("GET", "POST", "OPTIONS", "NONSENSE")}
    assert statuses >= {200, 206, 304, 302, 301, 400, 401, 403, 404, 405, 410, 413, 500, 501, 503}, statuses


@pytest.mark.parametrize("path", ["/", "/missing", "/closed/x.html", "/basic/index.html", "/cgi/says403.cgi", "/page.shtml", "/list/",
                                  "/backend/", "/forbidden-by-rule", "/big.html"])
def test_the_same_over_http_2(pair, path):
    for login in (None, IN, OUT):
        answers = []
        for httpd in pair:
            httpd.log.allow("")
            answer = get_h2(httpd.port, path, login)
            answers.append(normal(answer, httpd, path))
        assert answers[0] == answers[1]
