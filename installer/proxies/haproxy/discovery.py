"""Finds HAProxy: the program, its running main process and workers, what they load, and the unit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.processes import Process, consult
from palpo_installer.proxies import discovering
from palpo_installer.proxies.haproxy import reading, tree, unit
from palpo_installer.proxies.haproxy.configuration import HAProxy

NAME = "haproxy"
UNIT = "haproxy.service"
MAIN = "/etc/haproxy/haproxy.cfg"
VERSION = re.compile(r"version (?P<version>\d+\.\d+(?:\.\d+)?)", re.IGNORECASE)


def read(
    host: Host, processes: Sequence[Process], owners: frozenset[int], note: Callable[[str], None]
) -> HAProxy | None:
    """Return HAProxy as found, None where it is not installed; ``owners`` listen in our network namespace.

    Under a layout that is not the host's root, only the configuration there counts.
    """
    main, workers = running(processes, owners, host)
    binary = discovering.program(host, main, NAME)
    if binary is None:
        return None
    said = consult(host, str(binary), "-vv")
    version = VERSION.search(said.stdout) if said is not None else None
    if version is None:
        note(f"{binary} -vv gave no answer that could be read; HAProxy is left out.")
        return None
    if host.layout.root != Path("/") and host.status(host.layout.at(MAIN)) is None:
        return None
    numbers = tuple(int(number) for number in version["version"].split("."))
    found = _describe(host, binary, (*numbers, 0)[:3], main, workers)
    return replace(found, lua=said is not None and "+LUA" in said.stdout.split())


def _describe(
    host: Host, binary: Path, version: tuple[int, ...], main: Process | None, workers: Sequence[Process]
) -> HAProxy:
    name, enabled = discovering.unit(host, main, UNIT)
    start = unit.starting(host, name) if name else None
    command = main.command if main is not None else start.expanded(host) if start is not None else ()
    loads = tuple(host.layout.at(path) if main is None else Path(path) for path in loaded(command))
    loads = loads or (host.layout.at(MAIN),)
    written = tree.load(host, loads)
    files = start.files if start and start.takes_options else ()
    file = next((path for path in files if host.status(path) is not None), None)
    fronts, unread = reading.frontends(host, written.sections, start.variables(host) if start else {})
    sections = written.sections
    return HAProxy(
        binary=binary,
        version=(version[0], version[1], version[2]),
        configuration=loads[0],
        files=(*written.files, *tree.read(host, [each.path for front in fronts for each in front.lists])),
        servers=reading.blocks(host, fronts),
        streams=tuple(listen for each in fronts if each.mode != "http" for listen in each.listens),
        problems=(*written.problems, *unread),
        user=reading.of_global(sections, "user") or "root",
        error_log="",
        pid_file=option(command, "-p") or reading.of_global(sections, "pidfile"),
        pid=main.pid if main else None,
        unit=name,
        unit_enabled=enabled,
        command=command,
        loads=loads,
        directories=tuple(path for path in loads if path.is_dir()),
        environment_file=file,
        options=start.variables(host).get(unit.OPTIONS, "") if start and start.takes_options else None,
        options_line=unit.line_for_options(host.text(file) or "") if file else 0,
        sections=sections,
        frontends=fronts,
        sockets=reading.runtime_sockets(sections),
        master=main is None or is_master(main.command),
        workers=tuple(each.pid for each in workers),
    )


def running(
    processes: Sequence[Process], owners: frozenset[int], host: Host
) -> tuple[Process | None, tuple[Process, ...]]:
    """Return the main process that serves this host, and its workers, which hold the sockets."""
    ours = [each for each in processes if is_haproxy(each) and not each.container]
    if host.layout.root != Path("/"):
        root = str(host.layout.root)
        ours = [each for each in ours if any(path.startswith(root) for path in loaded(each.command))]
    numbers = {each.pid for each in ours}
    mains = [each for each in ours if each.parent not in numbers]

    def family(main: Process) -> tuple[Process, ...]:
        return tuple(each for each in ours if main.pid in {each.pid, each.parent})

    # Workers alone hold the sockets; those of another network namespace are not among the owners.
    here = [each for each in mains if any(one.pid in owners for one in family(each))]
    chosen = min(here, key=lambda each: (not each.unit, each.started), default=None)
    return chosen, family(chosen) if chosen is not None else ()


def is_haproxy(process: Process) -> bool:
    """Return whether a process is an HAProxy that serves, and not one that tests a configuration."""
    return process.name == NAME and "-c" not in process.command[1:]


def is_master(command: Sequence[str]) -> bool:
    """Return whether a command line starts a main process with workers (haproxy(1), ``-W`` and ``-Ws``)."""
    return bool({"-W", "-Ws"} & set(command[1:]))


def loaded(command: Sequence[str]) -> tuple[str, ...]:
    """Return what ``-f`` names, in order."""
    words, found = list(command[1:]), []
    while words:
        word = words.pop(0)
        if word == "-f":
            # Each -f takes all words up to the next option (haproxy(1)).
            while words and not words[0].startswith("-"):
                found.append(words.pop(0))
        elif word == "--":
            return (*found, *words)
    return tuple(found)


def option(command: Sequence[str], name: str) -> str:
    """Return the value of an option of the program, empty for none."""
    words = list(command)
    return words[words.index(name) + 1] if name in words[:-1] else ""
