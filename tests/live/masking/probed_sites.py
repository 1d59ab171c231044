# SPDX-License-Identifier: Apache-2.0
"""Rows of test_probed.py: lines of a virtual host around hidden places, and what is asked for."""
import os
import socket
import struct
import threading

import sites
from real_sites import CGI, DENIED, directory, pairs
from sites import Way

CONTENT = ("GET", "HEAD", "POST")
SHOWS = "ErrorDocument 404 /errors/env.shtml\n"
LOGIN = 'AuthType Basic\nAuthName "the lab"\nAuthUserFile "${WORKDIR}/users"\n'
SSI = "EnableMMAP Off\n" + directory("/ssi", "Options +Includes +ExecCGI\nAddOutputFilter INCLUDES .shtml\nAddHandler cgi-script .cgi\n") + "SSIErrorMsg error\n"


ALL = "AuthStatusMask All\n"
MASKED = "AuthStatusMask Forbidden\n"


def location(path, lines):
    return f'<Location "{path}">\n{lines}</Location>\n'


def twins(*names, methods=CONTENT, **more):
    """Pages that everybody may see, and that lead to something hidden, or to something missing."""
    return [Way(name, f"/leads/{name}", "withit", "absent", methods, **more) for name in names]


FORM_LOGIN = LOGIN.replace("Basic", "Form").replace("AuthUserFile", "AuthFormProvider file\nAuthUserFile") + "Session On\nSessionCookieName s path=/\nRequire valid-user\n"
FORM = location("/formed", FORM_LOGIN)
FORM_OF_NOBODY = FORM.replace("valid-user", "user nobody")
SETTLED = "".join(directory(path, f'ErrorDocument 404 "page of {path}"\nHeader always set X{path.replace("/", "-")} yes\n') for path in ("/open", "/ab", "/ab/bc", "/ab/bc/cd"))
# What is hidden is known by its name, wherever it is; its folder has settings of its own.
GIT = pairs("git", "/open/.git/config", "/ab/bc/cd/.git/d/e.html", "/ab/bc/cd/.git", "/ab/.git/x/y/z", "/ab/bc/.git/", "/ab/bc/cd/x/y.html/.git/z.css", part=".git")
TWICE = [Way("twice", "/ab/bc/cd/.git/a/.git/b", ".git/a/.git", ".abc/a/.abc"), Way("deep", "/ab/bc/cd/" + "n/" * 70 + ".git/x.css", ".git", ".abc"),
         Way("in what is missing", "/ab/%C3%A9t%C3%A9/.git/%C3%A9", ".git", ".abc")]
EVERYTHING = [Way("root", "/?a", "?a", "?b"), Way("a name", "/ab/x", "ab", "zz"), Way("a folder", "/dirall/", "dirall", "absent")]
SITES = {
    "a name anywhere, a place": (SETTLED + '<LocationMatch "/\\.git(/|$)">\n' + DENIED + "</LocationMatch>\n", GIT + TWICE),
    "a name anywhere, a folder": (SETTLED + '<DirectoryMatch "/\\.git(/|$)">\n' + DENIED + "</DirectoryMatch>\n", GIT[:-1] + TWICE),
    "a name anywhere, a rule": (SETTLED + 'RewriteRule "(^|/)\\.git(/|$)" - [F]\n', GIT + TWICE),
    "a name anywhere, a rule of a folder": (SETTLED + directory("", 'RewriteEngine On\nRewriteRule "(^|/)\\.git(/|$)" - [F]\n'), GIT + TWICE),
    "a name anywhere, a redirect": (SETTLED + 'RedirectMatch 403 "/\\.git(/|$)"\n', GIT + TWICE),
    "a name anywhere, a condition": (SETTLED + '<If "%{REQUEST_URI} =~ m#/\\.git(/|$)#">\n' + DENIED + "</If>\n", GIT + TWICE),
    "a name anywhere, an expression": (SETTLED + directory("", 'Require expr "%{REQUEST_URI} !~ m#/\\.git(/|$)#"\n'), GIT + TWICE),
    "a name anywhere, Lua": (SETTLED + 'LuaHookAccessChecker "${DOCS}/never.lua" no_git\n', GIT + TWICE),
    "a name anywhere, a login": (ALL + SETTLED + '<LocationMatch "/\\.git(/|$)">\n' + LOGIN + "Require user nobody\n</LocationMatch>\n", GIT + TWICE),
    "a name anywhere, a login around it": (ALL + SETTLED + '<LocationMatch "/\\.git(/|$)">\n' + LOGIN + "Require user nobody\n</LocationMatch>\n" + directory("/ab/bc", LOGIN + "Require user none\n"), GIT + TWICE),
    "two names anywhere": (SETTLED + '<LocationMatch "/(\\.git|cd)(/|$)">\n' + DENIED + "</LocationMatch>\n<LocationMatch /cd/>\n" + DENIED + "</LocationMatch>\n", GIT[:1] + [
        Way("two", "/ab/bc/cd/.git/d/e.html", "cd/.git", "zz/.abc")]),
    "everything behind a login": (ALL + location("/", LOGIN + "Require valid-user\n"), EVERYTHING),
    "everything by a rule": ("RewriteRule ^ - [F]\n", EVERYTHING),
    "everything by a rule of a folder": (directory("", "RewriteEngine On\nRewriteRule ^ - [F]\n"), EVERYTHING),
    "everything": (location("/", DENIED), EVERYTHING),
    # What a module keeps in the connection.
    "a host name is looked up": (location("/byhost", "Require host example.test\n") + SHOWS, pairs("host", "/byhost/x.html", part="byhost")),
    "a host name is looked up, header": (location("/byhost", "Require host example.test\n") + 'Header always set X-Host "%{REMOTE_HOST}e"\n', pairs("host", "/byhost/x.html", part="byhost")),
    "a forward lookup": (location("/byhost", "Require forward-dns localhost.test\n") + SHOWS, pairs("host", "/byhost/x.html", part="byhost")),
    # Kinds of files.
    "a FIFO and a device": ("", pairs("kind", "/dirall/fifo.html", "/dirall/device.html", "/dirall/fifo.html/x")),
    "a loop of links": ("", pairs("loop", "/kinds/loopin.html", "/kinds/loopin.html/x", "/kinds/loopin", part="loopin")),
    "a loop of links, not followed": (directory("/kinds", "Options -FollowSymLinks\n"), pairs("loop", "/kinds/loopin.html", "/kinds/loopin.html/x", part="loopin")),
    "a folder without x in the way": ("", pairs("way", "/kinds/nowayx/a/b/c.html", "/kinds/nowayx/a/none", part="nowayx")),
    # Files' owners and conditions that look at the file.
    "an owner": (directory("/owned", LOGIN + "Require file-owner\n"), pairs("owner", "/owned/hidden.html", part="hidden", login=sites.GOOD)),
    "a condition on the file": (directory("/owned", 'Require expr "! -f %{REQUEST_FILENAME}"\n'), pairs("file", "/owned/hidden.html", part="hidden")),
    "a condition on the URL": (location("/owned", 'Require expr "%{REQUEST_URI} !~ /hidden/"\n'), pairs("file", "/owned/hidden.html", part="hidden")),
    # Debian's own.
    "names with a dot": ('<FilesMatch "^\\.ht">\n' + DENIED + "</FilesMatch>", pairs("dot", "/open/.htpasswd", "/open/.htother", "/.htpasswd", part=".ht")),
    "users' folders": ("UserDir public_html\n<Directory />\nRequire all denied\n</Directory>\n", [
        Way("a user", "/~daemon/", "daemon", "absent"), Way("no slash", "/~daemon", "daemon", "absent"), Way("a file", "/~daemon/x.html", "daemon", "absent")]),
    # Redirects within the server.
    "a script leads to it": (CGI, twins("withit.cgi", "withit-deep.cgi")),
    "a rule leads to it": ("RewriteRule ^/leads/rule-withit /dirall/page.html [PT]\nRewriteRule ^/leads/rule-absent /nothing/page.html [PT]\n", twins("rule-withit")),
    "a folder's rule leads to it": (directory("/leads", "RewriteEngine On\nRewriteRule ^rule-withit /dirall/page.html\nRewriteRule ^rule-absent /nothing/page.html\n"), twins("rule-withit")),
    "an action leads to it": ("Action withit /dirall/page.cgi\nAction absent /nothing/page.cgi\nAddHandler withit .withit\nAddHandler absent .absent\n", twins("page.withit")),
    "an action virtually leads to it": ("Action withit /dirall/page.cgi virtual\nAction absent /nothing/page.cgi virtual\nAddHandler withit .withit\nAddHandler absent .absent\n", twins("page.withit")),
    "a script leads to a proxy of encoded paths": (
        CGI + "ProxyPass /inprox http://127.0.0.1:${BACK}/ mapping=encoded nocanon\n" + location("/inprox", DENIED) + 'Header always set X-Handler "expr=%{HANDLER}"\n', twins("withit-prox.cgi")),
    "an index leads to it": ('DirectoryIndex none.html\n<Directory "${DOCS}/leads/withit">\nDirectoryIndex /dirall/page.html\n</Directory>\n<Directory "${DOCS}/leads/absent">\nDirectoryIndex /nothing/page.html\n</Directory>',
                             twins("withit/")),
    # Pages that look at it.
    "SSI of a file": (SSI, [Way("file", "/ssi/withit-file.shtml", "withit", "absent", CONTENT)]),
    "SSI that runs": (SSI, [Way("exec", "/ssi/withit-exec.shtml", "withit", "absent", CONTENT)]),
    "SSI of a script that leads to it": (SSI, [Way("leads", "/ssi/withit-leads.shtml", "withit", "absent", CONTENT)]),
    # Proxies.
    "a proxy in a place": (location("/inprox", "ProxyPass http://127.0.0.1:${BACK}/\n" + DENIED), pairs("proxy", "/inprox/page.html", "/inprox/none", part="inprox")),
    "a proxy of web sockets": ("ProxyPass /inprox ws://127.0.0.1:${BACK}/\n" + location("/inprox", DENIED), pairs("proxy", "/inprox/page.html", part="inprox")),
    "a proxy of FastCGI": ("ProxyPass /inprox fcgi://127.0.0.1:1/\n" + location("/inprox", DENIED), pairs("proxy", "/inprox/page.html", part="inprox")),
    "a handler of FastCGI": (directory("/dirall", 'SetHandler "proxy:fcgi://127.0.0.1:1"\n'), None),
    "a proxy of uWSGI": ("ProxyPass /inprox uwsgi://127.0.0.1:1/\n" + location("/inprox", DENIED), pairs("proxy", "/inprox/page.html", part="inprox")),
    "a proxy by rule": ("RewriteRule ^/inprox/(.*) http://127.0.0.1:${BACK}/$1 [P]\n" + location("/inprox", DENIED), pairs("proxy", "/inprox/page.html", part="inprox")),
    "a proxy by a folder's rule": (directory("/dirall", "RewriteEngine On\nRewriteRule (.*) http://127.0.0.1:${BACK}/$1 [P]\n"), None),
    "a proxy section": ("ProxyPass /inprox http://127.0.0.1:${BACK}/\n<Proxy http://127.0.0.1:${BACK}/*>\n" + DENIED + "</Proxy>\n", pairs("proxy", "/inprox/page.html", part="inprox", methods=None)),
    # Modules' own hooks.
    "Lua authorizes": ('LuaAuthzProvider never "${DOCS}/never.lua" never\n' + location("/bylua", "Require never\n"), pairs("lua", "/bylua/x", part="bylua")),
    "a login page by Lua": (ALL + location("/bylua", 'AuthType Lua\nAuthName lab\nLuaHookCheckUserID "${DOCS}/never.lua" page\nRequire valid-user\n'), pairs("lua", "/bylua/x", "/bylua/", part="bylua")),
    "a long login page by Lua": (ALL + location("/bylua", 'AuthType Lua\nAuthName lab\nLuaHookCheckUserID "${DOCS}/never.lua" long_page\nRequire valid-user\n'), pairs("lua", "/bylua/x", "/bylua/", part="bylua")),
    "gone for who has not logged in": (ALL + location("/bylua", 'AuthType Lua\nAuthName lab\nLuaHookCheckUserID "${DOCS}/never.lua" gone\nRequire valid-user\n'), pairs("lua", "/bylua/x", "/bylua/", part="bylua")),
    "Lua handles": ('LuaMapHandler "^/dirall" "${DOCS}/never.lua" handle\n', None),
    "a method's script": (CGI + "Script PUT /open/front.cgi\n", pairs("script", "/dirall/page.html", methods=("GET", "POST", "OPTIONS"))),
    "digests of content": ("ContentDigest On\nFileETag All\n", None),
    "an action of a place": (directory("/dirall", "Action none /open/page.html virtual\nSetHandler none\n"), None),
    "file cache": ("CacheFile ${DOCS}/dirall/page.html\nMMapFile ${DOCS}/open/hidden.html\n", None),
    "SSLRequireSSL": (location("/sslreq", "SSLRequireSSL\n"), pairs("ssl", "/sslreq/x", part="sslreq")),
    "SSLRequire": (location("/sslreq", 'SSLRequire "%{REMOTE_ADDR}" == "192.0.2.1"\n'), pairs("ssl", "/sslreq/x", part="sslreq")),
    "trailers are merged": ("MergeTrailers On\n" + SHOWS, None),
    "bodies are kept": (directory("", "KeptBodySize 64\n") + SHOWS, None),
    "bodies are kept, a login form around it": (ALL + SHOWS + directory("", "KeptBodySize 64\n" + FORM_LOGIN), None),
    "an expression that fails": (ALL + location("/exprer", "Require expr \"file('${DOCS}/none.txt') == 'x'\"\n"), pairs("expr", "/exprer/x.html", "/exprer/", part="exprer")),
    "an expression that fails, and a login": (ALL + location("/exprer", LOGIN + "<RequireAll>\nRequire valid-user\nRequire expr \"file('${DOCS}/none.txt') == 'x'\"\n</RequireAll>\n"),
                                              pairs("expr", "/exprer/x.html", part="exprer") + pairs("login", "/exprer/x.html", part="exprer", login=sites.GOOD)),
    "no type of login": (ALL + location("/notype", "Require valid-user\n"), pairs("none", "/notype/x.html", part="notype") + pairs("login", "/notype/x.html", part="notype", login=sites.GOOD)),
    "a login form": (ALL + FORM, pairs("form", "/formed/page.html", "/formed/none/x", part="formed")),
    "a login form of another page": (ALL + FORM + location("/formed", "AuthFormLoginRequiredLocation /open/page.html\n"), pairs("form", "/formed/page.html", part="formed")),
    "a login form in a place": (ALL + FORM.replace("Require valid-user", "AuthFormAuthoritative Off\nRequire valid-user"), pairs("form", "/formed/page.html", part="formed")),
    "a login's handler": (ALL + FORM_OF_NOBODY + location("/formed", "SetHandler form-login-handler\n"), pairs("form", "/formed/login", part="formed")),
    "a logout's handler": (ALL + FORM_OF_NOBODY + location("/formed", "SetHandler form-logout-handler\nAuthFormLogoutLocation /open/page.html\n"), pairs("form", "/formed/login", part="formed")),
    "a login form around it": (ALL + directory("", FORM_LOGIN), None),
    "a login form in a place, and denied in it": (ALL + location("/nested", "Require all granted\n") + FORM_OF_NOBODY.replace("/formed", "/nested/inform") + location("/nested/inform/hidden", DENIED), [
        Way("nested", "/nested/inform/hidden/x", "inform", "absent")]),
    "a login form of a file": (ALL + "MergeTrailers On\n" + SHOWS + f'<Files "formed.html">\n{FORM_LOGIN}</Files>\n<Location /open/formed.html>\nRequire user nobody\n</Location>\n', pairs("form", "/open/formed.html", part="formed")),
    "a login form of a file that may not be read": (ALL + "MergeTrailers On\n" + SHOWS + f'<Files "noread.html">\n{FORM_LOGIN}</Files>\n', pairs("form", "/open/noread.html", part="noread")),
    "a log in by digest": (ALL + location("/formed", LOGIN.replace("Basic", "Digest").replace("AuthUserFile", "AuthDigestProvider file\nAuthUserFile") + "Require valid-user\n"),
                           pairs("digest", "/formed/page.html", part="formed")),
    "parts of a URL": ('<LocationMatch "^/(?<first>[^/]+)/(?<rest>.*)$">\nSetEnv SEEN yes\n</LocationMatch>\nHeader always set X-First "%{MATCH_FIRST}e %{MATCH_REST}e"\n' + SHOWS, None),
    "scripts with more of a path": (CGI + SHOWS, [Way(f"{name}", f"/leads/{name}.cgi/dirall/page.html", "dirall", "absent", CONTENT) for name in ("own404", "own200")]),
    "a FastCGI application with more of a path": ("ProxyPassMatch ^/app(/.*)$ fcgi://127.0.0.1:${FCGI}/$1\nProxyErrorOverride On\n", [Way("app", "/app/dirall/page.html", "dirall", "absent", ("GET", "HEAD"))]),
    "a FastCGI handler with more of a path": ('<Files "app.php">\nSetHandler "proxy:fcgi://127.0.0.1:${FCGI}"\n</Files>\nProxyErrorOverride On\n', [
        Way("app", "/leads/app.php/dirall/page.html", "dirall", "absent", ("GET", "HEAD")), Way("if", "/leads/app.php/ifdeny/page.html", "ifdeny", "absent", ("GET", "HEAD"))]),
    "sections that mask": ("AuthStatusMask Off\n" + "".join(directory(f"/{name}", MASKED) for name in ("dirall", "compat", "groups", "noindx", "rwdirs", "cgiden", "nolink"))
                           + location("/locall", MASKED) + location("/rwserv", MASKED) + f'<Files "hidden.html">\n{MASKED}</Files>\n', [
                               way for way in sites.WAYS if way.name in ("directory, a file", "directory, itself", "directory, no slash", "directory, path info", "location", "files",
                                                                         "order deny", "group", "rewrite, directory", "cgi denied", "symlink", "files, path info", "no listing")]),
    "sections with settings that mask": ("AuthStatusMask Off\nErrorDocument 404 /errors/env.shtml\n" + directory("/dirall", MASKED + "ErrorDocument 404 own\nHeader always set X-Own yes\n")
                                         + directory("/open", "ErrorDocument 404 opened\n" + MASKED), [way for way in sites.WAYS if way.name in ("directory, a file", "directory in a directory", "files")]),
    "kept connections are counted": ("MaxKeepAliveRequests 3\nKeepAliveTimeout 7\n", None),
    "HTTP/1.1 alone": ("SetEnvIf Request_Protocol HTTP/1.0 downgrade-1.0\nHttpProtocolOptions Unsafe\n", None),
    "directives of a folder's own file": (directory("", "AllowOverride All\n"), pairs("htaccess", "/hasown/page.html", "/hasown/", "/hasown", "/hasown/none/x", part="hasown")),
    "variables in a header": ('Header always set X-Env "%{REMOTE_HOST}e %{REMOTE_USER}e %{SSL_X}e %{nokeepalive}e"\n', None),
    "content of a query": ("RewriteCond %{QUERY_STRING} ^(.*)$\nRewriteRule ^/(.*)$ /$1?was=$1&%1 [PT]\n" + SHOWS, None),
    "names in other scripts": (location("/\u0441\u0435\u043a\u0440\u0435\u0442", DENIED), [Way("cyrillic", "/%D1%81%D0%B5%D0%BA%D1%80%D0%B5%D1%82/x", "%D1%81%D0%B5%D0%BA%D1%80%D0%B5%D1%82", "%D1%81%D0%B5%D0%BA%D1%80%D0%B5%D0%B0")]),
    "encoded slashes in a rule": ("AllowEncodedSlashes NoDecode\nRewriteRule ^/open/(.*)$ - [E=REST:$1]\nHeader always set X-Rest \"%{REST}e\"\n", [
        Way("1", "/open/inside/a%2fb", "inside", "absent"), Way("2", "/open/inside%2fpage.html", "inside", "absent")]),
}

# A program makes their answers.
BY_PROGRAM = ("scripts with more of a path",)
FILES = {
    "open/.git/config": "x\n", "ab/bc/cd/.git/d/e.html": "x\n", "ab/.git/x/y/z": "x\n", "ab/bc/.git/x": "x\n", "ab/bc/cd/x/y.html": "x\n",
    "leads/withit.cgi": "#!/bin/sh\nprintf 'Location: /dirall/page.html\\n\\n'\n", "leads/absent.cgi": "#!/bin/sh\nprintf 'Location: /nothing/page.html\\n\\n'\n",
    "leads/withit-deep.cgi": "#!/bin/sh\nprintf 'Location: /open/inside/page.html\\n\\n'\n", "leads/absent-deep.cgi": "#!/bin/sh\nprintf 'Location: /open/nothing/page.html\\n\\n'\n",
    "leads/own404.cgi": "#!/bin/sh\nprintf 'Status: 404 None\\nSet-Cookie: a=b\\nContent-Type: text/plain\\n\\nno\\n'\n", "leads/own200.cgi": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv | grep PATH_\n",
    "leads/app.php": "x\n", "leads/page.withit": "x\n", "leads/page.absent": "x\n", "leads/withit/some.txt": "x\n", "leads/absent/some.txt": "x\n",
    "leads/withit-prox.cgi": "#!/bin/sh\nprintf 'Location: /inprox/page.html\\n\\n'\n", "leads/absent-prox.cgi": "#!/bin/sh\nprintf 'Location: /nothing/page.html\\n\\n'\n",
    "open/formed.html": "x\n", "owned/hidden.html": "x\n", "kinds/x.html": "x\n", ".htpasswd": "x\n", "open/.htpasswd": "x\n", "kinds/nowayx/a/b/c.html": "x\n",
    "never.lua": "function page(r)\n    r:puts('log in')\n    return apache2.DONE\nend\nfunction long_page(r)\n    r.status = 401\n    r:puts(string.rep('log in', 20000))\n    r:flush()\n    return apache2.DONE\nend\n"
                 "function gone(r)\n    return 410\nend\nfunction never(r)\n    return apache2.AUTHZ_DENIED\nend\nfunction no_git(r)\n    return (r.uri .. '/'):find('/.git/', 1, true) and 403 or apache2.DECLINED\nend\nfunction handle(r)\n    r:puts('x')\n    return apache2.OK\nend\n",
    "hasown/.htaccess": "Require all denied\nErrorDocument 404 own\nHeader always set X-Own yes\n", "hasown/page.html": "x\n",
    "open/front.cgi": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nfront\\n'\n", "ssi/dirhid/page.html": "x\n", "ssi/dirhid/run.cgi": "#!/bin/sh\necho\n",
}
for _name, _target in (("withit", "dirhid"), ("absent", "dirnot")):
    FILES[f"ssi/{_name}-file.shtml"] = f'<!--#include file="{_target}/page.html" -->|<!--#fsize file="{_target}/page.html" -->|<!--#flastmod file="{_target}/page.html" -->\n'
    FILES[f"ssi/{_name}-exec.shtml"] = f'<!--#include virtual="{_target}/run.cgi" -->|<!--#exec cgi="{_target}/run.cgi" -->\n'
    FILES[f"ssi/{_name}-leads.shtml"] = f'<!--#include virtual="{_name}.cgi" -->\n'
    FILES[f"ssi/{_name}.cgi"] = f"#!/bin/sh\nprintf 'Location: /ssi/{_target}/page.html\\n\\n'\n"
SITES_EVERYWHERE = directory("/ssi/dirhid", DENIED)


def furnish(httpd):
    sites.furnish(httpd)
    kinds = httpd.workdir / "docs/kinds"
    os.mkfifo(httpd.workdir / "docs/dirall/fifo.html")
    (httpd.workdir / "docs/dirall/device.html").symlink_to("/dev/zero")
    for name, target in {"loopin.html": "loopin.html", "loopin": "loopin2", "loopin2": "loopin"}.items():
        (kinds / name).symlink_to(target)
    (kinds / "nowayx/a").chmod(0o600)


class FastCgi:
    """An application that has no page, and says so in its own way, with a cookie."""
    ANSWER = b"Status: 404 Not Found\r\nSet-Cookie: application=yes\r\nContent-Type: text/plain\r\n\r\nno page\n"

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with connection, connection.makefile("rb") as received:
            while header := received.read(8):
                _, kind, _, length, padding, _ = struct.unpack("!BBHHBB", header)
                received.read(length + padding)
                if kind == 5 and length == 0:  # the end of the body
                    for number, content in ((6, self.ANSWER), (6, b""), (3, bytes(8))):
                        connection.sendall(struct.pack("!BBHHBB", 1, number, 1, len(content), 0, 0) + content)
                    return

    def close(self):
        self.socket.close()
