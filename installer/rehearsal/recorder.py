"""A homeserver for a moment: it takes down every request byte for byte, and answers as Matrix homeservers do."""

from __future__ import annotations

import base64
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from palpo_installer.answers import Address
from palpo_installer.verify.checks_federation import PATH as KEYS
from palpo_installer.verify.signatures import canonical

NUMBER = "x-rehearsal-number"
"""Tells the requests of a rehearsal apart."""

STATUS = "x-rehearsal-status"
"""Asks for an answer with this status."""

ANSWER = b'{"rehearsal":"this is the answer of the homeserver"}'
MEDIA_TYPE = "application/json"
KEY = "ed25519:rehearsal"


@dataclass(frozen=True)
class Request:
    """One request as it arrived.

    Attributes:
        at: the address it arrived at.
        target: the request target, untouched.
        headers: pairs in order, names in lower case.
    """

    at: Address
    method: str
    target: bytes
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header."""
        return tuple(value for key, value in self.headers if key == name)


@dataclass(frozen=True)
class Recorder:
    """A running recorder.

    Attributes:
        address: where it listens.
        keys: its answer to other servers that ask for its keys.
        requests: what has arrived, by number.
    """

    address: Address
    keys: bytes
    requests: dict[str, tuple[Request, ...]] = field(default_factory=dict)

    def note(self, request: Request) -> None:
        """Take down a request that arrived."""
        number = next(iter(request.all(NUMBER)), "")
        self.requests[number] = (*self.requests.get(number, ()), request)

    def numbered(self, number: str) -> tuple[Request, ...]:
        """Return the requests with a number: one, unless the proxy passed it on not at all or more than once."""
        return self.requests.get(number, ())

    def answer(self, request: Request) -> bytes:
        """Return the answer to a request, with the CORS header that homeservers send themselves."""
        status = next(iter(request.all(STATUS)), "200")
        body = self.keys if request.target.partition(b"?")[0] == KEYS.encode() else ANSWER
        head = (
            f"HTTP/1.1 {status} Answer\r\n"
            f"Content-Type: {MEDIA_TYPE}\r\n"
            "Access-Control-Allow-Origin: *\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        return head if request.method == "HEAD" else head + body


@contextmanager
def recording(server_name: str) -> Iterator[Recorder]:
    """Run the recorder of a server name on a loopback port of its own."""
    with _Server(("127.0.0.1", 0), _Connection) as server:
        server.recorder = Recorder(Address("127.0.0.1", server.server_address[1]), key_document(server_name))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.recorder
        finally:
            server.shutdown()
            thread.join()


def key_document(server_name: str) -> bytes:
    """Return keys of a server that are good for a day (server-server API, "Publishing Keys")."""
    key = Ed25519PrivateKey.generate()
    document: dict[str, object] = {
        "server_name": server_name,
        "valid_until_ts": int((time.time() + 86400) * 1000),
        "verify_keys": {KEY: {"key": _unpadded(key.public_key().public_bytes_raw())}},
        "old_verify_keys": {},
    }
    signatures = {server_name: {KEY: _unpadded(key.sign(canonical(document)))}}
    return json.dumps({**document, "signatures": signatures}).encode()


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128
    recorder: Recorder


class _Connection(socketserver.StreamRequestHandler):
    """Answers the requests of one connection until the other side closes it."""

    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        recorder = self.server.recorder
        try:
            while (request := self._read(recorder.address)) is not None:
                recorder.note(request)
                self.wfile.write(recorder.answer(request))
        except OSError:
            self.connection.close()

    def _read(self, at: Address) -> Request | None:
        """Return the next request, None at the end or where one is cut off; its body is read and forgotten."""
        line = self.rfile.readline()
        if not line:
            return None
        method, _, rest = line.rstrip(b"\r\n").partition(b" ")
        headers = tuple(_headers(self.rfile))
        if dict(headers).get("expect") == "100-continue":
            # Some proxies leave it to the homeserver to ask for the body (RFC 9110, section 10.1.1).
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(dict(headers).get("content-length", "0"))
        if len(self.rfile.read(length)) < length:
            return None
        return Request(at, method.decode("latin-1"), rest.rpartition(b" ")[0], headers)


def _headers(stream: BufferedIOBase) -> Iterator[tuple[str, str]]:
    while line := stream.readline().rstrip(b"\r\n"):
        name, _, value = line.partition(b":")
        yield name.decode("latin-1").lower(), value.strip().decode("latin-1")
