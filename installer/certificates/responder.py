"""Answers to HTTP-01 challenges on the loopback device, for a proxy that serves no files (RFC 8555, section 8.3).

It lives as long as a probe or an order does: the proxy passes the path of challenges on to it, and at all other times
nobody answers there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from palpo_installer.errors import HostError
from palpo_installer.layout import Layout
from palpo_installer.site import CHALLENGE_PATH

PASSED_ON = frozenset({"haproxy"})
"""The kinds of proxy that pass challenges on, as they serve no files."""
ABOVE = 1000
"""How far above the port of plain HTTP the answers of a private host are."""
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
"""A token in the alphabet of base64url (RFC 8555, section 8.3)."""


def needed(kind: str, layout: Layout) -> str:
    """Return the address and port at which a kind of proxy expects the answers, empty where it reads the files."""
    return address(layout) if kind in PASSED_ON else ""


def address(layout: Layout) -> str:
    """Return where they are answered: SELinux lets HAProxy connect to the ports 10001 to 10010."""
    return f"127.0.0.1:{layout.http_port + ABOVE if layout.private else 10009}"


def answer(webroot: Path, target: str) -> bytes | None:
    """Return the proof that a request asks for, None where there is none; nothing else of the host can be asked for."""
    path, token = urlsplit(target).path.rpartition("/")[::2]
    if path != CHALLENGE_PATH or not TOKEN.fullmatch(token):
        return None
    try:
        return (webroot / CHALLENGE_PATH.lstrip("/") / token).read_bytes()
    except OSError:
        return None


@contextmanager
def answering(place: str, webroot: Path) -> Iterator[None]:
    """Answer challenges from a directory meanwhile, at ``127.0.0.1:PORT``; at no address where that is empty.

    Raises:
        HostError: somebody else has the port.
    """
    if not place:
        yield
        return
    name, _, port = place.rpartition(":")
    try:
        server = ThreadingHTTPServer((name, int(port)), _handler(webroot))
    except OSError as error:
        raise HostError(
            f"proofs for the certificate authority cannot be answered: {error.strerror}",
            where=place,
            next=f"See what holds it (ss -ltnp 'sport = :{port}'), then try again",
        ) from error
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _handler(webroot: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            proof = answer(webroot, self.path)
            self.send_response(HTTPStatus.OK if proof is not None else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(proof or b"")))
            self.end_headers()
            self.wfile.write(proof or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
            """Say nothing."""

    return Handler
