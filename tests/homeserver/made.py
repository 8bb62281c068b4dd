"""Answers and secrets for tests of palpo.toml."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

from palpo_installer.answers import (
    Address,
    Answers,
    BaseDomain,
    Certificates,
    Delegation,
    Federation,
    Homeserver,
    Method,
    Names,
    Registration,
    WellKnown,
)
from palpo_installer.homeserver.configuration import merge
from palpo_installer.homeserver.settings import settings
from palpo_installer.layout import Layout
from palpo_installer.secret import SecretReference

DATABASE = SecretReference("homeserver.database_url", "answer", "homeserver.database_url")
TOKEN = SecretReference("homeserver.registration_token", "file", "/root/token")
LOCAL = Address("127.0.0.1", 8008)
DATABASE_URL = "postgres://palpo:CHANGE_ME@127.0.0.1:5432/palpo"
DOCUMENT = "MC4CAQAwBQYDK2VwBCIEIJsGSxDKDZcXUPeHQflUbMVBK6+Kbdksmccl4HUEOuH+"
VALUES = {"answer": DATABASE_URL, "file": "let-me-in", "signing-key": DOCUMENT}


def answers(
    *,
    proxy: str = "nginx",
    server_name: str = "example.com",
    delegation: Delegation = Delegation.WELL_KNOWN,
    registration: Registration = Registration.CLOSED,
    listen: Address = LOCAL,
    database_url: SecretReference | None = DATABASE,
) -> Answers:
    """Return the answers of an ordinary host, but for what is given."""
    homeserver = Homeserver(
        config=Path("/etc/palpo/palpo.toml"),
        listen=listen,
        upstream=LOCAL,
        database_url=database_url,
        registration=registration,
        registration_token=TOKEN if registration is Registration.TOKEN else None,
        max_upload_size=16777216,
        storage=Path("/var/lib/palpo/media"),
    )
    return Answers(
        names=Names(server_name, "matrix.example.com", BaseDomain.OURS),
        federation=Federation(delegation, 8448),
        proxy=proxy,
        homeserver=homeserver,
        media=None,
        well_known=WellKnown(),
        certificates=Certificates(Method.HTTP_01, "", True, "https://ca.example/dir", None, None, ""),
    )


def reveal(reference: SecretReference) -> str:
    """Return the value of a reference by where it comes from."""
    return VALUES[reference.source]


def merged(existing: bytes | None, choices: Answers | None = None) -> bytes:
    """Return palpo.toml after the settings for some answers are merged into what is there."""
    choices = choices or answers()
    return merge(existing, settings(choices, existing, Layout()), reveal)


def said(data: bytes) -> dict[str, object]:
    """Return what a palpo.toml says, as the standard library reads it."""
    return tomllib.loads(data.decode())


def without_token(choices: Answers) -> Answers:
    """Return the answers with no registration token."""
    return replace(choices, homeserver=replace(choices.homeserver, registration_token=None))
