# SPDX-License-Identifier: Apache-2.0
"""The sites of the masking tests: every way of being refused, on virtual hosts that differ in what decorates answers."""
from collections import namedtuple

USERS = "bob:{SHA}" + "W6ph5Mm5Pz8GgiULbPgzG37mj9g=" + "\n"  # bob, "password"
GOOD = ("bob", "password")
WRONG = ("bob", "wrong")

# A way of being refused: what is asked for, and what of it is missing in its twin: names of equal length. `methods`: NULL
# for all; `login`: refused only after this login; `reads`: something that is no part of httpd has the request's body
# before it refuses; `not_on`: a host that tells the two apart by itself.
Way = namedtuple("Way", "name path part twin methods login reads not_on", defaults=(None, None, False, None))
CONTENT = ("GET", "HEAD", "POST")
LONG = "n" * 256
# As long as a path may be, and as deep as decoys go.
LONGEST = "/".join(["m" * 194] * 20)
DEEP = "/".join(f"d{number}.x{number}" for number in range(15))

WAYS = [
    Way("directory, a file", "/dirall/page.html", "dirall", "absent"),
    Way("directory, itself", "/dirall/", "dirall", "absent"),
    Way("directory, no slash", "/dirall", "dirall", "absent"),
    Way("directory, a missing file", "/dirall/none.html", "dirall", "absent"),
    Way("directory, two below", "/dirall/sub/page.html", "dirall", "absent"),
    Way("directory, a query", "/dirall/page.html?a=b&dirx", "dirall", "absent"),
    Way("directory, double slashes", "//dirall//page.html", "dirall", "absent"),
    Way("directory, dots", "/x/../dirall/./page.html", "dirall", "absent"),
    Way("directory, escapes", "/%64irall/p%61ge.html", "irall", "xxxxx"),
    Way("directory, %2f", "/dirall%2fpage.html", "dirall", "absent"),
    Way("directory, path info", "/dirall/page.html/more/x.css", "dirall", "absent"),
    Way("directory, a long name", "/dirall/" + LONG, "dirall", "absent"),
    Way("directory, a name of 3,900", "/dirall/" + "n" * 3900, "dirall", "absent"),
    Way("directory, a path of 3,900", "/dirall/" + LONGEST, "dirall", "absent"),
    Way("directory, sixteen segments", f"/dirall/{DEEP}/page.html", "dirall", "absent"),
    Way("files, sixteen segments", f"/open/{DEEP}/hidden.html", "hidden", "absent"),
    Way("location, sixteen segments", f"/open/{DEEP}/locend", "locend", "absent"),
    Way("directory in a directory", "/open/inside/page.html", "inside", "absent"),
    Way("location", "/locall/page.html", "locall", "absent"),
    Way("location without a file", "/locall/none/deep.css", "locall", "absent"),
    Way("files", "/open/hidden.html", "hidden", "absent"),
    Way("files, path info", "/open/hidden.html/x", "hidden", "absent"),
    Way("files, negotiated", "/open/hidden", "hidden", "absent"),
    Way("files by extension", "/open/server.key", "server", "absent"),
    Way("if", "/ifdeny/page.html", "ifdeny", "absent"),
    Way("address", "/addres/page.html", "addres", "absent"),
    Way("order deny", "/compat/page.html", "compat", "absent"),
    Way("limit", "/limits/page.html", "limits", "absent", ("PUT", "DELETE", "PATCH")),
    Way("group", "/groups/page.html", "groups", "absent", None, GOOD),
    Way("file permissions", "/open/noread.html", "noread", "absent"),
    Way("directory permissions", "/noexec/page.html", "noexec", "absent"),
    Way("unreadable .htaccess", "/htread/page.html", "htread", "absent"),
    Way("symlink", "/nolink/symbol.html", "symbol", "absent"),
    Way("a name too long", "/locked/" + LONG, "locked", "absent", not_on="headers"),
    Way("no listing", "/noindx/", "noindx", "absent"),
    Way("index denied", "/idxden/", "idxden", "absent"),
    Way("rewrite, server", "/rwserv/page.html", "rwserv", "absent"),
    Way("rewrite, directory", "/rwdirs/page.html", "rwdirs", "absent"),
    Way("redirect 403", "/redirx/page.html", "redirx", "absent"),
    Way("alias", "/alidir/page.html", "alidir", "absent"),
    Way("cgi denied", "/cgiden/page.cgi", "cgiden", "absent"),
    Way("cgi says 403", "/open/says03.cgi", "says03", "absent", CONTENT, reads=True),
    Way("backend says 403", "/backen/page.html", "backen/page", "backen/none", CONTENT, reads=True, not_on="headers"),
]

# With All: refused because nobody, or the wrong one, has logged in.
LOGIN_WAYS = [
    Way("no login", "/groups/page.html", "groups", "absent"),
    Way("wrong login", "/groups/page.html", "groups", "absent", None, WRONG),
    Way("good login", "/groups/page.html", "groups", "absent", None, GOOD),
    Way("malformed login", "/groups/page.html", "groups", "absent", None, "Basic %%%"),
    Way("digest", "/digest/page.html", "digest", "absent"),
    Way("digest, malformed", "/digest/page.html", "digest", "absent", None, 'Digest username="x'),
]

SECTIONS = """
<Directory "${{DOCS}}">
    Options +FollowSymLinks
    AllowOverride None
</Directory>
<Directory "${{DOCS}}/dirall">
    Require all denied
</Directory>
<Directory "${{DOCS}}/open/inside">
    Require all denied
</Directory>
<Location /locall>
    Require all denied
</Location>
<LocationMatch "^/open/.*/locend">
    Require all denied
</LocationMatch>
<Files "hidden.html">
    Require all denied
</Files>
<FilesMatch "\\.(key|pem)$">
    Require all denied
</FilesMatch>
<If "%{{REQUEST_URI}} =~ m#^/ifdeny(/|$)#">
    Require all denied
</If>
<Directory "${{DOCS}}/addres">
    Require ip 192.0.2.0/24
</Directory>
<Directory "${{DOCS}}/compat">
    Order allow,deny
    Deny from all
</Directory>
<Directory "${{DOCS}}/limits">
    <Limit PUT DELETE PATCH>
        Require all denied
    </Limit>
</Directory>
<Directory "${{DOCS}}/groups">
    AuthType Basic
    AuthName "the lab"
    AuthUserFile "${{WORKDIR}}/users"
    Require user admin
</Directory>
<Directory "${{DOCS}}/digest">
    AuthType Digest
    AuthName "the lab"
    AuthDigestProvider file
    AuthUserFile "${{WORKDIR}}/digests"
    Require valid-user
</Directory>
<Directory "${{DOCS}}/htread">
    AllowOverride All
</Directory>
<Directory "${{DOCS}}/nolink">
    Options -FollowSymLinks
</Directory>
<Directory "${{DOCS}}/noindx">
    Options -Indexes
</Directory>
<Directory "${{DOCS}}/idxden">
    Options +Indexes
    DirectoryIndex index.html
    <Files "index.html">
        Require all denied
    </Files>
</Directory>
RewriteEngine on
RewriteRule "^/rwserv(/|$)" - [F]
<Directory "${{DOCS}}/rwdirs">
    RewriteEngine on
    RewriteRule "" - [F]
</Directory>
Redirect 403 /redirx
Alias /alidir "${{WORKDIR}}/elsewhere"
<Directory "${{WORKDIR}}/elsewhere">
    Require all denied
</Directory>
AddHandler cgi-script .cgi
<Directory "${{DOCS}}/open">
    Options +ExecCGI
</Directory>
<Directory "${{DOCS}}/cgiden">
    Options +ExecCGI
    Require all denied
</Directory>
<Directory "${{DOCS}}/errors">
    Options +ExecCGI +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
ProxyPass /backen http://127.0.0.1:${{BACK}}/
ProxyErrorOverride On
LimitRequestBody 1000
{more}
"""

# Where a program makes the error page: costs a process for each answer, and may want what is left of a body.
PROGRAMS = ("cgi", "all-cgi")

MASKS = {"Forbidden": "AuthStatus On\nAuthStatusMask Forbidden\n", "All": "AuthStatus On\nAuthStatusMask All\n", None: ""}

# As an old site has them.
RULES = "\n".join([f'RewriteRule "^/(old|older)/page-{number}/(.*)$" "/new/$2" [NC]' for number in range(300)]
                  + [f'<LocationMatch "^/(api|app)/v{number}/[a-z]+/(x|y)">\nRequire all granted\n</LocationMatch>'
                     for number in range(60)])

# name: (mask, what decorates its answers)
HOSTS = {
    "plain": ("Forbidden", ""),
    "all": ("All", ""),
    "text": ("Forbidden", 'ErrorDocument 404 "nothing here"\nErrorDocument 403 "go away"\nErrorDocument 401 "who?"'),
    "page": ("Forbidden", "ErrorDocument 404 /errors/page.html\nErrorDocument 403 /errors/other.html"),
    "cgi": ("Forbidden", "ErrorDocument 404 /errors/env.cgi\nErrorDocument 403 /errors/other.html"),
    "ssi": ("Forbidden", "ErrorDocument 404 /errors/env.shtml"),
    "url": ("Forbidden", "ErrorDocument 404 http://elsewhere.test/\nErrorDocument 403 http://nowhere.test/"),
    "headers": ("Forbidden", 'Header always set X-Set one\nHeader always add X-Add two\nHeader set X-Plain three\n'
                             'Header always set X-Where "expr=%{REQUEST_URI} %{REQUEST_FILENAME}"\nServerSignature On'),
    "cookies": ("Forbidden", "CookieTracking on\nCookieName track\n"
                "Session On\nSessionCookieName session path=/\nSessionMaxAge 1000\nSessionEnv On"),
    "guess": ("Forbidden", '<Directory "${DOCS}">\nOptions +MultiViews\n</Directory>\nCheckSpelling on'),
    "all-cgi": ("All", "ErrorDocument 404 /errors/env.cgi\nErrorDocument 401 /errors/other.html"),
    "logged-in": ("Forbidden", """
<Directory "${DOCS}">
    AuthType Basic
    AuthName "the lab"
    AuthUserFile "${WORKDIR}/users"
    Require valid-user
</Directory>
<Location /locall>
    AuthMerging And
</Location>
ErrorDocument 404 /errors/env.shtml"""),
    "closed": ("Forbidden", '<Directory "${DOCS}">\nRequire all denied\n</Directory>\nErrorDocument 404 "closed"'),
    # What mod_rewrite leaves: in the request's pool, in its arguments, in many copies.
    "rewritten": ("Forbidden", "RewriteRule ^ - [CO=visited:yes:localhost]\nRewriteRule ^/(.*)$ - [E=TWICE:$1|$1|$1|$1,E=AGAIN:$1]\n"
                  'Header always set X-Twice "%{TWICE}e"\nRewriteRule ^/(.*)$ /$1?path=$1 [PT,QSA]\n'
                  "ErrorDocument 404 /errors/env.shtml"),
    "heavy": ("Forbidden", RULES),
    "denied-document": ("Forbidden", "ErrorDocument 404 /dirall/page.html"),
    "fallback": ("Forbidden", '<Directory "${DOCS}">\nAcceptPathInfo On\n</Directory>'),
}


# What is served over TLS as well.
ENCRYPTED = ("plain", "all")


def host(name, port, masked, protocols):
    mask, more = HOSTS[name]
    yield f'<VirtualHost 127.0.0.1:${{{port}}}>\nServerName {name}\nProtocols {protocols}\nDocumentRoot "${{DOCS}}"'
    if port == "TLS":
        yield 'SSLEngine on\nSSLCertificateFile "${CERTIFICATE}"\nSSLCertificateKeyFile "${KEY}"'
    yield MASKS[mask if masked else None]
    yield SECTIONS.format(more=more)
    yield "</VirtualHost>"


def configuration(masked=True, encrypted=False):
    yield """
<IfModule http2_module>
    H2Push off
</IfModule>
<VirtualHost 127.0.0.1:${BACK}>
    ServerName back
    DocumentRoot "${WORKDIR}/back"
    <Directory "${WORKDIR}/back">
        Require all granted
        <Files "page.html">
            Require all denied
        </Files>
    </Directory>
</VirtualHost>
"""
    for name in HOSTS:
        yield from host(name, "HTTP", masked, "h2c http/1.1")
    if encrypted:
        yield 'SSLSessionCache "shmcb:${WORKDIR}/run/tls(512000)"'
        for name in ENCRYPTED:
            yield from host(name, "TLS", masked, "h2 http/1.1")


ENV = """#!/bin/sh
all=$(env)
printf 'Content-Type: text/plain\\n\\n%s\\n' "$all"
"""
SAYS = """#!/bin/sh
echo "Status: 403 Forbidden"
echo "Content-Type: text/plain"
echo "Set-Cookie: told=1"
echo
echo no
"""
PLACES = ("dirall", "dirall/sub", "open", "open/inside", "locall", "ifdeny", "addres", "compat", "limits", "groups", "digest",
          "noexec", "htread", "nolink", "noindx", "idxden", "rwserv", "rwdirs", "locked")
# Without a zone in its times: what APR names it, when several threads ask, is a race now and then.
SHOWS = '<!--#config timefmt="%Y-%m-%d %H:%M:%S" --><!--#printenv -->\n'
FILES = {f"{place}/page.html": f"{place}\n" for place in PLACES if place != "noindx"} | {
    "open/hidden.html": "hidden\n", f"open/{DEEP}/hidden.html": "hidden\n", "open/server.key": "key\n", "open/noread.html": "unreadable\n",
    "open/says03.cgi": SAYS, "cgiden/page.cgi": SAYS, "idxden/index.html": "index\n", "noindx/some.txt": "text\n",
    "htread/.htaccess": "Require all denied\n", "errors/page.html": "the error page\n", "errors/other.html": "other\n",
    "errors/env.cgi": ENV, "errors/env.shtml": SHOWS,
}
MODULES = ("access_compat", "rewrite", "include", "usertrack", "session", "session_cookie", "negotiation", "speling",
           "autoindex", "proxy", "proxy_http", "allowmethods", "authz_groupfile", "auth_digest", "dav")


def modules_for(mpm):
    """As they come with Debian: programs are started by mod_cgi where there are no threads, HTTP/2 needs threads."""
    return (*MODULES, *(("cgi",) if mpm == "prefork" else ("cgid", "http2")))


def furnish(httpd):
    """What of a site are not files with text in the document root."""
    workdir, docs = httpd.workdir, httpd.workdir / "docs"
    (workdir / "users").write_text(USERS)
    (workdir / "digests").write_text("bob:the lab:0123456789abcdef0123456789abcdef\n")
    for name in ("elsewhere", "back"):
        (workdir / name).mkdir()
        (workdir / name / "page.html").write_text(name)
    (docs / "nolink/symbol.html").symlink_to("page.html")
    (docs / "open/noread.html").chmod(0)
    (docs / "htread/.htaccess").chmod(0)
    (docs / "noexec").chmod(0)


def start_furnished(httpd):
    """Starts it with that; returns it."""
    furnish(httpd)
    httpd.start()
    return httpd
