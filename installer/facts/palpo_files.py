"""palpo.toml: where Palpo looks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from palpo_installer.errors import HostError
from palpo_installer.facts.containers import Container
from palpo_installer.facts.palpo import PalpoConfiguration, parse
from palpo_installer.facts.units import Unit
from palpo_installer.host import Host
from palpo_installer.processes import Process, consult

USUAL = (Path("/etc/palpo/palpo.toml"), Path("/var/palpo/palpo.toml"))
"""Where Palpo looks when it is told nothing, after its working directory (Palpo, ``utils.rs``)."""

VARIABLE = re.compile(r"\bPALPO_CONFIG=(\"[^\"]*\"|'[^']*'|[^\s\"']+)", re.IGNORECASE)


def read(
    host: Host, process: Process | None, units: Sequence[Unit], container: Container | None
) -> tuple[PalpoConfiguration, ...]:
    """Return the files that are there, the one in use first."""
    usual = tuple(host.layout.at(path) for path in USUAL)
    told: list[Path] = []
    if container is not None:
        told += _of_container(host, container, process)
    elif process is not None:
        told += _of_process(host, process)
    if host.layout.root == Path("/"):
        told += [path for unit in units for path in of_unit(unit)]
    found = (_read_one(host, path) for path in dict.fromkeys((*told, *usual)))
    return tuple(configuration for configuration in found if configuration is not None)


def named(words: Sequence[str], environment: Mapping[str, str], directory: str) -> Iterator[Path]:
    """Yield where a Palpo with this command line and environment looks: option, variable, directory."""
    for position, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in {"-c", "--config"}:
            value = value if equals else next(iter(words[position + 1 :]), "")
            if value:
                yield Path(directory, value)
    for key, value in environment.items():
        if key.upper() == "PALPO_CONFIG" and value:
            yield Path(directory, value)
    if directory:
        yield Path(directory, "palpo.toml")


def of_unit(unit: Unit) -> tuple[Path, ...]:
    """Return where the Palpo that a unit starts looks; a container's options are about paths in the container."""
    words = unit.start.split()
    if Path(words[0] if words else "").name != "palpo":
        return ()
    variable = VARIABLE.search(unit.environment)
    environment = {"PALPO_CONFIG": variable[1].strip("\"'")} if variable else {}
    paths = named(words, environment, unit.directory)
    return tuple(path for path in paths if path.is_absolute() and "%" not in str(path))


def _of_process(host: Host, process: Process) -> tuple[Path, ...]:
    directory, environment = _surroundings(host, process.pid)
    return tuple(path for path in named(process.command, environment, directory) if path.is_absolute())


def _surroundings(host: Host, pid: int) -> tuple[str, Mapping[str, str]]:
    """Return a process's working directory and its PALPO_CONFIG, empty where we may not see them."""
    process = host.process(pid)
    if process is None:
        return "", {}
    try:
        everything = process.environ()
        return process.cwd(), {key: value for key, value in everything.items() if key.upper() == "PALPO_CONFIG"}
    except (psutil.Error, OSError):
        return "", {}


def _of_container(host: Host, container: Container, process: Process | None) -> tuple[Path, ...]:
    """Return the host's files that are mounted into a container where Palpo looks."""
    template = "{{range .Mounts}}{{.Source}}\t{{.Destination}}\n{{end}}"
    said = consult(host, container.runtime, "inspect", "--format", template, container.name)
    if said is None or said.status:
        return ()
    environment = _surroundings(host, process.pid)[1] if process else {}
    # The image sets PALPO_CONFIG to this path and works in this directory.
    inside = (*named(process.command if process else (), environment, "/var/palpo"), *USUAL)
    return mounted(said.stdout, inside)


def mounted(mounts: str, inside: Sequence[Path]) -> tuple[Path, ...]:
    """Return the host's paths of paths in a container, given lines of ``source<TAB>destination``."""
    rows = [line.split("\t") for line in mounts.splitlines() if line.count("\t") == 1]
    pairs = sorted(((Path(source), Path(destination)) for source, destination in rows), key=_deepest, reverse=True)
    found = []
    for path in inside:
        for source, destination in pairs:
            if path.is_relative_to(destination):
                below = path.relative_to(destination)
                found.append(source / below if below.parts else source)
                break
    return tuple(dict.fromkeys(found))


def _deepest(pair: tuple[Path, Path]) -> int:
    return len(pair[1].parts)


def _read_one(host: Host, path: Path) -> PalpoConfiguration | None:
    try:
        data = host.read(path)
    except HostError as error:
        return PalpoConfiguration(path, "", "", (), error.what)
    return None if data is None else parse(path, data)
