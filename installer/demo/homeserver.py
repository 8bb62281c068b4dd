"""A stand-in for Palpo, for the demonstration: ``python -m palpo_installer.demo.homeserver palpo.toml``.

It waits for its palpo.toml, answers by it as Palpo does where anybody without an account can tell, takes up a
changed file by itself, and stops answering when the file is gone. It keeps nothing and knows no account.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote

import tomlkit
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from tomlkit.exceptions import TOMLKitError

from palpo_installer.validation import address
from palpo_installer.verify.signatures import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

SOFTWARE = {"name": "Palpo", "version": "(a stand-in: this is a demonstration)"}
LOOK_EVERY = 0.05
"""Seconds between two looks at palpo.toml."""

KEYS_LAST = 86400
"""Seconds for which other servers may remember the keys."""

Document = Mapping[str, object]


def answer(target: str, keys: Document) -> tuple[int, Document]:
    """Return status and document for a request target, read as Palpo reads it: split first, then decoded."""
    parts = [unquote(part) for part in target.partition("?")[0].split("/") if part]
    found: tuple[int, Document]
    match parts:
        case ["_matrix", "client", "versions"]:
            found = 200, {"versions": ["v1.1", "v1.12"], "net.zemos.msc4383.server": SOFTWARE}
        case ["_matrix", "key", "v2", "server"]:
            found = 200, keys
        case ["healthz"]:
            found = 200, {"status": "ok"}
        case ["_matrix", "client", "v3", "directory", "room", alias] if alias.startswith("#") and ":" in alias:
            found = 404, {"errcode": "M_NOT_FOUND", "error": "There is no such room."}
        case ["_matrix", "client", "v3", "directory", "room", _]:
            found = 400, {"errcode": "M_INVALID_PARAM", "error": "This is no alias."}
        case ["_matrix", "client", "v3", "profile", _]:
            found = 404, {"errcode": "M_NOT_FOUND", "error": "There is no such user."}
        case ["_palpo" | "_synapse", "admin" | "mas", *_] | ["_matrix", "federation", *_]:
            found = 401, {"errcode": "M_MISSING_TOKEN", "error": "The access token is missing."}
        case _:
            found = 404, {"errcode": "M_UNRECOGNIZED", "error": "This request is not known."}
    return found


def key_document(server_name: str, version: str, key: Ed25519PrivateKey) -> Document:
    """Return the signed keys that other servers ask for (server-server API, "Publishing Keys")."""
    name = f"ed25519:{version}"
    document: dict[str, object] = {
        "server_name": server_name,
        "valid_until_ts": int((time.time() + KEYS_LAST) * 1000),
        "verify_keys": {name: {"key": _unpadded(key.public_key().public_bytes_raw())}},
        "old_verify_keys": {},
    }
    return {**document, "signatures": {server_name: {name: _unpadded(key.sign(canonical(document)))}}}


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


class _Answering(BaseHTTPRequestHandler):
    """Answers requests over connections that a proxy keeps."""

    protocol_version = "HTTP/1.1"
    timeout: ClassVar[float] = 30.0
    keys: ClassVar[Document]

    def do_GET(self) -> None:
        """Answer."""
        status, document = answer(self.path, self.keys)
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serving(text: str) -> Iterator[None]:
    """Serve as a palpo.toml says.

    Raises:
        ValueError, LookupError, TOMLKitError: it is not the palpo.toml of a server that could start.
        OSError: its address is taken.
    """
    said = tomlkit.parse(text).unwrap()
    keypair, there = said["keypair"], address(str(said["listeners"][0]["address"]))
    key = load_der_private_key(base64.b64decode(str(keypair["document"])), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("the signing key is no Ed25519 key")
    keys = key_document(str(said["server_name"]), str(keypair["version"]), key)
    handler = type("Handler", (_Answering,), {"keys": keys})
    with ThreadingHTTPServer((there.host, there.port), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": LOOK_EVERY})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def follow(path: Path) -> None:
    """Serve by whatever the file says now, for ever."""
    before = ""
    with ExitStack() as stack:
        while True:
            now = path.read_text() if path.exists() else ""
            if now != before:
                stack.close()
                with suppress(ValueError, LookupError, TOMLKitError, OSError):
                    stack.enter_context(_served(now))
                before = now
            time.sleep(LOOK_EVERY)


def _served(text: str) -> AbstractContextManager[None]:
    return serving(text) if text else nullcontext()


if __name__ == "__main__":
    follow(Path(sys.argv[1]))
