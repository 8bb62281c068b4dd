"""Two changes that edit one file: a path is written once in a plan, so the first of them does all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from palpo_installer.changes import AnyOperation, Change
from palpo_installer.operations.lines import EditLines

Changes = tuple[Change, ...]


def joined(first: Changes, second: Changes) -> tuple[Changes, Changes]:
    """Return two changes of a proxy so that no file is edited in both.

    Where one is, the operations of the second are carried out with those of the first; its activation stays by itself
    and proves what it proved before. So it is with a proxy that has our line and somebody else's site in one file.
    """
    paths = {each.path for each in _edits(first)}
    if not any(each.path in paths for each in _edits(second)):
        return first, second
    operations = tuple(each for change in (*first, *second) for each in change.operations)
    whole = replace(first[0], operations=tuple(_merged(operations)))
    return (whole, *first[1:]), tuple(replace(each, operations=()) for each in second)


def _edits(changes: Changes) -> Iterator[EditLines]:
    return (each for change in changes for each in change.operations if isinstance(each, EditLines))


def _merged(operations: Iterable[AnyOperation]) -> Iterator[AnyOperation]:
    """Yield the operations with one edit for each file, behind all that its lines lead to."""
    edits: dict[object, EditLines] = {}
    for each in operations:
        if not isinstance(each, EditLines):
            yield each
            continue
        there = edits.get(each.path)
        edits[each.path] = each if there is None else _together(there, each)
    yield from edits.values()


def _together(one: EditLines, other: EditLines) -> EditLines:
    add = sorted((*one.add, *other.add), key=lambda line: line.before)
    return replace(one, add=tuple(add), drop=tuple(dict.fromkeys((*one.drop, *other.drop))))
