# SPDX-License-Identifier: Apache-2.0
"""Scripts that are hidden, beside scripts that are missing, where the module that runs them reports itself that there is no file:
with each method, before it runs anything. A module that is not installed with this httpd is skipped."""
import pytest

from lab.httpd import MODULES, SANITIZE, has_module

import probes
import sites
import test_differential as differential
from sites import Way

# Extensions of PHP cannot be loaded beside a sanitizer.
PHP = [] if SANITIZE else sorted(MODULES.glob("libphp*.so"))
# How httpd runs scripts with this ending: its module, lines of a virtual host.
RUN = {
    "php": ("php", '<FilesMatch "\\.php$">\nSetHandler application/x-httpd-php\n</FilesMatch>\n'),
    "php-add": ("php", "AddHandler application/x-httpd-php .php\nAcceptPathInfo On\n"),
    "php-source": ("php", "AddHandler application/x-httpd-php-source .php\n"),
    "wsgi": ("wsgi", "AddHandler wsgi-script .wsgi\n"),
    "wsgi-folder": ("wsgi", 'WSGIScriptAlias /run/ "${DOCS}/"\n'),
    "fcgi": ("fcgid", "AddHandler fcgid-script .fcgi\n"),
}
# Those whose scripts can be run here; each reveals that it was run.
RUNS = ("php", "php-add", "wsgi", "wsgi-folder")
SCRIPTS = {
    "php": "<?php header('X-Run: yes');\n",
    "wsgi": "def application(environ, start):\n    start('200 OK', [('X-Run', 'yes')])\n    return [b'run']\n",
    "fcgi": "#!/bin/sh\nprintf 'X-Run: yes\\n\\n'\n",
}
HIDDEN = """
<Directory "${DOCS}">
    Options +ExecCGI
</Directory>
<FilesMatch "^hidden\\.">
    Require all denied
</FilesMatch>
<Directory "${DOCS}/dirall">
    Require all denied
</Directory>
"""
SHAPES = [shape for shape in probes.SHAPES if shape.protocol != "HTTP/0.9" and (not SANITIZE or shape.name in probes.SOME)]


def is_there(module):
    return bool(PHP) if module == "php" else has_module(module)


def ending_of(name):
    return name.partition("-")[0]


def ways_of(name):
    ending, prefix = ending_of(name), "/run" if name == "wsgi-folder" else ""
    return [Way("a file", f"{prefix}/hidden.{ending}", "hidden", "absent"), Way("path info", f"{prefix}/hidden.{ending}/more/x", "hidden", "absent"),
            Way("a query", f"{prefix}/hidden.{ending}?a=b", "hidden", "absent"), Way("in a folder", f"{prefix}/dirall/page.{ending}", "dirall", "absent"),
            Way("none in a folder", f"{prefix}/dirall/none.{ending}", "dirall", "absent")]


@pytest.fixture(scope="module")
def site(start):
    hosts = [f'<VirtualHost 127.0.0.1:${{HTTP}}>\nServerName {name}\nDocumentRoot "${{DOCS}}"\nAuthStatus On\nAuthStatusMask Forbidden\n'
             f"{HIDDEN}{lines}</VirtualHost>" for name, (module, lines) in RUN.items() if is_there(module)]
    names = {"libphp7": "php7"}
    load = [f'LoadModule {names.get(path.stem[:7], "php")}_module "{path}"' for path in PHP[:1]]
    # The PHP of Debian is not made for threads.
    httpd = start.make("\n".join(load + hosts), mpm="prefork", modules=("wsgi", "fcgid"), files={
        f"{place}.{ending}": text for ending, text in SCRIPTS.items() for place in ("hidden", "dirall/page", "open")})
    for path in (httpd.workdir / "docs").rglob("*.fcgi"):
        path.chmod(0o755)
    return httpd.start()


@pytest.mark.parametrize("name", RUN)
def test_a_hidden_script_and_a_missing_one(request, name):
    module, _ = RUN[name]
    if not is_there(module):
        pytest.skip(f"this httpd has no mod_{module}")
    site = request.getfixturevalue("site")
    site.log.allow(".")
    if name in RUNS:
        assert site.get(ways_of(name)[0].path.replace("hidden", "open"), host=name).all("X-Run") == ["yes"]
    found = differential.over_http1(site.port, name, SHAPES, ways_of(name))
    print(found.exchanges, "exchanges")
    assert not found.found, str(found)
