"""Processes: what runs, and the systemd unit or the container that it belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from palpo_installer.errors import HostError
from palpo_installer.host import Command, Completed, Host

PROC = Path("/proc")

CONTAINER = re.compile(
    r"""/(?:
      (?:docker|libpod(?:-conmon)?|crio|cri-containerd)-(?P<scope>[0-9a-f]{64})(?:\.scope)?  # systemd's driver
    | (?P<directory>[0-9a-f]{64})                         # the cgroupfs driver: /docker/ID, /kubepods/podUID/ID
    | lxc(?:\.payload)?[./](?P<lxc>[^/]+)
    | systemd-nspawn@(?P<nspawn>[^/]+)\.service
    | machine-(?P<machine>[^/]+)\.scope                   # systemd-machined
    )(?=/|$)""",
    re.VERBOSE,
)
"""The component of a control group's path that stands for a container."""


@dataclass(frozen=True)
class Place:
    """Where a process belongs.

    Attributes:
        unit: the system's systemd unit, empty for none and inside a container.
        container: its short id or name, empty for none.
    """

    unit: str
    container: str


@dataclass(frozen=True)
class Process:
    """A running process.

    Attributes:
        pid: its number.
        name: the kernel's name for it.
        command: its command line; a program that sets its title has it all in the first word.
        program: the file that runs, empty where we may not see it.
        started: seconds since 1970, for telling older from younger.
        parent: the number of the process that started it, 0 where it is out of sight.
        unit: as in ``Place``.
        container: as in ``Place``.
    """

    pid: int
    name: str
    command: tuple[str, ...]
    program: str
    started: float
    parent: int
    unit: str
    container: str

    @property
    def title(self) -> str:
        """The command line as one text."""
        return " ".join(self.command)


def read(host: Host) -> tuple[Process, ...]:
    """Return the processes we may see, kernel threads left out, by number; of a private copy only its own."""
    here = place(host.text(PROC / "self/cgroup") or "").container
    pids = sorted(int(name) for name in host.names(PROC) if name.isdigit())
    found = tuple(process for pid in pids if (process := _read_one(host, pid, here)) is not None)
    return of_copy(found, host.layout.root) if host.layout.private else found


def of_copy(processes: tuple[Process, ...], root: Path) -> tuple[Process, ...]:
    """Return the processes of a host's private copy: those started with its files, and their children.

    Whatever unit or container of this machine they were started from is no business of the copy's.
    """
    named = re.compile(rf"{re.escape(str(root))}(?![\w.-])")
    own = {each.pid for each in processes if named.search(each.title)}
    return tuple(replace(each, unit="", container="") for each in processes if own & {each.pid, each.parent})


def _read_one(host: Host, pid: int, here: str) -> Process | None:
    process = host.process(pid)
    if process is None:
        return None
    try:
        with process.oneshot():
            name, command = process.name(), tuple(process.cmdline())
            started, parent = process.create_time(), process.ppid()
    except psutil.Error:
        return None
    if not command:
        return None
    belongs = place(host.text(PROC / str(pid) / "cgroup") or "", here)
    return Process(pid, name, command, _program(process), started, parent, belongs.unit, belongs.container)


def _program(process: psutil.Process) -> str:
    try:
        return process.exe()
    except psutil.Error:
        return ""


def place(text: str, here: str = "") -> Place:
    """Return the place that ``/proc/PID/cgroup`` tells of (cgroups(7): ``hierarchy:controllers:path`` lines).

    Takes control groups of version 1, of version 2 and both at once. ``here`` is the container that we run in
    ourselves: what is in it too is not in a container, seen from here.
    """
    lines = [line.split(":", 2) for line in text.splitlines() if line.count(":") >= 2]
    # systemd keeps its units in its own named hierarchy, or in that of version 2.
    lines.sort(key=lambda line: (line[1] != "name=systemd", line[0] != "0"))
    paths = [_below(path, here) for _, _, path in lines]
    container = next((found for path in paths if (found := _container(path)[0])), "")
    if container:
        return Place("", container)
    return Place(next((found for path in paths[:2] if (found := _unit(path))), ""), "")


def _container(path: str) -> tuple[str, int]:
    """Return the outermost container in a path and where its component ends."""
    match = CONTAINER.search(path)
    if match is None:
        return "", 0
    name = match[match.lastgroup or 0]
    if match.lastgroup in {"scope", "directory"}:
        return name[:12], match.end()
    return re.sub(r"\\x([0-9a-f]{2})", lambda escape: chr(int(escape[1], 16)), name), match.end()


def _below(path: str, here: str) -> str:
    name, end = _container(path)
    return path[end:] if name and name == here else path


def _unit(path: str) -> str:
    for component in path.split("/"):
        # What a person's own service manager started is no unit that the system can restart.
        if component.startswith("user@"):
            return ""
        if component.endswith(".service"):
            return component
    return ""


def consult(host: Host, *argv: str, timeout: float = 5.0) -> Completed | None:
    """Run a program that only reads; None where it is missing or does not end within ``timeout`` seconds."""
    try:
        return host.run(Command(argv, timeout=timeout))
    except HostError:
        return None


def in_our_network(host: Host, pid: int) -> bool:
    """Return whether a process shares our network namespace, true where we may not see."""
    said = consult(host, "stat", "-L", "-c", "%i", str(PROC / "self/ns/net"), str(PROC / str(pid) / "ns/net"))
    inodes = said.stdout.split() if said is not None else []
    return len(inodes) < 2 or inodes[0] == inodes[1]
