"""What the runs in force left on the host, as values: each operation and activation with what it found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from palpo_installer.changes import AnyActivation, AnyOperation
from palpo_installer.operations.base import Json
from palpo_installer.operations.paths import PathState
from palpo_installer.operations.replacement import Replacement


@dataclass(frozen=True)
class Trace:
    """One operation of a run in force.

    Attributes:
        run: the run's id.
        operation: what it did.
        activation: how the service of its change took it up, None for none.
        found: what it found: the data of its ``prepared`` record.
        copies: where the run's copies are.
    """

    run: str
    operation: AnyOperation
    activation: AnyActivation | None
    found: Json
    copies: Path


@dataclass(frozen=True)
class Taken:
    """One activation of a run in force: what was carried out, and what it found.

    Attributes:
        run: the run's id.
        began: when the run began, UTC.
        activation: what was carried out.
        found: the data of its ``prepared`` record.
    """

    run: str
    began: datetime
    activation: AnyActivation
    found: Json


@dataclass(frozen=True)
class Traces:
    """All of them, oldest first."""

    operations: tuple[Trace, ...] = ()
    activations: tuple[Taken, ...] = ()


@dataclass(frozen=True)
class Touched:
    """One path that runs in force replaced.

    Attributes:
        path: the path.
        run: the first run that touched it.
        original: what that run found there.
        copy: the bytes of the original, where it was a file.
        left: what the newest run left there.
        edited_between: whether a run found it neither as the run before left it nor as it was at first.
        newest: the newest run's trace.
    """

    path: Path
    run: str
    original: PathState
    copy: Path
    left: PathState
    edited_between: bool
    newest: Trace


def same(one: PathState, other: PathState) -> bool:
    """Return whether two states are equal but for extended attributes: a label comes from the system's policy."""
    return replace(one, attributes=()) == replace(other, attributes=())


def touched(traces: Iterable[Trace]) -> tuple[Touched, ...]:
    """Return each path that traces of replacements name, once, in the order in which it was first touched."""
    found: dict[str, Touched] = {}
    for trace in traces:
        replacement = Replacement.read(trace.found)
        earlier = found.get(replacement.path)
        if earlier is None:
            copy = trace.copies / Path(replacement.copy).name
            first = (Path(replacement.path), trace.run, replacement.before, copy)
            found[replacement.path] = Touched(*first, replacement.after, edited_between=False, newest=trace)
            continue
        known = same(replacement.before, earlier.left) or same(replacement.before, earlier.original)
        edited = earlier.edited_between or not known
        found[replacement.path] = replace(earlier, left=replacement.after, edited_between=edited, newest=trace)
    return tuple(found.values())


def texts(found: Json, name: str) -> tuple[str, ...]:
    """Return a list of texts in a record."""
    said = found.get(name, [])
    return tuple(map(str, said)) if isinstance(said, list) else ()


def number(record: Mapping[str, object], name: str) -> float:
    """Return a number in a record, 0 where there is none."""
    said = record.get(name, 0)
    return float(said) if isinstance(said, int | float) else 0.0
