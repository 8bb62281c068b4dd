"""Containers that run, as docker and podman list them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from palpo_installer.host import Host
from palpo_installer.processes import Process, consult

FORMAT = "{{.ID}}\t{{.Names}}\t{{.Image}}\t{{.Ports}}"

PUBLISHED = re.compile(r"(?P<address>[^\s,]*):(?P<first>\d+)(?:-(?P<last>\d+))?->[\d-]+/tcp")

SIGNS = {"docker": "dockerd", "podman": "conmon"}
"""The process without which a runtime has no running containers; asking docker would start it, and asking
podman for the first time would make its database."""


@dataclass(frozen=True)
class Container:
    """A running container.

    Attributes:
        identity: its full id.
        name: its name.
        image: what it was made from, with registry and tag.
        runtime: the program that manages it.
        ports: the host's TCP addresses and ports that lead to it.
    """

    identity: str
    name: str
    image: str
    runtime: str
    ports: tuple[tuple[str, int], ...]


def read(host: Host, processes: tuple[Process, ...], note: Callable[[str], None]) -> tuple[Container, ...]:
    """Return the running containers; ``note`` takes a sentence where they cannot be listed."""
    running = {process.name for process in processes}
    found: list[Container] = []
    for runtime, sign in SIGNS.items():
        if sign not in running:
            continue
        said = consult(host, runtime, "ps", "--no-trunc", "--format", FORMAT)
        if said is None or said.status:
            note(f"The containers of {runtime} could not be listed.")
        else:
            found += parse(said.stdout, runtime)
    return tuple(found)


def parse(text: str, runtime: str) -> tuple[Container, ...]:
    """Return the containers of ``ps --no-trunc`` in ``FORMAT``."""
    rows = [line.split("\t") for line in text.splitlines() if line.count("\t") == 3]
    return tuple(Container(row[0], row[1], row[2], runtime, published(row[3])) for row in rows)


def published(text: str) -> tuple[tuple[str, int], ...]:
    """Return the addresses and ports of a text such as ``0.0.0.0:80->8080/tcp, [::]:80->8080/tcp``."""
    return tuple(
        (match["address"].strip("[]") or "0.0.0.0", port)  # noqa: S104
        for match in PUBLISHED.finditer(text)
        for port in range(int(match["first"]), int(match["last"] or match["first"]) + 1)
    )


def named(containers: tuple[Container, ...], short: str) -> str:
    """Return the name of the container with a short id, or what was given where no runtime knows it."""
    return next((each.name for each in containers if each.identity.startswith(short)), short)
