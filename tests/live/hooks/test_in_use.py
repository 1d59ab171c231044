# SPDX-License-Identifier: Apache-2.0
"""Wherever the configuration turns AuthStatus On, it is on: the hooks of requests are there with the first directive, in
whatever section or .htaccess file it stands. Who is known and not allowed gets 403, and 401 from httpd alone."""
import pytest

from lab import client
from lab.httpd import MODULE, MODULES, PROGRAM, _who_serves, environment, has_module
from lab.process import Child, listens, reserve_port

ANN, WRONG = ("ann", "Pw!ann"), ("ann", "Pw!wrong")
USERS = "ann:{SHA}Fr6WPzsMNm2Gu4BkeZaSYqtoPCI=\n"
LOGIN = """
AuthType Basic
AuthName "the lab"
AuthUserFile "${WORKDIR}/docs/users"
Require user nobody
"""
IN = f'<Location "/in">{LOGIN}</Location>\n'

# name: (configuration, .htaccess, modules)
PLACES = {
    "server": (f"AuthStatus On\n{IN}", "", ()),
    "location": (f'{IN}<Location "/in">\nAuthStatus On\n</Location>', "", ()),
    "directory": (f'<Directory "${{DOCS}}/real">{LOGIN}AuthStatus On\n</Directory>', "", ()),
    "files": (f'{IN}<Files "index.html">\nAuthStatus On\n</Files>', "", ()),
    "if": (f'{IN}<If "true">\nAuthStatus On\n</If>', "", ()),
    "virtual host": (f'<VirtualHost *:*>\nAuthStatus On\nDocumentRoot "${{DOCS}}"\n{IN}</VirtualHost>', "", ()),
    "proxy": (f'ProxyPass "/real" "http://127.0.0.1:${{HTTP}}/elsewhere"\n<Proxy "http://127.0.0.1*">{LOGIN}AuthStatus On\n</Proxy>', "",
              ("proxy", "proxy_http")),
    "htaccess": (
        '<Directory "${DOCS}/real">\nAllowOverrideList AuthType AuthName AuthUserFile Require AuthStatus\n</Directory>',
        f"{LOGIN}AuthStatus On\n", ()),
}
OFF = {
    "nowhere": (IN, "", ()),
    "nowhere, with a directive elsewhere": (f'{IN}<Location "/elsewhere">\nAuthStatus On\n</Location>', "", ()),
}


def site_of(start, conf, htaccess, modules):
    files = {"real/index.html": "the page\n", "users": USERS}
    if htaccess:
        files["real/.htaccess"] = htaccess
    return start(conf, files=files, modules=modules)


def path_of(conf):
    return "/in/" if IN in conf else "/real/index.html"


@pytest.mark.parametrize("name", PLACES)
def test_on_wherever_it_stands(start, name):
    conf, htaccess, modules = PLACES[name]
    site = site_of(start, conf, htaccess, modules)
    site.log.expect("AH01631")
    site.log.expect("AH01617")
    for login, status, outcome in ((ANN, 403, "not-authorized"), (WRONG, 401, "denied"), (None, 401, "no-credentials")):
        answer = site.get(path_of(conf), login=login)
        assert (answer.status, site.access(answer).outcome) == (status, outcome)
    site.reload()
    assert site.get(path_of(conf), login=ANN).status == 403


@pytest.mark.parametrize("name", OFF)
def test_off_where_it_does_not_stand(start, name):
    conf, htaccess, modules = OFF[name]
    site = site_of(start, conf, htaccess, modules)
    site.log.expect("AH01631")
    answer = site.get("/in/", login=ANN)
    assert (answer.status, site.access(answer).outcome) == (401, "-")


def test_loaded_where_nobody_logs_in(workdirs):
    """A proxy or a server of pages has neither mod_authn_core nor mod_authz_core: chains of hooks that nobody is on."""
    workdir = workdirs.new("alone")
    (workdir / "reports").mkdir()
    (workdir / "reports").chmod(0o1777)
    port = reserve_port()
    lines = [f'LoadModule {name}_module "{MODULES}/mod_{name}.so"' for name in ("mpm_event", "unixd") if has_module(name)]
    lines += [f'LoadModule authstatus_module "{MODULE}"', f"Listen 127.0.0.1:{port}", "ServerName localhost", f'DefaultRuntimeDir "{workdir}"',
              f'PidFile "{workdir}/pid"', f'ErrorLog "{workdir}/error"', *_who_serves()]
    workdir.chmod(0o755)
    (workdir / "httpd.conf").write_text("\n".join(lines) + "\n")
    child = Child([PROGRAM, "-f", str(workdir / "httpd.conf"), "-DFOREGROUND"], workdir / "stderr", environment(workdir / "reports"))
    try:
        child.wait_until(lambda: listens(port), 30, "httpd")
        assert client.get(port, "/page").status == 500, "nobody says that it is allowed"
    finally:
        child.stop()
    assert "exit signal" not in (workdir / "error").read_text()
    assert not list((workdir / "reports").iterdir())
