# SPDX-License-Identifier: Apache-2.0
"""A forbidden resource and a missing one beside every module that is installed with this httpd: the list is made from its
modules, all of them loaded at once; those that can change an answer are asked to, each on a virtual host of its own."""
import re

import pytest

from lab.httpd import MODULES

import probes
import sites
import test_differential as differential

# Not loaded, and why.
LEFT_OUT = {
    "mpm_": "one is chosen", "authstatus": "it is there", "security2": "it needs more than is installed with it",
    "auth_openidc": "it needs a provider", "auth_gssapi": "it needs a keytab", "heartbeat": "it sends multicasts",
    "heartmonitor": "it needs an address", "lbmethod_heartbeat": "it needs mod_heartmonitor", "suexec": "it needs its helper",
    "echo": "it is another protocol", "cgi": "mod_cgid stands for it", "dialup": "it makes answers slow",
    "authnz_ldap": "test_login.py", "ldap": "test_login.py", "dumpio": "it writes all that there is", "log_debug": "it logs alone",
    "bucketeer": "it is made for httpd's own tests", "case_filter_in": "it is an example", "md": "it wants certificates",
    "ident": "it asks the client's machine",
}
# What makes a module change answers. Each is a virtual host's.
DECORATIONS = {
    "brotli": "SetOutputFilter BROTLI_COMPRESS",
    "buffer": "SetInputFilter BUFFER\nSetOutputFilter BUFFER",
    "cache_socache": 'CacheEnable socache /\nCacheSocache shmcb\nCacheHeader On\nCacheDetailHeader On\nCacheIgnoreCacheControl On',
    "case_filter": "CaseFilter On",
    "cern_meta": '<Directory "${DOCS}">\nMetaFiles On\n</Directory>',
    "charset_lite": "CharsetSourceEnc UTF-8\nCharsetDefault ISO-8859-1",
    "data": "SetOutputFilter DATA",
    "deflate": "SetOutputFilter DEFLATE",
    "dir": "DirectoryIndex page.html index.html\nDirectoryCheckHandler On",
    "env": "SetEnv ONE two\nPassEnv PATH\nErrorDocument 404 /errors/env.shtml",
    "expires": 'ExpiresActive On\nExpiresDefault "modification plus 1 hour"\nExpiresByType text/html "access plus 1 year"',
    "headers": 'Header echo ^X-\nHeader always append Vary X-One\nHeader setifempty X-Two "%D" env=NEVER\nRequestHeader set X-Three four\n'
               'RequestHeader unset Cookie\nHeader note X-Four five\nHeader always set X-Status "expr=%{REQUEST_STATUS}"',
    "include": "ErrorDocument 404 /errors/env.shtml",
    "log_forensic": 'ForensicLog "${WORKDIR}/logs/forensic"',
    "lua": 'LuaHookFixups "${DOCS}/hooks.lua" fixups\nLuaHookTranslateName "${DOCS}/hooks.lua" translate',
    "mime": "AddCharset utf-8 .html\nAddLanguage de .css\nAddEncoding x-gzip .html\nDefaultLanguage en",
    "negotiation": 'ForceLanguagePriority None\nCacheNegotiatedDocs On',
    "proxy_html": "ProxyHTMLEnable On\nProxyHTMLURLMap /a /b",
    "ratelimit": "SetOutputFilter RATE_LIMIT\nSetEnv rate-limit 4000",
    "remoteip": "RemoteIPHeader X-Forwarded-For",
    "reqtimeout": "RequestReadTimeout header=20-40,MinRate=500 body=20,MinRate=500",
    "request": '<Directory "${DOCS}">\nKeptBodySize 1000\n</Directory>\nSetInputFilter KEPT_BODY',
    "rewrite": "RewriteOptions InheritDown\nRewriteRule ^ - [CO=one:two:localhost,E=THREE:%{REQUEST_URI}]\nHeader always set X-Three \"%{THREE}e\"",
    "sed": '<Directory "${DOCS}">\nSetOutputFilter Sed\nOutputSed "s/Found/found/g"\n</Directory>',
    "session_cookie": "Session On\nSessionCookieName sess path=/\nSessionMaxAge 600\nSessionEnv On\nSessionHeader X-Put",
    "session_crypto": "Session On\nSessionCookieName sess path=/\nSessionCryptoPassphrase secret",
    "setenvif": 'BrowserMatch ".*" nokeepalive=1\nSetEnvIf Request_Method "(.*)" METHOD=$1\nHeader always set X-Method "%{METHOD}e"',
    "substitute": 'SetOutputFilter SUBSTITUTE\nSubstitute "s/Found/found/"',
    "unique_id": 'Header always set X-Id "%{UNIQUE_ID}e"',
    "usertrack": "CookieTracking On\nCookieName track",
    "xml2enc": "SetOutputFilter xml2enc",
}
HOOKS = """
function translate(r)
    r.subprocess_env["SEEN"] = (r.subprocess_env["SEEN"] or "") .. "t"
    r.notes["seen"] = (r.notes["seen"] or "") .. "t"
    return apache2.DECLINED
end
function fixups(r)
    r.err_headers_out["X-Seen"] = (r.subprocess_env["SEEN"] or "") .. (r.notes["seen"] or "")
    return apache2.DECLINED
end
"""
FEW = ("directory, a file", "directory, itself", "directory, no slash", "location", "files", "order deny", "limit", "group",
       "file permissions", "no listing", "rewrite, server", "cgi denied", "redirect 403")
WAYS = [way for way in sites.WAYS if way.name in FEW]
SHAPES = [shape for shape in probes.SHAPES if shape.name in ("plain", "body", "accept", "expect", "1.0")]
EPHEMERAL = re.compile(rb"(?i)((X-Id|Set-Cookie|Age|Expires|X-Cache-Detail|Cookie|HTTP_COOKIE|UNIQUE_ID)[:=])[^\r\n]*")


def installed():
    return sorted(path.stem.removeprefix("mod_") for path in MODULES.glob("mod_*.so"))


def left_out(name):
    return any(name == other or (other.endswith("_") and name.startswith(other)) for other in LEFT_OUT)


# In an order in which one finds what it needs: by name, but for these.
FIRST = ("slotmem_shm", "session", "proxy", "dav", "dav_svn", "cache", "dbd", "xml2enc", "filter", "watchdog")


def loaded():
    names = [name for name in installed() if not left_out(name)]
    return [name for name in FIRST if name in names] + [name for name in names if name not in FIRST]


@pytest.fixture(scope="module")
def site(start):
    hosts = [name for name in DECORATIONS if name in installed()]
    text = "\n".join(f'<VirtualHost 127.0.0.1:${{HTTP}}>\nServerName {name}\nDocumentRoot "${{DOCS}}"\nAuthStatus On\n'
                     f"AuthStatusMask Forbidden\n{sites.SECTIONS.format(more=DECORATIONS[name])}\n</VirtualHost>" for name in hosts)
    httpd = start.make(text, modules=loaded(), listen=("HTTP", "BACK"), files=sites.FILES | {"hooks.lua": HOOKS})
    return sites.start_furnished(httpd)


def test_every_module_is_loaded_or_left_out_for_a_reason(site):
    differential.allow_httpds_lines(site)
    site.log.allow(".")
    names = installed()
    assert len(names) > 60 and set(DECORATIONS) - set(names) <= {"lua", "brotli"}
    done = site.run("-M")
    there = set(re.findall(r"^ (\w+)_module ", done.stdout, re.M))
    assert {name for name in names if not left_out(name)} <= there


@pytest.mark.parametrize("name", DECORATIONS)
def test_beside(site, name):
    if name not in installed():
        pytest.skip(f"mod_{name} is not installed")
    differential.allow_httpds_lines(site)
    site.log.allow(".")
    found = differential.over_http1(site.port, name, SHAPES, WAYS)
    found.found = [(what, way, one, other) for what, way, one, other in found.found
                   if EPHEMERAL.sub(rb"\1", one) != EPHEMERAL.sub(rb"\1", other)]
    print(found.exchanges, "exchanges")
    assert not found.found, str(found)
