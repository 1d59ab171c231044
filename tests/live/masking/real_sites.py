# SPDX-License-Identifier: Apache-2.0
"""Configurations as real sites have them, around hidden places: lines of a virtual host, and what is asked for."""
import os
import socket

import sites
from sites import Way

DENIED = "Require all denied\n"
ROOT = os.geteuid() == 0


def directory(path, lines):
    return f'<Directory "${{DOCS}}{path}">\n{lines}</Directory>\n'


def pairs(prefix, *rests, part="dirall", **more):
    return [Way(f"{prefix} {number}", rest, part, "absent"[:len(part)], **more) for number, rest in enumerate(rests)]


# A place in which something is hidden, and one in which it is missing: what is asked for is the place.
def within(*rests):
    return [Way(f"in {rest}", f"/{rest}", "withit", "absent") for rest in rests]


# Whatever the method is.
REFUSED = [way for way in sites.WAYS if way.name in ("directory, a file", "location", "files", "order deny", "symlink", "rewrite, server", "rewrite, directory", "alias")]
LISTING = directory("/lists", "Options +Indexes\nAllowOverride All\n") + '<Location /lists/withit/byname>\n' + DENIED + "</Location>\n"
CGI = "AddHandler cgi-script .cgi\n" + directory("", "Options +ExecCGI\n")
REAL = {
    "WordPress": (directory("", "AllowOverride All\n") + CGI, [
        Way("hidden folder", "/wp/secret/page.html", "secret", "absent", ("GET",)), Way("hidden file", "/wp/hidden.html", "hidden", "absent", ("GET",))]),
    "PHP-FPM, if there is a file": ('<FilesMatch "\\.php$">\n<If "-f %{REQUEST_FILENAME}">\nSetHandler "proxy:unix:${WORKDIR}/run/none.sock|fcgi://localhost"\n</If>\n</FilesMatch>',
                                    pairs("php", "/dirall/index.php", "/dirall/index.php/info", "/dirall/none.php")),
    "mass hosting": ('VirtualDocumentRoot "${DOCS}/"\nUseCanonicalName Off', None),
    "mass hosting by part": ('VirtualDocumentRoot "${DOCS}/../docs/"\nVirtualScriptAlias "${DOCS}/"\nUseCanonicalName Off', None),
    "type maps": ("AddHandler type-map .var\nAddLanguage de .de\n" + directory("/maps/denied", DENIED), within(
        "maps/withit.var", "maps/withit-two.var") + pairs("map", "/dirall/map.var", "/dirall/map.var/x")),
    "listing": (LISTING, within("lists/withit/", "lists/withit/?C=S;O=D", "lists/withit/?F=2;P=*")),
    "listing, fancy": (LISTING + "IndexOptions FancyIndexing HTMLTable NameWidth=* DescriptionWidth=* FoldersFirst ScanHTMLTitles VersionSort XHTML\n"
                       "HeaderName README.html\nReadmeName hidden.html\nAddDescription secret *.html\n", within("lists/withit/", "lists/withit/?C=D;O=A")),
    "index, the first one hidden": ("DirectoryIndex hidden.html page.html", within("idx/withit/", "idx/withit/page.html")),
    "index, in a folder": ("DirectoryIndex sub/hidden.html hidden.html", within("idx/withit/")),
    "SSI": ("EnableMMAP Off\n" + directory("/ssi", "Options +Includes\nAddOutputFilter INCLUDES .shtml\n") + "SSIErrorMsg error", within(
        "ssi/withit.shtml", "ssi/withit.shtml?/dirall/page.html")),
    "SSI of a page": ("EnableMMAP Off\n" + directory("/ssi", "Options +Includes\nAddOutputFilter INCLUDES .shtml\n") + "ErrorDocument 404 /ssi/withit.shtml", None),
    "substitute": ('SetOutputFilter SUBSTITUTE\nSubstitute "s/a/b/"\nAddOutputFilterByType DEFLATE text/html', None),
    "ext_filter": ('ExtFilterDefine upper mode=output cmd="/usr/bin/tr a-z A-Z"\nSetOutputFilter upper', None),
    "brotli": ("AddOutputFilterByType BROTLI_COMPRESS;DEFLATE text/html text/plain\nErrorDocument 404 /errors/page.html", None),
    "expressions": ("".join(f'Header always set X-{number} "expr={text}"\n' for number, text in enumerate((
        "%{HANDLER}|%{CONTENT_TYPE}|%{REQUEST_STATUS}|%{IS_SUBREQ}", "%{THE_REQUEST}|%{PATH_INFO}|%{QUERY_STRING}", "%{DOCUMENT_ROOT}|%{CONTEXT_PREFIX}|%{CONTEXT_DOCUMENT_ROOT}",
        "%{REMOTE_USER}|%{AUTH_TYPE}|%{SCRIPT_USER}|%{SCRIPT_GROUP}", "%{LAST_MODIFIED}|%{TIME_YEAR}", "%{note:error-notes}|%{note:verbose-error-to}|%{note:authstatus-outcome}",
        "%{reqenv:REDIRECT_STATUS}|%{reqenv:SCRIPT_URL}|%{reqenv:SCRIPT_URI}", "%{resp:Cache-Control}|%{resp:Allow}|%{resp:Content-Type}", "%{unescape:%{REQUEST_URI}}|%{escape:%{REQUEST_URI}}", "%{HTTP_HOST}|%{SERVER_PROTOCOL}|%{REQUEST_SCHEME}"))), None),
    "a redirect of what is not there": ("ErrorDocument 404 /errors/page.html?from=%{REQUEST_URI}", None),
    "a negotiated page": (directory("/errors", "Options +MultiViews\n") + "AddLanguage de .de\nErrorDocument 404 /errors/neg", None),
    "a page of a backend": ("ErrorDocument 404 /backen/none2", None),
    "a default page": ("ErrorDocument 404 default\nErrorDocument 403 default", None),
    "a page that is a script's": (CGI + "ErrorDocument 404 /errors/plain.cgi", None),
    "Lua": ('LuaHookAccessChecker "${DOCS}/access.lua" check\nLuaHookFixups "${DOCS}/access.lua" fix', [
        Way("access", "/luaacc/x.html", "luaacc", "absent"), Way("fixups", "/luafix/x.html", "luafix", "absent")]),
    "ModSecurity": ('<IfModule security2_module>\nSecRuleEngine On\nSecRequestBodyAccess Off\nSecAuditEngine Off\nSecDebugLogLevel 0\nSecRule REQUEST_FILENAME "@rx /modsec" "id:1,phase:2,deny,status:403,nolog"\n'
                    'SecRule REQUEST_FILENAME "@rx /modone" "id:3,phase:2,deny,status:403,nolog"\nSecRule REQUEST_FILENAME "@rx \\.bak$|/config" "id:2,phase:2,deny,status:403,nolog"\n</IfModule>', [
                        Way("phase 2", "/modsec/x.html", "modsec", "absent"), Way("a type", "/open/page.bak", "page.bak", "page.abc"),
                        Way("a name", "/wp/config.html", "config", "absent", ("PUT", "OPTIONS"))]),
    "rules of a folder": (directory("", "AllowOverride All\n") + directory("/wp", "AllowOverride None\n"), [
        Way("a name", "/rules/config.html", "config", "absent"), Way("a type", "/rules/page.bak", "page.bak", "page.abc"),
        Way("a folder", "/rules/sub/page.html", "rules/sub", "rules/abc"), Way("dots", "/rules/.git/config.txt", ".git", ".abc"),
        Way("a name below", "/rules/deep/config.html", "config", "absent")]),
    "pushed": ("H2Push on\nH2EarlyHints on\nH2PushResource add /open/page.html critical\n" + directory("", "H2PushResource /noindx/some.txt\n"), None),
    "links": ("H2Push on\nHeader always add Link \"</open/page.html>;rel=preload\"\nHeader add Link \"</dirall/page.html>;rel=preload\"", None),
    "links of its own": (directory("/dirall", "H2PushResource /dirall/page.html\nHeader add Link \"</open/page.html>;rel=preload\"\n") + "H2EarlyHints on", None),
    "owners": (directory("/owner", "Options -FollowSymLinks +SymLinksIfOwnerMatch\n"), pairs(
        "owner", "/owner/symbol.html", "/owner/symbol/page.html", "/owner/symbol/", "/owner/symbol", part="symbol")),
    "links that lead nowhere": (directory("/owner", "Options -FollowSymLinks\n"), pairs("dangling", "/owner/nowher.html", "/owner/nowher.html/x", part="nowher")),
    "special files": ("", pairs("socket", "/special/socket.html", part="socket")),
    "a folder that cannot be read": (directory("/noread", "Options +Indexes\n"), pairs("noread", "/noread/", part="noread")),
    "scripts that may not run": ("AddHandler cgi-script .cgi\n" + directory("/noexcg", "Options -ExecCGI\n"), pairs("script", "/noexcg/script.cgi", "/noexcg/script.cgi/x", part="script")),
    "a folder as script": (CGI, pairs("folder", "/open/folder.cgi/", part="folder")),
    "as is": ("AddHandler send-as-is .asis", pairs("as is", "/unread/noread.asis", part="noread") + pairs("denied", "/dirall/page.asis", "/dirall/none.asis")),
    "image maps": ('AddHandler imap-file .map\n<Files "hidden.map">\n' + DENIED + "</Files>", pairs("hidden", "/open/hidden.map", part="hidden") + pairs("map", "/unread/noread.map", "/unread/noread.map?1,2", part="noread")),
    # What its time would show, and how others than GET are answered.
    "files that may not be read": ("AddHandler type-map .var\n" + directory("/unread", 'ExpiresActive On\nExpiresDefault "modification plus 20 years"\n'), pairs(
        "unread", *(f"/unread/noread.{extension}" for extension in ("html", "txt", "var", "asis", "map", "shtml")), "/unread/noread.html/x", part="noread")),
    "magic": (directory("", "Options +MultiViews\n"), pairs("magic", "/unread/noread", part="noread")),
    "SSI that may not be read": (directory("", "Options +Includes\nAddOutputFilter INCLUDES .shtml\n"), pairs("ssi", "/unread/noread.shtml", part="noread")),
    "env": ("SetEnvIf Request_Method . nokeepalive\n" + directory("/dirall", "SetEnvIf Request_Method . nokeepalive force-response-1.0 downgrade-1.0\n"), None),
    "env of its own": (directory("/dirall", "SetEnvIf Request_Method . nokeepalive force-response-1.0 downgrade-1.0 no-gzip\n"), None),
    "remote addresses": ("RemoteIPHeader X-Forwarded-For\n<Location /remote>\nRequire ip 192.0.2.1\n</Location>", pairs("remote", "/remote/x", part="remote")),
    "a nested type": (directory("/dirall", "ForceType x/y\nSetHandler none\nAddHandler cgi-script .html\nDefaultType none\n"), None),
    "limits of its own": (directory("/dirall", "LimitRequestBody 3\nLimitXMLRequestBody 1\nLimitInternalRecursion 1\n".replace("LimitInternalRecursion 1\n", "")), None),
    "a forward proxy": ("ProxyRequests On\n<Proxy *>\n" + DENIED + "</Proxy>", None),
    "a balancer": ("<Proxy balancer://lab>\nBalancerMember http://127.0.0.1:${BACK} route=1\n</Proxy>\nProxyPass /balanc balancer://lab/ stickysession=S\n"
                   "<Location /balanc/secret>\n" + DENIED + "</Location>", [Way("balanced", "/balanc/secret/x.html", "secret", "absent", ("GET", "HEAD", "POST"))]),
    "cookies by rule": ('RewriteRule ^/(.*)$ - [CO=path:$1:localhost,E=P:$1]\nRewriteMap esc int:escape\nRewriteMap low int:tolower\n'
                        'RewriteRule ^/(.*)$ - [E=ESC:${esc:$1},E=LOW:${low:$1}]\nHeader always set X-Esc "%{ESC}e %{LOW}e"', None),
    "subrequest of a rule": ("RewriteCond %{REQUEST_URI} -F\nRewriteRule ^/(.*)$ - [E=THERE:yes]\nHeader always set X-There \"%{THERE}e\"", None),
    "the file of a rule": ('RewriteCond "${DOCS}%{REQUEST_URI}" -f\nRewriteRule ^/(.*)$ - [E=THERE:yes]\nHeader always set X-There "%{THERE}e"', REFUSED),
    "the file of a rule of a folder": (directory("", "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} -f\nRewriteRule ^ - [E=THERE:yes]\n") +
                                       'Header always set X-There "%{THERE}e"', REFUSED),
    "short names": ("<Location /zz>\n" + DENIED + "</Location>\n<Location /q>\n" + DENIED + "</Location>", [
        Way(f"{count}", "/zz/" + "/".join(["m" * 200] * 19) + "/" + "n" * count, "zz", "ab", ("GET", "PUT")) for count in (*range(212, 236), 255)] + [
        Way("line", "/zz/" + "n" * 8100, "zz", "ab"), Way("line, deep", "/zz/" + "n/" * 4050, "zz", "ab"), Way("one", "/q/x", "q", "a"), Way("one, itself", "/q", "q", "a")]),
}

# A program makes their answers.
BY_PROGRAM = ("WordPress", "a page that is a script's")
SSI = '<!--#include virtual="{0}" -->|<!--#fsize virtual="{0}" -->|<!--#flastmod virtual="{0}" -->|<!--#include virtual="{0}?x" onerror="/errors/page.html" -->\n'
MAP = "URI: one\n\nURI: {0}.html\nContent-Type: text/html\nContent-Language: de\n\n"
MAP2 = MAP + "URI: ../open/page.html\nContent-Type: text/html; qs=0.1\n\n"
LUA = """
require "apache2"
function check(r)
    if r.uri:find("^/luaacc") then return 403 end
    return apache2.DECLINED
end
function fix(r)
    if r.uri:find("^/luafix") then return 403 end
    return apache2.DECLINED
end
"""
WORDPRESS = """RewriteEngine On
RewriteBase /wp/
RewriteRule ^index\\.cgi$ - [L]
RewriteCond %{REQUEST_FILENAME} !-f
RewriteCond %{REQUEST_FILENAME} !-d
RewriteRule . /wp/index.cgi [L]
ErrorDocument 404 /wp/index.cgi
"""
RULES = """RewriteEngine On
RewriteRule ^(.*/)?config\\.html$ - [F]
RewriteRule \\.bak$ - [F]
RewriteRule ^sub/ - [F]
RewriteRule "(^|/)\\.git(/|$)" - [F]
ErrorDocument 404 "the page of the folder"
Header always set X-Folder yes
"""
FRONT = "#!/bin/sh\nprintf 'Status: 404 Not Found\\nContent-Type: text/html\\n\\nnothing of the blog\\n'\n"
FILES = sites.FILES | {
    "wp/.htaccess": WORDPRESS, "wp/index.cgi": FRONT, "wp/secret/page.html": "x\n", "wp/secret/.htaccess": "Require all denied\n", "wp/hidden.html": "x\n",
    "dirall/index.php": "<?php\n", "dirall/page.asis": "Content-Type: text/plain\n\nx\n", "dirall/map.var": MAP.format("page"), "maps/withit.var": MAP.format("denied/page"), "maps/absent.var": MAP.format("none/page"),
    "maps/withit-two.var": MAP2.format("denied/page"), "maps/absent-two.var": MAP2.format("none/page"), "maps/denied/page.html": "x\n",
    "lists/withit/page.html": "<title>the page</title>\n", "lists/absent/page.html": "<title>the page</title>\n", "lists/withit/hidden.html": "hidden\n",
    "lists/withit/byname/x.html": "x\n", "lists/withit/secret/.htaccess": "Require all denied\n", "lists/withit/server.key": "x\n",
    "lists/withit/closed/.htaccess": "Require all denied\n",
    "idx/withit/hidden.html": "hidden\n", "idx/withit/page.html": "page\n", "idx/absent/page.html": "page\n", "idx/withit/sub/hidden.html": "x\n", "idx/absent/sub/page.html": "x\n",
    "ssi/withit.shtml": SSI.format("/dirall/page.html"), "ssi/absent.shtml": SSI.format("/absent/page.html"), "access.lua": LUA,
    "errors/neg.html.de": "nicht da\n", "errors/plain.cgi": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nno\\n'\n", "owner/page.html": "x\n",
    "rules/.htaccess": RULES, "rules/config.html": "x\n", "rules/page.bak": "x\n", "rules/sub/page.html": "x\n", "rules/.git/config.txt": "x\n", "rules/deep/config.html": "x\n",
    "noread/page.html": "x\n", "noexcg/script.cgi": FRONT, "open/folder.cgi/x.html": "x\n", "unread/noread.asis": "Content-Type: text/plain\n\nx\n",
    "unread/noread.map": "base referer\n", "unread/noread.html": "x\n", "unread/noread.txt": "x\n", "unread/noread.var": MAP.format("page"), "unread/noread": "x\n", "unread/noread.shtml": "x\n", "special/x.html": "x\n",
}


def furnish(httpd):
    sites.furnish(httpd)
    docs = httpd.workdir / "docs"
    for name, target in {"symbol.html": "page.html", "symbol": "../open", "nowher.html": "none.html"}.items():
        (docs / "owner" / name).symlink_to(target)
        if ROOT:
            os.lchown(docs / "owner" / name, 2, 2)
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.getcwd()
        os.chdir(docs / "special")
        sock.bind("socket.html")
        os.chdir(here)
    (docs / "noread").chmod(0o711)
    (docs / "lists/withit/closed/.htaccess").chmod(0)
    for path in (docs / "unread").iterdir():
        path.chmod(0)
    # Listings show when a folder was changed.
    for path in (docs / "lists/withit", docs / "lists/absent"):
        os.utime(path, (1600000000, 1600000000))
