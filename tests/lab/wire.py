"""Requests sent byte for byte, over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events

from palpo_installer.probe import Answer

TIMEOUT = 120.0

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Wire:
    """Where to connect, and under which name.

    Attributes:
        address: an IP address.
        port: a TCP port.
        sni: the server name in the TLS handshake, None for no name.
        tls: whether to speak TLS.
        hello: bytes to send before the handshake, such as a PROXY line.
    """

    address: str
    port: int
    sni: str | None
    tls: bool = True
    hello: bytes = b""

    def connect(self, *protocols: str) -> socket.socket:
        """Return an open connection; the protocols are offered by ALPN."""
        plain = socket.create_connection((self.address, self.port), TIMEOUT)
        plain.sendall(self.hello)
        if not self.tls:
            return plain
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(protocols or ("http/1.1",))
        return context.wrap_socket(plain, server_hostname=self.sni)

    def offers_http2(self) -> bool:
        """Return whether HTTP/2 is agreed on."""
        with self.connect("h2", "http/1.1") as stream:
            return isinstance(stream, ssl.SSLSocket) and stream.selected_alpn_protocol() == "h2"

    def http1(
        self, target: bytes, headers: Headers = (), *, method: bytes = b"GET", body: Iterable[bytes] = ()
    ) -> Answer:
        """Send one request over HTTP/1.1; Host is the name unless the headers have one."""
        if not any(name.lower() == b"host" for name, _ in headers):
            headers = [(b"Host", (self.sni or "").encode()), *headers]
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        with self.connect() as stream:
            stream.sendall(b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, head))
            for piece in body:
                stream.sendall(piece)
            response = http.client.HTTPResponse(stream, method=method.decode())
            response.begin()
            fields = tuple((name.lower(), value) for name, value in response.getheaders())
            return Answer(status=response.status, headers=fields, body=response.read())

    def http2(self, target: bytes, headers: Headers = (), *, method: bytes = b"GET") -> Answer:
        """Send one request over HTTP/2, its ``:path`` as it stands."""
        configuration = h2.config.H2Configuration(
            header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        connection = h2.connection.H2Connection(configuration)
        connection.initiate_connection()
        pseudo = [(b":method", method), (b":scheme", b"https"), (b":authority", (self.sni or "").encode())]
        connection.send_headers(1, [*pseudo, (b":path", target), *headers], end_stream=True)
        with self.connect("h2") as stream:
            try:
                stream.sendall(connection.data_to_send())
            except OSError as error:
                return Answer(problem=f"closed while sending: {error}")
            return _received(connection, stream)


def _received(connection: h2.connection.H2Connection, stream: socket.socket) -> Answer:
    """Return the answer on the first stream; a refused stream has status 0 and a problem."""
    status, fields, body = 0, [], b""
    while data := stream.recv(65536):
        for event in connection.receive_data(data):
            match event:
                case h2.events.ResponseReceived(headers=received):
                    pairs = [(bytes(name).decode(), bytes(value).decode()) for name, value in received or ()]
                    status = int(dict(pairs)[":status"])
                    fields = [pair for pair in pairs if not pair[0].startswith(":")]
                case h2.events.DataReceived(data=piece):
                    body += piece or b""
                case h2.events.StreamEnded():
                    return Answer(status=status, headers=tuple(fields), body=body)
                case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                    return Answer(problem="reset")
        stream.sendall(connection.data_to_send())
    return Answer(problem="closed")
