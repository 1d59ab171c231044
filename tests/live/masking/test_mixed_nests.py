# SPDX-License-Identifier: Apache-2.0
"""Sections of all kinds in each other, with Require, AuthMerging and settings drawn at random: what is hidden answers as what
is missing in the innermost place that lets this client in, however many restrictions there are, and whichever of them refuse."""
import random

import pytest

from lab.client import basic

import sites

HOSTS = 60
# And with lines of mod_access_compat.
HOSTS_WITH_COMPAT = 40
TREE = ("aaaaa", "bbbbb", "ccccc", "ddddd")
KINDS = ('<Directory "${{DOCS}}{0}">\n{1}</Directory>\n', '<Location "{0}">\n{1}</Location>\n', '<LocationMatch "^{0}(/|$)">\n{1}</LocationMatch>\n',
         '<DirectoryMatch "^${{DOCS}}{0}(/|$)">\n{1}</DirectoryMatch>\n', '<If "%{{REQUEST_URI}} =~ m#^{0}(/|$)#">\n{1}</If>\n')
LINES = ("Require all denied\n", "Require all granted\n", "Require user ann\n", "Require user bob\n", "Require user ann bob\n", "Require valid-user\n",
         "<RequireAny>\nRequire user ann\nRequire ip 192.0.2.1\n</RequireAny>\n", "<RequireAll>\nRequire user bob\nRequire not ip 127.0.0.1\n</RequireAll>\n", "", "")
COMPAT = ("Order deny,allow\nDeny from all\n", "Order deny,allow\nDeny from all\nSatisfy Any\n", "Satisfy Any\n", "Order allow,deny\nAllow from all\n", "Order allow,deny\nAllow from all\nSatisfy Any\n", "Satisfy All\n")
# The last has what no base64 has.
HEADERS = {"nobody": None, "ann": basic("ann", "password"), "bob": basic("bob", "password"), "unreadable": basic("ann", "password") + b"!"}
HOST = """
<VirtualHost 127.0.0.1:${{HTTP}}>
    ServerName host{number}
    DocumentRoot "${{DOCS}}"
    AuthStatus On
    AuthStatusMask All
    <Location />
        AuthType Basic
        AuthName "the lab"
        AuthUserFile "${{WORKDIR}}/users"
    </Location>
{sections}
</VirtualHost>
"""


def sections(draw, compat):
    for depth, name in enumerate(TREE, 1):
        for _ in range(draw.choice((0, 1, 1, 1, 2))):
            lines = draw.choice(LINES)
            if lines and draw.random() < 0.4:
                lines += f"AuthMerging {draw.choice(('And', 'Or', 'Off'))}\n"
            if compat and draw.random() < 0.4:
                lines += draw.choice(COMPAT)
            if draw.random() < 0.5:
                lines += f'ErrorDocument 404 "page {draw.randrange(10 ** 6)} of {name}"\nHeader always set X-{name} yes\n'
            yield draw.choice(KINDS).format("/" + "/".join(TREE[:depth]), lines)


@pytest.fixture(scope="module")
def site(start):
    draws = [random.Random(number) for number in range(HOSTS + HOSTS_WITH_COMPAT)]
    httpd = start.make("".join(HOST.format(number=number, sections="".join(sections(draw, number >= HOSTS))) for number, draw in enumerate(draws)),
                       modules=("access_compat",), files={"/".join(TREE[:depth]) + "/page.html": "x\n" for depth in range(1, 5)})
    # "password"
    (httpd.workdir / "users").write_text("".join(f"{user}:{sites.USERS.split(':', 1)[1]}" for user in ("ann", "bob")))
    httpd.start()
    return httpd


def answer(site, host, header, names, rest):
    return site.get("/" + "/".join((*names, rest)), host=host, authorization=header)


@pytest.mark.parametrize("user", HEADERS)
@pytest.mark.parametrize("number", range(HOSTS + HOSTS_WITH_COMPAT))
def test_nest(site, number, user):
    site.log.allow(r"AH\d{5}: ", "AS00")
    host, header = f"host{number}", HEADERS[user]
    allowed = [True] + [answer(site, host, header, TREE[:depth], "page.html").status == 200 for depth in range(1, 5)]
    for depth in range(1, 5):
        if allowed[depth]:
            continue
        names = list(TREE[:depth])
        twin = [*names]
        twin[max(outer for outer in range(depth) if allowed[outer])] = "zzzzz"
        for rest in ("page.html", "none/x.css", ""):
            hidden, missing = (answer(site, host, header, each, rest) for each in (names, twin))
            assert hidden.comparable() == missing.comparable(), (names, rest, allowed)
