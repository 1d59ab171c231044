# SPDX-License-Identifier: Apache-2.0
"""Probes that nobody gave: odd requests, odd paths, and modules and directives around a hidden place, each against a
missing one of the same shape."""
import itertools
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import raw

import probes
import sites
import test_differential as differential
from sites import Way

# ---- requests as they are sent: {0} method, {1} path, {2} host ----

LAST = b"GET /open/page.html HTTP/1.1\r\nHost: plain\r\nConnection: close\r\n\r\n"
HEAD = "{0} {1} HTTP/1.1\r\nHost: {2}\r\n"
REQUESTS = {
    "chunked, trailers": HEAD + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    "chunked, extensions": HEAD + "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0;x\r\n\r\n",
    "chunked, never ended": HEAD + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "gzip, chunked": HEAD + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "length and chunked": HEAD + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "no number": HEAD + "Content-Length: x\r\n\r\n",
    "body cut short": HEAD + "Connection: close\r\nContent-Length: 50\r\n\r\nabc",
    "expect, chunked": HEAD + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "expect, no body": HEAD + "Expect: 100-continue\r\n\r\n",
    "expect, 1.0": "{0} {1} HTTP/1.0\r\nHost: {2}\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "absolute form": "{0} http://{2}{1} HTTP/1.1\r\nHost: {2}\r\n\r\n",
    "absolute form, another host": "{0} http://{2}{1} HTTP/1.1\r\nHost: other\r\n\r\n",
    "absolute form, a port": "{0} http://{2}:80{1} HTTP/1.1\r\nHost: {2}\r\n\r\n",
    "absolute form, encrypted": "{0} https://{2}{1} HTTP/1.1\r\nHost: {2}\r\n\r\n",
    "host with a port": "{0} {1} HTTP/1.1\r\nHost: {2}:8080\r\n\r\n",
    "host in capitals": "{0} {1} HTTP/1.1\r\nHOST: {2}.\r\n\r\n",
    "two hosts": "{0} {1} HTTP/1.1\r\nHost: {2}\r\nHost: {2}\r\n\r\n",
    "no host": "{0} {1} HTTP/1.1\r\n\r\n",
    "1.0, no host": "{0} {1} HTTP/1.0\r\n\r\n",
    "1.0, kept, no length": "{0} {1} HTTP/1.0\r\nHost: {2}\r\nConnection: keep-alive\r\n\r\n",
    "1.2": "{0} {1} HTTP/1.2\r\nHost: {2}\r\n\r\n",
    "3.0": "{0} {1} HTTP/3.0\r\nHost: {2}\r\n\r\n",
    "a fragment": "{0} {1}#top HTTP/1.1\r\nHost: {2}\r\n\r\n",
    "a query": "{0} {1}?%00&a=%zz&b=%2e%2e HTTP/1.1\r\nHost: {2}\r\n\r\n",
    "two spaces": "{0}  {1} HTTP/1.1\r\nHost: {2}\r\n\r\n",
    "folded header": HEAD + "X-A: b\r\n c\r\n\r\n",
    "a header without a name": HEAD + ": b\r\n\r\n",
    "a long header": HEAD + "X-Long: " + "x" * 8000 + "\r\n\r\n",
    "a header that is too long": HEAD + "X-Long: " + "x" * 9000 + "\r\n\r\n",
    "many headers": HEAD + "".join(f"X-{number}: y\r\n" for number in range(120)) + "\r\n",
    "pipelined": (HEAD + "\r\n") * 3,
    "pipelined behind a body": HEAD + "Content-Length: 3\r\n\r\nabc" + HEAD + "\r\n",
    "web socket": HEAD + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n",
    "h2c, no settings": HEAD + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "TLS upgrade": HEAD + "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n\r\n",
    "ranges": HEAD + "Range: bytes=0-0,2-3,-5\r\nIf-Range: \"a\"\r\n\r\n",
    "range beyond": HEAD + "Range: bytes=99999-\r\n\r\n",
    "conditions": HEAD + "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\nIf-Modified-Since: x\r\nIf-None-Match: \"a\", *\r\n\r\n",
    "unmodified": HEAD + "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n",
    "nothing acceptable": HEAD + "Accept: x/y;q=0.1\r\nAccept-Language: xx\r\nAccept-Charset: none\r\nAccept-Encoding: identity;q=0, *;q=0\r\n\r\n",
    "problem": HEAD + "Accept: application/problem+json, */*;q=0\r\n\r\n",
    "forwards": HEAD + "Max-Forwards: 0\r\nVia: 1.1 x\r\n\r\n",
    "no cache": HEAD + "Cache-Control: only-if-cached, no-cache, max-age=0\r\nPragma: no-cache\r\n\r\n",
    "bearer": HEAD + "Authorization: Bearer abc\r\nProxy-Authorization: Basic Ym9iOnBhc3N3b3Jk\r\n\r\n",
    "negotiate": HEAD + "Authorization: Negotiate YII=\r\n\r\n",
    "basic, nothing": HEAD + "Authorization: Basic\r\n\r\n",
    "basic, good": HEAD + "Authorization: Basic Ym9iOnBhc3N3b3Jk\r\n\r\n",
    "digest": HEAD + 'Authorization: Digest username="bob", realm="the lab", nonce="x", uri="{1}", response="y"\r\n\r\n',
    "cookies": HEAD + "Cookie: session=x; track=y; " + "z" * 500 + "\r\n\r\n",
    "TE": HEAD + "TE: trailers, deflate;q=0.5\r\nConnection: TE\r\n\r\n",
    "hop by hop": HEAD + "Connection: Host, Authorization, close\r\n\r\n",
    "overridden": HEAD + "X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /open/page.html\r\nX-Rewrite-URL: /open/page.html\r\n\r\n",
    "DAV": HEAD + "Depth: infinity\r\nDestination: http://{2}/open/copy.html\r\nOverwrite: T\r\nIf: (<opaquelocktoken:x>)\r\n\r\n",
    "form": HEAD + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=b&c=d",
    "encoded body": HEAD + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
}


def every(letters, length):
    """Each word of so many of these letters, in as few letters as can be (de Bruijn's sequence)."""
    words, sequence = [0] * len(letters) * length, []

    def add(at, period):
        if at > length:
            if length % period == 0:
                sequence.extend(words[1:period + 1])
            return
        words[at] = words[at - period]
        add(at + 1, period)
        for letter in range(words[at - period] + 1, len(letters)):
            words[at] = letter
            add(at + 1, at)

    add(1, 1)
    return "".join(letters[number] for number in sequence)


# Of four letters a copy of a decoy's name is known: a client that sends all of them must get back what it sent.
PIECES = every("gjklmnpqrvwxz", 4)
EVERY_PIECE = HEAD + "".join(f"X-Piece{at}: {PIECES[at:at + 7003]}\r\n" for at in range(0, len(PIECES), 7000)) + "\r\n"
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
ODD_METHODS = ("get", "Get", "PUT", "DELETE", "PATCH", "CONNECT", "TRACE", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK",
               "REPORT", "CHECKOUT", "MERGE", "BASELINE-CONTROL", "INVALID", "M-SEARCH", "QUERY", "X" * 300)

# ---- paths, below a directory that is denied, and names that are ----

BELOW = ("/%00", "/a%00.html", "/%0a", "/a%0d%0aX-A:b", "/..", "/../{}/", "/%2e%2e/{}/x", "/.%2e/{}", "/./", "//", "///page.html", "/page.html/",
         "/page.html%20", "/page.html.", "/page.html::$DATA", "/page.html;v=1", "/;v=1/page.html", "/%", "/%zz", "/%c0%ae%c0%ae/", "/%u0041",
         "/\\..\\x", "/a b", "/*", "/~bob", "/" + "n" * 254, "/" + "n" * 255, "/" + "n" * 256, "/" + "%6e" * 255, "/" + "%C3%A9" * 128,
         "/" + "a/" * 60, "/" + "a/" * 70, "/" + "/".join(["m" * 200] * 19), "%2fpage.html", "%2Fsub%2Fpage.html", "/sub%2fpage.html", "%5cpage.html",
         "/page", "/page.html.de", "/index", "/.htaccess", "/.htpasswd", "/page.html~", "/page.php", "/page.cgi/x", "/page.shtml", "/PAGE.HTML", "")
PATHS = [Way(f"below: {rest[:20]} ({len(rest)})", "/dirall" + rest.format("dirall"), "dirall", "absent") for rest in BELOW if rest.count("{}") == 0]
PATHS += [Way(f"back: {rest}", "/open" + rest.format("dirall"), "dirall", "absent") for rest in BELOW if "{}" in rest]
WAYS = [way for way in sites.WAYS if way.name in ("directory, a file", "directory, itself", "location", "files", "no listing", "group",
                                                  "rewrite, server", "cgi denied", "file permissions", "limit", "symlink", "order deny")]

# ---- what stands around a hidden place: lines of the virtual host, and what is asked for ----

DENIED = "Require all denied\n"
OPEN = '\n<Directory "${DOCS}/open">\nHeader always set X-Open yes\n</Directory>\n'
AROUND = {
    "encoded slashes": ("AllowEncodedSlashes On" + OPEN + "<Location /open/locopn>\n" + DENIED + "</Location>", [
        Way("1", "/dirall%2fpage.html", "dirall", "absent"), Way("2", "/dirall%2f%2Fsub%2fpage.html", "dirall", "absent"),
        Way("3", "/open%2finside%2fpage.html", "inside", "absent"), Way("4", "/open/inside%2fpage.html", "inside", "absent"),
        Way("5", "/open%2Finside/page.html", "inside", "absent"), Way("6", "/open%2F..%2Fopen/inside%2F.%2Fpage.html", "inside", "absent"),
        Way("7", "/open%2Flocopn/page.html", "locopn", "absent"), Way("8", "/open/inside/a%2Fb/c%2Fd", "inside", "absent"),
        Way("9", "/open/inside/a%252Fb", "inside", "absent")]),
    "slashes not decoded": ("AllowEncodedSlashes NoDecode" + OPEN, [
        Way("1", "/dirall/a%2fb", "dirall", "absent"), Way("2", "/dirall%2fpage.html", "dirall", "absent"), Way("3", "/open/inside/a%2Fb", "inside", "absent")]),
    "short names below a pattern": (r'<LocationMatch "/(\d+|\.\w+)/">' "\n" + DENIED + "</LocationMatch>\n"
                                    r"RewriteRule ^/(?:.*/)?([^/]+)/([^/]+)$ - [E=NAME:$2,E=PLACE:$1]" "\n" 'Header always set X-Name "%{NAME}e in %{PLACE}e"', [
        Way("1", "/open/2024/05/k/x", "2024/05", "y024/y5"), Way("2", "/open/20/05/k/7", "20/05", "yy/y5"),
        Way("3", "/open/.a/.b/k/d.c", ".a/.b", "_a/_b")]),
    "slashes not merged": ("MergeSlashes Off", [Way("1", "//dirall//page.html", "dirall", "absent"), Way("2", "/locall//x", "locall", "absent"),
                                                Way("3", "//locall/page.html", "locall", "absent")]),
    "an alias": ('Alias /other "${DOCS}/open"\n', [Way("1", "/other/inside/page.html", "inside", "absent"), Way("2", "/other/hidden.html", "hidden", "absent")]),
    "an alias of what is hidden": ('Alias /secret "${DOCS}/dirall"\nAliasMatch "^/sekret/(.*)" "${DOCS}/dirall/$1"',
                                   [Way("1", "/secret/page.html", "secret", "absent"), Way("2", "/sekret/page.html", "sekret", "absent")]),
    "scripts": ('ScriptAlias /bin "${DOCS}/cgiden"\nScriptAlias /bins "${DOCS}/open"', [Way("1", "/bins/inside/page.html", "inside", "absent"),
                                                                                      Way("2", "/bins/hidden.html", "hidden", "absent")]),
    "a user's directory": ('UserDir "${DOCS}/*/sub"\n<Directory "${DOCS}/open/sub">\n' + DENIED + "</Directory>",
                           [Way("1", "/~dirall/page.html", "dirall", "absent"), Way("2", "/~dirall", "dirall", "absent")]),
    "rewritten to": ("RewriteRule ^/short/(.*)$ /open/$1 [PT]\nRewriteRule ^/long/(.*)$ ${DOCS}/open/$1",
                     [Way("1", "/short/inside/page.html", "inside", "absent"), Way("2", "/long/inside/page.html", "inside", "absent"),
                      Way("3", "/short/hidden.html", "hidden", "absent")]),
    "forbidden by a pattern": (r'RewriteRule "(^|/)\.git(/|$)" - [F]' "\n" r'RewriteRule "\.(bak|old)$" - [F]' "\n" r'RewriteRule "^/open/x-\d+" - [F]',
                               [Way("1", "/open/.git/config", ".git", ".abc"), Way("2", "/open/page.bak", "page.bak", "page.abc"),
                                Way("3", "/open/x-12/page.html", "x-12", "y-12"), Way("4", "/.git/config", ".git", ".abc"), Way("5", "/a/b/c/.git/d", ".git", ".abc"),
                                Way("6", "/open/page.html/x.old", "x.old", "x.abc"), Way("7", "/a/.git/.git/x", "a/.git/.git", "a/.abc/.abc")]),
    "denied by a pattern": (r'<LocationMatch "/\.(git|svn)(/|$)">' "\n" + DENIED + "</LocationMatch>\n" r'<FilesMatch "(^#.*#|\.(bak|swp)|~)$">' "\n" + DENIED +
                            "</FilesMatch>\n" r'<DirectoryMatch "/x-\d+/">' "\n" + DENIED + "</DirectoryMatch>",
                            [Way("1", "/open/.git/config", ".git", ".abc"), Way("2", "/open/page.bak", "page.bak", "page.abc"), Way("3", "/open/page.html~", "page.html~", "page.htmlx"),
                             Way("4", "/open/x-12/page.html", "x-12", "y-12"), Way("5", "/open/%23page%23", "%23page%23", "%24page%23"), Way("6", "/a/b/.svn/.svn", "b/.svn/.svn", "b/.abc/.abc")]),
    "LimitExcept": ("<Location /locexc>\n<LimitExcept GET POST>\n" + DENIED + "</LimitExcept>\n</Location>",
                    [Way("1", "/locexc/x", "locexc", "absent", ("PUT", "DELETE", "OPTIONS", "PROPFIND"))]),
    "Satisfy": ('<Location /satisf>\nOrder allow,deny\nDeny from all\nSatisfy any\nAuthType Basic\nAuthName x\nAuthUserFile "${WORKDIR}/users"\nRequire user admin\n</Location>',
                [Way("1", "/satisf/x", "satisf", "absent", None, sites.GOOD)]),
    "Require": ("SetEnvIf User-Agent ^$ NOBODY\n" + "".join(f"<Location /requi{number}>\nRequire {line}\n</Location>\n" for number, line in enumerate((
        "env NOBODY", "method TRACE", "expr %{HTTP_USER_AGENT} == 'x'", "ip 192.0.2.0/24", "ip 10.0.0.0/8", "host example.invalid"))),
                [Way(str(number), f"/requi{number}/x", f"requi{number}", "absent") for number in range(6)]),
    "headers": ('Header always set X-Early 1 early\nHeader set X-When 1 "expr=%{REQUEST_STATUS} == 404"\nHeader always edit Content-Type html HTML\n'
                'Header echo ^X-\nRequestHeader set X-In "%{X}e" early\nHeader merge Vary "X-V"\nHeader always note Server S\nHeader always set X-User "expr=%{REMOTE_USER}"\n'
                'Header always set X-Handler "expr=%{HANDLER}|%{CONTENT_TYPE}|%{REMOTE_ADDR}|%{IS_SUBREQ}|%{REQUEST_SCHEME}"', None),
    "settings of its own": ('<Directory "${DOCS}/dirall">\nErrorDocument 404 "its own"\nHeader always set X-Own 1\nAddType x/y .html\nForceType a/b\nSetEnv OWN 1\n'
                            'Options +Indexes +MultiViews\nDirectoryIndex none\nAddDefaultCharset x\nServerSignature Email\nLimitRequestBody 1\nSetOutputFilter DEFLATE\n'
                            'FileETag None\nAcceptPathInfo On\nExpiresActive On\nExpiresDefault A10\nDirectorySlash Off\nCGIPassAuth On\nSetHandler cgi-script\n</Directory>', None),
    "handlers": ('<Location /status>\nSetHandler server-status\n' + DENIED + '</Location>\n<Location /report>\nSetHandler authstatus-report\n' + DENIED +
                 '</Location>\n<Location /switch>\nSetHandler authstatus-switch\n' + DENIED + "</Location>\n<Location /infos>\nSetHandler none\n" + DENIED + "</Location>",
                 [Way("1", "/status", "status", "absent"), Way("2", "/report?json", "report", "absent"), Way("3", "/switch", "switch", "absent"),
                  Way("4", "/infos/x", "infos", "absen")]),
    "proxied": ("ProxyPass /backen/open !\n<Location /proxie>\nProxyPass http://127.0.0.1:${BACK}/\n" + DENIED + "</Location>", [Way("1", "/proxie/page.html", "proxie", "absent")]),
    "echo": ('Header echo ^X-\nRewriteRule ^ - [E=COPY:%{HTTP:X-Piece0}%{HTTP:X-Piece7000}%{HTTP:X-Piece14000}%{HTTP:X-Piece21000}%{HTTP:X-Piece28000}]\n'
             'Header always set X-Copy "%{COPY}e"', None),
    "variants": ('<Directory "${DOCS}">\nOptions +MultiViews\n</Directory>\nAddLanguage de .de\nAddLanguage en .en\n<FilesMatch "\\.de\\.">\n' + DENIED + "</FilesMatch>",
                 [Way("1", "/variants/hidden", "hidden", "absent"), Way("2", "/variants/hidden.de.html", "hidden", "absent"),
                  Way("3", "/variants/hidden.html", "hidden", "absent"), Way("4", "/variants/beside", "beside", "single"), Way("5", "/variants/beside.html", "beside", "single")]),
    "a filter": ('SetOutputFilter DEFLATE\nDeflateCompressionLevel 1\nFilterDeclare X\nFilterProvider X DEFLATE "%{CONTENT_TYPE} =~ /html/"\nFilterChain X', None),
    "a cookie": ("CookieTracking on\nCookieName track\nCookieStyle RFC2965\nCookieExpires 100", None),
    "its own page": ("ErrorDocument 404 /dirall/page.html", None),
    "a page that is missing": ("ErrorDocument 404 /errors/none.html\nErrorDocument 403 /errors/none2.html", None),
    "a page that is rewritten": ("ErrorDocument 404 /errors/rew\nRewriteRule ^/errors/rew$ /errors/env.shtml?u=%{REQUEST_URI} [PT]", None),
    "a page for a login": ('ErrorDocument 404 /groups/page.html', None),
    "a page by expression": ('ErrorDocument 404 "%{escape:%{REQUEST_URI}} is not here, %{REMOTE_USER}"', None),
    "conditions, of which one is not evaluated": ("<If \"%{HTTP:X-One} == ''\">\nAuthName one\n</If>\n<ElseIf \"%{HTTP:X-Two} == 'x'\">\nAuthName two\n</ElseIf>", None),
    "linked": ("<Directory \"${DOCS}\">\nOptions -FollowSymLinks +SymLinksIfOwnerMatch\n</Directory>", [way for way in sites.WAYS if way.name in ("directory, a file", "files", "no listing")]),
    "an index": ("DirectoryIndex page.html /open/page.html\n<Files page.html>\n" + DENIED + "</Files>", [Way("1", "/dirall/", "dirall", "absent")]),
    "TRACE": ("TraceEnable extended", None),
    "UTF-8": ('<Location "/caf\u00e9s">\n' + DENIED + '</Location>\n<Location "/my secret">\n' + DENIED + "</Location>",
              [Way("1", "/caf%C3%A9s/x", "caf%C3%A9s", "abs%C3%A9t"), Way("2", "/my%20secret/x", "my%20secret", "no%20absent"),
               Way("3", "/caf%c3%a9s/x.html?y", "caf%c3%a9s", "abs%c3%a9t")]),
}
NUMBER = {name: f"around{number}" for number, name in enumerate(AROUND)}
FEW = [way for way in sites.WAYS if way.name in ("directory, a file", "directory, itself", "directory, path info", "location", "files", "order deny", "group",
                                                 "no listing", "rewrite, server", "cgi denied", "symlink", "file permissions")]


def hosts():
    for host in ("plain", "all", "cookies", "headers"):
        yield from sites.host(host, "HTTP", True, "h2c http/1.1")
    for name, (lines, _) in AROUND.items():
        yield (f'<VirtualHost 127.0.0.1:${{HTTP}}>\nServerName {NUMBER[name]}\nProtocols h2c http/1.1\nDocumentRoot "${{DOCS}}"\nAuthStatus On\n'
               f"AuthStatusMask Forbidden\n{sites.SECTIONS.format(more=lines)}\n</VirtualHost>")


# Of the last two one has a variant that is hidden.
VARIANTS = {f"variants/{name}.html": f"{name[:6]}\n" for name in ("hidden.de", "beside.de", "beside.en", "single.en")}


@pytest.fixture(scope="module")
def site(start):
    text = "\n".join(itertools.chain(['<VirtualHost 127.0.0.1:${BACK}>\nServerName back\nDocumentRoot "${WORKDIR}/back"\n</VirtualHost>'], hosts()))
    httpd = start.make(text, modules=(*sites.modules_for("event"), "userdir", "status", "deflate", "filter", "expires", "actions"),
                       listen=("HTTP", "BACK"), files=sites.FILES | VARIANTS)
    return sites.start_furnished(httpd)


@pytest.fixture(autouse=True)
def httpds_own_lines(site):
    differential.allow_httpds_lines(site)


def compare(site, host, questions, by_program=False):
    """questions: (name, way, the hidden request, the missing one); by_program: how answers are framed is a race"""
    found = differential.Differences(host)
    found.by_program = by_program
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda request: raw.exchange(site.port, request), [each for question in questions for each in question[2:]]))
    found.exchanges = len(answers)
    assert all(answers), "a request without an answer"
    for number, (what, way, _, _) in enumerate(questions):
        found.compare(what, way, *answers[2 * number:2 * number + 2])
    print(found.exchanges, "exchanges")
    assert not found.found, str(found)


def question(template, method, host, way):
    requests = [template.format(method, path, host) for path in (way.path, differential.twin_of(way))]
    if way.login:
        login = f"\r\nAuthorization: {probes.authorization(way.login).decode()}\r\n"
        requests = [re.sub(r"( HTTP/\d\.\d)\r\n", lambda match: match[1] + login, request) for request in requests]
    return [request.encode() + LAST for request in requests]


@pytest.mark.parametrize("host", ("plain", "all", "cookies", "headers"))
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request(site, host, name):
    compare(site, host, [(f"{method} {name}", way, *question(REQUESTS[name], method, host, way)) for way in WAYS
                         for method in differential.methods_of(way, METHODS) if not (way.name == "group" and "Authorization" in REQUESTS[name])])


@pytest.mark.parametrize("host", ("plain", "all", NUMBER["echo"]))
def test_every_piece_of_a_name(site, host):
    compare(site, host, [(method, way, *question(EVERY_PIECE, method, host, way)) for way in WAYS for method in differential.methods_of(way, METHODS)])


@pytest.mark.parametrize("host", ("plain", "all"))
@pytest.mark.parametrize("method", ODD_METHODS, ids=[method[:20] for method in ODD_METHODS])
def test_a_method(site, host, method):
    compare(site, host, [(method, way, *question(HEAD + "\r\n", method, host, way)) for way in WAYS if not way.methods])


@pytest.mark.parametrize("host", ("plain", "all", "cookies"))
@pytest.mark.parametrize("way", PATHS, ids=[way.name for way in PATHS])
def test_a_path(site, host, way):
    compare(site, host, [(method, way, *question(HEAD + "\r\n", method, host, way)) for method in ("GET", "POST", "PUT", "OPTIONS", "HEAD", "TRACE")])


# ---- over HTTP/2: {path} and {host}; a header that is None is not sent ----

FIELDS = {
    "plain": {}, "authority with a port": {":authority": "{host}:8080"}, "no authority": {":authority": None, "host": "{host}"},
    "another scheme": {":scheme": "https"}, "expect": {"expect": "100-continue"}, "range": {"range": "bytes=0-0,5-"}, "trailers": {"te": "trailers"},
    "conditions": {"if-none-match": "*", "if-match": "\"a\"", "if-unmodified-since": "x"}, "priority": {"priority": "u=0, i"},
    "problem": {"accept": "application/problem+json", "accept-language": "de"}, "cookies": {"cookie": "a=b; session=x"},
    "a wrong length": {"content-length": "7"}, "protocol": {":protocol": "websocket"}, "connection": {"connection": "close"},
    "capitals": {"X-Upper": "1"}, "early": {"early-data": "1"},
}


def fields_of(method, path, host, login, more):
    fields = {":method": method, ":scheme": "http", ":authority": host, ":path": path} | more
    if login and "authorization" not in fields:
        fields["authorization"] = probes.authorization(login).decode()
    return [(name.encode(), value.format(path=path, host=host).encode()) for name, value in fields.items() if value is not None]


def over_http2(site, host, questions, by_program=False):
    """questions: (what, way, method, more)"""
    pytest.importorskip("h2", reason="HTTP/2 needs python3-h2")
    found, connection = differential.Differences(host), raw.Http2(site.port)
    found.by_program = by_program
    for what, way, method, more in questions:
        answers = [raw.octets_of(connection.request(fields_of(method, path, host, way.login, more))) for path in (way.path, differential.twin_of(way))]
        found.compare(what, way, *answers)
        found.exchanges += 2
    connection.close()
    print(found.exchanges, "exchanges")
    assert not found.found, str(found)


@pytest.mark.parametrize("host", ("plain", "all"))
@pytest.mark.parametrize("name", FIELDS)
def test_a_request_over_http2(site, host, name):
    over_http2(site, host, [(f"h2 {method} {name}", way, method, FIELDS[name]) for way in WAYS
                            for method in differential.methods_of(way, (*METHODS, "PUT", "CONNECT", "TRACE"))])


@pytest.mark.parametrize("name", AROUND)
def test_around_over_http2(site, name):
    over_http2(site, NUMBER[name], [(f"h2 {method}", way, method, {}) for way in AROUND[name][1] or FEW
                                    for method in differential.methods_of(way, ("GET", "HEAD", "POST", "PUT", "OPTIONS"))])


@pytest.mark.parametrize("way", PATHS, ids=[way.name for way in PATHS])
def test_a_path_over_http2(site, way):
    over_http2(site, "plain", [(f"h2 {method}", way, method, {}) for method in ("GET", "PUT", "OPTIONS", "HEAD")])


@pytest.mark.parametrize("name", AROUND)
def test_around(site, name):
    host = NUMBER[name]
    methods = ("GET", "POST", "PUT", "OPTIONS", "HEAD", "TRACE", "PROPFIND", "DELETE")
    compare(site, host, [(method, way, *question(HEAD + "\r\n", method, host, way)) for way in AROUND[name][1] or FEW
                         for method in differential.methods_of(way, methods)])
