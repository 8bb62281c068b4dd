"""The homeserver of the stand-in for Palpo: its requests and responses, its limits, its key."""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from tests.lab.palpo_configuration import LIMITERS, panic

BODY_LIMIT = 16 * 1024 * 1024
MULTIPART_LIMIT = 1024 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """A request: its target as it stood in the request line, byte for byte, and the length of its body."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    length: int
    peer: str

    @property
    def path(self) -> str:
        """The path, with its escapes."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, list[str]]:
        """The parameters, decoded."""
        return parse_qs(self.target.partition("?")[2])

    def header(self, name: str) -> str:
        """Return the first value of a header, empty for none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def has_token(self) -> bool:
        """Whether it comes with an access token."""
        return self.header("authorization").startswith("Bearer ") or "access_token" in self.query


@dataclass(frozen=True)
class Response:
    """A response."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)


def answer(document: object, status: int = 200, *headers: tuple[str, str]) -> Response:
    """Return a JSON response."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Response(status, body, (("content-type", "application/json"), *headers))


def error(status: int, errcode: str, sentence: str) -> Response:
    """Return a Matrix error."""
    return answer({"errcode": errcode, "error": sentence}, status)


def canonical(document: object) -> bytes:
    """Return canonical JSON (Matrix spec, appendices)."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def unpadded(data: bytes) -> str:
    """Return unpadded base64 (Matrix spec, appendices)."""
    return base64.b64encode(data).decode().rstrip("=")


Handler = Callable[["Homeserver", Request], Response]


@dataclass(frozen=True)
class Route:
    """A path with the methods that are served there; ``{}`` stands for one segment, ``{*}`` for the rest."""

    pattern: re.Pattern[str]
    methods: tuple[str, ...]
    handler: Handler


def route(methods: str, path: str, handler: Handler) -> Route:
    """Return a route."""
    pattern = re.escape(path).replace(r"\{\*\}", ".*").replace(r"\{\}", "[^/]+").replace("@", "(?:v3|v1|r0)")
    return Route(re.compile(pattern), tuple(methods.split()), handler)


@dataclass
class Bucket:
    """A token bucket for one peer."""

    tokens: float
    filled: float = field(default_factory=time.monotonic)


class Homeserver:
    """Palpo as far as it can be seen from outside."""

    def __init__(self, file: dict[str, Any], routes: Sequence[Route]) -> None:
        self.routes = routes
        self.file = file
        self.server_name: str = file.get("server_name", "change.palpo.im")
        self.key, self.key_version = signing_key(file.get("keypair"))
        self.buckets: dict[tuple[str, str], Bucket] = {}
        self.lock = threading.Lock()

    def respond(self, request: Request) -> Response:
        """Return the response to a request, with the headers that every response has."""
        response = self.routed(request)
        allowed: list[str] = self.file.get("allowed_origins", [])
        origin = request.header("origin") if allowed else "*"
        headers = [("vary", "origin, access-control-request-method, access-control-request-headers")]
        if not allowed or origin in allowed:
            headers.append(("access-control-allow-origin", origin))
        return Response(response.status, response.body, (*response.headers, *headers))

    def routed(self, request: Request) -> Response:
        """Return the response of the route that a request leads to."""
        if request.method == "OPTIONS":
            methods = ("access-control-allow-methods", "GET,POST,PUT,DELETE,OPTIONS")
            names = ("access-control-allow-headers", "accept,content-type,authorization,range")
            return Response(204, b"", (methods, names, ("access-control-max-age", "86400")))
        multipart = request.header("content-type").lower().startswith("multipart/")
        if request.length > (MULTIPART_LIMIT if multipart else BODY_LIMIT):
            return error(413, "M_TOO_LARGE", "Payload Too Large")
        known = [route for route in self.routes if route.pattern.fullmatch(request.path)]
        for candidate in known:
            if request.method in candidate.methods or "*" in candidate.methods:
                return candidate.handler(self, request)
        # Files of ./static answer GET on every other path; there are none.
        if request.method == "HEAD" or (known and request.method != "GET"):
            return error(405, "M_UNRECOGNIZED", "method not allowed")
        return error(404, "M_UNRECOGNIZED", "Not Found")

    def limited(self, name: str, request: Request) -> Response | None:
        """Return the refusal where a peer, which may be a proxy with all its clients, asks too often."""
        rate, burst = (self.file[LIMITERS[name]][key] for key in ("per_second", "burst"))
        if rate <= 0 or burst == 0:
            return None
        with self.lock:
            bucket = self.buckets.setdefault((name, request.peer), Bucket(burst))
            now = time.monotonic()
            bucket.tokens = min(burst, bucket.tokens + (now - bucket.filled) * rate)
            bucket.filled = now
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return None
        document = {"errcode": "M_LIMIT_EXCEEDED", "error": "Too many requests", "retry_after_ms": int(1000 / rate)}
        return answer(document, 429)

    def signed(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a document signed (Matrix spec, appendices, "Signing JSON")."""
        signature = unpadded(self.key.sign(canonical(document)))
        return {**document, "signatures": {self.server_name: {f"ed25519:{self.key_version}": signature}}}


def signing_key(keypair: dict[str, str] | None) -> tuple[Ed25519PrivateKey, str]:
    """Return the key and its version; without one in the file a new one at each start."""
    if keypair is None:
        return Ed25519PrivateKey.generate(), secrets.token_hex(4)
    try:
        key = load_der_private_key(base64.b64decode(keypair["document"], validate=True), None)
    except binascii.Error:
        panic("server keypair is invalid base64 string")
    except ValueError:
        panic("invalid server Ed25519KeyPair")
    if not isinstance(key, Ed25519PrivateKey):
        panic("invalid server Ed25519KeyPair")
    return key, keypair["version"]
