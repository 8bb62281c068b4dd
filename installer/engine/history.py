"""The runs on this host, oldest first."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from palpo_installer.changes import AnyOperation, Plan
from palpo_installer.engine.journal import OPEN, Progress, Record, progress, read
from palpo_installer.errors import HostError
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Json
from palpo_installer.operations.files import MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.operations.passing import RemoveWritten
from palpo_installer.operations.security import Setting, Withdraw
from palpo_installer.serialization import load

SECRETS = "secrets.json"
"""The file by which a viewer hands over secrets; the engine deletes it before it does anything."""

Written = WriteFile | MakeLink
"""What makes a path ours as a whole."""

KEPT_COPIES = 10
"""For so many runs the earlier bytes are kept."""

COPIES = "copies"
"""In a run's directory the earlier bytes of everything that it touched, so that it can be rolled back."""

ORIGINALS = "originals"
"""What is left of them later: the bytes that no run of ours wrote, which only an uninstall puts back."""


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
        unconfirmed_until: when it takes itself back, UTC, if the last thing known of it is that it waits to be
            confirmed; else None.
    """

    id: str
    directory: Path
    began: datetime
    result: str
    cause: str
    problems: tuple[str, ...]
    ours: dict[str, str]
    reversible: bool
    unconfirmed_until: datetime | None = None


def runs(layout: Layout) -> tuple[PastRun, ...]:
    """Return every run, oldest first."""
    try:
        directories = sorted(path for path in layout.runs.iterdir() if path.name.isdigit())
    except OSError:
        return ()
    return tuple(past_run(directory) for directory in directories)


def past_run(directory: Path) -> PastRun:
    """Return what is known of one run."""
    records: tuple[Record, ...] = ()
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
        reversible=(directory / COPIES).is_dir(),
        unconfirmed_until=_deadline(records),
    )


def _deadline(records: tuple[Record, ...]) -> datetime | None:
    if not records or records[-1].kind != "unconfirmed":
        return None
    return datetime.fromisoformat(str(records[-1].data["until"]))


def _plan_or_directory(directory: Path) -> Path:
    plan = directory / "plan.json"
    return plan if plan.exists() else directory


def state(run: PastRun, *, busy: bool) -> str:
    """Return how a run ended, or what it does, in a few words; ``busy`` is whether one is at work."""
    if not busy or run.result != "interrupted":
        return run.result
    if run.unconfirmed_until is None:
        return "at work"
    return f"waits to be confirmed, and takes itself back at {run.unconfirmed_until:%H:%M:%S} UTC"


def unfinished(layout: Layout) -> tuple[PastRun, ...]:
    """Return the runs that were cut off or could not be put back, newest first: the order of taking them back."""
    return tuple(run for run in reversed(runs(layout)) if run.result in {"interrupted", "not-put-back"})


def effective(layout: Layout) -> tuple[PastRun, ...]:
    """Return the runs whose changes are in force, oldest first."""
    return tuple(run for run in _since_uninstalled(layout) if run.result == "applied")


def standing(layout: Layout) -> tuple[PastRun, ...]:
    """Return the runs whose changes are in force, or partly so, oldest first: those that can be rolled back."""
    return tuple(run for run in _since_uninstalled(layout) if run.result in {"applied", "not-put-back"})


def uninstalled(layout: Layout) -> str:
    """Return the last run that took everything back for good, empty for none; up to it all can be forgotten."""
    return max((run.id for run in runs(layout) if run.result == "uninstalled"), default="")


def _since_uninstalled(layout: Layout) -> tuple[PastRun, ...]:
    past = runs(layout)
    last = max((run.id for run in past if run.result == "uninstalled"), default="")
    return tuple(run for run in past if run.id > last)


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
            changes = plan_of(run.directory).changes
        except HostError:
            # Of another version: then nothing is known of that run, and an edit looks like any other difference.
            continue
        yield from (each for change in changes for each in change.operations)


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
        (directory / COPIES).mkdir(mode=0o700)
        return directory


def forget_old_copies(layout: Layout) -> None:
    """Delete the earlier bytes of all but the newest ten runs in force; those of runs taken back are needed no more.

    Of older runs in force only what an uninstall puts back is kept: what stood there before any run of ours.
    """
    kept = {run.id for run in effective(layout)[-KEPT_COPIES:]} | {run.id for run in unfinished(layout)}
    originals = _originals(layout)
    for run in runs(layout)[:-1]:
        if run.id in kept or run.result == "unreadable":
            continue
        if run.reversible:
            (run.directory / COPIES).rename(run.directory / ORIGINALS)
        if (run.directory / ORIGINALS).is_dir():
            _keep_only(run.directory / ORIGINALS, originals.get(run.id, frozenset()))


def _originals(layout: Layout) -> dict[str, frozenset[str]]:
    """Return by run the names of the copies that hold what stood at a path before any run in force touched it."""
    seen: set[str] = set()
    names: dict[str, frozenset[str]] = {}
    for run in effective(layout):
        done = progress(read(run.directory / "journal.jsonl"))
        copied = {str(found["path"]): Path(str(found["copy"])).name for found in _found(done) if "copy" in found}
        names[run.id] = frozenset(name for path, name in copied.items() if path not in seen and name)
        seen |= copied.keys()
    return names


def _found(done: Progress) -> Iterator[Json]:
    return (done.prepared[step] for step in done.begun if step in done.prepared)


def _keep_only(directory: Path, names: frozenset[str]) -> None:
    if not names:
        shutil.rmtree(directory)
        return
    for path in directory.iterdir():
        if path.name not in names:
            path.unlink()


def forget_secrets(layout: Layout) -> None:
    """Delete the secrets that were handed over for runs that never began."""
    for path in layout.runs.glob(f"*/{SECRETS}"):
        path.unlink()


def forget_signs(layout: Layout) -> None:
    """Delete the signs of open runs that a kill or a full disk left where no run is open."""
    for run in runs(layout):
        if run.result != "interrupted":
            (run.directory / OPEN).unlink(missing_ok=True)
