"""Hosts to try things on: commands in namespaces, and a throw-away copy of this machine."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.lab.running import ENVIRONMENT, Running, until
from tests.lab.snapshots import BELOW, SCAN, WITHOUT, Snapshot, parse

CHECKOUT = Path(__file__).resolve().parents[2]
ADDRESS4 = "198.18.0.10"
ADDRESS6 = "fd10::10"
NETWORK = 0x40000000
"""CLONE_NEWNET, the kind of namespace that setns(2) enters."""


class LabHost:
    """A host in namespaces: how to run, write, read and look at things on it.

    Attributes:
        python: a Python on the host.
        command: how the installer is called there.
    """

    python = sys.executable
    command: tuple[str, ...] = (sys.executable, "-m", "palpo_installer")

    def __init__(self) -> None:
        self._started: list[Running] = []

    @property
    def pid(self) -> int:
        """The host's first process, as this machine counts."""
        raise NotImplementedError

    def start(self, argv: Sequence[str], *, text: str = "", environment: Mapping[str, str] | None = None) -> Running:
        """Start a program in ``/`` with an environment of its own; ``text`` is its standard input."""
        entered = ["nsenter", "--target", str(self.pid), "--all", "--", *argv]
        running = Running(argv, entered, ENVIRONMENT | dict(environment or {}), text)
        self._started.append(running)
        return running

    def run(
        self,
        argv: Sequence[str],
        *,
        text: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = 180.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, however it ends; fail after ``timeout`` seconds."""
        running = self.start(argv, text=text, environment=environment)
        try:
            return running.wait(timeout)
        finally:
            self._started.remove(running)
            running.close()

    def output(self, argv: Sequence[str], *, text: str = "", timeout: float = 180.0) -> str:
        """Run a program that must succeed and return its standard output."""
        ended = self.run(argv, text=text, timeout=timeout)
        assert ended.returncode == 0, f"{' '.join(argv)} ended with {ended.returncode}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def tool(
        self, *arguments: str, text: str = "", environment: Mapping[str, str] | None = None, timeout: float = 240.0
    ) -> subprocess.CompletedProcess[str]:
        """Run ``palpo-installer`` with arguments."""
        return self.run([*self.command, *arguments], text=text, environment=environment, timeout=timeout)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file, with its directories."""
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"'
        self.output(["sh", "-c", script, "sh", path, f"{mode:o}"], text=text)

    def read(self, path: str) -> str:
        """Return a file's text; fail where there is none."""
        return self.output(["cat", "--", path])

    def exists(self, path: str) -> bool:
        """Whether there is something at a path, be it a dangling link."""
        return self.run(["sh", "-c", '[ -e "$1" ] || [ -L "$1" ]', "sh", path]).returncode == 0

    def snapshot(self, paths: Sequence[str] = BELOW, *, without: Sequence[str] = ()) -> Snapshot:
        """Return all that can be said of every path below ``paths``, except those below ``without``."""
        return parse(self.output([self.python, "-I", "-c", SCAN, *paths, "--", *WITHOUT, *without]))

    def listening(self, kind: str = "tcp") -> frozenset[tuple[str, int]]:
        """Return the addresses and ports that listen (``tcp``) or are bound (``udp``)."""
        lines = self.output(["ss", "-H", "-l", "-n", f"--{kind}"]).splitlines()
        sockets = (line.split()[3].rpartition(":") for line in lines)
        wildcards = {"*": "::"}
        return frozenset(
            (wildcards.get(address, address.strip("[]").partition("%")[0]), int(port)) for address, _, port in sockets
        )

    def until_listening(self, port: int, kind: str = "tcp") -> None:
        """Wait until something listens on a port."""
        until(lambda: any(port == open_ for _, open_ in self.listening(kind)), f"a listener on {kind} port {port}")

    def processes(self, ending: str) -> list[psutil.Process]:
        """Return the host's processes whose command lines end with these words, oldest first."""
        own, of_each = _counted_in(self.pid), psutil.process_iter(["cmdline", "ppid"])
        seen = ((process, " ".join(process.info["cmdline"] or ())) for process in of_each)
        found = [process for process, line in seen if line.endswith(ending) and _counted_in(process.pid) == own]
        return sorted(found, key=lambda process: process.create_time())

    def process(self, ending: str) -> psutil.Process:
        """Return the one process whose command line ends with these words.

        A child of its own that is about to become another program has the same ones until then.
        """
        found = self.processes(ending)
        pids = {each.pid for each in found}
        (one,) = (each for each in found if each.info["ppid"] not in pids)
        return one

    @contextmanager
    def network(self) -> Iterator[None]:
        """Open the sockets of this thread, and of threads it starts, on the host."""
        with open("/proc/thread-self/ns/net") as own, open(f"/proc/{self.pid}/ns/net") as there:  # noqa: PTH123
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(own.fileno())

    def stop(self) -> None:
        """End everything that was started here."""
        for running in self._started:
            running.close()
        self._started.clear()


class ThrowAwayHost(LabHost):
    """A copy of this machine with a network of its own; whatever is done there is gone at its end.

    It has the addresses 198.18.0.10 and fd10::10 on its loopback device, asks 127.0.0.1 for names, and
    reaches nothing else. The kernel removes all of it with its first process, which lives as long as we do.
    """

    def __init__(self, keep: Sequence[Path] = ()) -> None:
        super().__init__()
        self._scratch = Path(tempfile.mkdtemp(prefix="palpo-lab-"))
        namespaces = ["--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
        script = CHECKOUT / "tests/lab/throw-away.sh"
        self._holder = subprocess.Popen(
            ["unshare", *namespaces, "sh", str(script), str(self._scratch), *_file_systems(keep)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=ENVIRONMENT,
        )
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline()
        if said != b"ready\n":
            said += self._holder.stdout.read()
            self.stop()
            pytest.fail(f"the throw-away host did not start: {said.decode()}")
        self._pid = psutil.Process(self._holder.pid).children()[0].pid

    @property
    def pid(self) -> int:
        """The host's first process, as this machine counts."""
        return self._pid

    def stop(self) -> None:
        """End the host; the kernel ends its processes and forgets its files and network."""
        with self._holder:
            self._holder.kill()
        super().stop()
        self._scratch.rmdir()


def _enter(network: int) -> None:
    """Let this thread be in a network: Python 3.11 has no os.setns yet."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(network, NETWORK) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _counted_in(pid: int) -> str:
    """Return the namespace in which a process is counted, empty where it has ended."""
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _file_systems(keep: Sequence[Path]) -> list[str]:
    """Return what is copied beside ``/``, and what is seen as it is."""
    mounted = (Path(disk.mountpoint) for disk in psutil.disk_partitions() if disk.fstype != "squashfs")
    disks = {path for path in mounted if path.is_dir()}
    passing = tuple(Path(path) for path in ("/dev", "/proc", "/run", "/sys", "/tmp"))
    copied = sorted(d for d in disks - {Path("/")} if not any(d.is_relative_to(path) for path in passing))
    seen = {CHECKOUT, Path(sys.prefix), Path(sys.base_prefix), *keep} - {Path("/usr"), Path("/usr/local")}
    return [*(f"copy:{path}" for path in copied), *(f"keep:{path}" for path in sorted(seen))]
