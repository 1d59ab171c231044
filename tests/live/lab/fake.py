# SPDX-License-Identifier: Apache-2.0
"""A directory that can be made to do what slapd cannot: refuse, reset, hang and send wrong data at any step.

A script is a dict from step to action, or to a list of actions used up one by one, of which the last stays. Steps:
    accept         a connection came
    tls            before the TLS handshake of ldaps
    starttls       the StartTLS request
    service-bind   a bind as cn=service,dc=fake, or anonymous
    search         a search
    compare        a compare
    rootdse, entry, level
                   where there are `entries`: a search of the rootDSE, of one of them, of groups that have a member
    user-bind      any other bind
A step without an action answers as a good directory does. One that searches without having bound as the service
account finds nobody, as with a directory that hides its people from strangers.
"""
import contextlib
import os
import select
import socket
import ssl
import struct
import threading
from collections import namedtuple

from . import ber
from .process import poll

BASE = "dc=fake"
SERVICE = "cn=service,dc=fake"
SERVICE_PASSWORD = "Pw!service"
PASSWORD = "Pw!right"
START_TLS = b"1.3.6.1.4.1.1466.20037"
NOTICE_OF_DISCONNECTION = "1.3.6.1.4.1.1466.20036"

# password: of a bind. peer: what the client's certificate says of it, on a connection with TLS; None: it sent none.
Operation = namedtuple("Operation", "connection step detail controls password peer")


class Gone(Exception):
    """This connection is over."""


# -- actions: each takes the connection, the message's id, and the response's tag -------------------------------------

def answer(code, diagnostic="", controls=(), matched="", referrals=()):
    def act(connection, message_id, tag):
        connection.send(ber.message(message_id, ber.result(tag, code, diagnostic, matched, referrals),
                                    [ber.control(*control) for control in controls]))
    return act


def entries(*dns, references=(), code=0):
    """Answers any search by these entries."""
    def act(connection, message_id, tag):
        for dn in dns:
            connection.send(ber.message(message_id, ber.entry(dn, {"uid": ["ann"]})))
        for uri in references:
            connection.send(ber.message(message_id, ber.tlv(ber.REFERENCE, ber.octets(uri))))
        connection.send(ber.message(message_id, ber.result(tag, code)))
    return act


def hang(connection, *_):
    connection.wait_for_the_end()


def close(*_):
    raise Gone


def reset(connection, *_):
    connection.reset()


def rubbish(connection, *_):
    connection.send(b"HTTP/1.1 400 Bad Request\r\nServer: not a directory\r\n\r\n" + bytes(range(256)))


def half_then_close(connection, message_id, tag):
    connection.send(ber.message(message_id, ber.result(tag, 0))[:-3])
    raise Gone


def half_then_hang(connection, message_id, tag):
    connection.send(ber.message(message_id, ber.result(tag, 0))[:-3])
    connection.wait_for_the_end()


def drip(connection, message_id, tag):
    """A byte every 0.3 s: each read of the other side succeeds, the whole never comes in time."""
    for octet in ber.message(message_id, ber.result(tag, 0, "x" * 100)):
        if connection.ended(0.3):
            raise Gone
        connection.send(bytes([octet]))


def wrong_id(connection, message_id, tag):
    connection.send(ber.message(message_id + 1000, ber.result(tag, 0)))


def huge(connection, *_):
    """Announces two gigabytes."""
    connection.send(b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01")
    connection.wait_for_the_end()


def notice(connection, *_):
    connection.send(ber.message(0, ber.result(ber.EXTENDED_RESPONSE, 52, "shutting down",
                                              tail=ber.octets(NOTICE_OF_DISCONNECTION, 0x8A))))
    raise Gone


# -- TLS that breaks: below it, on the bare connection ----------------------------------------------------------------

def _then(end, connection):
    """`end`: close, reset, or None for a hang."""
    if end is None:
        connection.wait_below_tls()
    end(connection)
    raise Gone


def half_handshake(end):
    """The head of a ServerHello and some of it."""
    def act(connection, *_):
        connection.send_below_tls(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(20))
        _then(end, connection)
    return act


def alert(connection, *_):
    """handshake_failure, fatal (RFC 8446 6)."""
    connection.send_below_tls(b"\x15\x03\x03\x00\x02\x02\x28")
    raise Gone


def broken_record(connection, *_):
    """Application data in clear."""
    connection.send_below_tls(b"\x17\x03\x03\x00\x40" + bytes(range(64)))
    connection.wait_below_tls()


def half_record(end):
    def act(connection, *_):
        connection.send_below_tls(b"\x17\x03\x03\x00\x40" + bytes(range(20)))
        _then(end, connection)
    return act


def well(*_):
    """Answers as a correct directory."""


# ---------------------------------------------------------------------------------------------------------------------

def _control(content):
    (_, oid), *rest = ber.read_all(content)
    return oid.decode(), any(tag == 0x01 and value != b"\0" for tag, value in rest)


def entries_match(wanted, attributes):
    """Does an entry match a filter? in-chain is a matter of the attribute "inChain"."""
    tag, content = wanted
    lower = {name.lower(): [value if isinstance(value, bytes) else value.encode() for value in values]
             for name, values in attributes.items()}
    if tag in (0xA0, 0xA1):
        return (all if tag == 0xA0 else any)(entries_match(inner, attributes) for inner in ber.read_all(content))
    if tag == 0x87:
        return content.decode().lower() in lower
    if tag == 0xA9:
        return dict(ber.read_all(content))[0x83] in lower.get("inchain", [])
    (_, name), (_, value) = ber.read_all(content)
    return value.lower() in [one.lower() for one in lower.get(name.decode().lower(), [])]


class _Connection:
    def __init__(self, fake, number, sock):
        self.fake = fake
        self.number = number
        self.socket = sock
        self.bound = None
        self.buffer = b""
        self.controls = []  # of the request at hand: (oid, critical)
        self.password = None  # of the bind at hand
        self.peer = None

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next whole element."""
        while (size := ber.size_of(self.buffer)) is None:
            data = self.socket.recv(65536)
            if not data:
                raise Gone
            self.buffer += data
        element, self.buffer = self.buffer[:size], self.buffer[size:]
        return element

    def ended(self, seconds):
        """Waits for the other side to close the connection, or for the fake to stop."""
        self.socket.settimeout(seconds)
        try:
            return not self.socket.recv(65536)
        except TimeoutError:
            return self.fake.stopping.is_set()
        finally:
            self.socket.settimeout(None)

    def wait_for_the_end(self):
        while not self.ended(0.2):
            pass
        raise Gone

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def send_below_tls(self, data):
        os.write(self.socket.fileno(), data)

    def wait_below_tls(self):
        with select.epoll() as poller:
            poller.register(self.socket.fileno(), select.EPOLLIN | select.EPOLLHUP)
            while not self.fake.stopping.is_set():
                for descriptor, _ in poller.poll(0.2):
                    if not os.read(descriptor, 65536):
                        raise Gone
        raise Gone

    def secure(self):
        try:
            self.socket = self.fake.context.wrap_socket(self.socket, server_side=True)
            self.peer = self.socket.getpeercert() or None
            self.fake.peers.append(self.peer)
        except (ssl.SSLError, OSError):
            raise Gone from None

    # -- one conversation

    def serve(self):
        self.fake.act("accept", self, 0, 0)
        if self.fake.ldaps:
            self.fake.act("tls", self, 0, 0)
            self.secure()
        while True:
            _, content, _ = ber.read(self.receive())
            (_, message_id), (tag, operation), *rest = ber.read_all(content)
            self.controls = [_control(octets) for _, controls in rest for _, octets in ber.read_all(controls)]
            self.handle(ber.number(message_id), tag, operation)

    def handle(self, message_id, tag, operation):
        if tag == ber.UNBIND:
            self.fake.note_unbind()
            raise Gone
        if tag == ber.BIND:
            self.bind(message_id, operation)
        elif tag == ber.SEARCH:
            self.search(message_id, operation)
        elif tag == ber.COMPARE:
            self.compare(message_id, operation)
        elif tag == ber.EXTENDED:
            self.extended(message_id, operation)
        elif tag != ber.ABANDON:
            raise Gone

    def bind(self, message_id, operation):
        (_, _), (_, dn), (_, password) = ber.read_all(operation)
        dn = dn.decode("utf-8", "replace")
        step = "service-bind" if dn in ("", SERVICE) else "user-bind"
        self.bound = None
        self.password = password.decode("utf-8", "replace")
        if self.fake.act(step, self, message_id, ber.BIND_RESPONSE, dn):
            right = {SERVICE: SERVICE_PASSWORD, "": "", **self.fake.people}.get(dn)
            right = right is not None and right.encode() == password
            self.bound = dn if right else None
            answer(0 if right else 49)(self, message_id, ber.BIND_RESPONSE)

    def search(self, message_id, operation):
        (_, base), (_, scope), _, _, _, _, (kind, content), _ = ber.read_all(operation)
        base = base.decode()
        if self.fake.entries is not None and self.search_entries(message_id, base, ber.number(scope), (kind, content)):
            return
        if ber.number(scope) == 0:
            values = []
        else:
            values = [value.decode("utf-8", "replace")
                      for _, value in ber.equalities(ber.tlv(kind, content))]
        if self.fake.act("search", self, message_id, ber.DONE, (base, *values)):
            if self.bound == SERVICE:
                found = [base] if ber.number(scope) == 0 else \
                    [dn for dn in self.fake.people if dn.split(",")[0].removeprefix("uid=") in values]
                for dn in found:
                    self.send(ber.message(message_id, ber.entry(dn, {"uid": [dn.split(",")[0].removeprefix("uid=")],
                                                                     **(self.fake.entries or {}).get(dn, {})})))
            answer(0)(self, message_id, ber.DONE)

    def search_entries(self, message_id, base, scope, wanted):
        """False: it is the search for somebody who logs in."""
        values = [value.decode("utf-8", "replace") for _, value in ber.equalities(ber.tlv(*wanted))]
        if scope == 2 and not any(name == "objectclass" for name, _ in ber.equalities(ber.tlv(*wanted))):
            return False
        step = "level" if scope == 2 else "entry" if base else "rootdse"
        if self.fake.act(step, self, message_id, ber.DONE, (base, *values)):
            there = {base: self.fake.entries[base]} if scope == 0 and base in self.fake.entries else \
                self.fake.entries if scope == 2 else None
            for dn, attributes in (there or {}).items():
                if self.bound and entries_match(wanted, attributes):
                    self.send(ber.message(message_id, ber.entry(dn, attributes)))
            answer(32 if there is None else 0)(self, message_id, ber.DONE)
        return True

    def compare(self, message_id, operation):
        (_, dn), (_, assertion) = ber.read_all(operation)
        (_, attribute), (_, value) = ber.read_all(assertion)
        dn, attribute, value = dn.decode(), attribute.decode(), value.decode("utf-8", "replace")
        if self.fake.act("compare", self, message_id, ber.COMPARE_RESPONSE, (dn, attribute, value)):
            attributes = (self.fake.entries or {}).get(dn)
            code = 32 if attributes is None else 16 if attribute not in attributes else \
                6 if value in attributes[attribute] else 5
            answer(code)(self, message_id, ber.COMPARE_RESPONSE)

    def extended(self, message_id, operation):
        (_, oid), *_ = ber.read_all(operation)
        if oid != START_TLS or not self.fake.context:
            answer(2, "unsupported extended operation")(self, message_id, ber.EXTENDED_RESPONSE)
        elif self.fake.act("starttls", self, message_id, ber.EXTENDED_RESPONSE):
            answer(0)(self, message_id, ber.EXTENDED_RESPONSE)
            self.secure()


class Fake:
    def __init__(self, script=None, certificate=None, ldaps=False, people=None, authority=None, entries=None):
        """authority: asks each client for a certificate of that one. entries: the rootDSE (""), and groups, each with
        its attributes."""
        self.script = {step: list(actions) if isinstance(actions, (list, tuple)) else [actions]
                       for step, actions in (script or {}).items()}
        self.people = people or {"uid=ann,dc=fake": PASSWORD}
        self.entries = entries
        self.ldaps = ldaps
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.cert, certificate.key)
            if authority:
                self.context.load_verify_locations(authority.cert)
                self.context.verify_mode = ssl.CERT_OPTIONAL
        self.operations = []
        self.peers = []  # of each handshake that both sides have ended
        self.unbinds = 0
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._open = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def act(self, step, connection, message_id, tag, detail=None):
        """Runs the script's action. Returns True if it has none, so that the correct answer follows."""
        with self._lock:
            password = connection.password if step in ("service-bind", "user-bind") else None
            self.operations.append(Operation(connection.number, step, detail, connection.controls, password, connection.peer))
            actions = self.script.get(step)
            action = None
            if actions:
                action = actions.pop(0) if len(actions) > 1 else actions[0]
        if action is None or action is well:
            return True
        action(connection, message_id, tag)
        return False

    def act_out(self, script):
        """From now on, this script."""
        with self._lock:
            self.script = {step: list(actions) if isinstance(actions, (list, tuple)) else [actions]
                           for step, actions in script.items()}

    def count(self, step):
        with self._lock:
            return sum(operation.step == step for operation in self.operations)

    def note_unbind(self):
        with self._lock:
            self.unbinds += 1

    def binds(self):
        """(DN, password) of each bind so far."""
        with self._lock:
            return [(operation.detail, operation.password) for operation in self.operations if operation.step.endswith("-bind")]

    def open_connections(self):
        with self._lock:
            return len(self._open)

    def hang_up(self, action=close):
        """Ends all connections, while no query is in progress: `action` is close, reset or notice."""
        with self._lock:
            idle = list(self._open)
        for connection in idle:
            if action is not close:
                with contextlib.suppress(Gone):
                    action(connection, 0, 0)
            with contextlib.suppress(OSError):
                # Wakes its thread, which then closes; a FIN or RST is sent by that alone.
                connection.socket.shutdown(socket.SHUT_RD)
        poll(lambda: not self.open_connections(), 5, "the fake's connections ended")

    def forget(self):
        with self._lock:
            self.operations.clear()

    def _accept(self):
        number = 0
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # an entry and its result are two small writes
            connection = _Connection(self, number, sock)
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.serve()
        except (Gone, OSError, ValueError):
            pass
        finally:
            connection.socket.close()
            with self._lock:
                self._open.discard(connection)

    def stop(self):
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
