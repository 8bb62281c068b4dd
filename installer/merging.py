"""Three texts become one: what was written, what a person made of it, and what is wanted now. Theirs wins.

No library: ``merge3`` of PyPI is GPL, which this Apache-2.0 package cannot import without becoming it, and leaves
a conflict as marks in the text; ``three-merge`` merges characters, and is not kept any more. The hard part,
which lines belong together, is ``difflib``'s.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

END = "\n"
"""Stands behind the last line of a text that has its end, as no line can: so a last line without its end is a
difference like any other, and the end of a text is not taken for an empty line."""


@dataclass(frozen=True)
class Conflict:
    """A place that both changed, each in another way.

    Attributes:
        line: where it is in their text, from 1.
        theirs: the lines there, which stay; none where they took lines away.
        ours: the lines that were wanted there.
    """

    line: int
    theirs: tuple[str, ...]
    ours: tuple[str, ...]


@dataclass(frozen=True)
class Merged:
    """The one text, and where their lines stand in the way of ours."""

    text: str
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True)
class _Hunk:
    """Lines ``begin`` to ``end`` of the base, from 0 and without the last, became ``lines``, at ``place`` there."""

    begin: int
    end: int
    lines: tuple[str, ...]
    place: int


def merge(base: str, theirs: str, ours: str) -> Merged:
    """Return a text in which every line they changed stays, and every other one is as we want it.

    Args:
        base: what was written.
        theirs: what somebody made of it.
        ours: what would be written now.
    """
    lines = _lines(base)
    edits, updates = _hunks(lines, _lines(theirs)), _hunks(lines, _lines(ours))
    applied, conflicts = [], []
    for update in updates:
        rivals = [edit for edit in edits if _collide(edit, update)]
        if not rivals:
            applied.append(update)
        elif not any(_same(edit, update) for edit in rivals):
            first = rivals[0]
            conflicts.append(Conflict(first.place + 1, _without_end(first.lines), _without_end(update.lines)))
    # Where both only added lines, ours come first, and so on at every later merge.
    hunks = sorted([*applied, *edits], key=lambda hunk: (hunk.begin, hunk.end))
    return Merged(_text(_applied(lines, hunks)), tuple(conflicts))


def _lines(text: str) -> list[str]:
    """Return the lines of a text, and ``END`` behind the last one where that has its end."""
    *lines, last = text.split("\n")
    return [*lines, last or END]


def _text(lines: Sequence[str]) -> str:
    inner = _without_end(lines)
    return "\n".join(inner) + ("\n" if inner and lines[-1] == END else "")


def _without_end(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for line in lines if line != END)


def _hunks(base: Sequence[str], changed: Sequence[str]) -> list[_Hunk]:
    matcher = difflib.SequenceMatcher(None, base, changed, autojunk=False)
    hunks = []
    for kind, begin, end, start, stop in matcher.get_opcodes():
        if kind == "equal":
            continue
        if end - begin == stop - start:
            # Line for line, so that a change of one of them is no change of its neighbours.
            hunks += [_Hunk(begin + n, begin + n + 1, (changed[start + n],), start + n) for n in range(end - begin)]
        else:
            hunks.append(_Hunk(begin, end, tuple(changed[start:stop]), start))
    return hunks


def _same(one: _Hunk, other: _Hunk) -> bool:
    return (one.begin, one.end, one.lines) == (other.begin, other.end, other.lines)


def _collide(one: _Hunk, other: _Hunk) -> bool:
    """Return whether two hunks are about the same lines; lines added at the edge of others are not among them."""
    if one.begin == one.end and other.begin == other.end:
        return _same(one, other)
    return max(one.begin, other.begin) < min(one.end, other.end) or _within(one, other) or _within(other, one)


def _within(added: _Hunk, around: _Hunk) -> bool:
    return added.begin == added.end and around.begin < added.begin < around.end


def _applied(base: Sequence[str], hunks: Sequence[_Hunk]) -> list[str]:
    lines: list[str] = []
    place = 0
    for hunk in hunks:
        lines += [*base[place : hunk.begin], *hunk.lines]
        place = hunk.end
    return [*lines, *base[place:]]
