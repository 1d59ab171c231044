# SPDX-License-Identifier: Apache-2.0
"""The rule of three values where trees of Require lines stand in .htaccess files, and where a page asks for others: DirectoryIndex,
an internal redirect, subrequests of mod_include, each with a section of its own. One group may not be looked into."""
import random
import re

import pytest

from lab.process import reserve_port
from lab.slapd import Database, Slapd
from test_merged_trees import EXPRESSION_NO, EXPRESSION_YES, HEAD, STAFF, judge
from test_rows import Text, group
from test_three_values import ALIAS, BASE, DOWN, HERE, ILL, MISSING, NO, RIGHT, SITE, YES, Tree, grow_root

HIDDEN = f"ldap-group cn=hidden,{BASE}"
TREES, PAGE = 48, 8


def random_tree(seed):
    rng = random.Random(seed)
    lines = rng.sample([*YES, *NO, *EXPRESSION_YES, *EXPRESSION_NO], 6)
    lines += 4 * rng.choice([[HIDDEN], [HIDDEN], [HIDDEN, *DOWN], DOWN[:1], MISSING])
    return grow_root(rng, 2, 3, lines)


def expected(tree):
    """A group that may not be looked into is unknown, as a directory that refuses the service account is."""
    def translated(one):
        return Tree(one.kind, [translated(child) for child in one.children], ILL[0] if one.line == HIDDEN else one.line, one.negated)
    return judge(translated(tree))


def made():
    """(text of the configuration, files, {name of a folder: statuses that may be answered})"""
    text, files, cases, pages = "", {}, {}, []
    for seed in range(9000, 9000 + TREES):
        outer, inner, name = random_tree(seed), random_tree(seed + 500), f"tree{seed}"
        merging = ("Off", "And")[seed % 2]
        files[f"files/{name}/.htaccess"] = f"AuthMerging {merging}\n{inner.written()}"
        files[f"files/{name}/index.html"] = f"[{name}]\n"
        text += f'<Directory "${{DOCS}}/files/{name}">\n    AllowOverride AuthConfig\n{HEAD}{outer.written()}</Directory>\n'
        cases[name] = expected(inner if merging == "Off" else Tree("All", [outer, inner]))
        pages.append(f'<!--#include virtual="/files/{name}/index.html" -->\n')
    for number in range(TREES // PAGE):
        files[f"pages/{number}.shtml"] = "".join(pages[number * PAGE:(number + 1) * PAGE])
    return text, files, cases


TEXT, FILES, CASES = made()
INCLUDES = """AddOutputFilter INCLUDES .shtml
RewriteEngine On
RewriteRule ^/rewritten/(.*)$ /files/$1/index.html [PT]
<Directory "${DOCS}/pages">
    Options +Includes
</Directory>
"""


def test_the_cases_are_of_every_kind():
    assert {frozenset({status}) for status in (200, 403, 500, 503)} <= {frozenset(statuses) for statuses in CASES.values()}


@pytest.fixture(scope="module")
def slapd(workdirs):
    text = (HERE / "people.ldif").read_text().rstrip("\n") + "\n\n" + group("hidden", f"uid=ann,{BASE}", base=BASE)
    slapd = Slapd(workdirs.new("slapd-trees"), [Database(BASE, Text(text))])
    slapd.configuration.write_text(slapd.configuration.read_text().replace(
        "access to * by users read by * none",
        f'access to dn.exact="cn=hidden,{BASE}" attrs=member by * none\naccess to * by users read by * none', 1))
    slapd.start()
    yield slapd
    slapd.stop()


@pytest.fixture(scope="module")
def site(start, slapd):
    conf = SITE + STAFF + "".join(ALIAS % (name, name, reserve_port(), "Pw!service") for name in DOWN) + INCLUDES + TEXT
    httpd = start.make(conf, defines={"LDAP": slapd.port}, files=FILES, modules=("authz_groupfile", "include", "rewrite"))
    (httpd.workdir / "groups").write_text("somebody: bob\n")
    return httpd.start()


ALLOWED = ("AS0032", "AS0050", "AS0060", "AS0062", "AS0094", "AH0163[01]", "AH01629", "AH01797", "unable to include")


@pytest.mark.parametrize("name", CASES)
def test_tree(site, name):
    """The folder, whose index is found by a subrequest; the file; and the file by another name."""
    site.log.allow(*ALLOWED)
    for path in (f"/files/{name}/", f"/files/{name}/index.html", f"/rewritten/{name}"):
        answer = site.get(path, login=("ann", RIGHT))
        told = [line.text for line in site.log.of(answer.row)]
        assert answer.status in CASES[name], (path, CASES[name], answer, told, FILES[f"files/{name}/.htaccess"])
        assert not answer.all("WWW-Authenticate") and bool(answer.all("Retry-After")) == (answer.status == 503)


@pytest.mark.parametrize("number", range(TREES // PAGE))
def test_page_of_others(site, number):
    """Whatever one subrequest met, the others are decided for themselves."""
    site.log.allow(*ALLOWED)
    body = site.get(f"/pages/{number}.shtml", login=("ann", RIGHT)).body.decode()
    got = re.findall(r"\[(tree\d+|an error occurred)", body)
    names = [*CASES][number * PAGE:(number + 1) * PAGE]
    assert got == [name if CASES[name] == {200} else "an error occurred" for name in names], body
