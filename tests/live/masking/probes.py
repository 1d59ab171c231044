# SPDX-License-Identifier: Apache-2.0
"""Requests by which a client may try to distinguish a forbidden resource from a missing one."""
from collections import namedtuple

from lab.client import basic

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "BREW")

# How a request is made: for which methods, the protocol, more headers, the body as it is sent.
# `reading`: what it shows is when the body is read.
Shape = namedtuple("Shape", "name methods protocol headers body reading", defaults=("HTTP/1.1", (), b"", False))


def _length(number):
    return (f"Content-Length: {number}",)


CHUNKED = ("Transfer-Encoding: chunked",)
SHAPES = (
    Shape("plain", METHODS),
    Shape("body", ("GET", "POST", "PUT", "PATCH", "OPTIONS", "PROPFIND", "BREW"), headers=_length(5), body=b"abcde"),
    Shape("chunked", ("GET", "POST", "PUT"), headers=CHUNKED, body=b"5\r\nabcde\r\n0\r\n\r\n"),
    Shape("expect", ("GET", "POST", "PUT"), headers=(*_length(5), "Expect: 100-continue"), body=b"abcde", reading=True),
    Shape("another expectation", ("POST",), headers=(*_length(5), "Expect: tea"), body=b"abcde", reading=True),
    Shape("broken chunk", ("POST", "PUT", "OPTIONS"), headers=CHUNKED, body=b"zz\r\nabcde\r\n0\r\n\r\n", reading=True),
    Shape("too large", ("POST", "PUT"), headers=_length(2000), body=b"x" * 2000, reading=True),
    Shape("too large, chunked", ("POST", "PUT"), headers=CHUNKED, body=b"7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n", reading=True),
    Shape("range", ("GET", "HEAD"), headers=("Range: bytes=0-1",)),
    Shape("if modified", ("GET",), headers=("If-Modified-Since: Thu, 01 Jan 2037 00:00:00 GMT",)),
    Shape("if none match", ("GET", "PUT"), headers=("If-None-Match: *",)),
    Shape("if match", ("GET", "PUT"), headers=("If-Match: *",)),
    Shape("accept", ("GET", "PUT"), headers=("Accept: application/problem+json", "Accept-Encoding: gzip",
                                             "Accept-Language: de", "Cookie: track=me; session=expiry=1895486400000000&a=b")),
    Shape("forwarded", ("GET",), headers=("Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1")),
    Shape("not an upgrade", ("GET",), headers=("Upgrade: tea", "Connection: upgrade")),
    Shape("1.0", ("GET", "HEAD", "POST", "OPTIONS", "BREW"), "HTTP/1.0"),
    Shape("1.0 kept", ("GET", "POST"), "HTTP/1.0", ("Connection: keep-alive", *_length(5)), b"abcde"),
    Shape("closed", ("GET", "PUT"), headers=("Connection: close",)),
    Shape("0.9", ("GET",), "HTTP/0.9"),
)
FEW = ("plain", "expect", "accept")
SOME = (*FEW, "body", "chunked", "broken chunk", "too large", "range", "1.0", "closed")
NEXT = b"GET /open/page.html HTTP/1.1\r\nHost: plain\r\nConnection: close\r\n\r\n"


def authorization(login):
    if login is None:
        return None
    return login.encode() if isinstance(login, str) else basic(*login)


def http1(shape, method, host, path, login):
    """The request, and another one behind it that shows what has become of the connection."""
    if shape.protocol == "HTTP/0.9":
        return f"{method} {path}\r\n".encode()
    lines = [f"{method} {path} {shape.protocol}", f"Host: {host}", *shape.headers]
    if login is not None:
        lines.append("Authorization: " + authorization(login).decode())
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + shape.body + NEXT


def upgrade(method, host, path, login):
    """What is in front of the upgrade's own headers."""
    credentials = b"" if login is None else b"Authorization: " + authorization(login) + b"\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n".encode() + credentials


def http2(method, host, path, login, body, scheme="http"):
    headers = [(b":method", method.encode()), (b":scheme", scheme.encode()), (b":authority", host.encode()),
               (b":path", path.encode())]
    if login is not None:
        headers.append((b"authorization", authorization(login)))
    if body is not None:
        headers.append((b"content-length", b"%d" % len(body)))
    return headers
