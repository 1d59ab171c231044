# SPDX-License-Identifier: Apache-2.0
"""Probes of what test_attacks.py and test_real_sites.py do not have: rows of probed_sites.py, each against a missing one of
the same shape."""
import itertools

import pytest

import probed_sites
import sites
import test_attacks as attacks
import test_differential as differential
import test_real_sites as real

NUMBER = {name: f"probed{number}" for number, name in enumerate(probed_sites.SITES)}
METHODS = ("GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE")
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
# What is sent behind the request line and Host, and by which methods.
REQUESTS = {
    "": ("\r\n", METHODS),
    "trailers": ("Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", METHODS),
    "web socket": ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n", ("GET",)),
    "no form": ("Content-Type: application/json\r\nContent-Length: 5\r\n\r\n[1,2]", METHODS),
    "form": (FORM + "Content-Length: 5\r\n\r\na=b&c", ("GET", "POST", "PUT")),
    "form, expected": ("Expect: 100-continue\r\n" + FORM + "Content-Length: 5\r\n\r\na=b&c", METHODS),
    "form, login": (FORM + "Content-Length: 42\r\n\r\nhttpd_username=bob&httpd_password=password", ("POST",)),
    "form, login, trailers": (FORM + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2a\r\nhttpd_username=bob&httpd_password=password\r\n0\r\nX-T: 1\r\n\r\n", ("POST",)),
    "form, too large": (FORM + "Content-Length: 9000\r\n\r\na=" + "b" * 8998, ("POST",)),
    "form, broken": (FORM + "Transfer-Encoding: chunked\r\n\r\nzz\r\na=b\r\n0\r\n\r\n", ("POST", "PUT")),
}


def hosts():
    for name, (lines, _) in probed_sites.SITES.items():
        yield (f'<VirtualHost 127.0.0.1:${{HTTP}}>\nServerName {NUMBER[name]}\nProtocols h2c http/1.1\nDocumentRoot "${{DOCS}}"\nAuthStatus On\n'
               f"AuthStatusMask Forbidden\n{sites.SECTIONS.format(more=lines)}\n{probed_sites.SITES_EVERYWHERE}</VirtualHost>")


@pytest.fixture(scope="module", params=("event", "worker", "prefork"))
def site(request, start):
    text = "\n".join(itertools.chain(['<VirtualHost 127.0.0.1:${BACK}>\nServerName back\nDocumentRoot "${WORKDIR}/back"\n</VirtualHost>'], hosts()))
    modules = [name for name in real.MODULES if name != "unique_id" and not (request.param == "prefork" and name in ("cgid", "http2", "proxy_http2"))]
    application = probed_sites.FastCgi()
    request.addfinalizer(application.close)
    httpd = start.make(text, mpm=request.param, modules=(*modules, *(("cgi",) if request.param == "prefork" else ()), "ssl", "auth_form", "request", "userdir"),
                       listen=("HTTP", "BACK"), defines={"FCGI": application.port}, files=sites.FILES | probed_sites.FILES)
    probed_sites.furnish(httpd)
    httpd.start()
    return httpd


@pytest.fixture(autouse=True)
def httpds_own_lines(site):
    site.log.allow(".")


def requests_of(name):
    """A program that does not read a body ends before it has come."""
    return [(what, request) for what, request in REQUESTS.items() if not what or name not in probed_sites.BY_PROGRAM]


@pytest.mark.parametrize("name", probed_sites.SITES)
def test_probe(site, name):
    ways = probed_sites.SITES[name][1]
    ways = attacks.FEW if ways is None else ways
    attacks.compare(site, NUMBER[name], [(f"{method} {what}", way, *attacks.question(attacks.HEAD + request, method, NUMBER[name], way))
                                         for way in ways for what, (request, methods) in requests_of(name) for method in differential.methods_of(way, methods)],
                    by_program=name in probed_sites.BY_PROGRAM)


@pytest.mark.parametrize("name", probed_sites.SITES)
def test_probe_over_http2(site, name):
    if site.mpm == "prefork":
        pytest.skip("prefork has no HTTP/2")
    ways = probed_sites.SITES[name][1]
    attacks.over_http2(site, NUMBER[name], [(f"h2 {method}", way, method, {}) for way in (attacks.FEW if ways is None else ways)
                                            for method in differential.methods_of(way, ("GET", "POST", "PUT"))], by_program=name in probed_sites.BY_PROGRAM)
