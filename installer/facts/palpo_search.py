"""Finds Palpo: how it runs, where its files are, and which of this host's sockets is its."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from palpo_installer import probe
from palpo_installer.answers import Address
from palpo_installer.facts import palpo_files
from palpo_installer.facts.containers import Container
from palpo_installer.facts.listeners import Listener
from palpo_installer.facts.palpo import Palpo, PalpoConfiguration, parse_versions
from palpo_installer.facts.units import Unit, account, starting
from palpo_installer.host import Host
from palpo_installer.probe import Answer, Question
from palpo_installer.processes import Process

MENTIONS = re.compile(r"palpo(?!-installer)")
"""What is about Palpo and not about this program."""

VERSIONS = "/_matrix/client/versions"
DEFAULT_PORT = 8008
LOOPBACK = {"0.0.0.0": "127.0.0.1", "127.0.0.1": "127.0.0.1", "::": "::1", "::1": "::1"}  # noqa: S104
PROXIES = frozenset({"nginx", "apache2", "httpd", "caddy", "haproxy", "traefik", "relayd", "envoy"})


def read(
    host: Host,
    processes: tuple[Process, ...],
    containers: tuple[Container, ...],
    listeners: tuple[Listener, ...],
    ask: Callable[[Question], Answer] = probe.ask,
) -> Palpo:
    """Return the homeserver as found; ``ask`` puts the question to its sockets."""
    process = next((each for each in processes if is_palpo(each)), None)
    container = _container(process, containers)
    units = starting(host, MENTIONS)
    unit = _unit(process, units)
    user, group = account(host, unit) if unit else ("", "")
    configurations = palpo_files.read(host, process, (unit,) if unit else units, container)
    answers_at, version = _answering(candidates(listeners, configurations, container), ask)
    return Palpo(
        configurations=configurations,
        runs_as=_runs_as(process, container, unit),
        unit=unit.name if unit else "",
        container=container.name if container else (process.container if process else ""),
        runtime=container.runtime if container else "",
        user=user,
        group=group,
        answers_at=answers_at,
        version=version,
    )


def is_palpo(process: Process) -> bool:
    """Return whether a process is Palpo itself: the installer's name begins the same."""
    return process.name == "palpo" or Path(process.command[0]).name == "palpo"


def _container(process: Process | None, containers: tuple[Container, ...]) -> Container | None:
    if process is not None and process.container:
        return next((each for each in containers if each.identity.startswith(process.container)), None)
    if process is not None:
        return None
    return next((each for each in containers if MENTIONS.search(each.image) or MENTIONS.search(each.name)), None)


def _unit(process: Process | None, units: tuple[Unit, ...]) -> Unit | None:
    if process is not None and not process.container:
        running = next((each for each in units if each.name == process.unit), None)
        return running or (Unit(process.unit, "", "", "", "", "") if process.unit else None)
    return next(iter(units), None)


def _runs_as(
    process: Process | None, container: Container | None, unit: Unit | None
) -> Literal["unit", "container", "process", "stopped"]:
    if container is not None or (process is not None and process.container):
        return "container"
    if unit is not None:
        return "unit"
    return "stopped" if process is None else "process"


def candidates(
    listeners: tuple[Listener, ...], configurations: tuple[PalpoConfiguration, ...], container: Container | None
) -> tuple[tuple[str, int], ...]:
    """Return where on loopback Palpo may answer: its own sockets, then those on ports it is told to use.

    A proxy in front of Palpo would name Palpo too, so proxies are not asked.
    """
    ports = {int(port) for each in configurations for address in each.listeners if (port := _port(address))}
    ports |= {DEFAULT_PORT} | ({port for _, port in container.ports} if container else set())
    reached = [each for each in listeners if each.address in LOOPBACK and each.process not in PROXIES]
    own = [each for each in reached if each.process == "palpo" or (container and each.container == container.name)]
    told = [each for each in reached if each.port in ports]
    return tuple(dict.fromkeys((LOOPBACK[each.address], each.port) for each in (*own, *told)))


def _port(address: str) -> str:
    port = address.rpartition(":")[2]
    return port if port.isdigit() else ""


def _answering(sockets: Iterable[tuple[str, int]], ask: Callable[[Question], Answer]) -> tuple[str, str]:
    """Return the first socket that names Palpo, and its version."""
    for address, port in sockets:
        answer = ask(Question(address, port, tls=False, target=VERSIONS, timeout=2.0))
        version = parse_versions(answer.body) if answer.status == 200 else None
        if version is not None:
            return str(Address(address, port)), version
    return "", ""
