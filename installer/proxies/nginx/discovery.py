"""Finds nginx: the program, the running master process, its configuration and its unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.processes import Process, consult, in_our_network
from palpo_installer.proxies import discovering
from palpo_installer.proxies.nginx import build as builds
from palpo_installer.proxies.nginx import reading, tree
from palpo_installer.proxies.nginx.build import Build
from palpo_installer.proxies.nginx.configuration import Nginx

MASTER = "nginx: master process "
UNIT = "nginx.service"


@dataclass(frozen=True)
class Started:
    """How a master process was started: ``-c``, ``-p`` and ``-e``, empty where it was not given."""

    configuration: str
    prefix: str
    error_log: str = ""


def read(
    host: Host, processes: tuple[Process, ...], owners: frozenset[int], note: Callable[[str], None]
) -> Nginx | None:
    """Return nginx as found, None where it is not installed.

    Under a layout that is not the host's root, only the configuration there counts, and only a master that
    was started with it. ``owners`` are the processes that listen in our network namespace.
    """
    master = _master(host, processes, owners)
    binary = discovering.program(host, master, "nginx")
    if binary is None:
        return None
    said = consult(host, str(binary), "-V")
    build = builds.parse(said.stderr) if said is not None else None
    if build is None:
        note(f"{binary} -V gave no answer that could be read; nginx is left out.")
        return None
    started = parse_title(master.title) if master else Started("", "")
    prefix = Path(started.prefix) if started.prefix else build.prefix
    main = prefix / (started.configuration or build.configuration)
    if host.layout.root != Path("/"):
        main = host.layout.at("/etc/nginx/nginx.conf")
        if host.status(main) is None:
            return None
    return _describe(host, binary, replace(build, prefix=prefix), main, master)


def _describe(host: Host, binary: Path, build: Build, main: Path, master: Process | None) -> Nginx:
    written = tree.load(host, main)
    said = reading.parse(written.top, build, lambda name: discovering.addresses(host, name))
    unit, enabled = discovering.unit(host, master, UNIT)
    return Nginx(
        binary=binary,
        version=build.version,
        modules=build.modules,
        configuration=main,
        files=written.files,
        servers=said.servers,
        streams=said.streams,
        includes=said.includes,
        problems=(*written.problems, *reading.without_address(said)),
        user=said.user,
        error_log=said.error_log,
        pid_file=said.pid_file,
        pid=master.pid if master else None,
        unit=unit,
        unit_enabled=enabled,
    )


def _master(host: Host, processes: tuple[Process, ...], owners: frozenset[int]) -> Process | None:
    """Return the master process that serves this host: one that listens here, then a unit's, then the oldest."""
    masters = [each for each in processes if each.title.startswith(MASTER) and not each.container]
    if host.layout.root != Path("/"):
        ours = str(host.layout.at("/etc/nginx/nginx.conf"))
        masters = [each for each in masters if parse_title(each.title).configuration == ours]
    return discovering.serving(masters, owners, lambda pid: in_our_network(host, pid))


def parse_title(title: str) -> Started:
    """Return how the master of a process title was started (nginx.c, ``ngx_get_options``).

    The title has lost its quotes: what follows ``-g`` reaches to the next word with a dash.
    """
    values = {"c": "", "p": "", "g": "", "e": "", "s": ""}
    words = title.removeprefix(MASTER).split()[1:]
    while words:
        flags = words.pop(0)
        for position, letter in enumerate(flags[1:] if flags.startswith("-") else "", start=2):
            if letter in values:
                values[letter] = flags[position:] or (words.pop(0) if words else "")
                break
    return Started(values["c"], values["p"], values["e"])
