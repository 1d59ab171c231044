# SPDX-License-Identifier: Apache-2.0
"""Stores that several machines share: a real redis-server and a real memcached; and redis's own protocol (RESP), to do
to the records what a test wants done to them."""
import os
import secrets
import signal
import socket

from .process import Child, find_program, listens, reserve_port


class _Store:
    def __init__(self, workdir):
        self.workdir = workdir
        self.port = reserve_port()
        self.child = None

    def start(self):
        self.child = Child(self._command(), self.workdir / "output", cwd=self.workdir)
        self.child.wait_until(lambda: listens(self.port), 60, self.name)
        return self

    def kill(self):
        """Kills it without a clean end."""
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.wait(10)

    def freeze(self):
        self.child.freeze()

    def thaw(self):
        self.child.thaw()

    def stop(self):
        if self.child:
            child, self.child = self.child, None
            child.stop()


class Redis(_Store):
    name = "redis-server"
    modules = ("socache_redis",)

    def _command(self):
        return [find_program(self.name), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                "--dir", str(self.workdir)]

    @property
    def cache(self):
        return f"redis:127.0.0.1:{self.port}"

    def command(self, *words):
        """One command, and its answer as octets, number, list, or None."""
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(b"*%d\r\n" % len(words)
                               + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
            with connection.makefile("rb") as answer:
                return _read(answer)

    def keys(self):
        return sorted(self.command("KEYS", "*"))

    def read(self, key):
        return self.command("GET", key)

    def overwrite(self, key, value):
        """Keeps its time to live."""
        assert self.command("SET", key, value, "KEEPTTL") == b"OK"

    def flush(self):
        assert self.command("FLUSHALL") == b"OK"


def _read(answer):
    line = answer.readline()
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise RuntimeError(f"redis: {rest!r}")
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if int(rest) < 0 else answer.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [_read(answer) for _ in range(int(rest))]
    return rest


class Memcached(_Store):
    name = "memcached"
    modules = ("socache_memcache",)

    def _command(self):
        return [find_program(self.name), "-l", "127.0.0.1", "-p", str(self.port), "-m", "8", "-t", "2",
                *(("-u", "nobody") if os.geteuid() == 0 else ())]

    @property
    def cache(self):
        return f"memcache:127.0.0.1:{self.port}"

    def flush(self):
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(b"flush_all\r\n")
            assert connection.recv(100) == b"OK\r\n"


def key_file(workdir, name="key", octets=32, mode=0o400):
    """A file for AuthStatusCacheKey."""
    path = workdir / name
    path.write_bytes(secrets.token_bytes(octets))
    path.chmod(mode)
    return path
