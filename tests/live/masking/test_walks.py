# SPDX-License-Identifier: Apache-2.0
"""A masked request walks three times, and so does one for what is missing; each walk begins with nothing that another left."""
import os
import re
import subprocess
from pathlib import Path

import pytest

from lab.httpd import _apxs
from lab.process import poll

HERE = Path(__file__).parent
DEEP = "/".join(f"d{number}.x" for number in range(16))
SITE = r"""
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName masked
    DocumentRoot "${DOCS}"
    AuthStatus On
    AuthStatusMask All
    <Directory "${DOCS}/secret">
        Require all denied
    </Directory>
    <Directory "${DOCS}/open/secret">
        Require all denied
    </Directory>
    <FilesMatch "\.key$">
        Require all denied
    </FilesMatch>
    <Directory "${DOCS}/compat">
        Order allow,deny
        Deny from all
    </Directory>
    <Location /asks>
        AuthType Basic
        AuthName "the lab"
        AuthUserFile "${WORKDIR}/users"
        Require valid-user
    </Location>
    <Location /asks/more/secret>
        Require user admin
    </Location>
    RewriteEngine on
    RewriteRule ^/open/more/rules - [F]
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName closed
    DocumentRoot "${DOCS}"
    AuthStatus On
    AuthStatusMask All
    <Location />
        Require all denied
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName handled
    DocumentRoot "${DOCS}"
    AuthStatus On
    AuthStatusMask All
    AddHandler cgi-script .cgi
    AddHandler imap-file .map
    AddHandler send-as-is .asis
    Action act /open/page.html
    AddHandler act .act
    <Files "hidden.*">
        Require all denied
    </Files>
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName routes
    DocumentRoot "${DOCS}"
    AuthStatus On
    AuthStatusMask All
    <Directory "${DOCS}/secret">
        Require all denied
    </Directory>
    <Directory "${DOCS}/routes">
        Options +ExecCGI +Includes
        AddHandler cgi-script .cgi
        AddType text/html .shtml
        AddOutputFilter INCLUDES .shtml
    </Directory>
    <Directory "${DOCS}/routes/secret">
        DirectoryIndex /secret/page.html
    </Directory>
    <Directory "${DOCS}/routes/absent">
        DirectoryIndex /absent/page.html
    </Directory>
    Alias /alias-secret "${DOCS}/secret"
    Alias /alias-absent "${DOCS}/absent"
    Redirect gone /gone-secret
    Redirect gone /gone-absent
    <Location /gone-secret>
        ErrorDocument 410 /secret/page.html
    </Location>
    <Location /gone-absent>
        ErrorDocument 410 /absent/page.html
    </Location>
    RewriteEngine on
    RewriteRule ^/through/(.*)$ /$1 [PT]
</VirtualHost>
"""
# What leads to the masked page: itself, a name, a rule, an index, an error page, a script, a part of a page.
ROUTES = ("/secret/page.html", "/alias-secret/page.html", "/through/secret/page.html", "/routes/secret/", "/gone-secret",
          "/routes/location.cgi?secret", "/routes/secret.shtml")
LOCATION = "#!/bin/sh\nprintf 'Location: /%s/page.html\\n\\n' \"$QUERY_STRING\"\n"
PART = '<!--#include virtual="/{}/page.html" -->\n'
PATHS = ("/secret/page.html", "/secret/", "/secret/" + DEEP, "/open/secret/page.html", "/open/" + DEEP + "/page.key", "/compat/x",
         "/asks/a/b/c", "/asks/more/secret/x", "/open/more/rules/x", "/open/locked/page.html", "/absent/page.html", "/" + DEEP,
         "/absent/" + "x" * 256, "/secret/" + "x" * 3900)


@pytest.fixture(scope="module")
def site(start, workdirs):
    path = workdirs.new("walker") / "mod_walker.so"
    flags = " ".join(_apxs(name) for name in ("CFLAGS", "EXTRA_CFLAGS", "EXTRA_CPPFLAGS")).split()
    includes = [f"-I{_apxs(name)}" for name in ("INCLUDEDIR", "APR_INCLUDEDIR", "APU_INCLUDEDIR")]
    subprocess.run([os.environ.get("CC", "cc").split()[-1], "-shared", "-fPIC", *flags, *includes, "-o", path,
                    HERE / "walker.c"], check=True)
    httpd = start.make(f'LoadModule walker_module "{path}"\nLogLevel notice\n' + SITE, modules=("rewrite", "access_compat", "cgid", "include", "imagemap", "asis", "actions"),
                       files={f"{place}/page.html": "page\n" for place in ("secret", "open", "open/secret", "compat", "open/locked")} | {
                           f"routes/{place}/none.txt": "none\n" for place in ("secret", "absent")} | {
                           f"routes/{place}.shtml": PART.format(place) for place in ("secret", "absent")} | {
                           "routes/location.cgi": LOCATION})
    (httpd.workdir / "users").write_text("bob:x\n")
    (httpd.workdir / "docs/open/locked").chmod(0)
    httpd.start()
    return httpd


@pytest.fixture(autouse=True)
def httpds_own_lines(site):
    site.log.allow(r"AH\d{5}: ", "AS00", "unable to include")


def walks(site, position, path):
    def told():
        return [int(count) for count, of in re.findall(r"walks=(\d+) of (\S+)", site.log.path.read_text()[position:]) if of == path]
    return poll(told, 10, "the number of walks")


def ends(site, position, path):
    def told():
        return [end for end, of in re.findall(r"cleanup=(\w+) of (\S+)", site.log.path.read_text()[position:]) if of == path]
    return poll(told, 10, "the cleanup of the request")


@pytest.mark.parametrize("path", PATHS, ids=[path[:40] for path in PATHS])
@pytest.mark.parametrize("method", ("GET", "PUT", "OPTIONS"))
@pytest.mark.parametrize("host", ("masked", "closed"))
def test_three_walks_that_begin_with_nothing(site, path, method, host):
    position = len(site.log.path.read_text())
    answer = site.get(path, method=method, host=host)
    assert answer.status in (404, 405, 200)
    assert walks(site, position, path) == [3]
    assert ends(site, position, path) == ["arrived"]
    for state in answer.all("X-Walker"):
        assert not re.search(r"=[^0]", state), state
    assert set(answer.all("X-Changed")) <= {"no"}


@pytest.mark.parametrize("name", ("hidden", "absent"))
@pytest.mark.parametrize("kind", ("cgi", "map", "asis", "act"))
@pytest.mark.parametrize("method", ("GET", "PUT", "OPTIONS"))
def test_three_walks_whoever_reports_that_there_is_nothing(site, name, kind, method):
    """httpd's handler, the file's own (before it reads anything), or one that may not run there (ExecCGI), also for nothing."""
    position = len(site.log.path.read_text())
    path = f"/open/{name}.{kind}"
    assert site.get(path, method=method, host="handled").status in (404, 405, 200)
    assert sum(walks(site, position, path)) == 3


def test_who_is_allowed_walks_once(site):
    position = len(site.log.path.read_text())
    assert site.get("/open/page.html", host="masked").status == 200
    assert walks(site, position, "/open/page.html") == [1]


def test_the_next_request_of_a_connection_finds_nothing_of_the_hidden_one(site):
    """What a refused walk leaves in the notes of the connection."""
    def next_of(path):
        with site.connection() as connection:
            assert connection.request(path, host="masked").status == 404
            answer = connection.request("/open/page.html", host="masked")
        assert answer.status == 200 and connection.used == 2
        return answer.all("X-Walker")
    assert next_of("/secret/page.html") == next_of("/absent/page.html")


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ("GET", "POST"))
def test_whatever_leads_there_its_walks_begin_as_it_arrived(site, path, method):
    def seen(part):
        answer = site.get(path.replace("secret", part), method=method, host="routes",
                          headers=(("X-Sent", "sent"), ("X-Gone", "sent"), ("X-Merged", "sent")))
        assert set(answer.all("X-Changed")) == {"no"}
        assert answer.status == (200 if path.endswith(".shtml") else 410 if path.startswith("/gone") else 404)
        # The walker lets httpd send Expires, which is the date once more.
        return re.sub(rb"(?im)^expires: [^\r]*\r\n", b"", answer.comparable()).replace(part.encode(), b"absent")
    assert seen("secret") == seen("absent")
