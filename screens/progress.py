"""How far a run is: folded from its events. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from palpo_installer.changes import Plan
from palpo_installer.engine.events import Event
from palpo_installer.engine.steps import activation
from palpo_installer.host import Host

SIGNS = {"acting": "now", "done": "done", "undoing": "undo", "undone": "back", "problem": "FAIL", "": ""}
"""What stands before an operation, by the kind of its last event; ``back`` is as before."""

INDENT = 18
"""Where a title that is too long for its line goes on."""


@dataclass(frozen=True)
class Line:
    """One operation or activation.

    Attributes:
        step: its name in the journal.
        title: what it does.
        state: the kind of its last event, empty before the first.
        since: when that state began, ISO 8601, UTC.
        seconds: how long it took, None while it has not ended.
    """

    step: str
    title: str
    state: str = ""
    since: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Progress:
    """A run as it is watched.

    Attributes:
        lines: its operations, in order; those of earlier runs that are taken back with it below.
        waiting: what is being waited for, empty for nothing.
        log: every event in words.
        ended: the last event, None while it runs.
        backwards: whether something is being taken back.
        findings: what the outside does not see as it should.
        seen: what the outside sees, counted.
        until: when it takes itself back, ISO 8601, UTC; empty while it does not wait to be confirmed.
    """

    lines: tuple[Line, ...] = ()
    waiting: str = ""
    log: tuple[str, ...] = ()
    ended: Event | None = None
    backwards: bool = False
    findings: tuple[str, ...] = ()
    seen: str = ""
    until: str = ""

    @property
    def current(self) -> int:
        """The number of the line where it is now."""
        active = [number for number, line in enumerate(self.lines) if line.state in {"acting", "undoing"}]
        changed = [number for number, line in enumerate(self.lines) if line.state]
        return (active or changed or [0])[-1]


def planned(plan: Plan, host: Host) -> Progress:
    """Return the progress of a plan of which nothing is done yet."""
    return Progress(tuple(_steps(plan, host)))


def _steps(plan: Plan, host: Host) -> Iterator[Line]:
    number = 0
    for place, change in enumerate(plan.changes):
        for operation in change.operations:
            yield Line(str(number), operation.describe(host).title)
            number += 1
        if change.activation is not None:
            yield Line(activation(place), change.activation.describe(host).title)


def after(progress: Progress, event: Event) -> Progress:
    """Return the progress after an event."""
    said = f"{event.at[11:19]}  {event.kind.ljust(9)}  {event.text}".rstrip()
    progress = replace(progress, log=(*progress.log, said))
    changes: dict[str, Any]
    match event.kind:
        case "acting" | "undoing":
            backwards = progress.backwards or event.kind == "undoing"
            changes = {"lines": _begun(progress.lines, event), "waiting": "", "backwards": backwards, "until": ""}
        case "done" | "undone":
            changes = {"lines": _ended(progress.lines, event), "waiting": ""}
        case "preparing" | "waiting":
            changes = {"waiting": event.text}
        case "problem" if event.step:
            changes = {"lines": _ended(progress.lines, event), "waiting": ""}
        case "finding":
            changes = {"findings": (*progress.findings, event.text)}
        case "unconfirmed":
            changes = {"seen": event.text, "until": event.until, "waiting": ""}
        case "ended":
            changes = {"ended": event, "waiting": "", "until": ""}
        case _:
            changes = {}
    return replace(progress, **changes)


def _begun(lines: tuple[Line, ...], event: Event) -> tuple[Line, ...]:
    begun = Line(event.step, event.text, event.kind, event.at)
    # A rollback takes back several runs, whose steps have the same names.
    over = {"undone", "problem"}
    place = next((n for n, line in enumerate(lines) if line.step == event.step and line.state not in over), None)
    return (*lines, begun) if place is None else (*lines[:place], begun, *lines[place + 1 :])


def _ended(lines: tuple[Line, ...], event: Event) -> tuple[Line, ...]:
    active = {"acting", "undoing"}

    def follow(line: Line) -> Line:
        if line.step != event.step or line.state not in active:
            return line
        return replace(line, state=event.kind, seconds=_between(line.since, event.at), since=event.at)

    return tuple(map(follow, lines))


def _between(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def in_words(progress: Progress, now: str) -> str:
    """Return a line for each operation: state, seconds, title; ``now`` is the time, ISO 8601, UTC."""
    return "\n".join(_line(line, now) for line in progress.lines)


def seen_in_words(progress: Progress) -> str:
    """Return what the outside sees of a run that waits to be confirmed, empty for other runs."""
    if not progress.until:
        return ""
    lines = (f"  {line}" for line in (progress.seen, *progress.findings) if line)
    return "\n".join(["", "What the outside sees", *lines])


def _line(line: Line, now: str) -> str:
    running = line.state in {"acting", "undoing"}
    seconds = _between(line.since, now) if running else line.seconds
    time = f"{max(seconds, 0):5.1f} s" if seconds is not None else ""
    return f"  {SIGNS[line.state]:4} {time:7}  {line.title}"
