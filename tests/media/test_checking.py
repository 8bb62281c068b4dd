from __future__ import annotations

import base64
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from palpo_installer.answers import Address
from palpo_installer.facts.media import MediaRepository
from palpo_installer.media.checking import Expected, judged, key_commands, wanted
from palpo_installer.media.keys import SigningKey, of_document, parse, public_half
from tests.media.made import EXPECTED, edited, parsed, repository


def found(made: MediaRepository, expected: Expected = EXPECTED) -> list[tuple[str, int, str]]:
    """Return the rules that found something, with line and sentence."""
    return [(each.rule, each.line, each.what) for each in judged(made, expected)]


def test_a_sound_configuration_has_no_finding() -> None:
    """Also with Palpo's name as localhost, and the forwarded host left alone: both headers say the server name."""
    assert found(repository()) == []
    assert found(repository(edited(("127.0.0.1:8008/", "localhost:8008")))) == []
    assert found(repository(edited(("  port: 8000", "  port: 8000\n  useForwardedHost: false")))) == []


TRAPS: dict[str, tuple[tuple[str, str], str, int, str]] = {
    "the public name instead of the server name": (
        ("name: example.com", "name: matrix.example.com"),
        "media-name",
        7,
        "does not serve example.com (it serves matrix.example.com)",
    ),
    "itself as the homeserver": (("127.0.0.1:8008", "127.0.0.1:8000"), "media-loop", 7, "its own address"),
    "another port than Palpo's": (
        ("127.0.0.1:8008", "127.0.0.1:6167"),
        "media-homeserver",
        7,
        "but Palpo answers at 127.0.0.1:8008",
    ),
    "the way of clients": (
        ("http://127.0.0.1:8008/", "https://matrix.example.com"),
        "media-roundabout",
        7,
        "the way of clients",
    ),
    "the base domain": (("http://127.0.0.1:8008/", "https://example.com"), "media-homeserver", 7, "well-known"),
    "no URL": (("http://127.0.0.1:8008/", "palpo"), "media-homeserver", 7, "is no URL"),
    "no key": (
        ("    signingKeyPath: /etc/matrix-media-repo/signing.key\n", ""),
        "media-signing-key",
        7,
        "no signingKeyPath",
    ),
    "open to everybody": (("'127.0.0.1'", "'0.0.0.0'"), "media-exposed", 2, "at 0.0.0.0 port 8000"),
    "tokens remembered": (
        ("database:", "accessTokens: {maxCacheTimeSeconds: 43200}\ndatabase:"),
        "media-token-cache",
        4,
        "up to 43200 seconds",
    ),
    "another limit than the proxy's": (
        ("database:", "uploads: {maxBytes: 209715200}\ndatabase:"),
        "media-upload-limit",
        4,
        "takes 200 MiB, the proxy lets 100 MiB",
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_is_named_with_its_line(trap: str) -> None:
    """Alone, with what is wrong."""
    edit, rule, line, words = TRAPS[trap]
    ((name, where, what),) = found(repository(edited(edit)))
    assert (name, where) == (rule, line)
    assert words in what


def test_another_port_than_the_answers_say() -> None:
    """The proxy would find nobody."""
    made = repository(edited(("port: 8000", "port: 8001")), address="127.0.0.1:8001")
    assert [rule for rule, *_ in found(made)] == ["media-address"]


OURS = SigningKey("a_1", public_half(bytes(range(32))))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (SigningKey(problem="is missing"), "signing.key (signingKeyPath) is missing"),
        (replace(OURS, version="b_2"), "(ed25519:b_2) is not Palpo's (ed25519:a_1)"),
        (replace(OURS, public=public_half(bytes(32))), "is not Palpo's"),
        (OURS, ""),
        (None, ""),
    ],
)
def test_the_key_that_it_signs_with(key: SigningKey | None, words: str) -> None:
    """Palpo publishes one: another, or the same under another version, makes signatures that nobody believes."""
    made = repository()
    assert made.configuration is not None
    served = tuple(replace(each, key=key) for each in made.configuration.served)
    seen = replace(made, configuration=replace(made.configuration, served=served), account="mmr")
    said = list(judged(seen, replace(EXPECTED, public_key=OURS.public)))
    assert [each.rule for each in said] == (["media-signing-key"] if words else [])
    assert all(
        words in each.what and each.lines[-1] == "chown mmr: /etc/matrix-media-repo/signing.key" for each in said
    )


def test_in_a_container_loopback_is_the_container() -> None:
    """CsApi there is the repository itself; the address it binds is no matter, the published one is."""
    inside = edited(("'127.0.0.1'", "'0.0.0.0'"))
    ((rule, _, what),) = found(repository(inside, container="mmr"))
    assert (rule, "is the container itself" in what) == ("media-homeserver", True)
    bridged = inside.replace("http://127.0.0.1:8008/", "http://172.17.0.1:8008")
    assert found(repository(bridged, container="mmr")) == []
    (exposed,) = judged(repository(bridged, container="mmr", open_to=("0.0.0.0", "::")), EXPECTED)
    assert (exposed.rule, "--publish 127.0.0.1:8000:8000" in exposed.cure) == ("media-exposed", True)


def test_what_it_must_say_is_a_configuration_without_a_finding() -> None:
    """The line that is printed, read back."""
    text = wanted(EXPECTED)
    assert found(repository(text)) == []
    other = replace(EXPECTED, homeserver=Address("::1", 8008))
    assert parsed(wanted(other)).served[0].cs_api == "http://[::1]:8008"


def test_the_commands_make_palpos_key(tmp_path: Path) -> None:
    """The very same key and version, readable for its account only, from a document of either form (RFC 5958)."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    first = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    second = bytes([0x30, 0x53, 2, 1, 1]) + first[5:] + b"\xa1\x23\x03\x21\x00" + key.public_key().public_bytes_raw()
    toml, out = tmp_path / "palpo.toml", tmp_path / "signing.key"
    *commands, owned = key_commands(replace(EXPECTED, palpo_file=toml), str(out))
    assert owned == f"chown ACCOUNT: {out}"
    for document in (first, second):
        encoded = base64.b64encode(document).decode()
        toml.write_text(f'[keypair]\ndocument = "{encoded}" # ours\nversion = "a_1"\n')
        subprocess.run(["sh", "-euc", "umask 022\n" + "\n".join(commands)], check=True, capture_output=True)
        assert parse(out.read_bytes()) == SigningKey("a_1", of_document(encoded)) == OURS
        assert out.stat().st_mode & 0o077 == 0
        out.unlink()


def test_nothing_is_said_of_a_file_that_cannot_be_read() -> None:
    """What it must say is printed instead."""
    assert found(repository("[")) == []
