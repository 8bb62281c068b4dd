"""Each directory that a plan needs is made once: by the first change that needs it, for all that lies in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from palpo_installer.changes import AnyOperation, Change
from palpo_installer.operations.files import MakeDirectory


def made_once(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return changes in which no directory is made a second time.

    Where they want different modes it is open to everyone whom one of them lets in: a proxy must reach its file in a
    directory of ours, and what is private there has a mode of its own.
    """
    changes = tuple(changes)
    modes: dict[Path, int] = {}
    for each in _directories(changes):
        modes[each.path] = modes.get(each.path, 0) | each.mode
    return tuple(_without(change, modes) for change in changes)


def _directories(changes: Iterable[Change]) -> Iterator[MakeDirectory]:
    return (each for change in changes for each in change.operations if isinstance(each, MakeDirectory))


def _without(change: Change, modes: dict[Path, int]) -> Change:
    """Return a change without the directories that are not in ``modes`` any more; those that it makes leave it."""
    kept: list[AnyOperation] = []
    for each in change.operations:
        if not isinstance(each, MakeDirectory):
            kept.append(each)
        elif (mode := modes.pop(each.path, None)) is not None:
            kept.append(replace(each, mode=mode))
    return replace(change, operations=tuple(kept))
