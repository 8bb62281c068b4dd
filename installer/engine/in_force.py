"""What the runs in force wrote and set, as their plans and journals tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from palpo_installer.changes import AnyOperation
from palpo_installer.engine.history import effective, plan_of
from palpo_installer.engine.journal import progress, read
from palpo_installer.engine.steps import steps
from palpo_installer.errors import HostError
from palpo_installer.layout import Layout
from palpo_installer.operations.files import MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.operations.passing import RemoveWritten
from palpo_installer.operations.security import Setting, Withdraw

Written = WriteFile | MakeLink
"""What makes a path ours as a whole."""


def settled(layout: Layout) -> dict[tuple[str, ...], object]:
    """Return what the runs in force wrote into palpo.toml: by key the value, or the reference of a secret."""
    known: dict[tuple[str, ...], object] = {}
    for operation in _operations(layout):
        if isinstance(operation, ConfigurePalpo):
            known |= {setting.key: setting.value for setting in operation.settings}
    return known


def written(layout: Layout) -> dict[str, Written]:
    """Return what the runs in force last did to each path that is ours as a whole."""
    known: dict[str, Written] = {}
    for operation in _operations(layout):
        if isinstance(operation, WriteFile | MakeLink):
            known[str(operation.path)] = operation
        elif isinstance(operation, RemoveFile | RemoveWritten):
            known.pop(str(operation.path), None)
    return known


def _operations(layout: Layout) -> Iterator[AnyOperation]:
    for run in effective(layout):
        try:
            plan = plan_of(run.directory)
        except HostError:
            # Of another version: then nothing is known of that run, and an edit looks like any other difference.
            continue
        yield from (step.operation for step in steps(plan))


def copy_of(directory: Path, path: Path) -> Path | None:
    """Return where a run keeps a file as it was before it, None where it does not."""
    for record in progress(read(directory / "journal.jsonl")).prepared.values():
        copy = str(record.get("copy", ""))
        if record.get("path") == str(path) and copy and Path(copy).exists():
            return Path(copy)
    return None


def in_force(layout: Layout) -> tuple[Withdraw, ...]:
    """Return what takes back each setting that the runs in force made in SELinux and firewalls, oldest first.

    What a later run withdrew is not among them; whether the rest is still as it was left, a look at the host tells.
    """
    made: dict[str, Withdraw] = {}
    for run in effective(layout):
        try:
            plan, done = plan_of(run.directory), progress(read(run.directory / "journal.jsonl"))
        except HostError:
            # Of another version: only that one knows what it set.
            continue
        for step in steps(plan):
            before = {key: str(value) for key, value in done.prepared.get(step.name, {}).items()}
            if isinstance(step.operation, Setting) and step.name in done.results:
                made[before["path"]] = Withdraw(step.operation, before, run.id)
            elif isinstance(step.operation, Withdraw):
                made.pop(step.operation.before["path"], None)
    return tuple(made.values())
