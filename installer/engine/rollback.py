"""Whether a rollback of several runs can go through, known before the first file is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from palpo_installer.engine.history import standing
from palpo_installer.engine.journal import progress, read
from palpo_installer.engine.run import Run
from palpo_installer.engine.steps import Step
from palpo_installer.errors import RefusedPlan
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Json, Workbench
from palpo_installer.operations.paths import PathState, state_of
from palpo_installer.operations.replacement import Replacement


def refuse_edited(runs: Sequence[Run]) -> None:
    """Check that every file of these runs, newest first, is as they left it.

    Raises:
        RefusedPlan: one was edited since.
    """
    for path in edited_since([run.path.parent for run in runs]):
        raise RefusedPlan(
            "was edited since",
            where=str(path),
            next="It stays as it is. To give up the edit (a copy is kept), add --discard-edits",
        )


def edited_since(directories: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files of these runs, newest first, that somebody edited since.

    A file that several of them wrote must be as the newest left it, and each must have found it as the one before
    left it: an edit in between would come to light half-way.

    Raises:
        HostError: a journal cannot be read.
    """
    found: dict[str, PathState] = {}
    edited: dict[str, None] = {}
    for directory in directories:
        done = progress(read(directory / "journal.jsonl"))
        for step in reversed(done.begun):
            if "staged" not in done.prepared[step]:
                continue
            replacement = Replacement.read(done.prepared[step])
            if replacement.shared:
                continue
            now = found.get(replacement.path) or state_of(Path(replacement.path))
            if not (_same(now, replacement.after) or now == replacement.before):
                edited[replacement.path] = None
            found[replacement.path] = replacement.before
    return tuple(map(Path, edited))


def edited_before(layout: Layout, identity: str) -> tuple[Path, ...]:
    """Return the files whose edits a rollback of a run, and with it of all later ones, would give up."""
    return edited_since([run.directory for run in reversed(standing(layout)) if run.id >= identity])


def _same(now: PathState, after: PathState) -> bool:
    """Return whether a file is as it was left; its label comes from the system's policy."""
    return replace(now, attributes=()) == replace(after, attributes=())


Edited = Callable[[Workbench, Step, Json], Json]
"""What a rollback does about a step that somebody changed since: its new ``before``, or RefusedPlan."""


def refuse_edits(bench: Workbench, step: Step, before: Json) -> Json:  # noqa: ARG001
    """Stop a rollback at a file that somebody edited."""
    where = str(before.get("path", f"step {step.name}"))
    cure = "It stays as it is. To give up the edit (a copy is kept), add --discard-edits"
    raise RefusedPlan("was edited since", where=where, next=cure)


def discard_edits(bench: Workbench, step: Step, before: Json) -> Json:
    """Give up an edit; a copy is kept in the run's directory."""
    return step.operation.surrender(bench, before)
