# SPDX-License-Identifier: Apache-2.0
"""AuthStatus is On and masks in one Location alone. A request has no state of ours before it is led there: by a rule, by the
index of a directory, by what answers for missing files, or in a subrequest. It is masked as if it had been asked for that."""
import pytest

FILES = {
    "secret/page.html": "secret", "open/page.html": "open", "asks/none.txt": "", "falls/none.txt": "",
    "includes.shtml": '<!--#include virtual="/secret/page.html" -->|<!--#include virtual="/open/page.html" -->',
    "missing.cgi": "#!/bin/sh\nprintf 'Status: 404 Nothing\\nContent-Type: text/plain\\n\\nits own words'\n",
    "refused.cgi": "#!/bin/sh\nprintf 'Status: 403 No\\nContent-Type: text/plain\\n\\nits own words'\n",
}
REFUSALS = {"authz_core": "Require all denied", "access_compat": "Order allow,deny\n    Deny from all"}
SITE = """
RewriteEngine On
RewriteRule "^/passed/(.*)" "/secret/$1" [PT,E=LED:$1,CO=led:yes:localhost]
Header always set X-Led "%{LED}e" env=LED
<Directory "${DOCS}">
    Options +Includes +ExecCGI
    AddOutputFilter INCLUDES .shtml
    AddHandler cgi-script .cgi
</Directory>
<Directory "${DOCS}/asks">
    DirectoryIndex /secret/page.html
</Directory>
<Directory "${DOCS}/falls">
    FallbackResource /secret/page.html
</Directory>
<Location "/secret">
    AuthStatus On
    AuthStatusMask Forbidden
    @REFUSAL@
</Location>
"""
MISSING = "/none/page.html"
MASKED = ("/secret/page.html", "/secret/", "/asks/", "/falls/x")


@pytest.fixture(scope="module", params=REFUSALS)
def site(start, request):
    return start(SITE.replace("@REFUSAL@", REFUSALS[request.param]), files=FILES,
                  modules=("rewrite", "include", "cgid", "dir", "headers", "access_compat"))


# Of the moment, of the length of a path, and of whether a script has ended when its first octets are sent.
FLEETING = ("Date", "Content-Length", "Transfer-Encoding")


def seen(site, path, method):
    site.log.allow("AH01630", "AH01797", "unable to include")
    with site.connection() as connection:
        # The second one comes over the same connection: nothing is left of the first one.
        answers = [connection.request(path, method=method) for _ in range(2)]
    found = [(answer.status, [header for header in answer.headers if header[0] not in FLEETING], answer.body.replace(path.encode(), b""))
             for answer in answers]
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", MASKED)
def test_masked(site, path, method):
    assert seen(site, path, method) == seen(site, MISSING, method)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_rule_leaves_what_it_leaves_for_a_missing_name(site, method):
    hidden, missing = seen(site, "/passed/page.html", method), seen(site, "/passed/none.html", method)
    assert hidden[0] == 404
    for answer in (hidden, missing):
        answer[1].remove(("X-Led", "page.html" if answer is hidden else "none.html"))
    assert hidden == missing


def test_others(site):
    assert seen(site, "/open/page.html", "GET")[0] == 200
    status, headers, body = seen(site, "/missing.cgi", "GET")
    assert status == 404 and body == b"its own words" and ("Cache-Control", "no-store") in headers
    status, headers, body = seen(site, "/refused.cgi", "GET")
    assert status == 403 and body == b"its own words" and "Cache-Control" not in dict(headers)
    assert b"secret" not in seen(site, "/includes.shtml", "GET")[2]
