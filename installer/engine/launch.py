"""Starting the engine so that it outlives us, and following what it says."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from palpo_installer.changes import Plan
from palpo_installer.engine import lock
from palpo_installer.engine.confirmation import WITHIN, in_time, waiting
from palpo_installer.engine.events import Event, EventFile, parse
from palpo_installer.engine.history import SECRETS, PastRun, new_run, unfinished
from palpo_installer.engine.process import STOP
from palpo_installer.engine.silence import is_there
from palpo_installer.errors import HostError, Locked
from palpo_installer.host import Command, Host
from palpo_installer.layout import Layout
from palpo_installer.operations.paths import PathState, fsync_directory
from palpo_installer.operations.replacement import write_new
from palpo_installer.secret import Secret
from palpo_installer.serialization import dump

START_LIMIT = 90.0
"""Seconds within which an engine must say its first word: 1 s of work, for which a host under load took 43."""

RESTART_LIMIT = 3.0
"""Seconds within which another engine must be at work where one was killed."""

WATCHED = "{engine}; case $? in 13[4-9]) exec {engine};; esac"
"""A shell that starts an engine, and another one where a signal such as SIGKILL (128 + 9) ended the first: that one
takes back. What systemd does with Restart=on-abnormal, once."""


def cut_off(layout: Layout) -> tuple[PastRun, ...]:
    """Return the runs that were cut off, newest first: the order of taking them back.

    Raises:
        Locked: a run is at work now, and looks just like one that was cut off.
    """
    require_free(layout)
    return unfinished(layout)


def require_free(layout: Layout) -> None:
    """Check that no run is at work.

    Raises:
        Locked: one is.
    """
    if lock.is_free(layout):
        return
    if (run := waiting(layout)) and run.unconfirmed_until:
        raise Locked(
            f"run {run.id} is applied and not confirmed. {in_time(run.unconfirmed_until).rstrip('.')}",
            next="To keep it: palpo-installer confirm. To take it back now: Ctrl-C in palpo-installer attach",
        )
    raise Locked("another run is at work on this host", next="Wait for its end, or see: palpo-installer attach")


def register(plan: Plan, secrets: Mapping[str, Secret], layout: Layout, confirm_within: int | None = None) -> str:
    """Make a run of a plan and return its id; nothing is done yet.

    Args:
        plan: what is to be done.
        secrets: by name, what the plan has as references.
        layout: the host's.
        confirm_within: seconds after which it takes itself back unless somebody confirms it, None to keep it.
    """
    lock.make_state_directory(layout)
    directory = new_run(layout)
    private = PathState("file", mode=0o600, uid=os.geteuid(), gid=os.getegid())
    values = {name: secret.reveal() for name, secret in secrets.items()}
    write_new(directory / SECRETS, json.dumps(values).encode(), private)
    write_new(directory / ".plan", dump(plan).encode(), private)
    if confirm_within is not None:
        write_new(directory / WITHIN, str(confirm_within).encode(), private)
    (directory / ".plan").rename(directory / "plan.json")
    fsync_directory(directory)
    return directory.name


def start(host: Host, identity: str, *arguments: str) -> None:
    """Start the engine for a run: as a transient unit where systemd runs, else in a session of its own.

    Raises:
        HostError: neither can be started.
        Locked: another run is at work; one that looks cut off may be just that.
    """
    try:
        require_free(host.layout)
    except Locked:
        (host.layout.runs / identity / SECRETS).unlink(missing_ok=True)
        raise
    # There before the engine: who follows it holds it open, also when the run deletes the history at its end.
    (host.layout.runs / identity / "events.jsonl").touch(mode=0o600)
    argv = (sys.executable, "-m", "palpo_installer", *host.layout.arguments(), "run", identity, *arguments)
    if not _as_unit(host, identity, argv):
        _as_session(host, identity, argv)


def _as_unit(host: Host, identity: str, argv: tuple[str, ...]) -> bool:
    if host.layout.root != Path("/") or not host.layout.at("/run/systemd/system").is_dir():
        return False
    unit = f"palpo-installer-run-{identity}-{os.getpid()}"
    # An order that is under way outlives an engine that is killed: one cut off is one lost to the CA's limits.
    # One that is killed, or runs out of memory, is started again, and takes back what it began; systemd.service(5).
    properties = ("TimeoutStopSec=300", "KillMode=process", "Restart=on-abnormal")
    flags = ("--quiet", "--collect", f"--unit={unit}", *(f"--property={each}" for each in properties))
    try:
        return host.run(Command(("systemd-run", *flags, "--", *argv), timeout=START_LIMIT)).status == 0
    except HostError:
        return False


def _as_session(host: Host, identity: str, argv: tuple[str, ...]) -> None:
    with (host.layout.runs / identity / "engine.log").open("ab") as output:
        try:
            Path(argv[0]).stat()
            subprocess.Popen(
                ("/bin/sh", "-c", WATCHED.format(engine=shlex.join(argv))),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )
        except OSError as error:
            raise HostError(f"the engine cannot be started: {error.strerror}", where=argv[0]) from error


def position(layout: Layout, identity: str) -> int:
    """Return how long a run's event file is now, to follow only what comes after."""
    try:
        return (layout.runs / identity / "events.jsonl").stat().st_size
    except FileNotFoundError:
        return 0


def ask_to_stop(layout: Layout, identity: str) -> None:
    """Ask the engine of a run to take back; one that has deleted its history has ended."""
    directory = layout.runs / identity
    if directory.exists() and not (directory / STOP).exists():
        (directory / STOP).touch()
        with EventFile(directory / "events.jsonl") as events:
            events.write(Event("waiting", "asked to take everything back"))


@contextmanager
def asking_to_stop(layout: Layout, identity: str) -> Iterator[None]:
    """Let Ctrl-C ask the engine to take back, from before it starts until it has ended."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        ask_to_stop(layout, identity)

    former = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def _always() -> bool:
    return True


def follow(
    layout: Layout,
    identity: str,
    show: Callable[[Event], None],
    offset: int = 0,
    *,
    watched: Callable[[], bool] = _always,
) -> int | None:
    """Show the events of a run until it ends, or until ``watched`` says that nobody looks any more.

    Returns:
        Its exit code; None when the engine died without a word, or nobody looks any more.
    """
    began, silent_since = False, time.monotonic()
    with closing(_Growing(layout.runs / identity / "events.jsonl", offset)) as growing:
        while watched():
            events = growing.read()
            for event in events:
                began = True
                show(event)
                if event.kind == "ended":
                    return event.code
            if events or not lock.is_free(layout):
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > (RESTART_LIMIT if began else START_LIMIT):
                # A host with no time to spare may take longer to start it.
                if not is_there(layout, identity):
                    return None
                silent_since = time.monotonic()
            time.sleep(0.1)
    return None


class _Growing:
    """An event file that may not be there yet; once it was, it is read to its end, also when it is deleted."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path = path
        self._offset = offset
        self._file: BinaryIO | None = None

    def read(self) -> tuple[Event, ...]:
        """Return the events that came since."""
        try:
            file = self._file = self._file or self._path.open("rb")
        except FileNotFoundError:
            return ()
        file.seek(self._offset)
        events, taken = parse(file.read())
        self._offset += taken
        return events

    def close(self) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()
