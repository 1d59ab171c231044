# SPDX-License-Identifier: Apache-2.0
"""The rule of three values in httpd: random trees of Require lines, some of which a directory cannot answer, against a
brute-force evaluation of every assignment of values to those."""
import itertools
import random
from pathlib import Path

import pytest

from lab.process import reserve_port
from lab.slapd import Database

HERE = Path(__file__).parent
RIGHT = "Pw!right"
BASE = "o=authz"
TREES = 150
# More of them, with what is asked before a login, and in two sections that are merged.
EARLY, MERGED, MIXED = 60, 60, 150

# A line, and what it is for ann. Each alias has a directory of its own.
YES = [f"ldap-group cn=staff,{BASE}", "user ann", "ldap-user ann", f"ldap-dn uid=ann,{BASE}"]
NO = [f"ldap-group cn=others,{BASE}", "user bob", "ldap-user bob", "method OPTIONS"]
DOWN = [f"down{number}" for number in range(3)]
ILL = [f"ill{number}" for number in range(2)]
MISSING = [f"ldap-group cn=missing{number},{BASE}" for number in range(2)]
# ldap-search, asked before a login.
SEARCH_YES, SEARCH_NO, SEARCH_DOWN = SEARCHES = ("search-yes", "search-no", "search-down")
# Of other modules: before a login too, and behind one.
ANYBODY, NOBODY = ["ip 127.0.0.1", "method GET", "expr true"], ["ip 10.9.8.7", "expr false", "env none"]
SOMEBODY = ["valid-user", "group somebody"]

SITE = """
LogLevel warn authstatus:debug
<AuthnProviderAlias authstatus login>
    Use Directory "ldap://127.0.0.1:${LDAP}" o=authz
</AuthnProviderAlias>
"""
ALIAS = """
<AuthzProviderAlias ldap-group %s cn=%s,o=authz>
    AuthLDAPURL "ldap://127.0.0.1:%s/o=authz?uid"
    AuthLDAPBindDN "cn=service,o=authz"
    AuthLDAPBindPassword "%s"
</AuthzProviderAlias>
"""


class Tree:
    """A container or a line. httpd takes a negation in RequireAll alone, beside something that is none."""

    def __init__(self, kind, children=(), line=None, negated=False):
        self.kind, self.children, self.line, self.negated = kind, children, line, negated

    def lines(self):
        return [self.line] if self.line else [line for child in self.children for line in child.lines()]

    def written(self, indent=8):
        space = " " * indent
        if self.line:
            return f"{space}Require {'not ' if self.negated else ''}{self.line}\n"
        return (f"{space}<Require{self.kind}>\n" + "".join(child.written(indent + 4) for child in self.children)
                + f"{space}</Require{self.kind}>\n")

    def value(self, values, met=None):
        """True: granted; False: denied; None: says nothing. Adds to `met` the lines that were evaluated: httpd ends a container at
        the child that decides it."""
        if self.line:
            value = values[self.line]
            if met is not None:
                met.add(self.line)
        else:
            value = None
            for child in self.children:
                told = child.value(values, met)
                if told is None:
                    continue
                value = told
                if told == (self.kind != "All"):
                    break
        if self.negated or self.kind == "None":
            return False if value else None
        return value


def grow(rng, depth, in_all, line_of):
    if depth and rng.random() < 0.45:
        kind = rng.choice(["All", "Any"])
        children = [grow(rng, depth - 1, kind == "All", line_of) for _ in range(rng.randint(1, 4))]
        if kind == "All" and all(is_negation(child) for child in children):
            children.append(Tree("line", line=line_of()))
        return Tree(kind, children)
    if in_all and depth and rng.random() < 0.15:
        return Tree("None", [grow(rng, depth - 1, False, line_of) for _ in range(rng.randint(1, 3))])
    return Tree("line", line=line_of(), negated=in_all and rng.random() < 0.3)


def is_negation(tree):
    return tree.negated or tree.kind == "None"


def grow_root(rng, depth, most, lines):
    """A tree of these lines with at most so many children. Not all are negations, so that httpd takes it."""
    kind = rng.choice(["All", "Any"])
    children = [grow(rng, depth, kind == "All", lambda: rng.choice(lines)) for _ in range(rng.randint(1, most))]
    if all(is_negation(child) for child in children):
        children.append(Tree("line", line="user ann"))
    return Tree(kind, children)


def random_tree(seed, early=False, mixed=False):
    rng = random.Random(seed)
    lines = rng.choice([YES + NO + DOWN, YES + NO + ILL, YES + NO + MISSING, YES + NO + DOWN + ILL + MISSING])
    if early:
        lines = lines + 2 * [SEARCH_YES, SEARCH_NO, SEARCH_DOWN]
    if mixed:
        # Any value of any kind, with as many lines in doubt as of the others together.
        lines = [*YES, *NO, *ANYBODY, *NOBODY, *SOMEBODY, *2 * (DOWN + ILL + MISSING), SEARCH_YES, SEARCH_DOWN]
        lines = rng.sample(lines, rng.randint(3, 12))
    return grow_root(rng, 3, 4, lines)


def results(tree, varied, fixed):
    return {tree.value(fixed | dict(zip(varied, values))) is True
            for values in itertools.product((False, True), repeat=len(varied))}


def query_before_login(tree, values):
    """As value(), where httpd asks without a user: "user" for what needs one, and could change the result. A negation of that
    says nothing."""
    if tree.line:
        value = values[tree.line] if tree.line in (*ANYBODY, *NOBODY, *SEARCHES, "method OPTIONS") else "user"
    else:
        value = None
        decides = tree.kind != "All"
        for child in tree.children:
            told = query_before_login(child, values)
            if told is decides:
                value = told
                break
            if told is not None and (value is None or told == "user"):
                value = told
    if tree.negated or tree.kind == "None":
        return False if value is True else None
    return value


def expected(tree):
    """The statuses that may be answered."""
    used = set(tree.lines())
    fixed = dict.fromkeys([*YES, *ANYBODY, *SOMEBODY, SEARCH_YES], True) | dict.fromkeys([*NO, *NOBODY, *MISSING, SEARCH_NO], False)
    unknown = [line for line in [*DOWN, *ILL, SEARCH_DOWN] if line in used]
    early = {query_before_login(tree, fixed | {SEARCH_DOWN: down}) for down in (False, True)}
    if early <= {True, False}:
        return {503} if len(early) == 2 else {200} if early == {True} else {403}
    told = results(tree, unknown, fixed)
    if told == {False}:
        return {403}
    if told == {True}:
        varied = unknown + [line for line in MISSING if line in used]
        return {200} if results(tree, varied, fixed) == {True} else {500}
    # An outage before a misconfiguration, of the lines that were met: with all unknown ones as yes, and as no.
    met, ends = set(), set()
    for value in (True, False):
        ends.add(tree.value(fixed | dict.fromkeys(unknown, value), met) is True)
    if met & {*DOWN, SEARCH_DOWN}:
        return {503}
    # Where these two agree others were tried, which may have met more.
    return {500} if len(ends) == 2 or not used & {*DOWN, SEARCH_DOWN} else {500, 503}


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database(BASE, HERE / "people.ldif"))


@pytest.fixture(scope="module")
def trees():
    return ({f"/in/tree{seed}": random_tree(seed) for seed in range(TREES)}
            | {f"/in/early{seed}": random_tree(seed, early=True) for seed in range(1000, 1000 + EARLY)}
            | {f"/in/mixed{seed}": random_tree(seed, mixed=True) for seed in range(3000, 3000 + MIXED)})


@pytest.fixture(scope="module")
def merged():
    """Path: what stands in the outer section, how the inner one merges, and what stands in that."""
    return {f"/in/merged{seed}/in": (random_tree(seed), ("And", "Off")[seed % 2], random_tree(seed + 5000))
            for seed in range(2000, 2000 + MERGED)}


def merge(outer, how, inner):
    """AuthMerging Or would take in what <Directory> grants: httpd merges sections of one kind first."""
    return inner if how == "Off" else Tree("All", [outer, inner])


@pytest.fixture(scope="module")
def site(start, slapd, trees, merged):
    dead = reserve_port()
    conf = SITE + "".join(ALIAS % (name, name, dead, "Pw!service") for name in DOWN)
    conf += "".join(ALIAS % (name, name, "${LDAP}", "Pw!wrong") for name in ILL)
    conf += "".join(ALIAS.replace("ldap-group %s cn=%s,o=authz", f"ldap-search {name} (uid={uid})") % (port, "Pw!service")
                    for name, uid, port in zip(SEARCHES, ("ann", "nobody", "ann"), ("${LDAP}", "${LDAP}", dead)))
    for path, tree in trees.items():
        conf += (f'<Location "{path}">\n        AuthType Basic\n        AuthName "the lab"\n'
                 "        AuthBasicProvider login\n        AuthStatus On\n        AuthGroupFile \"${WORKDIR}/groups\"\n"
                 f"{tree.written()}</Location>\n")
    for path, (outer, how, inner) in merged.items():
        conf += (f'<Location "{path.rpartition("/")[0]}">\n        AuthType Basic\n        AuthName "the lab"\n'
                 f"        AuthBasicProvider login\n        AuthStatus On\n{outer.written()}</Location>\n"
                 f'<Location "{path}">\n        AuthMerging {how}\n{inner.written()}</Location>\n')
    httpd = start.make(conf, defines={"LDAP": slapd.port}, modules=("authz_groupfile",))
    (httpd.workdir / "groups").write_text("somebody: ann\n")
    return httpd.start()


def test_the_trees_are_of_every_kind(trees):
    """A generator that makes one kind of tree alone would prove nothing."""
    statuses = [frozenset(expected(tree)) for tree in trees.values()]
    assert {frozenset({status}) for status in (200, 403, 500, 503)} <= set(statuses)
    assert all(statuses.count(frozenset({status})) >= 5 for status in (200, 403, 500, 503))


def check(site, path, tree):
    site.log.allow("AS0032", "AS0050", "AS0060", "AS0062", "AH0163[01]", "AS0094")
    answer = site.get(path, login=("ann", RIGHT))
    record = site.access(answer)
    told = [line.text for line in site.log.of(answer.row)]
    evidence = f"{tree.written()}\n{answer}\n" + "\n".join(told)
    assert answer.status in expected(tree), evidence
    assert not answer.all("WWW-Authenticate"), evidence
    # httpd's own line of a refusal is there once for a refusal, and never for want of an answer.
    # What is refused for every user is refused before a login, and so is granted what a search grants.
    assert sum("AH01631" in line or "AH01630" in line for line in told) == (answer.status == 403), evidence
    assert bool(answer.all("Retry-After")) == (answer.status == 503), evidence
    without_login = {*SEARCHES, *ANYBODY, *NOBODY} & set(tree.lines())
    assert answer.status != 200 or record.outcome == "granted" or without_login, evidence
    assert answer.status != 403 or record.outcome in ("not-authorized", "access-denied"), evidence
    return evidence


@pytest.mark.parametrize("path", [*(f"/in/tree{number}" for number in range(TREES)),
                                  *(f"/in/early{number}" for number in range(1000, 1000 + EARLY)),
                                  *(f"/in/mixed{number}" for number in range(3000, 3000 + MIXED))])
def test_tree(site, slapd, trees, path):
    tree = trees[path]
    mark = slapd.mark()
    evidence = check(site, path, tree)
    # However many runs there were, no line was asked twice: a compare for each of two attributes.
    compares = sum(" CMP " in line for line in slapd.lines(mark))
    assert compares <= 2 * len({line for line in tree.lines() if line.startswith("ldap-group")}) + 2, evidence


@pytest.mark.parametrize("number", range(2000, 2000 + MERGED))
def test_merged(site, merged, number):
    path = f"/in/merged{number}/in"
    check(site, path, merge(*merged[path]))
