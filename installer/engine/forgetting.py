"""What is deleted of the history: earlier bytes after ten runs, and after an uninstall all of it.

An uninstall's part begins when the end of the run that took everything back is on disk. A kill in between leaves a
history whose runs are in force no more; the next start that changes anything goes on here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from palpo_installer.certificates.workplace import Workplace, is_busy
from palpo_installer.engine.history import COPIES, ORIGINALS, SECRETS, effective, runs, unfinished, uninstalled
from palpo_installer.engine.journal import OPEN, Progress, progress, read
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Json
from palpo_installer.site import CHALLENGE_PATH

KEPT_COPIES = 10
"""For so many runs the earlier bytes are kept."""


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


def forget_earlier(layout: Layout) -> None:
    """Delete the runs before an uninstall and its own copies; its record, which says so, while it is the newest."""
    last, past = uninstalled(layout), runs(layout)
    for run in past:
        if run.id < last:
            _forget_run(run.directory)
    if not last:
        return
    if past[-1].id > last:
        _forget_run(layout.runs / last)
    elif (layout.runs / last / COPIES).is_dir():
        shutil.rmtree(layout.runs / last / COPIES)


def forget_all(layout: Layout) -> None:
    """Delete all of the history, and the directories of ours in which nothing lies that stays.

    The record of the uninstall is the last that goes: without it nobody would know that there is more to delete.
    """
    forget_earlier(layout)
    if not is_busy(layout):
        shutil.rmtree(Workplace.of(layout).lines.parent, ignore_errors=True)
    proofs = layout.webroot / CHALLENGE_PATH.lstrip("/")
    _remove_empty(*(path for path in (proofs, *proofs.parents) if path.is_relative_to(layout.webroot)))
    if last := uninstalled(layout):
        _forget_run(layout.runs / last)
    layout.lock.unlink(missing_ok=True)
    _remove_empty(layout.runs, layout.state, layout.etc)


def _forget_run(directory: Path) -> None:
    """Delete the directory of a run, its journal last: as long as that is there, it is known how the run ended."""
    for path in directory.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "journal.jsonl":
            _remove(path)
    _remove(directory / "journal.jsonl")
    directory.rmdir()


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _remove_empty(*directories: Path) -> None:
    for directory in directories:
        with suppress(OSError):
            directory.rmdir()
