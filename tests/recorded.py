"""A host as it was recorded: files, command outputs, sockets and processes from a JSON file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil

from palpo_installer.errors import HostError
from palpo_installer.host import Command, Completed, Host, Socket
from palpo_installer.layout import Layout
from palpo_installer.serialization import converter

Value = TypeVar("Value")

HOSTS = Path(__file__).parent / "data" / "hosts"
KERNEL = (Path("/proc"), Path("/sys"))


@dataclass(frozen=True)
class Said:
    """What a command said, its outputs as lines."""

    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()
    status: int = 0


@dataclass(frozen=True)
class Running:
    """A process as recorded: ``holds`` are its listening sockets, ``hidden`` has its surroundings out of sight."""

    pid: int
    name: str
    command: tuple[str, ...]
    program: str = ""
    started: float = 1.0
    parent: int = 1
    holds: tuple[tuple[str, int], ...] = ()
    cgroup: tuple[str, ...] = ("0::/",)
    directory: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    hidden: bool = False
    account: str = "root"


@dataclass(frozen=True)
class Recording:
    """A host; ``{root}`` in any text stands for the directory its files are written to.

    Files below /proc and /sys are answered from here, all others are written as real files, since the
    libraries that parse them open them themselves.
    """

    files: Mapping[str, tuple[str, ...]]
    commands: Mapping[str, Said] = field(default_factory=dict)
    sockets: tuple[tuple[str, int, int | None], ...] = ()
    processes: tuple[Running, ...] = ()
    programs: Mapping[str, str] = field(default_factory=dict)
    root: bool = True


class Bound(NamedTuple):
    """Where a socket is bound, as psutil says it."""

    ip: str
    port: int


class Listening(NamedTuple):
    """A listening socket, as far as psutil's are looked at."""

    laddr: Bound
    status: str = psutil.CONN_LISTEN


class RecordedProcess(psutil.Process):
    """A process that answers from its record."""

    def __init__(self, record: Running) -> None:
        self.record = record

    @contextmanager
    def oneshot(self) -> Iterator[None]:
        """Do nothing: there is nothing to speed up."""
        yield

    def name(self) -> str:
        """Return the recorded name."""
        return self.record.name

    def cmdline(self) -> list[str]:
        """Return the recorded command line."""
        return list(self.record.command)

    def create_time(self) -> float:
        """Return the recorded time."""
        return self.record.started

    def ppid(self) -> int:
        """Return the recorded parent."""
        return self.record.parent

    def net_connections(self, kind: str = "inet") -> list[Any]:
        """Return the recorded sockets."""
        return [Listening(Bound(address, port)) for address, port in self._seen(self.record.holds)]

    def exe(self) -> str:
        """Return the recorded program."""
        return self._seen(self.record.program)

    def cwd(self) -> str:
        """Return the recorded directory."""
        return self._seen(self.record.directory)

    def username(self) -> str:
        """Return the recorded account."""
        return self._seen(self.record.account)

    def environ(self) -> dict[str, str]:
        """Return the recorded environment."""
        return self._seen(dict(self.record.environment))

    def _seen(self, value: Value) -> Value:
        if self.record.hidden:
            raise psutil.AccessDenied(self.record.pid)
        return value


class RecordedHost(Host):
    """A host that knows nothing but its recording and the files below its layout's root."""

    def __init__(self, recording: Recording, root: Path) -> None:
        super().__init__(Layout(root))
        self.recording = recording
        self.asked: list[str] = []
        for path, lines in recording.files.items():
            if not self._of_kernel(Path(path)):
                place = self.layout.at(path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text("".join(f"{line}\n" for line in lines))

    @staticmethod
    def _of_kernel(path: Path) -> bool:
        return any(path.is_relative_to(kernel) for kernel in KERNEL)

    def _kernel_files(self) -> dict[Path, bytes]:
        files = {Path(path): "".join(f"{line}\n" for line in lines) for path, lines in self.recording.files.items()}
        for each in self.recording.processes:
            files[Path("/proc", str(each.pid), "cgroup")] = "".join(f"{line}\n" for line in each.cgroup)
        return {path: text.encode() for path, text in files.items() if self._of_kernel(path)}

    @property
    def is_root(self) -> bool:
        """Whether the recording was made by root."""
        return self.recording.root

    def read(self, path: Path) -> bytes | None:
        """Return a recorded file, or one below the root."""
        return super().read(path) if self._ours(path) else self._kernel_files().get(path)

    def names(self, directory: Path) -> tuple[str, ...]:
        """Return the names in a directory below the root, or of recorded files of the kernel."""
        if self._ours(directory):
            return super().names(directory)
        below = [path.relative_to(directory) for path in self._kernel_files() if path.is_relative_to(directory)]
        return tuple(sorted({path.parts[0] for path in below if path.parts}))

    def status(self, path: Path) -> os.stat_result | None:
        """Return the status of a path below the root; a recorded file or program is just there."""
        if self._ours(path):
            return super().status(path)
        there = path in self._kernel_files() or str(path) in self.recording.programs.values()
        return self.layout.root.lstat() if there else None

    def _ours(self, path: Path) -> bool:
        return path.is_relative_to(self.layout.root)

    def which(self, program: str) -> Path | None:
        """Return where a program was."""
        found = self.recording.programs.get(program)
        return Path(found) if found else None

    def run(self, command: Command) -> Completed:
        """Return what a command said; one that is not recorded does not exist."""
        self.asked.append(str(command))
        said = self.recording.commands.get(str(command))
        if said is None:
            raise HostError("cannot be started: No such file or directory", where=str(command))
        return Completed(said.status, *("".join(f"{line}\n" for line in out) for out in (said.stdout, said.stderr)))

    def listening(self) -> tuple[Socket, ...]:
        """Return the recorded sockets."""
        return tuple(Socket(*each) for each in self.recording.sockets)

    def process(self, pid: int) -> psutil.Process | None:
        """Return a recorded process."""
        return next((RecordedProcess(each) for each in self.recording.processes if each.pid == pid), None)


def recorded(name: str, root: Path) -> RecordedHost:
    """Return the host of ``tests/data/hosts/NAME.json`` with its files below ``root``."""
    text = (HOSTS / f"{name}.json").read_text()
    encoded = json.dumps(str(root))[1:-1]
    return RecordedHost(converter.structure(json.loads(text.replace("{root}", encoded)), Recording), root)
