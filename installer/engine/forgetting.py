"""After an uninstall: the history and the copies of earlier files go, and all that is empty then.

It begins when the end of the run that took everything back is on disk. A kill in between leaves a history whose runs
are in force no more; the next start that changes anything goes on here.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from palpo_installer.certificates.workplace import Workplace, is_busy
from palpo_installer.engine.history import COPIES, runs, uninstalled
from palpo_installer.layout import Layout
from palpo_installer.site import CHALLENGE_PATH


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
