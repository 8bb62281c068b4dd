"""What the operations share that set something by a command, which is believed only after a look at what it did.

Such a setting lives in a program's own store, beside those of others. What was the case before is in the journal, and
only what is still as we set it is taken back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from palpo_installer import processes
from palpo_installer.errors import HostError, NotPutBack
from palpo_installer.host import Command, Host
from palpo_installer.operations.base import Json, Operation, State, Workbench


class SettingOperation(Operation):
    """An operation whose subject is a setting; its records hold ``path``, the subject's name in words."""

    def state(self, host: Host, before: Json) -> State:
        """Return in which state the setting is."""
        raise NotImplementedError

    def way_back(self, before: Json) -> str:
        """Return the command that takes it back, for showing it."""
        raise NotImplementedError

    def withdrawing(self, before: Json) -> tuple[tuple[str, ...], ...]:
        """Return the commands that ``undo`` may start; each goes on when the engine that started it is killed."""
        raise NotImplementedError

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return in which state the setting is."""
        return self.state(bench.host, before)


def carry_out(bench: Workbench, argv: tuple[str, ...], holds: Callable[[], bool], limit: float) -> None:
    """Run a command, and check that what it was for is the case; its exit code proves neither.

    Raises:
        HostError: it is not, with what the command said; or it took too long.
    """
    said = bench.host.run(Command(argv, timeout=limit))
    if not holds():
        words = " / ".join((said.stderr or said.stdout).strip().splitlines()[-3:])
        raise HostError(f"did not bring it about (status {said.status}): {words}", where=" ".join(argv))


def take_back(bench: Workbench, argv: tuple[str, ...], holds: Callable[[], bool], limit: float) -> None:
    """Do the same while something is put back.

    Raises:
        NotPutBack: it is not the case, with what the command said and the command to try again.
    """
    try:
        carry_out(bench, argv, holds, limit)
    except HostError as error:
        raise NotPutBack(error.what, where=error.where, next="Try this command yourself") from error


def wait_for_end(bench: Workbench, argv: tuple[str, ...], limit: float) -> None:
    """Wait while this very command still runs: one that was begun by a killed engine goes on without it.

    Raises:
        NotPutBack: it does not end.
    """
    deadline = time.monotonic() + limit
    if _runs(bench.host, argv):
        bench.report(f"waiting for the end of {' '.join(argv)}")
    while _runs(bench.host, argv):
        if time.monotonic() > deadline:
            raise NotPutBack("still runs, and what it does would come after this", where=" ".join(argv))
        time.sleep(0.1)


def _runs(host: Host, argv: tuple[str, ...]) -> bool:
    """Return whether a process has this command line, be it behind an interpreter."""
    return any(
        each.command[-len(argv) + 1 :] == argv[1:] and argv[0] in {Path(word).name for word in each.command}
        for each in processes.read(host)
    )
