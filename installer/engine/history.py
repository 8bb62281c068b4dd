"""The runs on this host, oldest first."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from palpo_installer.engine.journal import progress, read
from palpo_installer.layout import Layout

KEPT_COPIES = 10
"""For so many runs the earlier bytes are kept."""


@dataclass(frozen=True)
class PastRun:
    """One run.

    Attributes:
        id: its number, ``0001`` and up.
        directory: where its plan, journal and copies are.
        began: when, UTC.
        result: of its end; ``interrupted`` when it has none, ``never began`` when it did nothing.
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
    records = read(directory / "journal.jsonl")
    end = progress(records).end or {}
    result = str(end.get("result", "interrupted" if records else "never began"))
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
    """Return the runs that were cut off, newest first: the order in which they are taken back."""
    return tuple(run for run in reversed(runs(layout)) if run.result == "interrupted")


def effective(layout: Layout) -> tuple[PastRun, ...]:
    """Return the runs whose changes are in force, oldest first."""
    return tuple(run for run in runs(layout) if run.result == "applied")


def ours(layout: Layout) -> dict[str, str]:
    """Return what the last complete run recorded as ours: path and hash."""
    complete = effective(layout)
    return complete[-1].ours if complete else {}


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
    """Delete the earlier bytes of all but the newest ten runs."""
    for run in runs(layout)[:-KEPT_COPIES]:
        if run.reversible and run.result != "interrupted":
            shutil.rmtree(run.directory / "copies")
