"""Whether a rollback of several runs can go through, known before the first file is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from palpo_installer.engine.run import Run
from palpo_installer.errors import RefusedPlan
from palpo_installer.operations.paths import PathState, Replacement, state_of


def refuse_edited(runs: Sequence[Run]) -> None:
    """Check that every file of these runs, newest first, is as they left it.

    A file that several of them wrote must be as the newest left it, and each must have found it as the one before
    left it: an edit in between would come to light half-way.

    Raises:
        RefusedPlan: one was edited since.
    """
    found: dict[str, PathState] = {}
    for run in runs:
        prepared = run.progress.prepared
        for step in run.begun:
            if "staged" not in prepared[step.name] or step.operation.shared:
                continue
            replacement = Replacement.read(prepared[step.name])
            now = found.get(replacement.path) or state_of(Path(replacement.path))
            if not (_same(now, replacement.after) or now == replacement.before):
                raise RefusedPlan(
                    "was edited since",
                    where=replacement.path,
                    next="It stays as it is. To give up the edit (a copy is kept), add --discard-edits",
                )
            found[replacement.path] = replacement.before


def _same(now: PathState, after: PathState) -> bool:
    """Return whether a file is as it was left; its label comes from the system's policy."""
    return replace(now, attributes=()) == replace(after, attributes=())
