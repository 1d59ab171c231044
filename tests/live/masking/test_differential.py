# SPDX-License-Identifier: Apache-2.0
"""A forbidden resource and a missing one: the same octets, whatever the refusal and the request."""
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import pytest

from lab import raw
from lab.httpd import SANITIZE
from lab.client import get

import probes
import sites

# Sanitizers look at what is done, not at what is answered: a host of each kind will do for them.
HOSTS = ("plain", "all", "page", "guess", "logged-in") if SANITIZE else tuple(sites.HOSTS)
# What no two answers share.
EPHEMERAL = [
    (re.compile(rb"track=[^;\r\n]*"), b"track="),
    (re.compile(rb"expiry=[0-9]+"), b"expiry="),
    (re.compile(rb"(DATE_LOCAL|DATE_GMT|REMOTE_PORT|H2_STREAM_ID|H2_STREAM_TAG)=[^\r\n]*"), rb"\1="),
]
# Whether a program has ended when its output is read is a race, and decides how httpd frames it.
FRAMING = [
    (re.compile(rb"(?i)(transfer-encoding: chunked|content-length: [0-9]+)\r?\n"), b""),
    (re.compile(rb"\r\n[0-9a-f]+\r\n"), b"\n"),
    (re.compile(rb"[\r\n]+"), b"\n"),
]


def comparable(answer, way, by_program):
    """An answer in which the resource that it is about has the name of the missing one."""
    for name, twin in {(way.part, way.twin), (unquote(way.part), unquote(way.twin))}:
        answer = answer.replace(name.encode(), twin.encode())
    for pattern, instead in EPHEMERAL + (FRAMING if by_program else []):
        answer = pattern.sub(instead, answer)
    return answer


def twin_of(way):
    assert way.path.count(way.part) == 1, way
    return way.path.replace(way.part, way.twin)


def ways_of(host):
    mask, _ = sites.HOSTS[host]
    ways = [*sites.WAYS, *(sites.LOGIN_WAYS if mask == "All" else ())]
    if host == "logged-in":
        ways = [way._replace(login=sites.GOOD) for way in ways]
    # What a program writes of a long path comes in chunks as it likes.
    return [way for way in ways if way.not_on != host and (len(way.path) < 1000 or host not in sites.PROGRAMS)]


def shapes_of(host, way, shapes):
    for shape in shapes:
        if way.reads and (shape.reading or (shape.body and host in sites.PROGRAMS)):
            continue
        if host in sites.PROGRAMS and shape.name not in probes.FEW:
            continue
        if shape.protocol == "HTTP/0.9" and (way.login or host != next(iter(sites.HOSTS))):
            continue  # there is no place in it for a login or for the name of a host
        yield shape


def methods_of(way, methods):
    return [method for method in methods if way.methods is None or method in way.methods]


class Differences:
    """The differences between two resources, and the number of exchanges that were compared."""

    def __init__(self, host):
        self.by_program = host in sites.PROGRAMS
        self.exchanges = 0
        self.found = []

    def compare(self, what, way, one, other):
        one, other = (comparable(answer, way, self.by_program) for answer in (one, other))
        if one != other:
            self.found.append((what, way.name, one, other))

    def ways(self):
        return Counter(way for _, way, _, _ in self.found)

    def __str__(self):
        lines = [f"{len(self.found)} differences in {self.exchanges} exchanges", str(dict(self.ways())),
                 str(dict(Counter(what for what, _, _, _ in self.found)))]
        for what, way, one, other in self.found[:12]:
            lines += [f"-- {way}, {what}: forbidden, then missing", repr(one[:1500]), repr(other[:1500])]
        return "\n".join(lines)


def over_http1(port, host, shapes=probes.SHAPES, ways=None, tls=False):
    """Several at a time: each exchange has a connection of its own, and a masked answer is waited for."""
    differences = Differences(host)
    questions = [(way, shape, method, probes.http1(shape, method, host, way.path, way.login),
                  probes.http1(shape, method, host, twin_of(way), way.login))
                 for way in ways or ways_of(host) for shape in shapes_of(host, way, shapes)
                 for method in methods_of(way, shape.methods)]
    requests = [forbidden for _, _, _, forbidden, _ in questions]
    missing = list(dict.fromkeys(request for _, _, _, _, request in questions))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda request: raw.exchange(port, request, tls), requests + missing))
    differences.exchanges = len(answers)
    of_missing = dict(zip(missing, answers[len(requests):]))
    for (way, shape, method, _, twin), forbidden in zip(questions, answers):
        differences.compare(f"{method} {shape.name}", way, forbidden, of_missing[twin])
    return differences


def bodies_of(host, way, method):
    """httpd 2.4.71 itself hangs where a CGI makes the error page of a request with a body over HTTP/2."""
    if host in sites.PROGRAMS or method not in ("GET", "POST", "PUT"):
        return (None,)
    return (None, b"abcde") if way.reads else (None, b"abcde", b"x" * 2000)


def over_http2(port, host, tls=False):
    differences = Differences(host)
    connection = raw.Http2(port, tls=tls)

    def fetch(method, path, login, body):
        differences.exchanges += 1
        headers = probes.http2(method, host, path, login, body, "https" if tls else "http")
        return raw.octets_of(connection.request(headers, body))

    for way in ways_of(host):
        for method in methods_of(way, probes.METHODS):
            for body in bodies_of(host, way, method):
                differences.compare(f"h2 {method} {len(body or b'')}", way, fetch(method, way.path, way.login, body),
                                    fetch(method, twin_of(way), way.login, body))
    connection.close()
    return differences


def over_upgrade(port, host):
    """HTTP/1.1 that becomes HTTP/2 within the request."""
    differences = Differences(host)
    differences.upgrades = 0

    def fetch(method, path, login):
        differences.exchanges += 1
        connection = raw.Http2(port, probes.upgrade(method, host, path, login))
        answer = connection.upgraded()
        connection.close()
        differences.upgrades += answer[0].startswith(b"HTTP/1.1 101 ")
        return raw.octets_of(answer)

    for way in ways_of(host):
        for method in methods_of(way, ("GET", "HEAD", "PUT", "OPTIONS")):
            if not way.reads:
                differences.compare(f"upgrade {method}", way, fetch(method, way.path, way.login),
                                    fetch(method, twin_of(way), way.login))
    return differences


def site_of(start, mpm, masked=True, certificate=None):
    modules = sites.modules_for(mpm)
    defines = {"CERTIFICATE": certificate.cert, "KEY": certificate.key} if certificate else {}
    httpd = start.make("\n".join(sites.configuration(masked, bool(certificate))), mpm=mpm, files=sites.FILES,
                       modules=(*modules, "socache_shmcb", "ssl") if certificate else modules, defines=defines,
                       listen=("HTTP", "BACK", "TLS") if certificate else ("HTTP", "BACK"), authstatus=masked)
    return sites.start_furnished(httpd)


@pytest.fixture(scope="module", params=("event", "prefork"))
def site(request, start, authority):
    names = ",".join(f"DNS:{name}" for name in sites.ENCRYPTED)
    return site_of(start, request.param, certificate=authority.issue(f"masked-{request.param}", names))


@pytest.fixture(scope="module")
def stock(start):
    return site_of(start, "event", masked=False)


def allow_httpds_lines(httpd):
    """Each refusal has its line in the log, of the module that refuses."""
    httpd.log.allow(r"AH\d{5}: ", r"^AS00", "")


@pytest.mark.parametrize("host", HOSTS)
def test_http1(site, host):
    if site.mpm == "prefork" and host not in ("plain", "all"):
        pytest.skip("one host of each kind will do for another MPM: plain and all, in clear text and over TLS")
    allow_httpds_lines(site)
    differences = over_http1(site.port, host)
    print(differences.exchanges, "exchanges")
    assert not differences.found, str(differences)


@pytest.mark.parametrize("host", sites.ENCRYPTED)
def test_http1_over_tls(site, host):
    allow_httpds_lines(site)
    names = probes.FEW if site.mpm == "prefork" else probes.SOME
    differences = over_http1(site.ports["TLS"], host, [shape for shape in probes.SHAPES if shape.name in names], tls=True)
    print(differences.exchanges, "exchanges")
    assert not differences.found, str(differences)


@pytest.mark.parametrize("host", [host for host in HOSTS if host not in ("text", "page", "url", "closed", "fallback")])
def test_http2(site, host):
    pytest.importorskip("h2", reason="HTTP/2 needs python3-h2")
    if site.mpm == "prefork":
        pytest.skip("test_prefork_has_no_http2")
    allow_httpds_lines(site)
    differences = over_http2(site.port, host)
    print(differences.exchanges, "exchanges")
    assert not differences.found, str(differences)


@pytest.mark.parametrize("host", sites.ENCRYPTED)
def test_http2_over_tls(site, host):
    pytest.importorskip("h2", reason="HTTP/2 needs python3-h2")
    if site.mpm == "prefork":
        pytest.skip("test_prefork_has_no_http2")
    allow_httpds_lines(site)
    differences = over_http2(site.ports["TLS"], host, tls=True)
    print(differences.exchanges, "exchanges")
    assert not differences.found, str(differences)


@pytest.mark.parametrize("host", ("plain", "all", "text"))
def test_upgrade(site, host):
    pytest.importorskip("h2", reason="HTTP/2 needs python3-h2")
    if site.mpm == "prefork":
        pytest.skip("test_prefork_has_no_http2")
    allow_httpds_lines(site)
    differences = over_upgrade(site.port, host)
    print(differences.exchanges, "exchanges,", differences.upgrades, "of them upgraded")
    assert differences.upgrades > differences.exchanges / 2
    assert not differences.found, str(differences)


@pytest.mark.parametrize("host", ("plain", "all"))
def test_prefork_has_no_http2(site, host):
    """mod_http2 needs threads: a request for HTTP/2 gets both answers over HTTP/1.1."""
    pytest.importorskip("h2", reason="HTTP/2 needs python3-h2")
    if site.mpm != "prefork":
        pytest.skip("it has")
    allow_httpds_lines(site)
    differences = over_upgrade(site.port, host)
    print(differences.exchanges, "exchanges")
    assert differences.upgrades == 0 and not differences.found, str(differences)


def test_the_test_finds_what_a_stock_httpd_tells(stock):
    """The same probes, against an httpd without the module: each way of being refused gives itself away."""
    allow_httpds_lines(stock)
    differences = over_http1(stock.port, "plain", probes.SHAPES[:1])
    unseen = {way.name for way in ways_of("plain")} - set(differences.ways())
    print(differences.exchanges, "exchanges,", len(differences.found), "differences; not seen:", sorted(unseen))
    # Refused both, or neither; and without MultiViews there is nothing to negotiate.
    assert unseen <= {"directory, %2f", "files by extension", "files, negotiated"}
