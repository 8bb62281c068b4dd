"""The programs of the made-up host: started here, known by number, and ended here whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from palpo_installer.answers import Address
from palpo_installer.demo.premises import Premises
from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.probe import Question, ask
from palpo_installer.processes import consult
from palpo_installer.proxies.nginx import build
from palpo_installer.proxies.nginx.build import Build

PATIENCE = 15.0
"""Seconds that a program has to answer, and an engine that is at work has to take back."""

OWN_ERROR_LOG = (1, 19, 5)
"""From here on ``-e`` keeps nginx from opening the error log it was built with (nginx CHANGES, 1.19.5)."""


@contextmanager
def running(premises: Premises, argv: Sequence[str], answers_at: Address | None = None) -> Iterator[int]:
    """Run a program until the end of the block; yields its number.

    Args:
        premises: whose program it is; what it says goes to a log there.
        argv: the program with its arguments.
        answers_at: where it must answer HTTP before the block begins, None for a program that need not.

    Raises:
        HostError: it cannot be started, or does not answer.
    """
    log = premises.layout.at("/var/log") / f"{Path(argv[0]).name}.log"
    with log.open("ab") as output:
        try:
            # A session of its own: Ctrl-C is for us to hear.
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
            )
        except OSError as error:
            raise HostError(f"cannot be started: {error.strerror}", where=argv[0]) from error
    try:
        if answers_at is not None:
            _until_it_answers(process, answers_at, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_it_answers(process: subprocess.Popen[bytes], at: Address, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ask(Question(at.host, at.port, tls=False, method="HEAD")).status:
        if process.poll() is not None or time.monotonic() > deadline:
            last = " / ".join(log.read_text(errors="replace").splitlines()[-2:])
            raise HostError(f"does not answer at {at}: {last or 'it says nothing'}", where=str(process.args))
        time.sleep(0.02)


def build_of(host: Host, nginx: Path) -> Build:
    """Return what a program nginx can do.

    Raises:
        HostError: it does not tell.
    """
    said = consult(host, str(nginx), "-V")
    found = build.parse(said.stderr) if said is not None else None
    if found is None:
        raise HostError("gives no answer to -V that could be read", where=str(nginx))
    return found


def nginx(premises: Premises, binary: Path, built: Build) -> tuple[str, ...]:
    """Return how nginx is started with the host's files and none of this machine's."""
    layout = premises.layout
    quiet = ("-e", str(layout.at("/var/log/nginx/error.log"))) if built.version >= OWN_ERROR_LOG else ()
    return (str(binary), "-c", str(layout.at("/etc/nginx/nginx.conf")), "-p", f"{layout.root}/", *quiet)


def homeserver(premises: Premises) -> tuple[str, ...]:
    """Return how the stand-in for Palpo is started."""
    return (sys.executable, "-m", "palpo_installer.demo.homeserver", str(premises.homeserver))


def stranger(port: int, directory: Path) -> tuple[str, ...]:
    """Return how a program is started that takes a port; it serves an empty directory."""
    return (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(directory))


def end_engines(root: Path) -> None:
    """End what is still at work on the host, an engine that was left alone: on SIGTERM it takes back what it did."""
    left = [each for each in psutil.process_iter() if each.pid != os.getpid() and _is_for(each, root)]
    for process in left:
        with suppress(psutil.Error):
            process.terminate()
    for process in psutil.wait_procs(left, PATIENCE)[1]:
        with suppress(psutil.Error):
            process.kill()


def _is_for(process: psutil.Process, root: Path) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return "palpo_installer" in words and str(root) in words
