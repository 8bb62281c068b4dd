"""The local authority, seen by openssl and by a TLS client."""

from __future__ import annotations

import os
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from palpo_installer.certificates import authority, store
from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.layout import Layout


def verify(layout: Layout, chain: Path, *options: str) -> str:
    """Return what openssl says of a chain when it trusts the authority."""
    trusted = str(authority.authority_files(layout).chain)
    argv = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", trusted, *options, str(chain)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("Matrix.example.com", "-verify_hostname", "matrix.example.com"),
        ("192.0.2.7", "-verify_ip", "192.0.2.7"),
        ("[2001:db8::7]", "-verify_ip", "2001:db8::7"),
    ],
)
def test_openssl_takes_it_for_its_name_alone(tmp_path: Path, name: str, option: str, value: str) -> None:
    """Names and addresses are certified as such, strictly by RFC 5280, and nothing else is."""
    layout = Layout(root=tmp_path)
    files = authority.issue(name, layout)
    assert verify(layout, files.chain, option, value).endswith(": OK\n")
    assert "mismatch" in verify(layout, files.chain, "-verify_hostname", "example.org")
    assert authority.problem(Host(layout), name, datetime.now(UTC)) == ""


def test_everyone_sees_what_it_is(tmp_path: Path) -> None:
    """The subject and the issuer say that it is for trying out only."""
    files = authority.issue("example.com", Layout(root=tmp_path))
    leaf, issuer = x509.load_pem_x509_certificates(files.chain.read_bytes())
    assert leaf.issuer == issuer.subject
    for name in (leaf.subject, leaf.issuer):
        assert "palpo-installer" in name.rfc4514_string()
        assert "for trying out only" in name.rfc4514_string()


def test_only_root_reads_it(tmp_path: Path) -> None:
    """Files are 0600 and directories 0700 whatever the umask, and nothing temporary is left."""
    layout = Layout(root=tmp_path)
    before = os.umask(0)
    try:
        authority.issue("example.com", layout)
    finally:
        os.umask(before)
    found = [layout.authority, *layout.authority.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}
    assert sorted(path.name for path in found if path.is_file()) == [
        "authority.key",
        "authority.pem",
        "fullchain.pem",
        "privkey.pem",
    ]


def test_a_new_certificate_fits_the_old_key(tmp_path: Path) -> None:
    """Made anew it is another certificate for the same key, so there is no moment with a pair that differs."""
    layout = Layout(root=tmp_path)
    files = authority.issue("example.com", layout)
    key, trusted = files.key.read_bytes(), authority.authority_files(layout).chain.read_bytes()
    first = store.read(Host(layout), files)
    authority.issue("example.com", layout)
    second = store.read(Host(layout), files)
    assert first is not None
    assert second is not None
    assert first.sha256 != second.sha256
    assert second.matches_key
    assert (files.key.read_bytes(), authority.authority_files(layout).chain.read_bytes()) == (key, trusted)


def test_it_is_due_in_time(tmp_path: Path) -> None:
    """After two thirds of its life it is due, and an authority that would end before its leaf is made anew."""
    layout = Layout(root=tmp_path)
    authority.issue("example.com", layout)
    later = datetime.now(UTC) + authority.LEAF_LIFETIME * 0.7
    assert "due for renewal" in authority.problem(Host(layout), "example.com", later)


def test_half_of_it_is_completed(tmp_path: Path) -> None:
    """What was cut off between the key and the certificate is finished with the same key."""
    layout = Layout(root=tmp_path)
    files = authority.issue("example.com", layout)
    key = files.key.read_bytes()
    files.chain.unlink()
    (files.chain.parent / ".fullchain.pem.new").write_text("half")
    assert authority.problem(Host(layout), "example.com", datetime.now(UTC)) == "there is no certificate"
    authority.issue("example.com", layout)
    assert files.key.read_bytes() == key
    assert authority.problem(Host(layout), "example.com", datetime.now(UTC)) == ""


def test_a_key_that_is_none_is_left_alone(tmp_path: Path) -> None:
    """A broken key is named and not replaced behind anyone's back."""
    layout = Layout(root=tmp_path)
    files = authority.issue("example.com", layout)
    files.key.write_text("hand-made")
    with pytest.raises(HostError, match="is no private key"):
        authority.issue("example.com", layout)
    assert files.key.read_text() == "hand-made"


def test_an_authority_that_ends_too_early_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No leaf outlives the authority that vouches for it."""
    layout = Layout(root=tmp_path)
    monkeypatch.setattr(authority, "AUTHORITY_LIFETIME", timedelta(days=30))
    authority.issue("example.com", layout)
    old = authority.authority_files(layout).chain.read_bytes()
    monkeypatch.undo()
    files = authority.issue("example.com", layout)
    assert authority.authority_files(layout).chain.read_bytes() != old
    assert verify(layout, files.chain, "-attime", str(int(datetime.now(UTC).timestamp()) + 80 * 86400)).endswith("OK\n")
