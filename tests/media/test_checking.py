from __future__ import annotations

import base64
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from palpo_installer.answers import Address
from palpo_installer.facts.media import MediaRepository
from palpo_installer.media.checking import Expected, judged, key_commands, wanted
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


def test_a_key_file_that_is_missing() -> None:
    """Seen as missing it is named; where it cannot be seen nothing is said."""
    made = repository()
    assert made.configuration is not None
    for there, rules in ((False, ["media-signing-key"]), (None, []), (True, [])):
        served = tuple(replace(each, key_there=there) for each in made.configuration.served)
        seen = replace(made, configuration=replace(made.configuration, served=served))
        assert [rule for rule, *_ in found(seen)] == rules


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


def test_the_commands_make_palpos_key_readable_for_its_tool(tmp_path: Path) -> None:
    """The very same 32 bytes, in Synapse's form, from a document with and without the public key (RFC 5958)."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    first = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    second = bytes([0x30, 0x53, 2, 1, 1]) + first[5:] + b"\xa1\x23\x03\x21\x00" + key.public_key().public_bytes_raw()
    commands = key_commands(replace(EXPECTED, palpo_file=tmp_path / "palpo.toml"), "/signing.key")
    for document in (first, second):
        toml, out = tmp_path / "palpo.toml", tmp_path / "key"
        toml.write_text(f'[keypair]\ndocument = "{base64.b64encode(document).decode()}" # ours\nversion = "a_1"\n')
        script = "\n".join(commands[:2]).replace("/root/palpo.signing.key", str(out))
        subprocess.run(["sh", "-euc", script], check=True, capture_output=True)
        match = re.fullmatch(r"ed25519 a_1 ([A-Za-z0-9+/]{43})\n", out.read_text())
        assert match is not None
        assert base64.b64decode(f"{match[1]}=") == bytes(range(32))
        assert out.stat().st_mode & 0o077 == 0
        out.unlink()
    assert commands[2] == "generate_signing_key -input /root/palpo.signing.key -format mmr -output /signing.key"


def test_nothing_is_said_of_a_file_that_cannot_be_read() -> None:
    """What it must say is printed instead."""
    assert found(repository("[")) == []
