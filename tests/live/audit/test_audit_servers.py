# SPDX-License-Identifier: Apache-2.0
"""authstatus-audit and servers that are not well: two answers that are none are alike, and that says nothing."""
import re
import socket
import ssl
import threading

import pytest

from lab.httpd import SANITIZE
from test_audit import audit

SAME = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
HALF = b"HTTP/1.1 404 Not Found\r\nContent-Length: 200\r\nConnection: close\r\n\r\nhalf"


class Server:
    """Answers each request with some octets, or with none, and closes; `hangs`: it keeps the connection instead; `lingers`: the
    seconds between the answer to a request and the end of its connection."""

    def __init__(self, answer, host="127.0.0.1", context=None, hangs=False, lingers=lambda request: 0):
        self.answer, self.context, self.hangs, self.lingers = answer, context, hangs, lingers
        self.listening = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.url = f"{'https' if context else 'http'}://{f'[{host}]' if ':' in host else host}:{self.listening.getsockname()[1]}"
        self.count, self.names, self.kept = 0, [], []
        if context:
            context.sni_callback = lambda tls, name, _: self.names.append(name)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                one, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self.answer_one, args=(one,), daemon=True).start()

    def answer_one(self, one):
        self.count += 1
        try:
            if self.context:
                one = self.context.wrap_socket(one, server_side=True)
            one.settimeout(10)
            request = one.recv(65536)
            one.sendall(self.answer(request) if callable(self.answer) else self.answer)
            threading.Event().wait(self.lingers(request))
        except OSError:
            pass
        if self.hangs:
            self.kept.append(one)
        else:
            one.close()

    def audit(self, *options):
        return audit(*options, f"{self.url}/hidden", f"{self.url}/absent")

    def close(self):
        self.listening.close()
        for one in self.kept:
            one.close()


@pytest.fixture
def serve():
    servers = []

    def one(*arguments, **options):
        servers.append(Server(*arguments, **options))
        return servers[-1]
    yield one
    for server in servers:
        server.close()


@pytest.mark.parametrize("answer, hangs, says", [
    (b"", False, "the connection is closed without an answer"),
    (b"SSH-2.0-OpenSSH_9\r\n", False, "the answer is not HTTP"),
    (b"\x15\x03\x01\x00\x02\x02\x0a", False, "the answer is not HTTP"),
    (HALF, False, "the connection is closed within the answer"),
    (HALF, True, "the answer does not end in time"),
    (b"", True, "no answer in time"),
], ids=["nothing", "ssh", "tls", "cut", "hangs-within", "hangs"])
def test_no_answer_is_no_result(serve, answer, hangs, says):
    server = serve(answer, hangs=hangs)
    code, told, wrong = server.audit("-w", "3" if hangs else "20")
    assert code == 3 and f"/absent: {says}" in wrong and "0 of " not in told
    assert server.count == 2, "the first pair is enough to know it"


def test_a_server_over_tls_that_hangs(serve, authority):
    """TLS 1.3: a session's ticket can be read, and none of the answer."""
    certificate = authority.issue("audit-hangs", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    code, told, wrong = serve(b"", context=context, hangs=True).audit("-w", "1", "-C", authority.cert)
    assert code == 3 and "/absent: no answer in time" in wrong and "0 of " not in told, wrong


@pytest.mark.parametrize("head", [b"HTTP/1.1 404 Not Found\r\nConnection: close", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\n"
                                  b"connection: Upgrade, Close"], ids=["at-once", "after-an-interim-answer"])
def test_a_connection_that_ends_late(serve, head):
    """A busy machine may take its time to close what it has announced to close."""
    server = serve(head + b"\r\nContent-Length: 2\r\n\r\nno", lingers=lambda request: 0.5 if server.count == 2 else 0)
    code, told, wrong = server.audit("-w", "20")
    assert (code, wrong) == (0, "") and "0 of " in told, told


def test_one_that_is_cut_is_a_difference(serve):
    """A server that cuts the forbidden one alone gives it away."""
    code, told, wrong = serve(lambda request: HALF if b"/hidden" in request else SAME).audit("-w", "20")
    assert code == 1 and "GET: " in told and not wrong


def test_alike(serve):
    code, told, wrong = serve(SAME).audit("-w", "20")
    assert (code, wrong) == (0, "") and "0 of " in told


@pytest.mark.parametrize("status, doubt", [(b"200 OK", True), (b"401 Unauthorized", True), (b"404 Not Found", False)], ids=["200", "401", "404"])
def test_one_that_is_not_missing(serve, status, doubt):
    """URLs in the wrong order, or a front controller's page: alike or not, they test nothing."""
    code, told, wrong = serve(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n\r\n").audit("-w", "20")
    said = f"The second URL is answered by {status.decode()[:3]}, not 404: is it that of a missing resource?"
    assert (code, wrong) == (0, "") and told.count(said) == doubt and told.count("The second URL") == doubt, told


def test_times_without_an_answer_are_no_result(serve):
    """A server that ends while answers are timed: no times are alike, too."""
    first = serve(SAME)
    assert first.audit("-w", "20")[0] == 0
    server = serve(lambda request: SAME if server.count <= first.count else b"")
    code, told, wrong = server.audit("-w", "20", "-t", "4")
    assert code == 3 and "the connection is closed without an answer" in wrong and "the clock" not in told
    assert server.count == first.count + 1


@pytest.mark.skipif(SANITIZE, reason="megabytes that grow piece by piece take minutes with a sanitizer's realloc()")
def test_large_answers_end_where_they_end_in_both(serve):
    """More than is compared, in pieces of any size."""
    large = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (5 * 1024 * 1024)
    server = serve(lambda request: large if server.count <= 2 else SAME)
    code, told, wrong = server.audit("-w", "20")
    assert (code, wrong) == (0, ""), told


@pytest.mark.parametrize("host, alternatives", [("127.0.0.1", "IP:127.0.0.1"), ("::1", "IP:::1")])
def test_a_certificate_for_an_address(serve, authority, host, alternatives):
    """It is looked for among the addresses, and an address is no server name (RFC 6066 3)."""
    certificate = authority.issue(f"audit-{host.replace(':', '')}", alternatives)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    server = serve(SAME, host=host, context=context)
    code, told, wrong = server.audit("-w", "20", "-C", authority.cert)
    assert (code, wrong) == (0, ""), told
    assert set(server.names) == {None}
    code, told, wrong = server.audit("-w", "20", "-C", "/dev/null")
    assert code == 3 and "CA certificates cannot be read" in wrong
    code, told, wrong = server.audit("-w", "20")
    assert code == 3 and "TLS: " in wrong


def test_a_server_without_tls(serve):
    """Its certificate has no fault: there is none."""
    server = serve(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    server.url = server.url.replace("http:", "https:")
    code, _, wrong = server.audit("-w", "20")
    assert code == 3 and re.search(r"TLS: .*(wrong version number|packet length|http)", wrong), wrong


def test_one_url_twice(serve):
    server = serve(SAME)
    code, _, wrong = audit(f"{server.url}/hidden", f"{server.url}/hidden")
    assert code == 2 and "is that of a missing resource" in wrong and server.count == 0
