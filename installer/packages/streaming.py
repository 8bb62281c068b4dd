"""Runs a program of the package manager: its lines are told as they come, it has a limit, and it can be stopped."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from palpo_installer.errors import HostError
from palpo_installer.host import SEARCH_PATH, Command

GRACE = 120.0
"""Seconds that it has to come to an end by itself once it was asked to."""

STEP = 0.2
"""Seconds between two looks at what it said."""


@dataclass(frozen=True)
class Streamed:
    """How it ended: ``stopped`` is why we asked it to, empty where it ended by itself."""

    status: int
    output: str
    stopped: str = ""


def stream(
    command: Command, say: Callable[[str], None], lock: int | None = None, wanted: Callable[[], bool] = lambda: True
) -> Streamed:
    """Run a command and tell its lines.

    Ctrl-C, and ``wanted`` that turns False, ask it to stop as its own terminal would: apt leaves off a download at
    once, and ends a package that it has begun first. It is killed only where it does not end even then.

    Args:
        command: what to run.
        say: takes each line.
        lock: a descriptor that it inherits.
        wanted: whether somebody still wants it.

    Raises:
        HostError: there is no such program.
    """
    environment = {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8", **command.environment}
    # A pipe would end the program with us, in the middle of a package; in memory, since the disk may be full.
    output = os.memfd_create("output", os.MFD_CLOEXEC)
    with os.fdopen(output, "rb", buffering=0) as said:
        try:
            process = subprocess.Popen(
                command.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
                pass_fds=() if lock is None else (lock,),
                cwd="/",
            )
        except OSError as error:
            raise HostError(f"cannot be started: {error.strerror}", where=str(command)) from error
        with process:
            return _Follower(process, said, command.timeout, say, wanted).follow()


class _Follower:
    """Follows one program to its end."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        said: io.FileIO,
        limit: float,
        say: Callable[[str], None],
        wanted: Callable[[], bool],
    ) -> None:
        self._process = process
        self._said = said
        self._limit = limit
        self._say = say
        self._wanted = wanted
        self._until = time.monotonic() + limit
        self._stopped = ""
        self._read = 0
        self._rest = b""
        self._lines: list[str] = []

    def follow(self) -> Streamed:
        """Tell its lines until it has ended; what it left behind may hold its output for ever."""
        running = True
        while running:
            try:
                running = self._wait()
            except KeyboardInterrupt:
                self._stop("stopped on request", signal.SIGINT)
        return Streamed(self._process.returncode, "\n".join(self._lines), self._stopped)

    def _wait(self) -> bool:
        """Wait for a moment and tell what has come; return whether it still runs."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STEP)
        ended = self._process.returncode is not None
        self._tell(ended=ended)
        if ended:
            return False
        if time.monotonic() > self._until:
            if self._stopped:
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._stop(f"did not end within {self._limit:g} seconds", signal.SIGTERM)
        elif not self._stopped and not self._wanted():
            self._stop("stopped on request", signal.SIGINT)
        return True

    def _stop(self, why: str, number: signal.Signals) -> None:
        self._stopped = self._stopped or why
        self._until = time.monotonic() + GRACE
        if self._process.poll() is None:
            self._process.send_signal(number)

    def _tell(self, *, ended: bool) -> None:
        # By position: the program writes at the place that it shares with us.
        data = os.pread(self._said.fileno(), 1 << 20, self._read)
        self._read += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in [*lines, *([self._rest] if ended and self._rest else [])]:
            text = line.decode(errors="replace").rstrip("\r")
            self._lines.append(text)
            self._say(text)
