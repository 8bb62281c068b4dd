"""The runs on this host, oldest first."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from palpo_installer.changes import Plan
from palpo_installer.engine.journal import OPEN, progress, read
from palpo_installer.errors import HostError
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Json
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.operations.security import Setting, Withdraw
from palpo_installer.serialization import load

SECRETS = "secrets.json"
"""The file by which a viewer hands over secrets; the engine deletes it before it does anything."""

KEPT_COPIES = 10
"""For so many runs the earlier bytes are kept."""


@dataclass(frozen=True)
class PastRun:
    """One run.

    Attributes:
        id: its number, ``0001`` and up.
        directory: where its plan, journal and copies are.
        began: when, UTC.
        result: of its end; ``interrupted`` when it has none, ``never began`` when it did nothing, ``unreadable``
            when its journal is damaged or of another version.
        cause: why it was taken back.
        problems: what could not be put back.
        ours: path and hash of everything ours after it, when it was applied.
        reversible: whether the copies that a rollback needs are still there.
    """

    id: str
    directory: Path
    began: datetime
    result: str
    cause: str
    problems: tuple[str, ...]
    ours: dict[str, str]
    reversible: bool


def runs(layout: Layout) -> tuple[PastRun, ...]:
    """Return every run, oldest first."""
    try:
        directories = sorted(path for path in layout.runs.iterdir() if path.name.isdigit())
    except OSError:
        return ()
    return tuple(past_run(directory) for directory in directories)


def past_run(directory: Path) -> PastRun:
    """Return what is known of one run."""
    try:
        records = read(directory / "journal.jsonl")
        end: Json = progress(records).end or {}
        result = str(end.get("result", "interrupted" if records else "never began"))
    except HostError as error:
        end, result = {"cause": str(error)}, "unreadable"
    problems, ours = end.get("problems", []), end.get("ours", {})
    return PastRun(
        id=directory.name,
        directory=directory,
        began=datetime.fromtimestamp(_plan_or_directory(directory).stat().st_mtime, UTC),
        result=result,
        cause=str(end.get("cause", "")),
        problems=tuple(map(str, problems)) if isinstance(problems, list) else (),
        ours={str(path): str(digest) for path, digest in ours.items()} if isinstance(ours, dict) else {},
        reversible=(directory / "copies").is_dir(),
    )


def _plan_or_directory(directory: Path) -> Path:
    plan = directory / "plan.json"
    return plan if plan.exists() else directory


def unfinished(layout: Layout) -> tuple[PastRun, ...]:
    """Return the runs that were cut off or could not be put back, newest first: the order of taking them back."""
    return tuple(run for run in reversed(runs(layout)) if run.result in {"interrupted", "not-put-back"})


def effective(layout: Layout) -> tuple[PastRun, ...]:
    """Return the runs whose changes are in force, oldest first."""
    return tuple(run for run in runs(layout) if run.result == "applied")


def standing(layout: Layout) -> tuple[PastRun, ...]:
    """Return the runs whose changes are in force, or partly so, oldest first: those that can be rolled back."""
    return tuple(run for run in runs(layout) if run.result in {"applied", "not-put-back"})


def ours(layout: Layout) -> dict[str, str]:
    """Return what the last complete run recorded as ours: path and hash."""
    complete = effective(layout)
    return complete[-1].ours if complete else {}


def plan_of(directory: Path) -> Plan:
    """Return the plan of a run.

    Raises:
        HostError: it is damaged, or another version of this tool made it.
    """
    path = directory / "plan.json"
    try:
        return load(path.read_text(), Plan)
    except (OSError, ValueError, LookupError, TypeError, ExceptionGroup) as error:
        raise HostError(
            "is no plan of this version", where=str(path), next="Use the version that made it to take the run back"
        ) from error


def settled(layout: Layout) -> dict[tuple[str, ...], object]:
    """Return what the runs in force wrote into palpo.toml: by key the value, or the reference of a secret."""
    written: dict[tuple[str, ...], object] = {}
    for run in effective(layout):
        try:
            changes = plan_of(run.directory).changes
        except HostError:
            # Of another version: then nothing is known of that run, and an edit looks like any other difference.
            continue
        for operation in (each for change in changes for each in change.operations):
            if isinstance(operation, ConfigurePalpo):
                written |= {setting.key: setting.value for setting in operation.settings}
    return written


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
        operations = (each for change in plan.changes for each in change.operations)
        for number, operation in enumerate(operations):
            before = {key: str(value) for key, value in done.prepared.get(str(number), {}).items()}
            if isinstance(operation, Setting) and str(number) in done.results:
                made[before["path"]] = Withdraw(operation, before, run.id)
            elif isinstance(operation, Withdraw):
                made.pop(operation.before["path"], None)
    return tuple(made.values())


def new_run(layout: Layout) -> Path:
    """Make the directory of a new run and return it; two at once get two."""
    number = max((int(path.name) for path in layout.runs.iterdir() if path.name.isdigit()), default=0)
    while True:
        number += 1
        directory = layout.runs / f"{number:04d}"
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            continue
        (directory / "copies").mkdir(mode=0o700)
        return directory


def forget_old_copies(layout: Layout) -> None:
    """Delete the earlier bytes of all but the newest ten runs in force; those of runs taken back are needed no more."""
    kept = {run.id for run in effective(layout)[-KEPT_COPIES:]} | {run.id for run in unfinished(layout)}
    for run in runs(layout)[:-1]:
        if run.reversible and run.id not in kept and run.result != "unreadable":
            shutil.rmtree(run.directory / "copies")


def forget_secrets(layout: Layout) -> None:
    """Delete the secrets that were handed over for runs that never began."""
    for path in layout.runs.glob(f"*/{SECRETS}"):
        path.unlink()


def forget_signs(layout: Layout) -> None:
    """Delete the signs of open runs that a kill or a full disk left where no run is open."""
    for run in runs(layout):
        if run.result != "interrupted":
            (run.directory / OPEN).unlink(missing_ok=True)
