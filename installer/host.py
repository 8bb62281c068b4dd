"""The one door to the machine: files, commands and sockets, under a Layout."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from palpo_installer.errors import HostError, TimedOut
from palpo_installer.layout import Layout

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Command:
    """A program to run: no shell, no terminal, a built environment, a time limit.

    Attributes:
        argv: the program and its arguments; never a secret.
        timeout: seconds after which its whole process group is killed.
        environment: what it gets beside PATH and LC_ALL.
        daemon: whether it leaves a process behind that writes to where it writes. Then that is nowhere: a pipe would
            keep us waiting for the end of that process, and end it with its first line once we are gone.
    """

    argv: tuple[str, ...]
    timeout: float = 30.0
    environment: Mapping[str, str] = field(default_factory=dict)
    daemon: bool = False

    def __str__(self) -> str:
        return " ".join(self.argv)


@dataclass(frozen=True)
class Completed:
    """What a command said."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Socket:
    """A listening TCP socket as the kernel lists it; ``pid`` is None where we may not see the owner."""

    address: str
    port: int
    pid: int | None


class Host:
    """This machine, seen through a layout."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or Layout()

    @property
    def is_root(self) -> bool:
        """Whether we may see and change everything: as root, or where it is a private copy of our own."""
        if os.geteuid() == 0:
            return True
        status = self.status(self.layout.root) if self.layout.private else None
        return status is not None and status.st_uid == os.geteuid()

    def read(self, path: Path) -> bytes | None:
        """Return a regular file's bytes, None where there is no file.

        Raises:
            HostError: it is there and cannot be read, or is no regular file.
        """
        try:
            with open(path, "rb", opener=_without_waiting) as file:
                if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                    raise HostError("cannot be read: Is a named pipe", where=str(path))
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise HostError(f"cannot be read: {error.strerror}", where=str(path)) from error

    def text(self, path: Path) -> str | None:
        """Return a file's text (undecodable bytes replaced), None where it is missing or unreadable."""
        try:
            data = self.read(path)
        except HostError:
            return None
        return None if data is None else data.decode(errors="replace")

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file's bytes, behind a link too; empty where there is no file.

        Raises:
            HostError: it is there and cannot be read.
        """
        data = self.read(path)
        return "" if data is None else hashlib.sha256(data).hexdigest()

    def names(self, directory: Path) -> tuple[str, ...]:
        """Return the sorted names in a directory, none where it is missing or unreadable."""
        try:
            return tuple(sorted(entry.name for entry in directory.iterdir()))
        except OSError:
            return ()

    def status(self, path: Path) -> os.stat_result | None:
        """Return the status of a path itself (links are not followed), None where there is nothing."""
        try:
            return path.lstat()
        except OSError:
            return None

    def which(self, program: str) -> Path | None:
        """Return where a program is, searching the system's directories whatever our PATH says."""
        found = shutil.which(program, path=SEARCH_PATH)
        return Path(found) if found else None

    def run(self, command: Command) -> Completed:
        """Run a command to its end.

        Raises:
            TimedOut: it took longer than its limit and was killed with its children.
            HostError: there is no such program.
        """
        environment = {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8", **command.environment}
        said = subprocess.DEVNULL if command.daemon else subprocess.PIPE
        try:
            process = subprocess.Popen(
                command.argv,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=environment,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            raise HostError(f"cannot be started: {error.strerror}", where=str(command)) from error
        with process:
            try:
                stdout, stderr = process.communicate(timeout=command.timeout)
            except subprocess.TimeoutExpired as error:
                os.killpg(process.pid, signal.SIGKILL)
                # A daemon that left the group may hold our pipes for ever.
                with suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=2)
                raise TimedOut(f"did not end within {command.timeout:g} seconds", where=str(command)) from error
        stdout, stderr = (part or b"" for part in (stdout, stderr))
        return Completed(process.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))

    def listening(self) -> tuple[Socket, ...]:
        """Return every listening TCP socket of this network namespace.

        Raises:
            HostError: the kernel does not let us list them.
        """
        try:
            connections = psutil.net_connections(kind="tcp")
        except (psutil.Error, OSError) as error:
            raise HostError(f"the listening sockets cannot be listed: {error}") from error
        return tuple(
            Socket(connection.laddr.ip, connection.laddr.port, connection.pid)
            for connection in connections
            if connection.status == psutil.CONN_LISTEN and connection.laddr
        )

    def process(self, pid: int) -> psutil.Process | None:
        """Return a process, None when it is gone."""
        try:
            return psutil.Process(pid)
        except psutil.Error:
            return None


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a named pipe that nobody writes to would keep us waiting for ever."""
    return os.open(path, flags | os.O_NONBLOCK)
