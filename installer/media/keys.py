"""The key that a media repository signs its requests to other servers with: which one it is, never the key itself."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORM = re.compile(
    rb"-----BEGIN MMR PRIVATE KEY-----\r?\n(?P<headers>(?:[^\r\n:]+:[^\r\n]*\r?\n)*)\s*"
    rb"(?P<seed>[A-Za-z0-9+/=\s]+)-----END MMR PRIVATE KEY-----"
)
"""Its form of a key (matrix-media-repo, ``homeserver_interop/mmr/signing_key.go``): PEM with two headers."""

SEED, PKCS8 = 32, 16
"""Bytes of an Ed25519 key, and those before it in PKCS#8 form (RFC 8410, section 7)."""


@dataclass(frozen=True)
class SigningKey:
    """A key as others know it.

    Attributes:
        version: what follows ``ed25519:`` in its id.
        public: its public half, in base64 without padding.
        problem: why it cannot be used, as what follows "the file"; empty when it can.
    """

    version: str = ""
    public: str = ""
    problem: str = ""


def parse(data: bytes) -> SigningKey:
    """Return which key a file holds, the first of several, as matrix-media-repo reads it."""
    found = FORM.search(data)
    lines = found["headers"].decode(errors="replace").splitlines() if found else []
    headers = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    algorithm, _, version = headers.get("Key-ID", "").partition(":")
    seed = _decoded(found["seed"]) if found else b""
    if algorithm != "ed25519" or headers.get("Version") != "1" or len(seed) < SEED:
        return SigningKey(problem="holds no key in the form of matrix-media-repo")
    return SigningKey(version, public_half(seed))


def public_half(seed: bytes) -> str:
    """Return the public half of a key's 32 bytes, in base64 without padding as servers publish it."""
    public = Ed25519PrivateKey.from_private_bytes(seed[:SEED]).public_key().public_bytes_raw()
    return base64.b64encode(public).decode().rstrip("=")


def of_document(document: object) -> str:
    """Return the public half of the key in ``[keypair] document`` of palpo.toml, empty where there is none."""
    der = _decoded(document.encode()) if isinstance(document, str) else b""
    return public_half(der[PKCS8:]) if len(der) >= PKCS8 + SEED else ""


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""
