"""Palpo: its configuration file, how it runs, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


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
