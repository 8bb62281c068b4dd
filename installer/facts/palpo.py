"""Palpo: its configuration file, how it runs, and what it answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tomlkit
import tomlkit.exceptions

END_OF_FILE = r"Unexpected character: '\x00'"
"""How tomlkit puts a text that ends in the middle of a value."""


@dataclass(frozen=True)
class PalpoConfiguration:
    """A palpo.toml that is there.

    Attributes:
        path: where.
        sha256: of its bytes; empty when it could not be read.
        server_name: what it says; empty when it says none.
        listeners: its ``[[listeners]]`` addresses, ``host:port``.
        problem: why it is no usable TOML file, with line; empty when it is one.
    """

    path: Path
    sha256: str
    server_name: str
    listeners: tuple[str, ...]
    problem: str


@dataclass(frozen=True)
class Palpo:
    """The homeserver as found.

    Attributes:
        configurations: the files found, in the order in which Palpo itself looks for them.
        runs_as: how it is started and restarted.
        unit: its systemd unit, empty for none.
        container: its container's name, and ``runtime`` the program that manages it (docker, podman).
        user: the user and group that its service runs as, empty when not known.
        answers_at: the loopback address where ``/_matrix/client/versions`` names Palpo, empty for none.
        version: what it says there.
    """

    configurations: tuple[PalpoConfiguration, ...]
    runs_as: Literal["unit", "container", "process", "stopped"]
    unit: str
    container: str
    runtime: str
    user: str
    group: str
    answers_at: str
    version: str


def parse(path: Path, data: bytes) -> PalpoConfiguration:
    """Return what a palpo.toml says; a broken one says why, and where."""
    sha256 = hashlib.sha256(data).hexdigest()
    if path.suffix != ".toml":
        return PalpoConfiguration(
            path, sha256, "", (), f"is in the format {path.suffix or 'of another kind'}, not TOML"
        )
    try:
        document = tomlkit.parse(data.decode()).unwrap()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return PalpoConfiguration(path, sha256, "", (), f"line {line}: is not UTF-8")
    except tomlkit.exceptions.TOMLKitError as error:
        line = getattr(error, "line", 0)
        reason = re.sub(r" at line \d+ col \d+$", "", str(error)).rstrip(".")
        reason = reason.replace(END_OF_FILE, "the file ends too early")
        return PalpoConfiguration(path, sha256, "", (), f"line {line}: {reason}" if line else reason)
    return PalpoConfiguration(path, sha256, str(document.get("server_name", "")), _listeners(document), "")


def _listeners(document: Mapping[str, object]) -> tuple[str, ...]:
    listeners = document.get("listeners", [])
    tables = [each for each in listeners if isinstance(each, Mapping)] if isinstance(listeners, list) else []
    return tuple(each["address"] for each in tables if isinstance(each.get("address"), str))


def parse_versions(body: bytes) -> str | None:
    """Return Palpo's version by its answer at ``VERSIONS`` (MSC4383), None where another server answers."""
    try:
        server = json.loads(body)["net.zemos.msc4383.server"]
        return str(server.get("version", "")) if server["name"] == "Palpo" else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
