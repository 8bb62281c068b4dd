"""The stand-in for Palpo: it lives by its palpo.toml."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from palpo_installer.demo.homeserver import answer, serving
from palpo_installer.facts.palpo import parse_versions
from palpo_installer.probe import Answer, Question, ask
from palpo_installer.verify.checks_targets import targets
from palpo_installer.verify.signatures import problem
from tests.lab.running import until
from tests.ports import free_port

KEYS = "/_matrix/key/v2/server"


def palpo_toml(port: int, server_name: str = "example.com") -> str:
    """Return the parts of a palpo.toml that count."""
    der = Ed25519PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    document = base64.b64encode(der).decode()
    return (
        f'server_name = "{server_name}"\n[[listeners]]\naddress = "127.0.0.1:{port}"\n'
        f'[keypair]\ndocument = "{document}"\nversion = "a_1"\n'
    )


def fetch(port: int, target: str = KEYS) -> Answer:
    """Ask it."""
    return ask(Question("127.0.0.1", port, tls=False, target=target, timeout=2))


def test_its_keys_are_signed_with_the_key_in_the_file() -> None:
    """Another server would accept them, for this server name and under this key id."""
    port = free_port()
    with serving(palpo_toml(port)):
        document = json.loads(fetch(port).body)
        versions = fetch(port, "/_matrix/client/versions")
    assert problem(document, "example.com", datetime.now(UTC)) == ""
    assert list(document["verify_keys"]) == ["ed25519:a_1"]
    assert "stand-in" in str(parse_versions(versions.body))
    assert versions.header("Access-Control-Allow-Origin") == "*"
    assert fetch(port).problem == "refused"


def test_changed_targets_get_other_answers() -> None:
    """A proxy that decodes or tidies up what Matrix needs would be found out by verify."""
    told = [target.kind for target in targets("example.com") if answer(target.sent, {}) != answer(target.changed, {})]
    assert {"encoded slashes", "lower-case encoded slashes", "encoded question marks", "encoded hash signs"} <= set(
        told
    )
    assert answer("/_synapse/admin/v1/users", {})[0] == 401
    assert answer("/healthz", {})[0] == 200


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[Path]:
    """The stand-in as a process; where it waits for its file."""
    path = tmp_path / "palpo.toml"
    argv = [sys.executable, "-m", "palpo_installer.demo.homeserver", str(path)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE) as process:
        try:
            yield path
        finally:
            process.terminate()


def test_it_follows_its_file(stand_in: Path) -> None:
    """It serves when the file comes, by the new one when it changes, not with a broken one, and not without."""
    port = free_port()

    def named() -> str:
        body = fetch(port).body
        return str(json.loads(body)["server_name"]) if body else ""

    assert named() == ""
    stand_in.write_text(palpo_toml(port))
    until(lambda: named() == "example.com", "its answer")
    stand_in.with_name("new").write_text(palpo_toml(port, "example.org"))
    stand_in.with_name("new").rename(stand_in)
    until(lambda: named() == "example.org", "the new name")
    stand_in.write_text("server_name = [")
    until(lambda: named() == "", "its silence with a broken file")
    stand_in.write_text(palpo_toml(port))
    until(lambda: named() == "example.com", "its answer again")
    stand_in.unlink()
    until(lambda: named() == "", "its silence without a file")
