"""A small homeserver that answers as Palpo does where verify asks: its routes, its CORS, keys that it signs."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

VALID_UNTIL = 4102444800000
"""Milliseconds: the first of January 2100."""

FINGERPRINT = {"name": "Palpo", "version": "0.4.0"}


def unpadded(data: bytes) -> str:
    """Return unpadded base64."""
    return base64.b64encode(data).decode().rstrip("=")


def key_document(
    server_name: str, *, signer: Ed25519PrivateKey | None = None, valid_until: int = VALID_UNTIL
) -> dict[str, object]:
    """Return the signed answer of ``/_matrix/key/v2/server``; ``signer`` signs instead of the published key."""
    key = Ed25519PrivateKey.generate()
    document: dict[str, object] = {
        "server_name": server_name,
        "valid_until_ts": valid_until,
        "verify_keys": {"ed25519:a_1": {"key": unpadded(key.public_key().public_bytes_raw())}},
        "old_verify_keys": {},
    }
    signed = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    document["signatures"] = {server_name: {"ed25519:a_1": unpadded((signer or key).sign(signed))}}
    return document


@dataclass
class Homeserver:
    """What it answers.

    Attributes:
        fingerprint: what it calls itself.
        seen: the request targets that arrived, as they were on the wire.
    """

    keys: dict[str, object]
    fingerprint: dict[str, str] = field(default_factory=lambda: dict(FINGERPRINT))
    port: int = 0
    seen: list[str] = field(default_factory=list)

    def answer(self, target: str) -> tuple[int, object]:
        """Return status and document, routing as Palpo does: empty segments dropped, each of the others decoded."""
        parts = [unquote(part) for part in target.partition("?")[0].split("/") if part]
        found: tuple[int, object]
        match parts:
            case ["_matrix", "client", "versions"]:
                found = 200, {"versions": ["v1.1", "v1.12"], "net.zemos.msc4383.server": self.fingerprint}
            case ["_matrix", "key", "v2", "server"]:
                found = 200, self.keys
            case ["_matrix", "client", "v3", "directory", "room", alias] if alias.startswith("#") and ":" in alias:
                found = refusal(404, "M_NOT_FOUND", "Room with alias not found.")
            case ["_matrix", "client", "v3", "directory", "room", _]:
                found = refusal(400, "M_INVALID_PARAM", "not an alias")
            case ["_matrix", "client", "v3", "profile", _]:
                found = refusal(404, "M_NOT_FOUND", "Profile not found.")
            case ["_palpo" | "_synapse", "admin" | "mas", *_] | ["_matrix", "federation", *_]:
                found = refusal(401, "M_MISSING_TOKEN", "Missing access token.")
            case ["health" | "healthz"]:
                found = 200, "ok"
            case _:
                found = refusal(404, "M_UNRECOGNIZED", "Unrecognized request.")
        return found


def refusal(status: int, errcode: str, error: str) -> tuple[int, object]:
    """Return an error as Matrix writes it."""
    return status, {"errcode": errcode, "error": error}


@contextmanager
def running(homeserver: Homeserver) -> Iterator[Homeserver]:
    """Serve a homeserver on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            homeserver.seen.append(self.path)
            status, document = homeserver.answer(self.path)
            body = (document if isinstance(document, str) else json.dumps(document)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        homeserver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield homeserver
        finally:
            server.shutdown()
            thread.join()
