"""apt and dpkg: what is installed, what an installation would bring, who holds the lock, and why one failed.

The forms are those of apt-get(8), dpkg-query(1) and deb-control(5).
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import HostError
from palpo_installer.host import Command, Host

ASKING = 60.0
"""Seconds for a command that only asks."""

ENVIRONMENT: Mapping[str, str] = {
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    # Only lists what would have to be restarted: other services are not ours to restart.
    "NEEDRESTART_MODE": "l",
}

OPTIONS = (
    "--yes",
    "--quiet",
    "--option=Dpkg::Use-Pty=0",
    "--option=DPkg::Lock::Timeout=60",
    "--option=Acquire::Retries=2",
    "--option=Acquire::http::Timeout=30",
    "--option=Acquire::https::Timeout=30",
    "--option=Dpkg::Options::=--force-confdef",
    "--option=Dpkg::Options::=--force-confold",
)

LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock")

CAUSES = (
    (
        r"No space left on device|don't have enough free space",
        "the disk is full",
        "Make room (apt-get clean helps), then",
    ),
    (r"dpkg was interrupted", "an earlier installation was interrupted", "Run: dpkg --configure -a; then"),
    (r"Unmet dependencies|unmet dependencies|held broken packages", "its dependencies cannot be met", "See above;"),
    (r"Could not get lock|Unable to lock", "another program holds the lock on the packages", "Wait for its end, then"),
    (
        r"Could not resolve|Temporary failure resolving|Could not connect|Failed to fetch|Unable to fetch|"
        r"Network is unreachable|Connection (timed out|failed|refused)|File not found",
        "the packages cannot be fetched",
        "Check the network and /etc/apt/sources.list, then",
    ),
    (r"Unable to locate package|has no installation candidate", "no source of apt has it", "Check the sources, then"),
    (r"packages need to be removed but remove is disabled", "other packages would have to go for it", "See above;"),
)
"""What apt says, what that means, and what to do."""


@dataclass(frozen=True)
class Simulated:
    """What apt-get would do.

    Attributes:
        installed: packages that come, or that become newer.
        removed: packages that go.
        problem: why it cannot be done, in apt's words; empty when it can.
    """

    installed: tuple[str, ...]
    removed: tuple[str, ...]
    problem: str = ""


def states(host: Host) -> Mapping[str, str]:
    """Return the state of every package that dpkg knows, ``installed`` or e.g. ``config-files``, by its name.

    Raises:
        HostError: dpkg cannot be asked.
    """
    said = host.run(Command(("dpkg-query", "--show", "--showformat=${Package}\t${db:Status-Status}\n"), ASKING))
    if said.status != 0:
        raise HostError(f"the packages cannot be listed: {said.stderr.strip()}", where="dpkg-query")
    return dict(line.split("\t", 1) for line in said.stdout.splitlines() if "\t" in line)


def simulate(host: Host, *arguments: str) -> Simulated:
    """Return what apt-get would do; changes nothing."""
    command = Command(("apt-get", "--simulate", *OPTIONS, *arguments), ASKING, {"DEBIAN_FRONTEND": "noninteractive"})
    return parse_simulation(*_said(host, command))


def _said(host: Host, command: Command) -> tuple[int, str, str]:
    said = host.run(command)
    return said.status, said.stdout, said.stderr


def parse_simulation(status: int, stdout: str, stderr: str) -> Simulated:
    """Return what the lines ``Inst name …``, ``Remv name …`` and ``Purg name …`` tell."""
    if status != 0:
        told = (stderr or stdout).strip().splitlines()
        return Simulated((), (), told[-1].removeprefix("E: ") if told else f"apt-get ended with status {status}")
    words = [line.split() for line in stdout.splitlines()]
    pairs = [(each[0], each[1].split(":")[0]) for each in words if len(each) > 1]
    installed = tuple(dict.fromkeys(name for verb, name in pairs if verb == "Inst"))
    return Simulated(installed, tuple(dict.fromkeys(name for verb, name in pairs if verb in {"Remv", "Purg"})))


def needed_by(host: Host, names: Iterable[str]) -> Mapping[str, str]:
    """Return which installed package beside these needs each of them, by name; itself or what it provides.

    Raises:
        HostError: dpkg cannot be asked.
    """
    form = r"${Package}\t${db:Status-Status}\t${Depends}, ${Pre-Depends}\t${Provides}\n"
    said = host.run(Command(("dpkg-query", "--show", f"--showformat={form}"), ASKING))
    if said.status != 0:
        raise HostError(f"the packages cannot be listed: {said.stderr.strip()}", where="dpkg-query")
    return parse_needs(said.stdout, frozenset(names))


def parse_needs(text: str, names: frozenset[str]) -> Mapping[str, str]:
    """Return which installed package beside ``names`` needs each of them; what they keep is kept too."""
    rows = [line.split("\t") for line in text.splitlines()]
    depends = {row[0]: _names(row[2]) for row in rows if len(row) == 4 and row[1] == "installed"}
    provided = {row[0]: _names(row[3]) | {row[0]} for row in rows if len(row) == 4}
    kept: dict[str, str] = {}
    others = [name for name in depends if name not in names]
    while others:
        user = others.pop()
        found = [name for name in sorted(names - kept.keys()) if depends[user] & provided.get(name, set())]
        kept |= dict.fromkeys(found, user)
        others += [name for name in found if name in depends]
    return kept


def _names(relations: str) -> set[str]:
    """Return the names in a list of relations, every alternative among them (deb-control(5), ``Depends``)."""
    parts = re.split(r"[,|]", relations)
    return {re.split(r"[\s(:\[]", part.strip(), maxsplit=1)[0] for part in parts if part.strip()}


def lock_holder(host: Host) -> str:
    """Return who holds a lock of apt or dpkg, in words; empty for nobody."""
    for path in LOCKS:
        pid = _locked_by(host.layout.at(path))
        if pid:
            process = host.process(pid)
            name = process.name() if process else "a program"
            return f"{name} (process {pid})"
    return ""


def _locked_by(path: Path) -> int:
    """Return the process with a POSIX lock on a file, 0 for none (fcntl(2), F_GETLK)."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    return 0 if kind == fcntl.F_UNLCK else int(pid)


def cause(output: str) -> tuple[str, str]:
    """Return why apt-get failed and what to do, from what it said; the last error in its own words if unknown."""
    for pattern, what, then in CAUSES:
        if re.search(pattern, output):
            return what, then
    errors = [line.removeprefix("E: ") for line in output.splitlines() if line.startswith(("E: ", "dpkg: error"))]
    return (errors[-1] if errors else "apt-get failed"), "See above;"
