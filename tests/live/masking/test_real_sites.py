# SPDX-License-Identifier: Apache-2.0
"""A hidden place in configurations as real sites have them (real_sites.py), against a missing one of the same shape."""
import itertools

import pytest

import real_sites
import sites
import test_attacks as attacks
import test_differential as differential
import test_modules

MODULES = (*sites.modules_for("event"), *(name for name in test_modules.loaded() if name not in sites.modules_for("event")), "security2")
NUMBER = {name: f"real{number}" for number, name in enumerate(real_sites.REAL)}
METHODS = ("GET", "HEAD", "POST", "PUT", "OPTIONS")
# The request, and what comes with it.
REQUESTS = {
    "": "\r\n",
    "accept": "Accept-Encoding: gzip, br\r\nAccept-Language: de, en\r\nX-Forwarded-For: 198.51.100.7\r\nIf-None-Match: *\r\nRange: bytes=0-1\r\n\r\n",
    "expect": "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nabcde",
}

def hosts():
    for name, (lines, _) in real_sites.REAL.items():
        yield (f'<VirtualHost 127.0.0.1:${{HTTP}}>\nServerName {NUMBER[name]}\nProtocols h2c http/1.1\nDocumentRoot "${{DOCS}}"\nAuthStatus On\n'
               f"AuthStatusMask Forbidden\n{sites.SECTIONS.format(more=lines)}\n</VirtualHost>")


@pytest.fixture(scope="module")
def site(start):
    text = "\n".join(itertools.chain(['<VirtualHost 127.0.0.1:${BACK}>\nServerName back\nDocumentRoot "${WORKDIR}/back"\n</VirtualHost>'], hosts()))
    httpd = start.make(text, modules=MODULES, listen=("HTTP", "BACK"), files=real_sites.FILES)
    real_sites.furnish(httpd)
    httpd.start()
    return httpd


@pytest.fixture(autouse=True)
def httpds_own_lines(site):
    site.log.allow(".")


@pytest.mark.parametrize("name", real_sites.REAL)
def test_real_site(site, name):
    ways, by_program = real_sites.REAL[name][1] or attacks.FEW, name in real_sites.BY_PROGRAM
    # A program that does not read a body ends before it has come.
    requests = {what: request for what, request in REQUESTS.items() if not (by_program and what == "expect")}
    attacks.compare(site, NUMBER[name], [(f"{method} {what}", way, *attacks.question(attacks.HEAD + request, method, NUMBER[name], way))
                                         for way in ways for what, request in requests.items() for method in differential.methods_of(way, METHODS)],
                    by_program=by_program)


@pytest.mark.parametrize("name", real_sites.REAL)
def test_real_site_over_http2(site, name):
    attacks.over_http2(site, NUMBER[name], [(f"h2 {method}", way, method, more) for way in real_sites.REAL[name][1] or attacks.FEW
                                            for more in ({}, {"accept-encoding": "gzip, br"})
                                            for method in differential.methods_of(way, ("GET", "POST", "PUT"))], by_program=name in real_sites.BY_PROGRAM)


@pytest.mark.parametrize("method", ("GET", "POST"))
def test_mod_security_does_not_log_a_second_pass(site, needs_module, method):
    """Its hooks have seen the request; in a pass as a decoy they would log that they see it again, with the decoy's name."""
    needs_module("security2")
    for path in ("/modsec/x.html", "/dirall/page.html", "/absent/page.html"):
        answer = site.get(path, method=method, host=NUMBER["ModSecurity"])
        assert answer.status == 404 and site.access(answer).status == "404"
    assert not [line for line in site.log.lines() if "more than once" in line.text]
