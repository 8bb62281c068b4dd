"""The child process that runs certbot, seen from its parent: started, followed, and outlived by it if need be."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from palpo_installer.certificates.protocol import Progress, Result, parse
from palpo_installer.certificates.workplace import Workplace
from palpo_installer.errors import HostError, Interrupted, TimedOut

CHILD = "palpo_installer.certificates.child"
LIMIT = 15 * 60
"""Seconds after which an order is given up."""
GRACE = 60
"""Seconds that an order under way gets when the run is asked to stop: an order cut off is an order lost."""


@dataclass(frozen=True)
class Watch:
    """Who watches.

    Attributes:
        report: is told what is being waited for, one short line.
        check: raises Interrupted when the run was asked to stop.
    """

    report: Callable[[str], None]
    check: Callable[[], None]


@dataclass(frozen=True)
class Ended:
    """How the child ended, and whether the run was asked to stop meanwhile."""

    result: Result
    asked: Interrupted | None


class Patience:
    """How long an order is waited for: the limit, or a minute more once the run was asked to stop."""

    def __init__(self, check: Callable[[], None], limit: float | None = None) -> None:
        self._check = check
        self._deadline = time.monotonic() + (LIMIT if limit is None else limit)
        self.asked: Interrupted | None = None

    def is_over(self) -> bool:
        """Return whether to wait no longer."""
        if self.asked is None:
            try:
                self._check()
            except Interrupted as error:
                self.asked = error
                self._deadline = min(self._deadline, time.monotonic() + GRACE)
        return time.monotonic() >= self._deadline


def run(program: tuple[str, ...], environment: Mapping[str, str], place: Workplace, watch: Watch) -> Ended:
    """Run the child and wait for it.

    Args:
        program: its arguments.
        environment: all that it gets.
        place: where its lines go.
        watch: who is told, and asked.

    Raises:
        TimedOut: it did not end in time and was ended.
        Interrupted: the run was asked to stop, and the child is still at work after ``GRACE`` seconds; it goes on.
        HostError: it could not be started, or ended without a result.
    """
    patience = Patience(watch.check)
    process = _start(program, environment, place)
    result = None
    with place.lines.open(encoding="utf-8") as lines:
        while process.poll() is None and not patience.is_over():
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.3)
            result = _tell(lines, watch.report) or result
        result = _tell(lines, watch.report) or result
    if process.returncode is None:
        if patience.asked is not None:
            process.returncode = 0  # nobody waits for it any more, so that Python does not warn of it
            raise patience.asked
        _stop(process)
        raise TimedOut(f"did not end within {LIMIT} seconds", where="the order", next="Try again later")
    if result is None:
        last = place.output.read_text(errors="replace").strip().rpartition("\n")[2]
        status = f"status {process.returncode}"
        raise HostError(f"certbot ended without a result: {last or status}", where=str(place.output))
    return Ended(result, patience.asked)


def _start(program: tuple[str, ...], environment: Mapping[str, str], place: Workplace) -> subprocess.Popen[bytes]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    lines, output = (os.open(path, flags, 0o600) for path in (place.lines, place.output))
    try:
        fcntl.flock(lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lines, 0)
        os.ftruncate(output, 0)
        return subprocess.Popen(
            (sys.executable, "-I", "-m", CHILD, *program),
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=output,
            env=environment,
            cwd="/",
            umask=0o022,
            start_new_session=True,
        )
    except OSError as error:
        raise HostError(f"certbot cannot be started: {error.strerror}", where=sys.executable) from error
    finally:
        os.close(lines)
        os.close(output)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the child; certbot removes its proof when asked to end."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
            return


def _tell(lines: TextIO, report: Callable[[str], None]) -> Result | None:
    """Report the new whole lines; return the result where it is among them."""
    while True:
        start = lines.tell()
        text = lines.readline()
        if not text.endswith("\n"):
            lines.seek(start)
            return None
        line = parse(text)
        if isinstance(line, Progress):
            report(line.text)
        else:
            return line
