"""Two changes that edit one file: a path is written once in a plan, so they are made, and taken back, as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from palpo_installer.changes import AnyOperation, Change
from palpo_installer.operations.lines import EditLines
from palpo_installer.proxies.activation import ActivateProxy

Changes = tuple[Change, ...]


def joined(first: Changes, second: Changes) -> tuple[Changes, Changes]:
    """Return two changes so that no file is edited in both: as one where one is, else as they are.

    So it is with a proxy that has our line and somebody else's site in one file. One activation proves what each did.
    """
    if len(first) != 1 or len(second) != 1 or not {*_edited(first[0])} & {*_edited(second[0])}:
        return first, second
    (one,), (other,) = first, second
    # What both need, such as a directory, is made once.
    operations = tuple(edited_once(dict.fromkeys((*one.operations, *other.operations))))
    title = f"{one.title}, and {other.title}"
    return (Change(title, operations, _proving_both(one.activation, other.activation)),), ()


def _edited(change: Change) -> Iterator[Path]:
    return (each.path for each in change.operations if isinstance(each, EditLines))


def edited_once(operations: Iterable[AnyOperation]) -> Iterator[AnyOperation]:
    """Yield the operations with one edit for each file, behind all that its lines lead to."""
    edits: dict[Path, EditLines] = {}
    for each in operations:
        if not isinstance(each, EditLines):
            yield each
            continue
        there = edits.get(each.path)
        edits[each.path] = each if there is None else _together(there, each)
    yield from edits.values()


def _together(one: EditLines, other: EditLines) -> EditLines:
    # At one place what answers comes before what only leads on.
    add = sorted((*other.add, *one.add), key=lambda line: line.before)
    return replace(one, add=tuple(add), drop=tuple(dict.fromkeys((*one.drop, *other.drop))))


def _proving_both(one: object, other: object) -> ActivateProxy:
    assert isinstance(one, ActivateProxy)  # noqa: S101 - files of a proxy are taken up by it
    assert isinstance(other, ActivateProxy)  # noqa: S101 - as above
    return replace(
        one,
        expectations=(*one.expectations, *other.expectations),
        neighbours=tuple(dict.fromkeys((*one.neighbours, *other.neighbours))),
    )
