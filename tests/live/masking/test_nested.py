# SPDX-License-Identifier: Apache-2.0
"""Restrictions in restrictions, each with settings of its own: who is let into some of them gets, for what is hidden in
the last one that lets him in, the settings that a missing resource has there."""
import itertools

import pytest

import sites

LEVELS = 5
TREE = ["open"] + [f"level{number}" for number in range(1, LEVELS + 1)]
# What restricts a level: a directory, a location, or a file of its own.
SECTIONS = {
    "directories": '<Directory "${{DOCS}}{path}">\n{lines}</Directory>\n',
    "locations": '<Location "{path}">\n{lines}</Location>\n',
    "patterns": '<LocationMatch "^{path}(/|$)">\n{lines}</LocationMatch>\n',
}
SETTINGS = 'ErrorDocument 404 "the page of {name}"\nHeader always set X-Level "{name}"\nHeader always add X-{name} yes\n'
LOGIN = 'AuthType Basic\nAuthName "the lab"\nAuthUserFile "${WORKDIR}/users"\n'
# Who is let in by the first so many levels.
USERS = [None] + [f"user{number}" for number in range(LEVELS + 1)]
HOST = """
<VirtualHost 127.0.0.1:${{HTTP}}>
    ServerName {name}
    DocumentRoot "${{DOCS}}"
    AuthStatus On
    AuthStatusMask {mask}
    ErrorDocument 404 "the page of the host"
{sections}
</VirtualHost>
"""


def sections(kind, granted, depth):
    path = ""
    for number, name in enumerate(TREE[:depth + 1]):
        path += "/" + name
        lines = SETTINGS.format(name=name)
        if number:
            lines += LOGIN + "Require user " + " ".join(f"user{user}" for user in range(number, LEVELS + 1)) + "\n"
        elif granted:
            lines += "Require all granted\n"
        yield SECTIONS[kind].format(path=path, lines=lines)


HOSTS = {f"{kind}-{depth}-{'granted' if granted else 'open'}": (kind, granted, depth)
         for kind, granted, depth in itertools.product(SECTIONS, (False, True), (1, 2, 3, LEVELS))}


@pytest.fixture(scope="module")
def site(start):
    text = "".join(HOST.format(name=name, mask="All", sections="".join(sections(*what))) for name, what in HOSTS.items())
    httpd = start.make(text, files={"/".join(TREE) + "/page.html": "hidden\n"})
    # user0 to user5, "password"
    (httpd.workdir / "users").write_text("".join(f"user{number}:{sites.USERS.split(':', 1)[1]}" for number in range(LEVELS + 1)))
    httpd.start()
    return httpd


@pytest.fixture(autouse=True)
def httpds_own_lines(site):
    site.log.allow(r"AH\d{5}: ", "AS00")


def depth_of(user):
    return int(user[-1]) if user else 0


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("method", ("GET", "PUT", "OPTIONS"))
def test_settings(site, host, user, method):
    depth, passed = HOSTS[host][2], depth_of(user)
    if passed >= depth:
        pytest.skip("let in")
    for rest in ("page.html", "none/deep.css", ""):
        path = "/" + "/".join([*TREE[:depth + 1], rest])
        twin = path.replace(TREE[passed + 1], "missing"[:len(TREE[passed + 1])])
        hidden, missing = (site.get(each, method=method, login=user and (user, "password"), host=host) for each in (path, twin))
        assert missing.header("X-Level") == TREE[passed]
        assert hidden.comparable() == missing.comparable(), path
