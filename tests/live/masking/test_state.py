# SPDX-License-Identifier: Apache-2.0
"""Nothing of the first pass shows in the second: no module's state, no name of the decoy, no login of other providers."""
import re

import pytest

import sites

SITE = r"""
<Macro Site $name>
    ServerName $name
    DocumentRoot "${DOCS}"
    AuthStatus On
    AuthStatusMask Forbidden
    AddHandler cgi-script .cgi
    <Directory "${DOCS}">
        Options +FollowSymLinks +ExecCGI
    </Directory>
    <Directory "${DOCS}/secret">
        Require all denied
    </Directory>
    <Directory "${DOCS}/deep/secret">
        Require all denied
    </Directory>
    RewriteEngine on
</Macro>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site cookie
    RewriteRule ^ - [CO=visited:yes:localhost]
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site cookie-page
    RewriteRule ^ - [CO=visited:yes:localhost]
    ErrorDocument 404 /env.cgi
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site args
    RewriteRule ^/(.*)$ /$1?path=$1 [PT]
    ErrorDocument 404 /env.cgi
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site twice
    RewriteRule ^/(.*)$ - [E=TWICE:$1|$1|$1|$1]
    Header always set X-Twice "%{TWICE}e"
    ErrorDocument 404 /env.cgi
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site upper
    RewriteMap up int:toupper
    RewriteRule ^/(.*)$ - [E=UP:${up:$1},E=$1:1]
    Header always set X-Up "%{UP}e"
    ErrorDocument 404 /env.cgi
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site directory
    <Directory "${DOCS}">
        RewriteEngine on
        RewriteRule ^(.*)$ - [E=WHERE:$1|%{REQUEST_FILENAME},CO=there:$1:localhost]
    </Directory>
    Header always set X-Where "%{WHERE}e"
    ErrorDocument 404 /env.cgi
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site settings
    <Directory "${DOCS}/deep">
        ErrorDocument 404 "the page of deep"
        Header always set X-Deep yes
    </Directory>
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site ids
    Header always set X-Ids "expr=%{REQUEST_LOG_ID} %{CONN_LOG_ID}"
    ErrorDocument 404 "the id is %{REQUEST_LOG_ID}"
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName providers
    DocumentRoot "${DOCS}"
    AuthStatus On
    AuthStatusMask Forbidden
    <Directory "${DOCS}">
        AuthType Basic
        AuthName "the lab"
        AuthUserFile "${WORKDIR}/nobody"
        Require valid-user
    </Directory>
    <Directory "${DOCS}/secret">
        AuthUserFile "${WORKDIR}/users"
        Require user admin
    </Directory>
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName mapped
    DocumentRoot "${DOCS}"
    AuthStatus On
    AuthStatusMap access-denied 410
    <Directory "${DOCS}/compat">
        Order allow,deny
        Deny from all
    </Directory>
    <Directory "${DOCS}/noindex">
        Options -Indexes
    </Directory>
    <Directory "${DOCS}/symbolic">
        Options -FollowSymLinks
    </Directory>
    <Directory "${DOCS}/plain">
        AuthStatusMap access-denied 403
        Require all denied
    </Directory>
    <Directory "${DOCS}/scripts">
        Options +ExecCGI
        AddHandler cgi-script .cgi
    </Directory>
    RewriteEngine on
    RewriteRule ^/rules - [F]
    Redirect 403 /redirected
    Alias /required "${DOCS}/secret"
    <Location /required>
        Require all denied
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName mapped-away
    DocumentRoot "${DOCS}"
    AuthStatus On
    AuthStatusMap forbidden 404
    <Directory "${DOCS}/compat">
        Order allow,deny
        Deny from all
    </Directory>
    RewriteEngine on
    RewriteRule ^/rules - [F]
</VirtualHost>
"""
ENV = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv | sort\n"
DENIES = "#!/bin/sh\nprintf 'Status: 403 Forbidden\\nSet-Cookie: told=1\\nContent-Type: text/plain\\n\\nno\\n'\n"
MAPPED = ("/compat/page.html", "/noindex/", "/symbolic/link.html", "/rules/page.html", "/redirected/page.html", "/unreadable.html",
          "/required/page.html", "/scripts/denies.cgi")


@pytest.fixture(scope="module")
def site(start):
    places = ("secret", "deep/secret", "compat", "plain", "rules", "symbolic")
    httpd = start.make(SITE, modules=("rewrite", "cgid", "access_compat", "autoindex"),
                       files={f"{place}/page.html": "page\n" for place in places} | {
                           "env.cgi": ENV, "scripts/denies.cgi": DENIES, "noindex/some.txt": "text\n", "unreadable.html": "x\n"})
    (httpd.workdir / "users").write_text(sites.USERS)
    (httpd.workdir / "nobody").write_text("alice:x\n")
    (httpd.workdir / "docs/unreadable.html").chmod(0)
    (httpd.workdir / "docs/symbolic/link.html").symlink_to("page.html")
    httpd.start()
    return httpd


@pytest.fixture(autouse=True)
def httpds_own_lines(site):
    site.log.allow(r"AH\d{5}: ", "AS00")


EPHEMERAL = re.compile(rb"(UNIQUE_ID|REMOTE_PORT|HTTP_X_ROW|expires)=[^\r\n]*")
# Whether a program has ended when its output is read is a race, and decides how httpd frames it.
FRAMING = re.compile(rb"(?i)(transfer-encoding: chunked|content-length: [0-9]+)\r?\n")


def seen(answer):
    return FRAMING.sub(b"", EPHEMERAL.sub(rb"\1=", answer.comparable()))


@pytest.mark.parametrize("host", ("cookie", "cookie-page", "args", "twice", "upper", "directory", "settings"))
@pytest.mark.parametrize("path, part", (("/secret/page.html", "secret"), ("/secret/none.css", "secret"), ("/secret/", "secret"),
                                        ("/deep/secret/page.html", "secret"), ("/deep/secret/a/b/page.html?x=y", "secret")))
@pytest.mark.parametrize("method", ("GET", "POST", "OPTIONS", "PUT"))
def test_what_a_module_notes_of_a_request(site, host, path, part, method):
    hidden = seen(site.get(path, method=method, host=host))
    missing = seen(site.get(path.replace(part, "absent"), method=method, host=host))
    for twin in (part, part.upper()):
        hidden = hidden.replace(twin.encode(), b"absent" if twin == part else b"ABSENT")
    assert hidden == missing
    if host.startswith("cookie"):
        assert missing.count(b"Set-Cookie") == 1
    if host == "settings" and path.startswith("/deep") and method == "GET":
        assert b"the page of deep" in missing


@pytest.mark.parametrize("path", ("/secret/page.html", "/absent/page.html", "/secret/", "/unreadable.html", "/unabsentle.html"))
@pytest.mark.parametrize("method", ("GET", "PUT", "OPTIONS"))
def test_the_ids_of_log_lines(site, path, method):
    """A refusal is logged, which gives the request and its connection an id; a request for what is missing is not."""
    answer = site.get(path, method=method, host="ids")
    assert re.fullmatch(r"\S{6,} \S{6,}", answer.header("X-Ids"))
    if method == "GET":
        assert answer.body.decode() == "the id is " + answer.header("X-Ids").split()[0]


def test_one_login_is_not_shared_by_two_files(site):
    hidden = site.get("/secret/page.html", login=sites.GOOD, host="providers")
    missing = site.get("/absent/page.html", login=sites.GOOD, host="providers")
    assert missing.status == 401
    assert hidden.comparable() == missing.comparable()


@pytest.mark.parametrize("path", MAPPED)
def test_the_map_reaches_every_403(site, path):
    answer = site.get(path, host="mapped")
    assert answer.status == 410 and not answer.all("Set-Cookie")
    entry = site.access(answer)
    assert (entry.outcome, entry.meant) == ("access-denied", "410")


def test_the_map_of_a_section_holds_there(site):
    assert site.get("/plain/page.html", host="mapped").status == 403
    assert site.get("/absent", host="mapped").all("Cache-Control") == []  # nothing is masked here


@pytest.mark.parametrize("path", ("/compat/page.html", "/rules/page.html"))
def test_a_403_that_is_mapped_to_404_is_masked(site, path):
    missing = site.get("/" + "x" * (len(path) - 1), host="mapped-away")
    assert site.get(path, host="mapped-away").comparable() == missing.comparable()
