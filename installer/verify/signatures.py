"""A homeserver's published keys and their signatures (Matrix spec, server-server API, "Publishing Keys").

Signatures are over canonical JSON (Matrix spec, appendices, "Signing JSON"): keys sorted, no spaces, UTF-8,
without ``signatures`` and ``unsigned``; keys and signatures are unpadded base64.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def canonical(document: Mapping[str, object]) -> bytes:
    """Return the bytes of a document that are signed."""
    signed = {key: value for key, value in document.items() if key not in {"signatures", "unsigned"}}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def decode(text: object) -> bytes:
    """Return the bytes of unpadded base64.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(text, str):
        raise ValueError("no text")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def problem(document: Mapping[str, object], server_name: str, now: datetime) -> str:
    """Return why other servers would not accept a key document, empty where they would.

    Args:
        document: the answer of ``/_matrix/key/v2/server``.
        server_name: whose it must be.
        now: the time to judge by, with its zone.
    """
    named = document.get("server_name")
    if named != server_name:
        return f"it is the homeserver {named}, not {server_name}" if named else "its answer names no server_name"
    until = document.get("valid_until_ts")
    if not isinstance(until, int) or isinstance(until, bool):
        return "its answer has no valid_until_ts"
    if until <= now.timestamp() * 1000:
        return f"its keys were valid until {_day(until)} only"
    keys = _mapping(document.get("verify_keys"))
    ours = [name for name in keys if name.startswith("ed25519:")]
    if not ours:
        return "it publishes no ed25519 key"
    signatures = _mapping(_mapping(document.get("signatures")).get(server_name))
    for name in ours:
        reason = _reason(canonical(document), _mapping(keys[name]).get("key"), signatures.get(name))
        if reason:
            return f"{reason} ({name})"
    return ""


def _day(milliseconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "a time before all others"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _reason(signed: bytes, key: object, signature: object) -> str:
    if signature is None:
        return "its answer is not signed with the key that it publishes"
    try:
        Ed25519PublicKey.from_public_bytes(decode(key)).verify(decode(signature), signed)
    except InvalidSignature:
        return "the signature of its answer does not fit the key that it publishes"
    except ValueError:
        return "its key or its signature is no unpadded base64 of the right length"
    return ""
