# SPDX-License-Identifier: Apache-2.0
"""Sends octets to a server and returns all its octets, without interpretation as HTTP; and HTTP/2, frame by frame."""
import re
import socket
import ssl

DATE = re.compile(rb"(?im)^(date: )[^\r\n]*")
SECONDS = 120


def undated(answer):
    return DATE.sub(rb"\1", answer)


def encrypt(connection, *protocols):
    """TLS, whatever the certificate is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(connection)


def exchange(port, request, tls=False):
    """Everything that the server sends on a connection of its own until it closes it. The last request of several is to
    ask for that: whether it is answered tells whether the connection was kept before."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            connection = encrypt(connection, "http/1.1")
        try:
            connection.sendall(request)
            while data := connection.recv(65536):
                received += data
        except (ConnectionResetError, ssl.SSLEOFError):
            pass  # it closed while there was more to read: the answer was before that
        if tls:
            connection.close()
    return undated(received)


def octets_of(frames):
    """An answer over HTTP/2 as lines."""
    lines = []
    for frame in frames:
        if isinstance(frame, tuple):
            lines += [name + b": " + value for name, value in frame]
        else:
            lines.append(frame if isinstance(frame, bytes) else str(frame).encode())
    return b"\n".join(lines)


class Http2:
    """One connection (prior knowledge). A stream's answer is its frames in order: headers as they came, data, its end."""

    def __init__(self, port, upgrade=None, tls=False):
        """upgrade: a request over HTTP/1.1 that asks for HTTP/2; its answer is the stream 1's. tls: by ALPN, whatever the
        certificate is."""
        self.port = port
        self.upgrade = upgrade
        self.tls = tls
        self._connect()

    def _connect(self):
        import h2.config
        import h2.connection
        import h2.exceptions
        self._events = h2.events
        self._errors = (h2.exceptions.ProtocolError, TimeoutError, ConnectionError)
        self.socket = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        if self.tls:
            self._encrypt()
        self.http2 = h2.connection.H2Connection(config=h2.config.H2Configuration(
            client_side=True, header_encoding=None, validate_outbound_headers=False,
            normalize_outbound_headers=False, validate_inbound_headers=False))
        if self.upgrade is None:
            self.http2.initiate_connection()
        else:
            self._upgrade(self.http2.initiate_upgrade_connection())
        self._flush()

    def _encrypt(self):
        self.socket = encrypt(self.socket, "h2")
        assert self.socket.selected_alpn_protocol() == "h2"

    def _upgrade(self, settings):
        self.socket.sendall(self.upgrade + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
                            + settings + b"\r\n\r\n")
        self.before = b""
        while not self.before.endswith(b"\r\n\r\n"):
            octet = self.socket.recv(1)
            if not octet:
                break
            self.before += octet

    def upgraded(self):
        """What came before HTTP/2, and then over it."""
        return [undated(self.before), *(self._answer(1) if b" 101 " in self.before else [])]

    def _flush(self):
        self.socket.sendall(self.http2.data_to_send())

    def close(self):
        self.socket.close()

    def request(self, headers, body=None):
        """The answer; an invalid one counts too, and ends the connection."""
        try:
            return self._request(headers, body)
        except self._errors as error:
            self.close()
            self._connect()
            return [type(error).__name__, "broken"]

    def _request(self, headers, body):
        stream = self.http2.get_next_available_stream_id()
        self.http2.send_headers(stream, headers, end_stream=body is None)
        if body is not None:
            self.http2.send_data(stream, body, end_stream=True)
        self._flush()
        return self._answer(stream)

    def _answer(self, stream):
        answer = []
        while not (answer and answer[-1] in ("end", "reset")):
            data = self.socket.recv(65536)
            if not data:
                return answer + ["closed"]
            for event in self.http2.receive_data(data):
                if getattr(event, "stream_id", None) == stream:
                    self._note(event, answer)
            self._flush()
        return answer

    def _note(self, event, answer):
        events = self._events
        if isinstance(event, (events.ResponseReceived, events.InformationalResponseReceived, events.TrailersReceived)):
            answer.append(tuple((name, b"" if name == b"date" else value) for name, value in event.headers))
        elif isinstance(event, events.DataReceived):
            self.http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if answer and isinstance(answer[-1], bytes):
                answer[-1] += event.data
            else:
                answer.append(event.data)
        elif isinstance(event, events.StreamEnded):
            answer.append("end")
        elif isinstance(event, events.StreamReset):
            answer += [event.error_code, "reset"]
