"""What every operation and every activation can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Protocol

from palpo_installer.host import Host
from palpo_installer.secret import Secret, SecretReference

Json = Mapping[str, object]
"""What goes into the journal: hashes, numbers, names and references, never contents."""


class State(StrEnum):
    """In which state an operation finds its subject."""

    BEFORE = "before"
    AFTER = "after"
    OTHER = "other"


@dataclass(frozen=True)
class Description:
    """How an operation shows itself in a review.

    Attributes:
        title: what will be done, in a few words, with the full path or name.
        diff: a unified diff with secrets masked, empty where there is no text to compare.
        details: further lines: mode, owner, time limit, what is waited for.
    """

    title: str
    diff: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workbench:
    """What an operation works with during a run.

    Attributes:
        host: the machine.
        run: the run's id.
        copies: the run's directory (0700) for bytes as they were before.
        secret: resolves a reference.
        report: says what is being waited for, one short line, to whoever watches.
        check: raises Interrupted when the run was asked to stop; long waits call it about once a second.
        read_whole: the directories of which a proxy reads every file: nothing may be laid aside in them.
    """

    host: Host
    run: str
    copies: Path
    secret: Callable[[SecretReference], Secret]
    report: Callable[[str], None]
    check: Callable[[], None]
    read_whole: tuple[Path, ...] = ()


class Operation(Protocol):
    """One thing that a plan does to the host. A frozen dataclass that JSON can carry.

    Operations derive from this class; what stages and keeps nothing inherits the steps that do nothing.

    Attributes:
        lasting: what it brings about is never undone: certificates, accounts, keys.
    """

    lasting: ClassVar[bool] = False

    def describe(self, host: Host) -> Description:
        """Return how it shows itself; reads only."""

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Look at what is there; write nothing but a missing signing key.

        ``number`` is the operation's own in the run, for names of copies. Returns what the other steps need to
        know: the state before, and where things will be staged.

        Raises:
            RefusedPlan: the state is not the one that the plan was made for.
        """

    def stage(self, bench: Workbench, before: Json) -> None:
        """Make every copy and reserve the space, after ``before`` is in the journal; change nothing in use."""
        return

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return in which state its subject is now."""

    def act(self, bench: Workbench, before: Json) -> Json:
        """Bring about the state after; idempotent. Returns what the journal shall keep (path and hash)."""

    def undo(self, bench: Workbench, before: Json) -> None:
        """Bring back the state before; idempotent, whether or not ``act`` happened or ended."""

    def restage(self, bench: Workbench, before: Json) -> None:
        """Make ready for an undo of a later day: reserve its space, before a rollback touches anything."""
        return

    def surrender(self, bench: Workbench, before: Json) -> Json:
        """Keep a copy of what somebody made of it since, and return a ``before`` whose state after is that."""
        return before

    def finish(self, bench: Workbench, before: Json) -> None:
        """Remove what was staged beside its subject; idempotent."""
        return


class Activation(Protocol):
    """How one service takes up a change of its files, and the proof that it did.

    Activations derive from this class.
    """

    def describe(self, host: Host) -> Description:
        """Return how it shows itself; reads only."""

    def prepare(self, bench: Workbench) -> Json:
        """Record what is served and what runs now, for the comparison afterwards."""

    def activate(self, bench: Workbench, before: Json) -> None:
        """Test, reload (or start, or restart) with a time limit, and prove.

        Raises:
            GateFailed: the service does not answer as promised, with the cause where it can be named.
            Interrupted: the run was asked to stop.
        """

    def refresh(self, bench: Workbench, before: Json) -> Json:
        """Return the ``before`` for a rollback of a later day: what others changed since is theirs."""
        return before

    def restore(self, bench: Workbench, before: Json) -> None:
        """After the files are back: take them up (or stop what was stopped before) and prove the old answers.

        Idempotent, and also right when ``activate`` never ran.

        Raises:
            NotPutBack: the old answers do not come back, with the cause where it can be named.
        """
