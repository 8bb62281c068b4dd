"""The program of a private proxy: started in a session of its own, awaited, and ended whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from palpo_installer.errors import HostError
from palpo_installer.host import SEARCH_PATH

PATIENCE = 5.0
"""Seconds for a program to end, and for one to listen."""

STEP = 0.01


@contextmanager
def running(
    argv: Sequence[str | Path],
    errors: Path,
    *,
    handed_over: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; it is gone afterwards, with all that it started.

    Args:
        argv: the program, which stays in the foreground, and its arguments.
        errors: the file for what it says.
        handed_over: numbers of sockets that it inherits.
        environment: beside PATH and LC_ALL, which is all it gets.

    Raises:
        HostError: it cannot be started.
    """
    with errors.open("ab") as said:
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8", **(environment or {})},
                pass_fds=handed_over,
                # Ctrl-C is for us; we end it.
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            raise HostError(f"cannot be started: {error.strerror}", where=str(argv[0])) from error
    try:
        yield process
    finally:
        _end(process)


@contextmanager
def opening(
    argv: Sequence[str | Path],
    errors: Path,
    sockets: Sequence[socket.socket],
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that opens the places of these sockets itself, until it is told to; it is gone afterwards.

    Args:
        argv: the program, which stays in the foreground, and its arguments.
        errors: the file for what it says.
        sockets: they keep the places; where the program does not open them in time, or has ended, nothing is raised.
        environment: as for ``running``.

    Raises:
        HostError: it cannot be started.
    """
    with running(argv, errors, environment=environment) as process:
        await_listening(process, [each.getsockname()[:2] for each in sockets])
        yield process


def await_listening(process: subprocess.Popen[bytes], sockets: Sequence[tuple[str, int]]) -> None:
    """Wait until a program listens on each address and port, has ended, or took too long."""
    until = time.monotonic() + PATIENCE
    for place in sockets:
        while process.poll() is None and time.monotonic() < until and not _is_open(place):
            time.sleep(STEP)


def _is_open(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection(place, 1.0).close()
    except OSError:
        return False
    return True


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process that gives no answer has ended; it is given a second."""
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        # Its session is its own: these are its main process and its workers, and nobody else.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
