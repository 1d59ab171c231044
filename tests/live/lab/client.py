# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 client that sends the octets it is given and returns the octets it got; HTTP/2 by curl."""
import base64
import itertools
import os
import re
import socket
import subprocess
import time

_numbers = itertools.count(1)


def octets(text):
    return text if isinstance(text, bytes) else text.encode("utf-8")


def basic(user, password):
    return b"Basic " + base64.b64encode(octets(user) + b":" + octets(password))


class Answer:
    """A response: `raw` is all of it, but for the row number that goes with the request and comes in logs only."""

    def __init__(self, raw, row, seconds):
        self.raw = raw
        self.row = row
        self.seconds = seconds
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.version, self.status, self.reason = (lines[0].split(" ", 2) + [""])[:3]
        self.status = int(self.status)
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        return values[0] if values else None

    def comparable(self):
        """Everything but the date: the parts in which two indistinguishable answers must be equal."""
        return re.sub(rb"(?im)^date: [^\r]*\r\n", b"", self.raw)

    def variables(self):
        """The variables that a site sends in X-Variables, `name=value;...`, without what is unset."""
        shown = self.header("X-Variables")
        assert shown is not None, f"no X-Variables in {self.headers}"
        pairs = (part.split("=", 1) for part in shown.split(";"))
        return {name.strip(): value for name, value in pairs if value not in ("(null)", "")}

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.headers} {self.body[:300]!r}>"


class Connection:
    """A connection to httpd that is kept until one side closes it."""

    def __init__(self, port, timeout=120):
        self.port = port
        self.timeout = timeout
        self.socket = None
        self.used = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def request(self, path="/", login=None, method="GET", authorization=None, headers=(), body=None,
                authorization_name="Authorization", host="localhost"):
        row = f"{os.getpid()}-{next(_numbers)}"
        lines = [b"%s %s HTTP/1.1" % (octets(method), octets(path)), b"Host: " + octets(host),
                 b"X-Row: " + row.encode()]
        if login is not None:
            authorization = basic(*login)
        if authorization is not None:
            lines.append(octets(authorization_name) + b": " + octets(authorization))
        lines += [octets(name) + b": " + octets(value) for name, value in headers]
        if body is not None:
            lines.append(b"Content-Length: %d" % len(octets(body)))
        begun = time.monotonic()
        raw = self._exchange(b"\r\n".join(lines) + b"\r\n\r\n" + octets(body or b""), method == "HEAD")
        return Answer(raw, row, time.monotonic() - begun)

    def _exchange(self, data, bodiless):
        if not self.socket:
            self.socket = socket.create_connection(("127.0.0.1", self.port), self.timeout)
            self.used = 0
        self.used += 1
        self.socket.sendall(data)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, rest = received.partition(b"\r\n\r\n")
        fields = head.lower()
        status = int(head.split(b" ", 2)[1])
        length = re.search(rb"\ncontent-length: *(\d+)", fields)
        if bodiless or status in (204, 304):
            pass
        elif b"transfer-encoding: chunked" in fields:
            while not re.search(rb"(^|\r\n)0\r\n\r\n$", rest):
                rest += self._more()
            rest = _unchunk(rest)
        elif length:
            while len(rest) < int(length[1]):
                rest += self._more()
        else:
            while True:
                data = self.socket.recv(65536)
                if not data:
                    break
                rest += data
            self.close()
        if b"\nconnection: close" in fields:
            self.close()
        return head + b"\r\n\r\n" + rest

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            self.close()
            raise ConnectionError("httpd closed the connection in the middle of an answer")
        return data


def _unchunk(data):
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        size = int(size.split(b";")[0], 16)
        body += data[:size]
        data = data[size + 2:]
        if not size:
            break
    return body


def get(port, *arguments, **options):
    """One request on a connection of its own."""
    with Connection(port) as connection:
        return connection.request(*arguments, **options)


def get_h2(port, path, login=None):
    """One request over HTTP/2 (prior knowledge)."""
    row = f"{os.getpid()}-{next(_numbers)}"
    command = ["curl", "-q", "-s", "-i", "--http2-prior-knowledge", "--max-time", "120", "--noproxy", "*", "-H", f"X-Row: {row}"]
    if login is not None:
        command += ["-H", "Authorization: " + basic(*login).decode()]
    begun = time.monotonic()
    done = subprocess.run([*command, f"http://127.0.0.1:{port}{path}"], capture_output=True)
    if done.returncode:
        raise ConnectionError(f"curl ended with {done.returncode}: {done.stderr!r}")
    return Answer(done.stdout, row, time.monotonic() - begun)
