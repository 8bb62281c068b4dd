"""A sound media-repo.yaml, and a media repository that has it."""

from __future__ import annotations

from pathlib import Path

from palpo_installer.answers import MEDIA_UPLOAD_SIZE, Address
from palpo_installer.facts.media import MediaRepository
from palpo_installer.media.checking import Expected
from palpo_installer.media.configuration import MediaConfiguration, parse

PATH = "/etc/matrix-media-repo/media-repo.yaml"
SOUND = """\
repo:
  bindAddress: '127.0.0.1'
  port: 8000
database:
  postgres: "postgres://media:hunter2@localhost/media?sslmode=disable"
homeservers:
  - name: example.com
    csApi: "http://127.0.0.1:8008/"
    signingKeyPath: /etc/matrix-media-repo/signing.key
"""
EXPECTED = Expected(
    "example.com",
    "matrix.example.com",
    Address("127.0.0.1", 8008),
    Address("127.0.0.1", 8000),
    MEDIA_UPLOAD_SIZE,
    Path("/etc/palpo/palpo.toml"),
    "a_1",
)


def edited(*edits: tuple[str, str]) -> str:
    """Return the sound file with texts replaced; each must be there."""
    text = SOUND
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text


def parsed(text: str) -> MediaConfiguration:
    """Return what one file says."""
    return parse(Path(PATH), {Path(PATH): text.encode()})


def repository(
    text: str = SOUND, *, container: str = "", address: str = "127.0.0.1:8000", open_to: tuple[str, ...] = ()
) -> MediaRepository:
    """Return a media repository with a configuration."""
    return MediaRepository(parsed(text), True, "", container, address, open_to)
