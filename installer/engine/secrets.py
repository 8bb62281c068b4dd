"""The secrets of a run: delivered by a viewer, in files of the person's, or made here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from palpo_installer.engine.history import SECRETS
from palpo_installer.errors import HostError
from palpo_installer.homeserver.keys import signing_key
from palpo_installer.host import Host
from palpo_installer.secret import Secret, SecretReference


def take(directory: Path) -> dict[str, Secret]:
    """Return what a viewer handed over with a run, by name; its file is gone then."""
    path = directory / SECRETS
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    path.unlink()
    return {name: Secret(value) for name, value in values.items()}


def resolve(host: Host, delivered: Mapping[str, Secret], reference: SecretReference) -> Secret:
    """Return the secret that a reference of a plan stands for; a signing key is made where there is none.

    Raises:
        HostError: it was not delivered, or its file is not there or holds no text.
    """
    match reference.source:
        case "answer":
            if reference.name not in delivered:
                raise HostError("was not delivered to the engine", where=reference.name)
            return delivered[reference.name]
        case "file":
            data = host.read(Path(reference.locator))
            if data is None:
                raise HostError("is not there", where=reference.locator)
            return Secret(_decoded(data, reference.locator))
        case "signing-key":
            return signing_key(host.layout, reference.locator)


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode().strip()
    except UnicodeDecodeError as error:
        raise HostError("is no text in UTF-8", where=where, next="Write the secret into it again") from error
