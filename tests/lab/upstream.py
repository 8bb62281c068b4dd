"""An upstream that records every request byte for byte and answers as the request's own headers ask."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedIOBase

from palpo_installer.answers import Address

DELAY = "x-lab-delay"
"""Asks for an answer after this many seconds."""

STATUS = "x-lab-status"
"""Asks for an answer with this status."""


@dataclass(frozen=True)
class Request:
    """One request as it arrived; header names are in lower case."""

    method: str
    target: bytes
    headers: tuple[tuple[str, str], ...]
    body: int

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header."""
        return tuple(value for key, value in self.headers if key == name.lower())

    def value(self, name: str, otherwise: str) -> str:
        """Return the first value of a header."""
        return next(iter(self.all(name)), otherwise)


@dataclass
class Upstream:
    """A running upstream and what it has seen."""

    address: Address
    requests: list[Request] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def targets(self) -> list[bytes]:
        """The request targets, in order."""
        return [request.target for request in self.requests]


@contextmanager
def upstream(port: int = 0) -> Iterator[Upstream]:
    """Run an upstream on a loopback port, 0 for one of its own; in the end no connection to it is left."""
    with _Server(("127.0.0.1", port), _Connection) as server:
        running = server.upstream = Upstream(Address("127.0.0.1", server.server_address[1]))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield running
        finally:
            running.stopping.set()
            server.shutdown()
            thread.join()
            for connection in tuple(server.connections):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    upstream: Upstream

    def __init__(self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, object]:
        """Note each connection before a thread of its own has it: at the end of serving all are known."""
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address


class _Connection(socketserver.StreamRequestHandler):
    """Answers requests on one connection until the other side closes it."""

    server: _Server
    disable_nagle_algorithm = True

    def finish(self) -> None:
        """Forget the connection."""
        self.server.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        running = self.server.upstream
        try:
            while (request := read_request(self.rfile)) is not None:
                running.requests.append(request)
                running.stopping.wait(float(request.value(DELAY, "0")))
                self.wfile.write(answer(request))
        except OSError:
            self.connection.close()


def read_request(stream: BufferedIOBase) -> Request | None:
    """Return the next request of a connection, None at its end."""
    line = stream.readline()
    if not line:
        return None
    method, _, rest = line.rstrip(b"\r\n").partition(b" ")
    headers = tuple(_headers(stream))
    coding = dict(headers)
    if "chunked" in coding.get("transfer-encoding", ""):
        body = sum(_chunks(stream))
    else:
        body = len(stream.read(int(coding.get("content-length", "0"))))
    return Request(method.decode(), rest.rpartition(b" ")[0], headers, body)


def answer(request: Request) -> bytes:
    """Return an answer as Palpo gives them: JSON, with CORS headers of its own."""
    body = b'{"from":"upstream"}'
    head = (
        f"HTTP/1.1 {request.value(STATUS, '200')} Answer\r\n"
        "Content-Type: application/json\r\n"
        "Access-Control-Allow-Origin: *\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    return head if request.method == "HEAD" else head + body


def _headers(stream: BufferedIOBase) -> Iterator[tuple[str, str]]:
    while line := stream.readline().rstrip(b"\r\n"):
        name, _, value = line.partition(b":")
        yield name.decode("latin-1").lower(), value.strip().decode("latin-1")


def _chunks(stream: BufferedIOBase) -> Iterator[int]:
    # A proxy that refuses a body while it comes cuts it off: then nothing follows.
    while size := int(stream.readline().partition(b";")[0] or b"0", 16):
        yield len(stream.read(size))
        stream.readline()
    stream.readline()
