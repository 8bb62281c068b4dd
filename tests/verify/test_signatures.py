"""Signatures of published keys, with the test vectors of the Matrix specification."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from palpo_installer.verify.signatures import canonical, decode, problem
from tests.verify.standin import key_document, unpadded

NOW = datetime(2026, 11, 20, tzinfo=UTC)

# Matrix specification, appendices, "Cryptographic Test Vectors".
SEED = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"
VECTORS = {
    "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ": {},
    "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw": {"one": 1, "two": "Two"},
}


@pytest.mark.parametrize(("signature", "document"), VECTORS.items())
def test_vectors_of_the_specification(signature: str, document: dict[str, object]) -> None:
    """What is signed are exactly the bytes that the specification signs."""
    key = Ed25519PrivateKey.from_private_bytes(decode(SEED))
    signed = {**document, "signatures": {"domain": {}}, "unsigned": {"age_ts": 1}}
    assert unpadded(key.sign(canonical(signed))) == signature


def test_canonical_json() -> None:
    """Keys are sorted at every depth, text stays UTF-8."""
    assert canonical({"b": {"d": "日", "c": None}, "a": [True]}) == '{"a":[true],"b":{"c":null,"d":"日"}}'.encode()


def test_good_keys() -> None:
    """A document that is signed by its own key is accepted."""
    assert problem(key_document("example.com"), "example.com", NOW) == ""


def _without(document: dict[str, object], key: str) -> dict[str, object]:
    return {name: value for name, value in document.items() if name != key}


GOOD = key_document("example.com")
SHORT = {"ed25519:a_1": {"key": "AAAA"}}


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        (key_document("other.example"), "it is the homeserver other.example, not example.com"),
        (_without(GOOD, "server_name"), "names no server_name"),
        (key_document("example.com", valid_until=1763596800000), "valid until 2025-11-20 only"),
        (_without(GOOD, "valid_until_ts"), "has no valid_until_ts"),
        (GOOD | {"valid_until_ts": True}, "has no valid_until_ts"),
        (GOOD | {"valid_until_ts": -(10**30)}, "valid until a time before"),
        (GOOD | {"verify_keys": {"rsa:1": {}}}, "publishes no ed25519 key"),
        (GOOD | {"verify_keys": []}, "publishes no ed25519 key"),
        (_without(GOOD, "signatures"), "not signed with the key that it publishes (ed25519:a_1)"),
        (GOOD | {"added": 1}, "does not fit the key that it publishes"),
        (key_document("example.com", signer=Ed25519PrivateKey.generate()), "does not fit the key"),
        (GOOD | {"verify_keys": SHORT}, "no unpadded base64 of the right length"),
        (GOOD | {"verify_keys": {"ed25519:a_1": {"key": "!"}}}, "no unpadded base64"),
        (GOOD | {"verify_keys": {"ed25519:a_1": {}}}, "no unpadded base64"),
    ],
)
def test_keys_that_nobody_would_accept(document: dict[str, object], cause: str) -> None:
    """Each way in which a key document is wrong has a sentence of its own."""
    assert cause in problem(document, "example.com", NOW)
