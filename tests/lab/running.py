"""Processes inside a lab host, waiting for things, and what a test needs to have a host at all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import psutil
import pytest

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "xterm-256color",
}


def require_root() -> None:
    """Skip the test where we may not make namespaces."""
    if os.geteuid() != 0:
        pytest.skip("needs root: hosts in namespaces")
    needed = "ip link set lo up && mount -t tmpfs tmpfs /mnt"
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "sh", "-c", needed]
    tried = subprocess.run(command, check=False, capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"needs the right to make namespaces: {tried.stderr.strip()}")


def require_programs(*programs: str) -> None:
    """Fail the test where a program is missing that the package manager can install."""
    missing = [program for program in programs if not shutil.which(program, path=ENVIRONMENT["PATH"])]
    assert not missing, f"missing: {' '.join(missing)}; tests/run installs what the tests need"


def until(holds: Callable[[], bool], what: str, timeout: float = 120.0) -> None:
    """Wait until something holds; fail with what was waited for after ``timeout`` seconds.

    On a machine under load an engine's start alone has taken 43 seconds.
    """
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"after {timeout:g} seconds still not: {what}"
        time.sleep(0.005)


def on_a_machine_at_work(seconds: float) -> float:
    """Return how long something may take just now that may take ``seconds`` where nothing else wants a processor."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class Running:
    """A process inside a host, started through ``nsenter``."""

    def __init__(self, argv: Sequence[str], entered: Sequence[str], environment: Mapping[str, str], text: str) -> None:
        self.argv = list(argv)
        # Files, not pipes: a daemon that keeps its output open does not keep us waiting.
        stdin, self._stdout, self._stderr = (os.memfd_create(name) for name in ("stdin", "stdout", "stderr"))
        os.write(stdin, text.encode())
        os.lseek(stdin, 0, os.SEEK_SET)
        self._door = subprocess.Popen(
            entered,
            stdin=stdin,
            stdout=self._stdout,
            stderr=self._stderr,
            env=dict(environment),
            start_new_session=True,
        )
        os.close(stdin)

    @property
    def pid(self) -> int:
        """The process itself, as this machine counts."""
        until(lambda: self._entered or not self.alive, f"the start of {self.argv}")
        family = self.family()
        assert family, f"{self.argv} has ended: {self.said()}"
        return family[0].pid

    @property
    def _entered(self) -> bool:
        """Whether the door has opened: until then the process is ``nsenter`` itself."""
        try:
            return any(each.name() != "nsenter" for each in self.family()[:1])
        except psutil.NoSuchProcess:
            return False

    def family(self) -> list[psutil.Process]:
        """Return the process and its children, none when it has ended."""
        try:
            return psutil.Process(self._door.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._door.poll() is None

    def said(self) -> str:
        """Return all it wrote so far, errors last."""
        return "".join(self._contents(descriptor) for descriptor in (self._stdout, self._stderr))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, not to its children."""
        os.kill(self.pid, number)

    def wait(self, timeout: float = 180.0) -> subprocess.CompletedProcess[str]:
        """Return how it ended; fail, and end it, when it takes longer than ``timeout`` seconds."""
        try:
            status = self._door.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            pytest.fail(f"{self.argv} did not end within {timeout:g} seconds: {self.said()}")
        return subprocess.CompletedProcess(
            self.argv, status, self._contents(self._stdout), self._contents(self._stderr)
        )

    def stop(self) -> None:
        """End it and its children; what it said can still be read."""
        until(self._killed, f"the end of {self.argv}")

    def close(self) -> None:
        """End it and forget what it said."""
        self.stop()
        os.close(self._stdout)
        os.close(self._stderr)

    def _killed(self) -> bool:
        for process in reversed(self.family()):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return not self.alive

    @staticmethod
    def _contents(descriptor: int) -> str:
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")
