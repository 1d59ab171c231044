# SPDX-License-Identifier: Apache-2.0
"""What masking promises besides equal octets: the log's truth, no-store, and that nothing runs for who was refused."""
import re

import pytest

from lab import client
from lab.process import poll

import sites

SITE = r"""
CustomLog "${WORKDIR}/logs/truth" "%U %>s %{authstatus-outcome}n %{authstatus-status}n %u"
<Macro Site $name>
    ServerName $name
    DocumentRoot "${DOCS}"
    AddHandler cgi-script .cgi
    AddOutputFilter INCLUDES .shtml
    AddType text/html .shtml
    <Directory "${DOCS}">
        Options +FollowSymLinks +Indexes +Includes +ExecCGI
    </Directory>
    <Directory "${DOCS}/secret">
        Require all denied
    </Directory>
    <Directory "${DOCS}/staff">
        AuthType Basic
        AuthName "the lab"
        AuthUserFile "${WORKDIR}/users"
        Require user admin
    </Directory>
    <Files "hidden.html">
        Require all denied
    </Files>
    IndexOptions ShowForbidden
</Macro>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site masked
    AuthStatus On
    AuthStatusMask Forbidden
    Redirect 404 /gone
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site sections
    <Directory "${DOCS}/secret">
        AuthStatus On
        AuthStatusMask All
    </Directory>
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site exempt
    AuthStatus On
    AuthStatusMask All "expr=req('X-Admin') != 'yes'"
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site unanswered
    AuthStatus On
    AuthStatusMask All "expr=file('/nowhere') == 'yes'"
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site mapped
    <Directory "${DOCS}/staff">
        AuthStatus On
        AuthStatusMap not-authorized 404
        AuthStatusMap unauthenticated 404
    </Directory>
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site front
    AuthStatus On
    AuthStatusMask Forbidden
    FallbackResource /front.cgi
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site rewritten
    AuthStatus On
    AuthStatusMask Forbidden
    <Directory "${DOCS}">
        RewriteEngine on
        RewriteCond %{REQUEST_FILENAME} !-f
        RewriteRule . /front.cgi
    </Directory>
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site server-rewritten
    AuthStatus On
    AuthStatusMask Forbidden
    RewriteEngine on
    RewriteCond ${DOCS}%{REQUEST_URI} !-f
    RewriteRule . /front.cgi
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site proxied
    AuthStatus On
    AuthStatusMask Forbidden
    <Location /secret>
        Require all denied
    </Location>
    ProxyPass / http://127.0.0.1:${HTTP}/front.cgi/
    ProxyPreserveHost Off
</VirtualHost>
# As docs/hiding-a-tree.md has it.
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site doorway
    AuthStatus On
    AuthStatusMask All
    <Location /projects>
        AuthType Basic
        AuthName "projects"
        AuthUserFile "${WORKDIR}/users"
        Require valid-user
    </Location>
    <Location /projects/login>
        AuthStatusMask Forbidden
    </Location>
</VirtualHost>
DavLockDB "${WORKDIR}/run/locks"
<Macro Dav $name>
    Use Site $name
    <Directory "${DOCS}/list">
        Dav On
    </Directory>
</Macro>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Dav dav
    AuthStatus On
    AuthStatusMask Forbidden
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Dav stock-dav
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site methods
    AuthStatus On
    AuthStatusMask All
    <Directory "${DOCS}/list">
        AllowMethods GET
    </Directory>
</VirtualHost>
<VirtualHost 127.0.0.1:${HTTP}>
    Use Site stock
</VirtualHost>
"""
FRONT = '#!/bin/sh\necho "$REQUEST_URI" >> "%s"\nprintf "Status: 404\\nCache-Control: public\\n\\nfront\\n"\n'
FILES = {
    "secret/page.html": "secret\n", "staff/page.html": "staff\n", "list/hidden.html": "hidden\n", "list/shown.html": "shown\n",
    "projects/page.html": "a project\n",
    "own404.cgi": "#!/bin/sh\nprintf 'Status: 404\\nCache-Control: max-age=60\\n\\nmine\\n'\n",
    "own401.cgi": "#!/bin/sh\nprintf 'Status: 401\\nWWW-Authenticate: Other realm=\"own\"\\n\\nwho?\\n'\n",
    "include.shtml": '<!--#include virtual="/secret/page.html" -->|<!--#include virtual="/absent/page.html" -->|'
                     '<!--#fsize virtual="/secret/page.html" -->|<!--#fsize virtual="/absent/page.html" -->\n',
}


@pytest.fixture(scope="module")
def site(start):
    httpd = start.make(SITE, modules=("rewrite", "cgid", "include", "autoindex", "proxy", "proxy_http", "dav", "dav_fs",
                                     "allowmethods"), files=FILES)
    (httpd.workdir / "users").write_text(sites.USERS)
    (httpd.workdir / "seen").mkdir()
    (httpd.workdir / "seen").chmod(0o777)
    httpd.write("front.cgi", FRONT % (httpd.workdir / "seen/uris"))
    httpd.start()
    httpd.log.allow(r"AH\d{5}: ")
    return httpd


@pytest.fixture(autouse=True)
def httpds_own_lines(site):
    site.log.allow(r"AH\d{5}: ", r"unable to include", r"^AS0031")


def seen(site):
    path = site.workdir / "seen/uris"
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize("path", ("/secret/page.html", "/absent/page.html", "/a%2fb", "/own404.cgi", "/gone", "/secret/%2f"))
def test_every_404_is_no_store(site, path):
    answer = site.get(path, host="masked")
    assert answer.status == 404
    assert answer.all("Cache-Control") == ["no-store"]


def test_a_host_that_masks_nothing_is_left_alone(site):
    assert site.get("/absent", host="stock").all("Cache-Control") == []
    assert site.get("/own404.cgi", host="stock").all("Cache-Control") == ["max-age=60"]
    assert site.get("/secret/page.html", host="stock").status == 403


@pytest.mark.parametrize("path", ["/secret/page.html", "/staff/page.html"])
def test_a_condition_that_cannot_be_evaluated_masks(site, path):
    site.log.expect("Evaluation of expression from .* failed: Cannot open file")
    assert site.get(path, host="unanswered").status == 404


def test_a_section_may_mask_alone(site):
    assert site.get("/secret/page.html", host="sections").status == 404
    assert site.get("/list/hidden.html", host="sections").status == 403
    assert site.get("/absent", host="sections").all("Cache-Control") == ["no-store"]


def test_the_expression_shows_the_plain_status(site):
    plain = site.get("/secret/page.html", host="exempt", headers=[("X-Admin", "yes")])
    assert plain.status == 403
    masked = site.get("/secret/page.html", host="exempt")
    assert masked.status == 404
    assert not masked.all("Vary") and "X-Admin" not in "".join(plain.all("Vary"))
    queried = site.get("/staff/page.html", host="exempt", headers=[("X-Admin", "yes")])
    assert queried.status == 401 and queried.header("WWW-Authenticate")


def test_a_script_that_asks_for_a_login(site):
    """Under All its 401 is that of a login, as httpd's own."""
    plain = site.get("/own401.cgi", host="exempt", headers=[("X-Admin", "yes")])
    assert plain.status == 401 and plain.header("WWW-Authenticate") == 'Other realm="own"'
    assert site.get("/own401.cgi", host="exempt").comparable() == site.get("/own402.cgi", host="exempt").comparable()
    assert site.get("/own401.cgi", host="masked").status == 401, "Forbidden does not"


def test_an_outcome_may_be_mapped_to_404(site):
    missing = site.get("/absent/page.html", host="mapped")
    for login in (None, sites.GOOD, sites.WRONG):
        assert site.get("/staff/page.html", login=login, host="mapped").comparable() == missing.comparable()


def test_the_log_has_the_truth(site):
    for path, login, truth in (("/secret/page.html", None, "404 access-denied 403 -"), ("/staff/page.html", sites.GOOD, "404 not-authorized 403 -"),
                               ("/absent/page.html", None, "404 - - -")):
        log = site.workdir / "logs/truth"
        mark = log.stat().st_size
        site.get(path, login=login, host="masked")
        poll(lambda: f"{path} {truth}\n" in log.read_text()[mark:], 10, f"the truth about {path}")


def test_the_error_log_tells_one_line_an_outcome(site):
    position = site.log.size()
    site.get("/staff/page.html", login=sites.GOOD, host="masked")
    told = [line.text for line in site.log.lines(position) if line.level in ("error", "warn")]
    assert len(told) <= 1 and all("AH01631" in text for text in told)  # mod_authz_core's own, once


@pytest.mark.parametrize("host", ("front", "rewritten", "server-rewritten", "proxied"))
@pytest.mark.parametrize("path", ("/secret/page.html", "/secret/none.html", "/secret/"))
@pytest.mark.parametrize("method", ("GET", "POST", "OPTIONS", "PROPFIND"))
def test_no_front_controller_runs_for_a_masked_request(site, host, path, method):
    if host == "server-rewritten" and path != "/secret/page.html":
        pytest.skip("rewritten before anybody is refused: it is the front controller that was asked for")
    before = seen(site)
    answer = site.get(path, method=method, host=host)
    assert answer.status in (404, 405, 200)
    assert b"front" not in answer.body
    assert seen(site) == before


def test_front_controllers_run_for_others(site):
    for host in ("front", "rewritten", "server-rewritten"):
        answer = site.get("/absent/page.html", host=host)
        assert answer.body == b"front\n" and answer.all("Cache-Control") == ["no-store"], host


def test_a_listing_does_not_show_what_is_hidden(site):
    masked, stock = (site.get("/list/", host=host).body for host in ("masked", "stock"))
    assert b"shown.html" in masked and b"hidden.html" not in masked
    assert b"hidden.html" in stock  # IndexOptions ShowForbidden


def test_an_include_does_not_tell(site):
    first, second, third, fourth = site.get("/include.shtml", host="masked").body.rstrip(b"\n").split(b"|")
    assert first == second and third == fourth


@pytest.mark.parametrize("depth", ("0", "1"))
def test_a_dav_listing_tells_no_more_than_that_of_a_stock_httpd(site, depth):
    masked, stock = (site.get("/list/", method="PROPFIND", host=host, headers=[("Depth", depth)])
                     for host in ("dav", "stock-dav"))
    assert masked.status == stock.status == 207
    assert masked.body == stock.body


def test_dav_never_touches_what_is_hidden(site):
    hidden = site.workdir / "docs/list/hidden.html"
    for method in ("PUT", "DELETE", "MKCOL", "PROPPATCH", "LOCK"):
        answer = site.get("/list/hidden.html", method=method, host="dav", headers=[("Content-Length", "0")])
        assert answer.status in (404, 405), method
    assert hidden.read_text() == "hidden\n"
    copied = site.get("/list/hidden.html", method="COPY", host="dav", headers=[("Destination", "/list/copied.html")])
    assert copied.status in (404, 405)
    assert not (site.workdir / "docs/list/copied.html").exists()


def test_a_method_that_is_not_allowed_is_no_refusal(site):
    """405 is not masked: in this directory it reveals nothing, as it does not depend on the file."""
    for path in ("/list/shown.html", "/list/absent.html"):
        assert site.get(path, method="POST", host="methods").status == 405
    assert site.get("/list/hidden.html", method="POST", host="methods").status == 405
    assert site.get("/list/hidden.html", host="methods").comparable() == site.get("/list/absent.html", host="methods").comparable()


def test_a_doorway_lets_people_in(site):
    missing = site.get("/absent", host="doorway")
    assert missing.status == 404
    assert site.get("/projects/page.html", host="doorway").comparable() == missing.comparable()
    assert site.get("/projects/page.html", login=sites.WRONG, host="doorway").comparable() == missing.comparable()
    door = site.get("/projects/login", host="doorway")
    assert door.status == 401 and "projects" in door.header("WWW-Authenticate")
    assert site.get("/projects/login", login=sites.WRONG, host="doorway").status == 401
    assert site.get("/projects/login", login=sites.GOOD, host="doorway").comparable() == missing.comparable()
    assert site.get("/projects/page.html", login=sites.GOOD, host="doorway").body == b"a project\n"


def test_who_is_allowed_in_sees_everything(site):
    assert site.get("/list/shown.html", host="masked").body == b"shown\n"
    assert re.match(rb"HTTP/1.1 200 ", site.get("/list/shown.html", method="HEAD", host="masked").raw)
    assert client.get(site.port, "/", host="masked").status == 200
