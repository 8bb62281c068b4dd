"""The signing key: made once, never replaced."""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from palpo_installer.errors import AnswersError, HostError
from palpo_installer.homeserver.keys import existing_key, is_signing_key, key_file, signing_key
from palpo_installer.layout import Layout


def test_a_key_is_made_as_palpo_takes_it(tmp_path: Path) -> None:
    """Standard base64 of an Ed25519 key in PKCS#8 version 1, which is 48 bytes, on one line."""
    document = signing_key(Layout(tmp_path), "example.com").reveal()
    der = base64.b64decode(document, validate=True)
    assert isinstance(load_der_private_key(der, None), Ed25519PrivateKey)
    assert (len(der), der[4]) == (48, 0)
    assert (tmp_path / "etc/palpo-installer/keys/example.com").read_text() == f"{document}\n"


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    """File 0600, directory 0700, whatever the umask; nothing else is left in the directory."""
    layout = Layout(tmp_path)
    layout.keys.mkdir(parents=True, mode=0o755)
    before = os.umask(0)
    try:
        signing_key(layout, "example.com")
    finally:
        os.umask(before)
    assert layout.keys.stat().st_mode & 0o777 == 0o700
    assert key_file(layout, "example.com").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in layout.keys.iterdir()] == ["example.com"]


def test_it_is_the_same_ever_after_and_another_for_another_name(tmp_path: Path) -> None:
    """A second key for a name would not be believed by servers that know the first."""
    layout = Layout(tmp_path)
    first = signing_key(layout, "example.com")
    assert signing_key(layout, "example.com") == first == existing_key(layout, "example.com")
    assert signing_key(layout, "example.org") != first


def test_looking_for_a_key_makes_none(tmp_path: Path) -> None:
    """A plan asks whether there is one, and changes nothing."""
    assert existing_key(Layout(tmp_path), "example.com") is None
    assert not any(tmp_path.iterdir())


def test_all_who_ask_at_once_get_the_same_key(tmp_path: Path) -> None:
    """The first to be complete stays; nobody overwrites it."""
    layout, found = Layout(tmp_path), []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(signing_key(layout, "example.com").reveal())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [file.name for file in layout.keys.iterdir()] == ["example.com"]


@pytest.mark.parametrize("content", ["", "nonsense\n", base64.b64encode(b"0" * 48).decode(), "\x00\xff"])
def test_a_broken_file_is_an_error_and_stays(tmp_path: Path, content: str) -> None:
    """It may be all that is left of a key: it is named, not quoted and not replaced."""
    layout = Layout(tmp_path)
    layout.keys.mkdir(parents=True)
    key_file(layout, "example.com").write_text(content)
    with pytest.raises(HostError, match="holds no signing key") as caught:
        signing_key(layout, "example.com")
    assert caught.value.where == str(layout.keys / "example.com")
    assert "backup" in caught.value.next
    assert key_file(layout, "example.com").read_text() == content


def test_what_cannot_be_read_or_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    """A directory in the file's place, a file in the directory's."""
    layout = Layout(tmp_path)
    key_file(layout, "example.com").mkdir(parents=True)
    with pytest.raises(HostError, match="cannot be read"):
        signing_key(layout, "example.com")
    (tmp_path / "etc2").mkdir()
    blocked = Layout(tmp_path / "etc2")
    blocked.etc.parent.mkdir()
    blocked.etc.write_text("")
    with pytest.raises(HostError, match=r"cannot be (read|stored)"):
        signing_key(blocked, "example.com")


@pytest.mark.parametrize(
    ("server_name", "file"),
    [
        ("example.com", "example.com"),
        ("example.com:8448", "example.com%3A8448"),
        ("[::1]:8448", "%5B%3A%3A1%5D%3A8448"),
    ],
)
def test_ports_and_brackets_are_encoded_in_the_file_name(tmp_path: Path, server_name: str, file: str) -> None:
    """The name is safe in any shell, and two names never share a file."""
    assert key_file(Layout(tmp_path), server_name) == tmp_path / "etc/palpo-installer/keys" / file


@pytest.mark.parametrize("server_name", ["", "..", ".", "../../shadow", "a/b", "a b", "-a", "a\n", "a" * 300, "a:b"])
def test_what_is_no_server_name_leads_nowhere(tmp_path: Path, server_name: str) -> None:
    """It would become a path."""
    with pytest.raises(AnswersError):
        signing_key(Layout(tmp_path), server_name)


def test_keys_of_other_makers_are_known() -> None:
    """Version 2 of PKCS#8 has the public key added; other keys and other bytes are none."""
    key = Ed25519PrivateKey.generate()
    seed, public = key.private_bytes_raw(), key.public_key().public_bytes_raw()
    one = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    head = bytes.fromhex("020101300506032b657004220420")
    ring = b"\x30\x53" + head + seed + bytes.fromhex("a123032100") + public
    standard = b"\x30\x51" + head + seed + bytes.fromhex("812100") + public
    for der in (one, ring, standard):
        assert is_signing_key(base64.b64encode(der).decode())
        assert not is_signing_key(base64.b64encode(der[:-1]).decode())
        assert not is_signing_key(base64.b64encode(der + b"\0").decode())
    assert not is_signing_key(base64.b64encode(one.replace(b"\x2b\x65\x70", b"\x2b\x65\x6e")).decode())
    assert not is_signing_key(base64.urlsafe_b64encode(b"\xff" * 48).decode())
