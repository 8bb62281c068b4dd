from __future__ import annotations

import pytest

from palpo_installer.media.keys import SigningKey, of_document, parse, public_half

KEY = b"""-----BEGIN MMR PRIVATE KEY-----
Key-ID: ed25519:a_1
Version: 1

AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
-----END MMR PRIVATE KEY-----
"""
PROBLEM = SigningKey(problem="holds no key in the form of matrix-media-repo")


def test_a_key_as_matrix_media_repo_writes_it() -> None:
    """Only its public half is kept; of several the first counts."""
    found = parse(KEY)
    assert found == SigningKey("a_1", public_half(bytes(range(32))))
    assert "AAECAwQF" not in repr(found)
    assert parse(KEY + KEY.replace(b"a_1", b"b_2")) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ed25519 a_1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
        KEY.replace(b"MMR", b"MATRIX"),
        KEY.replace(b"Version: 1", b"Version: 2"),
        KEY.replace(b"ed25519:", b"curve25519:"),
        KEY.replace(b"AAECAwQF", b""),
        KEY.replace(b"AAECAwQF", b"A"),
    ],
)
def test_what_is_no_key_of_its_form(data: bytes) -> None:
    """That of Synapse and of Dendrite are not; it does not start to sign with them."""
    assert parse(data) == PROBLEM


def test_a_document_that_is_none_has_no_public_half() -> None:
    """Whatever stands in palpo.toml."""
    assert [of_document(each) for each in (None, 7, "", "AAAA", "no base64 ä")] == [""] * 5
