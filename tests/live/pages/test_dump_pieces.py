# SPDX-License-Identifier: Apache-2.0
"""httpd -t -D DUMP_AUTHSTATUS of a section that is written several times: its lines of Require as httpd merges them."""
import re

import pytest

from test_dump import LOGIN, dump, warnings  # noqa: F401: a fixture

SITE = LOGIN.replace("Require valid-user", "")
LINE = re.compile(r"^    require +(.*): answered by", re.M)
REPLACED = re.compile(r"Require (.*) \(.*\) has no effect: (<\S+ \S+>) \(")


def section(lines, name="/x"):
    return f"<Location {name}>\n{lines}\n</Location>\n"


@pytest.mark.parametrize("second, expected, replaced", [
    ("AuthStatusRetryAfter 1min", ["ldap-user ann"], []),
    ("Require ldap-user bob", ["ldap-user bob"], ["ldap-user ann"]),
    ("Require all denied", [], ["ldap-user ann"]),
    ("AuthMerging Off\nRequire ldap-user bob", ["ldap-user bob"], ["ldap-user ann"]),
    ("AuthMerging Or\nRequire ldap-user bob", ["ldap-user ann", "ldap-user bob"], []),
    ("AuthMerging And\n<RequireAll>\nRequire ldap-user bob\n</RequireAll>", ["ldap-user ann", "ldap-user bob"], []),
])
def test_lines_of_a_second_piece(dump, second, expected, replaced):
    text = dump(section(SITE + "Require ldap-user ann") + section(second))
    assert LINE.findall(text) == expected, text
    assert REPLACED.findall(text) == [(line, "<Location /x>") for line in replaced], text


def test_merging_off_without_lines(dump):
    text = dump(section(SITE + "Require ldap-user ann") + section("AuthMerging Off"))
    assert not LINE.findall(text) and "has no effect: AuthMerging Off in a section that applies later removes it" in text, text


def test_a_section_that_comes_later(dump):
    """<Location /> applies to /x as well, and after it."""
    text = dump(section(SITE + "Require ldap-user ann") + section("Require ldap-user bob", "/"))
    assert REPLACED.findall(text) == [("ldap-user ann", "<Location />")], text
    text = dump(section("Require ldap-user bob", "/") + section(SITE + "Require ldap-user ann"))
    assert LINE.findall(text) == ["ldap-user bob", "ldap-user ann"] and not REPLACED.findall(text), text


def test_an_expression_may_apply_to_a_part_alone(dump):
    text = dump(section(SITE + "Require ldap-user ann") + "<LocationMatch ^/x$>\nRequire ldap-user bob\n</LocationMatch>\n")
    assert "ldap-user ann" in LINE.findall(text) and not REPLACED.findall(text), text


def test_doubts_about_a_second_piece(dump):
    text = dump(section(SITE + "Require ldap-user ann") + section("Require all granted\nRequire valid-user\nAuthLDAPURL ldaps://c/dc=x"))
    found = [warning for warning in warnings(text) if "Basic without TLS" not in warning]
    assert [start for start in ("one line of Require is enough", "AuthLDAPURL (", "Require ldap-user ann (")
            if not any(warning.startswith(start) for warning in found)] == [] and len(found) == 3, text


@pytest.mark.parametrize("second, status", [("Require all granted", 200), ("AuthMerging And\nRequire all granted", 403),
                                            ("AuthMerging Or\nRequire all granted", 200), ("AuthMerging Off", 200)])
def test_httpd_merges_so(start, second, status):
    site = start(section("Require all denied", "/index.html") + section(second, "/index.html"), cache=None)
    site.log.allow("AH01630")
    assert site.get("/index.html").status == status
