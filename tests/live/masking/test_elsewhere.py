# SPDX-License-Identifier: Apache-2.0
"""Where only <Location>s with a plain path mask, other requests are not prepared for a second pass (src/httpd/mask/elsewhere.c).
Each answer is the same as on a server that prepares every request, because a pattern masks there too; also where another
module leads a request, or a subrequest, to a section that masks."""
import re

import pytest

SECRET = "what nobody must see\n"
FILES = {
    "secret/page.html": SECRET, "secret/index.html": SECRET, "open/page.html": "open\n", "page.html": "a page\n",
    "list/hidden.html": SECRET, "list/shown.html": "shown\n", "several/page.html.en": SECRET, "several/other.html": "other\n",
    "includes.shtml": '<!--#include virtual="/secret/page.html" -->|<!--#include virtual="/open/page.html" -->',
    "says.cgi": "#!/bin/sh\nprintf 'Status: 404 Nothing\\nContent-Type: text/plain\\n\\nits own words'\n",
    "asks/none.txt": "", "falls/none.txt": "", "mapped/page.html": SECRET,
}
SITE = """
AuthStatus On
RewriteEngine On
RewriteRule "^/passed/(.*)" "/secret/$1" [PT]
RewriteRule "^/inward/(.*)" "/open/$1" [PT]
RewriteRule "^/denied/" "-" [F]
Alias /alias "${DOCS}/secret"
Alias /secret/alias "${DOCS}/open"
ErrorDocument 405 /secret/page.html
<Directory "${DOCS}">
    AllowOverride None
    Options +Includes +ExecCGI
    AddOutputFilter INCLUDES .shtml
    AddHandler cgi-script .cgi
    AddLanguage en .en
</Directory>
<Directory "${DOCS}/list">
    Options +Indexes
    IndexOptions ShowForbidden
</Directory>
<Directory "${DOCS}/several">
    Options +MultiViews
</Directory>
<Directory "${DOCS}/asks">
    DirectoryIndex /secret/page.html
</Directory>
<Directory "${DOCS}/falls">
    FallbackResource /secret/page.html
</Directory>
<LocationMatch "^/(secret|list/hidden.html|several/page.html)">
    Require all denied
</LocationMatch>
<Location /secret>
    AuthStatusMask Forbidden
</Location>
<Location /list/hidden.html>
    AuthStatusMask Forbidden
</Location>
<Location /several/page.html/>
    AuthStatusMask Forbidden
</Location>
<Location /several/page.html.en>
    AuthStatusMask Forbidden
</Location>
<Location /mapped/>
    AuthStatusMap access-denied 404
    Require all denied
</Location>
<Location /users>
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider file
    AuthUserFile "${ROOM}/users"
    Require user admin
    AuthStatusMask All
</Location>
RewriteRule "^/login/(.*)" "/users/$1" [PT]
"""
PREPARED = """
<LocationMatch "^/a-pattern$">
    AuthStatusMask Forbidden
</LocationMatch>
"""
HIDDEN = ("/secret", "/secret/", "/secret/page.html", "//secret/page.html", "/open/../secret/page.html", "/./secret/page.html",
          "/%73ecret/page.html", "/secret%2fpage.html", "/passed/page.html", "/passed/none.html", "/passed/", "/asks/", "/falls/x",
          "/list/hidden.html", "/several/page", "/several/page.html.en", "/mapped/page.html", "/secret/alias/page.html",
          "/users/page.html", "/login/page.html", "/login/none.html")
OTHERS = ("/", "/page.html", "/page.html/more", "/none.html", "/none/deep/er", "/open/", "/open/page.html", "/list/", "/includes.shtml",
          "/says.cgi", "/inward/page.html", "/inward/none.html", "/denied/", "/alias/page.html", "/several/other",
          "/secretive", "/secretive/page.html", "/sec", "/page%2ehtml", "*")
LOGINS = (None, ("bob", "password"), ("bob", "wrong"))


@pytest.fixture(scope="module")
def sites(start):
    def make(conf):
        httpd = start.make(conf, modules=("rewrite", "include", "negotiation", "autoindex", "cgid", "alias", "actions"), files=FILES)
        (httpd.room / "users").write_text("bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")
        return httpd.start()
    return make(SITE), make(SITE + PREPARED)


# Of the moment; and whether a script has ended when its first octets are sent.
FLEETING = ("Date", "Last-Modified", "ETag", "Content-Length", "Transfer-Encoding")


def seen(site, answer):
    headers = sorted((name, sorted(value.split(",")) if name == "Allow" else value) for name, value in answer.headers
                     if name not in FLEETING)
    body = re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d", b"", answer.body)
    return answer.status, headers, body, site.access(answer)._replace(row="")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize("path", HIDDEN + OTHERS)
def test_answers_are_those_of_a_prepared_request(sites, path, method):
    for site in sites:
        site.log.allow("AH01630", "AH0161[78]", "AH01797", "AH00128", "AH01276", "AH01374", "AH01264", "AH00026", "AH01631", "AS00", "AH00687",
                       "AH00037", "unable to include", "AH02811", "AH00135", "AH01235")
    if path == "*" and method != "OPTIONS":
        return
    for login in LOGINS if path.startswith(("/users", "/login")) else LOGINS[:1]:
        answers = []
        for site in sites:
            with site.connection() as connection:
                # The second one comes over the same connection: nothing is left of the first one.
                answers += [seen(site, connection.request(path, method=method, login=login)) for _ in range(2)]
        for answer in answers:
            assert answer == answers[-1], login
        assert SECRET.encode() not in answers[0][2] or path in ("/alias/page.html",)
        if path in HIDDEN and method in ("GET", "HEAD"):
            assert answers[0][0] == 404, answers[0]


def test_a_listing_has_no_hidden_entry(sites):
    for site in sites:
        site.log.allow("AH01630")
        body = site.get("/list/").body
        assert b"shown.html" in body and b"hidden.html" not in body
