# SPDX-License-Identifier: Apache-2.0
"""A relay in front of a server, as a tunnel, a VPN or a load balancer is one. It can forget: the connections that it has
stay open, what is sent on them is acknowledged, and nothing comes back. New connections are relayed as before."""
import contextlib
import socket
import threading
import time

from .process import poll, readable


class _Pair:
    def __init__(self, number, client, server):
        self.number = number
        self.client, self.server = client, server
        self.answered = False
        self.forgotten = False
        self.swallowed = b""  # what was acknowledged and went nowhere

    def close(self):
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.close()


class Relay:
    def __init__(self, port):
        self.target = port
        self.accepted = 0
        self.held = threading.Event()  # while it is set nothing is relayed
        self.delay = 0.0  # seconds, of each piece that the server sends
        self.requests = 0  # pieces that were sent to the server
        self.swallowed = []  # what was acknowledged and went nowhere, of each connection that has ended
        self._pairs = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            pair = _Pair(self.accepted + 1, client, socket.create_connection(("127.0.0.1", self.target)))
            with self._lock:
                self.accepted += 1
                self._pairs.add(pair)
            threading.Thread(target=self._serve, args=(pair,), daemon=True).start()

    def _serve(self, pair):
        try:
            while self._pass_on(pair):
                pass
        except (OSError, ValueError):
            pass
        with self._lock:
            self._pairs.discard(pair)
            if pair.swallowed:
                self.swallowed.append(pair.swallowed)
        pair.close()

    def _pass_on(self, pair):
        """False: the connection is over."""
        while self.held.is_set():
            time.sleep(0.005)
        for end in readable((pair.client, pair.server), 0.2):
            data = end.recv(65536)
            if not data:
                return False
            if end is pair.server:
                time.sleep(self.delay)
            elif not pair.forgotten:
                with self._lock:
                    self.requests += 1
            if not pair.forgotten:
                (pair.server if end is pair.client else pair.client).sendall(data)
                pair.answered = pair.answered or end is pair.server
            elif end is pair.client:
                pair.swallowed += data
        return True

    def forwarded(self, after):
        """Octets came back from the server on a connection later than so many."""
        with self._lock:
            return any(pair.number > after and pair.answered for pair in self._pairs)

    def open_connections(self):
        with self._lock:
            return len(self._pairs)

    def forget(self):
        """Drops the state of all connections; returns their number."""
        with self._lock:
            for pair in self._pairs:
                pair.forgotten = True
            return len(self._pairs)

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            left = list(self._pairs)
        for pair in left:
            with contextlib.suppress(OSError):
                pair.client.shutdown(socket.SHUT_RDWR)
        poll(lambda: not self.open_connections(), 5, "the relay's connections ended")
