"""Finds matrix-media-repo: its configuration, how it runs, and who can reach it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from palpo_installer.answers import Address
from palpo_installer.errors import HostError
from palpo_installer.facts.containers import Container
from palpo_installer.facts.listeners import Listener
from palpo_installer.facts.palpo_files import mounted
from palpo_installer.facts.units import Unit, starting
from palpo_installer.host import Host
from palpo_installer.media import keys
from palpo_installer.media.configuration import MediaConfiguration, ServedName, parse, unusable
from palpo_installer.media.keys import SigningKey
from palpo_installer.processes import Process, consult

PROGRAM = "media_repo"
MENTIONS = re.compile(r"media_repo|matrix-media-repo")
USUAL = (
    "/etc/matrix-media-repo/media-repo.yaml",
    "/etc/media-repo.yaml",
    "/opt/matrix-media-repo/media-repo.yaml",
    "/matrix/matrix-media-repo/config/media-repo.yaml",
)
"""Where its documentation, and after it most guides and playbooks, put it."""

INSIDE = Path("/data/media-repo.yaml")
"""Where its container image looks (``Dockerfile``: REPO_CONFIG)."""

VARIABLE = re.compile(r"\bREPO_CONFIG=(\"[^\"]*\"|'[^']*'|[^\s\"']+)")
LOOPBACK = {4: "127.0.0.1", 6: "::1"}


@dataclass(frozen=True)
class MediaRepository:
    """A media repository as found.

    Attributes:
        configuration: its media-repo.yaml, None where it was not found.
        running: whether it runs.
        unit: the systemd unit that starts it, empty for none.
        container: its container, empty for none.
        address: where the proxy reaches it, ``127.0.0.1:8000``; empty where that is not known.
        open_to: the addresses beside loopback that it can be reached at, without the proxy.
        account: whom it runs as, empty where that is not known.
    """

    configuration: MediaConfiguration | None
    running: bool
    unit: str
    container: str
    address: str
    open_to: tuple[str, ...] = ()
    account: str = ""


def read(
    host: Host,
    processes: tuple[Process, ...],
    containers: tuple[Container, ...],
    listeners: tuple[Listener, ...],
) -> MediaRepository | None:
    """Return the media repository, None where there is no sign of one."""
    process = next((each for each in processes if Path(each.command[0]).name == PROGRAM), None)
    container = _container(process, containers)
    units = tuple(unit for unit in starting(host, MENTIONS) if container is None)
    configuration = _configuration(host, _places(host, process, container, units), container)
    if process is None and container is None and configuration is None and not units:
        return None
    told = _address(configuration, container)
    port = told.port if told else 0
    return MediaRepository(
        configuration=configuration,
        running=process is not None or container is not None,
        unit=process.unit if process and process.unit else next((unit.name for unit in units), ""),
        container=container.name if container else "",
        address=str(told) if told else "",
        open_to=tuple(sorted({each.address for each in listeners if each.port == port and _is_open(each.address)})),
        account="" if container else _account(host, process, units),
    )


def _account(host: Host, process: Process | None, units: Sequence[Unit]) -> str:
    """Return whom it runs as, by its process, else by its unit."""
    found = host.process(process.pid) if process else None
    try:
        return found.username() if found else next((unit.user for unit in units), "")
    except (psutil.Error, OSError, KeyError):
        return ""


def _container(process: Process | None, containers: Sequence[Container]) -> Container | None:
    if process is not None:
        short = process.container
        return next((each for each in containers if short and each.identity.startswith(short)), None)
    return next((each for each in containers if MENTIONS.search(f"{each.image} {each.name}")), None)


def _places(host: Host, process: Process | None, container: Container | None, units: Sequence[Unit]) -> Iterator[Path]:
    """Yield where the configuration may be on the host, the most certain first."""
    if container is not None:
        yield from _of_container(host, container, (INSIDE,))
    elif process is not None:
        directory, environment = _surroundings(host, process.pid)
        yield from named(process.command, environment, directory)
    if host.layout.root == Path("/"):
        for unit in units:
            variable = VARIABLE.search(unit.environment)
            environment = {"REPO_CONFIG": variable[1].strip("\"'")} if variable else {}
            yield from named(unit.start.split(), environment, unit.directory)
    yield from (host.layout.at(path) for path in USUAL)


def named(words: Sequence[str], environment: Mapping[str, str], directory: str) -> Iterator[Path]:
    """Yield the file that a media repository with this command line reads (``cmd/media_repo/main.go``)."""
    told = environment.get("REPO_CONFIG", "")
    for position, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in {"-config", "--config"} and not told:
            told = value if equals else next(iter(words[position + 1 :]), "")
    path = Path(directory, told or "media-repo.yaml")
    if path.is_absolute() and "%" not in str(path):
        yield path


def _surroundings(host: Host, pid: int) -> tuple[str, Mapping[str, str]]:
    process = host.process(pid)
    if process is None:
        return "", {}
    try:
        return process.cwd(), {key: value for key, value in process.environ().items() if key == "REPO_CONFIG"}
    except (psutil.Error, OSError):
        return "", {}


def _of_container(host: Host, container: Container, inside: Sequence[Path]) -> tuple[Path, ...]:
    template = "{{range .Mounts}}{{.Source}}\t{{.Destination}}\n{{end}}"
    said = consult(host, container.runtime, "inspect", "--format", template, container.name)
    return () if said is None or said.status else mounted(said.stdout, inside)


def _configuration(host: Host, places: Iterator[Path], container: Container | None) -> MediaConfiguration | None:
    for path in dict.fromkeys(places):
        try:
            files = _files(host, path)
        except HostError as error:
            return unusable(path, error.what)
        if files:
            found = parse(path, files)
            return replace(found, served=tuple(_with_key(host, path, each, container) for each in found.served))
    return None


def _files(host: Host, path: Path) -> dict[Path, bytes]:
    """Return a file with its bytes, or those of a directory in the order of their names.

    Raises:
        HostError: one of them cannot be read.
    """
    # Only of a directory there is a "..", also behind a link.
    is_directory = host.status(path / "..") is not None
    files = [path / name for name in host.names(path)] if is_directory else [path]
    read = ((each, host.read(each)) for each in files if host.status(each / "..") is None)
    return {each: data for each, data in read if data is not None}


def _with_key(host: Host, path: Path, entry: ServedName, container: Container | None) -> ServedName:
    """Return an entry with which signing key it has; a key itself is not kept."""
    if not entry.signing_key:
        return entry
    key = Path(entry.signing_key)
    places = (
        _of_container(host, container, (key,))
        if container
        else (path.parent / (host.layout.at(key) if key.is_absolute() else key),)
    )
    if not places or (not key.is_absolute() and container is None and host.status(places[0]) is None):
        return entry  # A relative one is looked for where the media repository was started, which is not known.
    try:
        data = host.read(places[0])
    except HostError as error:
        return replace(entry, key=SigningKey(problem=error.what)) if host.is_root else entry
    if data is not None:
        return replace(entry, key=keys.parse(data))
    # Without root a directory that we may not enter looks like one that is not there.
    return replace(entry, key=SigningKey(problem="is missing")) if host.is_root else entry


def _address(configuration: MediaConfiguration | None, container: Container | None) -> Address | None:
    if container is not None:
        published = next(iter(container.ports), None)
        return _reached(*published) if published else None
    if configuration is None or configuration.problem:
        return None
    return _reached(configuration.address, configuration.port)


def _reached(address: str, port: int) -> Address | None:
    """Return where a socket is reached from this host."""
    try:
        ip = ipaddress.ip_address({"localhost": "127.0.0.1"}.get(address, address))
    except ValueError:
        return None
    return Address(LOOPBACK[ip.version] if ip.is_unspecified else str(ip), port)


def _is_open(address: str) -> bool:
    return not ipaddress.ip_address(address.partition("%")[0]).is_loopback
