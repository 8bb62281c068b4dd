"""Asks a neighbour's site again and again, over connections of every sort, until SIGTERM; SIGUSR1 prints counts.

On IPv4 and IPv6, without and with TLS: over fresh connections, over kept ones (HTTP/1.1), and where the site speaks it
over kept ones of HTTP/2. A server may close a kept connection while nothing is under way on it (RFC 9112, section
9.3.1; RFC 9113, section 6.8), as nginx does to those of its old workers at a reload. A request that meets such a
connection is made once more over a new one, and counted apart.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Protocol

NAME = "neighbour.example.org"
SOCKETS = (("198.18.0.10", 80), ("198.18.0.10", 443), ("fd10::10", 80), ("fd10::10", 443))
PAUSE = 0.1
"""Seconds between two requests over the same connection."""

GOAWAY = 7
"""The type of the frame with which a server tells that it takes no further requests."""

CLOSED = (
    ConnectionResetError,
    BrokenPipeError,
    http.client.RemoteDisconnected,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)
"""How a connection shows that the other side has closed it."""


class ClosedError(OSError):
    """The connection was closed, and nothing of an answer has come."""


@dataclass
class Counts:
    """What came of the requests.

    Attributes:
        requests: how many were made, retries not counted.
        retries: how many met a kept connection that was closed while idle, had no answer, and were made again.
        failures: how many were not answered by the neighbour.
        kinds: how many were made over each sort of connection.
        reasons: the first failures, in words.
    """

    requests: int = 0
    retries: int = 0
    failures: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


class Connection(Protocol):
    """A connection on which one request after the other can be made."""

    used: bool

    def get(self) -> bytes:
        """Return the body of an answer."""

    def close(self) -> None:
        """Close it."""


class Http1:
    """A connection that speaks HTTP/1.1."""

    def __init__(self, address: str, port: int) -> None:
        self.used = False
        self._connection = http.client.HTTPConnection(address, port, timeout=10)
        if port == 443:
            self._connection = http.client.HTTPSConnection(address, port, timeout=10, context=_context())

    def get(self) -> bytes:
        """Return the body of an answer."""
        try:
            self._connection.request("GET", "/", headers={"Host": NAME})
            answer = self._connection.getresponse()
        except CLOSED as error:
            raise ClosedError(str(error)) from error
        body = answer.read()
        self.used = True
        return body

    def close(self) -> None:
        """Close it."""
        self._connection.close()


class Http2:
    """A connection that speaks HTTP/2 over TLS."""

    def __init__(self, address: str, port: int) -> None:
        from h2.config import H2Configuration  # noqa: PLC0415 - not every host that asks has it
        from h2.connection import H2Connection  # noqa: PLC0415

        self.used, self._ends, self._received = False, False, b""
        context = _context()
        context.set_alpn_protocols(["h2"])
        self._socket = context.wrap_socket(socket.create_connection((address, port), 10), server_hostname=NAME)
        if self._socket.selected_alpn_protocol() != "h2":
            raise OSError("the neighbour does not speak HTTP/2")
        self._state = H2Connection(H2Configuration())
        self._state.initiate_connection()
        self._socket.sendall(self._state.data_to_send())

    def get(self) -> bytes:
        """Return the body of an answer."""
        from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded  # noqa: PLC0415

        stream, body, begun = self._ask(), b"", False
        while True:
            try:
                received = self._socket.recv(65536)
            except CLOSED:
                received = b""
            if not received:
                raise OSError("closed in the middle of an answer") if begun else ClosedError("closed")
            for event in self._state.receive_data(self._without_goodbye(received, stream)):
                match event:
                    case ResponseReceived():
                        begun = True
                    case DataReceived():
                        body += event.data or b""
                    case StreamEnded():
                        self.used = True
                        return body
                    case ConnectionTerminated() if (event.last_stream_id or 0) < stream:
                        raise ClosedError("said goodbye before it took the request")
            self._socket.sendall(self._state.data_to_send())

    def _without_goodbye(self, received: bytes, stream: int) -> bytes:
        """Return the whole frames that came, without a GOAWAY that still promises an answer to this request.

        h2 reads nothing behind a GOAWAY, but a server that ends answers what it took (RFC 9113, section 6.8).
        """
        self._received += received
        frames = b""
        while len(self._received) >= 9:
            length = 9 + int.from_bytes(self._received[:3], "big")
            if len(self._received) < length:
                break
            frame, self._received = self._received[:length], self._received[length:]
            promised = frame[3] == GOAWAY and int.from_bytes(frame[9:13], "big") >= stream
            self._ends = self._ends or promised
            frames += b"" if promised else frame
        return frames

    def _ask(self) -> int:
        """Send the request and return its stream."""
        from h2.exceptions import ProtocolError  # noqa: PLC0415

        if self._ends:
            raise ClosedError("said goodbye before")
        head = ((":method", "GET"), (":scheme", "https"), (":authority", NAME), (":path", "/"))
        try:
            stream = self._state.get_next_available_stream_id()
            self._state.send_headers(stream, head, end_stream=True)
            self._socket.sendall(self._state.data_to_send())
        except (ProtocolError, *CLOSED) as error:
            raise ClosedError(str(error)) from error
        return stream

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _context() -> ssl.SSLContext:
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


Connect = Callable[[str, int], Connection]


class Client:
    """Makes requests over one sort of connection to one socket."""

    def __init__(
        self, kind: str, connect: Connect, address: str, port: int, counts: Counts, lock: threading.Lock
    ) -> None:
        self._kind, self._connect = kind, connect
        self._address, self._port = address, port
        self._counts, self._lock = counts, lock
        self._kept: Connection | None = None

    def request(self) -> None:
        """Make a request, again where a kept connection had been closed, and count."""
        retried, reason = False, ""
        try:
            body, retried = self._answer()
            if not body.startswith(b"the neighbour"):
                reason = f"answered {body[:40]!r}"
        except (OSError, http.client.HTTPException) as error:
            reason = f"{type(error).__name__}: {error}"
        if reason:
            self._close()
        with self._lock:
            self._counts.requests += 1
            self._counts.retries += retried
            self._counts.kinds[self._kind] = self._counts.kinds.get(self._kind, 0) + 1
            if reason:
                self._counts.failures += 1
                self._counts.reasons += [f"{self._kind} to {self._address} port {self._port}: {reason}"][
                    : 5 - len(self._counts.reasons)
                ]

    def _answer(self) -> tuple[bytes, bool]:
        connection = self._kept or self._connect(self._address, self._port)
        self._kept = connection
        try:
            body, retried = connection.get(), False
        except ClosedError:
            if not connection.used:
                raise
            self._close()
            self._kept = self._connect(self._address, self._port)
            body, retried = self._kept.get(), True
        if self._kind == "new":
            self._close()
        return body, retried

    def _close(self) -> None:
        if self._kept is not None:
            with suppress(OSError):
                self._kept.close()
        self._kept = None


def answers() -> list[str]:
    """Return what the neighbour answers on each socket, over fresh connections."""
    found = []
    for address, port in SOCKETS:
        connection = Http1(address, port)
        try:
            found.append(connection.get().decode(errors="replace"))
        except (OSError, http.client.HTTPException) as error:
            found.append(type(error).__name__)
        finally:
            connection.close()
    return found


def speaks_http2() -> bool:
    """Return whether the neighbour's site speaks HTTP/2, and we do."""
    try:
        Http2("198.18.0.10", 443).close()
    except (ImportError, OSError):
        return False
    return True


def main() -> None:
    """Ask until told to stop."""
    counts, lock, over = Counts(), threading.Lock(), threading.Event()

    def tell(*_: object) -> None:
        # The main thread does nothing else, so it cannot hold the lock.
        with lock:
            print(json.dumps(asdict(counts)), flush=True)  # noqa: T201

    def ask(client: Client) -> None:
        while not over.wait(PAUSE):
            client.request()

    signal.signal(signal.SIGUSR1, tell)
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    sorts: list[tuple[str, Connect, tuple[tuple[str, int], ...]]] = [("new", Http1, SOCKETS), ("kept", Http1, SOCKETS)]
    if speaks_http2():
        sorts.append(("kept, HTTP/2", Http2, tuple(each for each in SOCKETS if each[1] == 443)))
    clients = [Client(kind, connect, *at, counts, lock) for kind, connect, places in sorts for at in places]
    threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    print('"begun"', flush=True)  # noqa: T201
    over.wait()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
