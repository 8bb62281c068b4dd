"""The runs on this host, oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from palpo_installer.changes import Plan
from palpo_installer.engine.journal import Record, progress, read
from palpo_installer.errors import HostError
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Json
from palpo_installer.serialization import load

SECRETS = "secrets.json"
"""The file by which a viewer hands over secrets; the engine deletes it before it does anything."""

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


WORDS = {
    "applied": "applied",
    "taken-back": "did not work out, and was taken back",
    "rolled-back": "rolled back",
    "uninstalled": "uninstalled",
    "not-put-back": "not everything could be put back",
    "interrupted": "was cut off, and waits to be taken back",
    "never began": "never began",
    "unreadable": "cannot be read",
}
"""Each result of a run for people."""


def state(run: PastRun, *, busy: bool) -> str:
    """Return how a run ended, or what it does, in a few words; ``busy`` is whether one is at work."""
    if not busy or run.result != "interrupted":
        return WORDS.get(run.result, run.result)
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
