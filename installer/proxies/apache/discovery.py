"""Finds Apache: the program, its main process, its configuration, its modules and its unit."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from palpo_installer.host import Host
from palpo_installer.processes import PROC, Process, consult, in_our_network
from palpo_installer.proxies import discovering
from palpo_installer.proxies.apache import reading, tree
from palpo_installer.proxies.apache.configuration import Apache, Awake
from palpo_installer.proxies.apache.lines import environment
from palpo_installer.proxies.apache.modules import NEEDED
from palpo_installer.proxies.apache.tree import Surroundings

PROGRAMS = ("apache2", "httpd")
"""The names of the program: Debian's and SUSE's, and everybody else's."""


@dataclass(frozen=True)
class Build:
    """What ``apache2 -V`` tells of a program.

    Attributes:
        version: e.g. ``(2, 4, 71)``.
        root: the directory from which relative paths start.
        configuration: the main file, relative to it.
    """

    version: tuple[int, int, int]
    root: Path
    configuration: str


@dataclass(frozen=True)
class Started:
    """How a main process was started: ``-f``, ``-d`` and every ``-D``; empty where it was not given."""

    configuration: str = ""
    root: str = ""
    defines: frozenset[str] = frozenset()


def read(
    host: Host, processes: tuple[Process, ...], owners: frozenset[int], note: Callable[[str], None]
) -> Apache | None:
    """Return Apache as found, None where it is not installed.

    Under a layout that is not the host's root, only the configuration there counts. ``owners`` are the processes that
    listen in our network namespace.
    """
    main = main_process(of_layout(host, processes), owners, lambda pid: in_our_network(host, pid))
    binary = discovering.program(host, main, *PROGRAMS)
    if binary is None:
        return None
    said = consult(host, str(binary), "-V")
    build = parse_build(said.stdout) if said is not None else None
    if build is None:
        note(f"{binary} -V gave no answer that could be read; Apache is left out.")
        return None
    started = parse_command(main.command) if main else Started()
    root = host.layout.at(started.root or build.root)
    configuration = root / (started.configuration or build.configuration)
    if host.status(configuration) is None and (host.layout.root != Path("/") or main is None):
        return None
    return _describe(host, binary, build.version, configuration, root, started.defines, main)


def _describe(
    host: Host,
    binary: Path,
    version: tuple[int, int, int],
    configuration: Path,
    root: Path,
    defines: frozenset[str],
    main: Process | None,
) -> Apache:
    arrangement: Literal["debian", "httpd"] = "debian" if host.status(root / "sites-available") else "httpd"
    said = consult(host, str(binary), "-l")
    compiled = tuple(re.findall(r"^\s+(\S+\.c)$", said.stdout, re.MULTILINE)) if said is not None else ()
    variables = environment(host.text(root / "envvars") or "") if arrangement == "debian" else {}
    addresses = host.layout.addresses
    ipv6 = any(":" in a for a in addresses) if host.layout.private else host.status(PROC / "net/if_inet6") is not None

    def resolve(name: str) -> tuple[str, ...]:
        return discovering.addresses(host, name)

    surroundings = Surroundings(root, version, variables, defines, compiled)
    written = tree.load(host, configuration, surroundings)
    awake = tree.load(host, configuration, Surroundings(root, version, variables, defines, compiled, NEEDED))
    says, would = (reading.parse(each, ipv6=ipv6, resolve=resolve) for each in (written, awake))
    built_in = tuple(f"{name.removesuffix('.c').removeprefix('mod_')}_module" for name in compiled)
    unit, enabled = discovering.unit(host, main, f"{binary.name}.service")
    return Apache(
        binary=binary,
        version=version,
        configuration=configuration,
        files=awake.files,
        servers=says.servers,
        streams=(),
        problems=(*awake.problems, *would.problems),
        user=says.user,
        error_log=says.error_log,
        pid_file=says.pid_file,
        pid=main.pid if main else None,
        unit=unit,
        unit_enabled=enabled,
        arrangement=arrangement,
        modules=(*written.modules, *built_in),
        available=host.names(root / ("mods-available" if arrangement == "debian" else "modules")),
        unaided=(*(each for each, file in written.loads if reading.OURS not in file.name), *built_in),
        enabled=tuple(name for name in host.names(root / "mods-enabled") if _is_plain(host, root, name)),
        header_limits=says.header_limits,
        mpm=next((m for each in written.modules if (m := _mpm(each))), ""),
        listens=says.listens,
        includes=says.includes,
        server_root=written.server_root,
        included=awake.included,
        awake=Awake(would.listens, would.servers, would.everywhere),
    )


def _is_plain(host: Host, root: Path, name: str) -> bool:
    """Return whether a link of ``mods-enabled`` is as a2enmod makes it."""
    path = root / "mods-enabled" / name
    status = host.status(path)
    return status is not None and stat.S_ISLNK(status.st_mode) and str(path.readlink()) == f"../mods-available/{name}"


def _mpm(identifier: str) -> str:
    match = re.fullmatch(r"mpm_(\w+)_module", identifier)
    return match[1] if match else ""


def of_layout(host: Host, processes: Sequence[Process]) -> tuple[Process, ...]:
    """Return the processes that may serve a layout: below another root than /, those that were started with it."""
    root = host.layout.root
    if root == Path("/"):
        return tuple(processes)
    return tuple(each for each in processes if Path(parse_command(each.command).configuration).is_relative_to(root))


def main_process(processes: Sequence[Process], owners: frozenset[int], ours: Callable[[int], bool]) -> Process | None:
    """Return the main process that serves this host: one that listens here, then a unit's, then the oldest.

    Its workers have the same name, and it for a parent.

    Args:
        processes: all that are seen.
        owners: those that listen here.
        ours: whether one that does not is in our network at least.
    """
    mine = {each.pid: each for each in processes if each.name in PROGRAMS and not each.container}
    mains = [each for each in mine.values() if each.parent not in mine]
    return discovering.serving(mains, owners, ours)


def parse_build(text: str) -> Build | None:
    """Return what ``-V`` said, None where it is not Apache."""
    version = re.search(r"Apache/(\d+)\.(\d+)\.(\d+)", text)
    settings = dict(re.findall(r'-D (HTTPD_ROOT|SERVER_CONFIG_FILE)="([^"]*)"', text))
    if version is None or len(settings) != 2:
        return None
    major, minor, patch = (int(each) for each in version.groups())
    return Build((major, minor, patch), Path(settings["HTTPD_ROOT"]), settings["SERVER_CONFIG_FILE"])


def parse_command(command: Sequence[str]) -> Started:
    """Return how a main process was started, from its command line; a value may stand right behind its letter."""
    values: dict[str, list[str]] = {"f": [], "d": [], "D": []}
    words = list(command[1:])
    while words:
        word = words.pop(0)
        letter = word[1:2] if word.startswith("-") else ""
        if letter in values:
            values[letter].append(word[2:] or (words.pop(0) if words else ""))
    return Started(
        configuration=values["f"][-1] if values["f"] else "",
        root=values["d"][-1] if values["d"] else "",
        defines=frozenset(values["D"]),
    )
