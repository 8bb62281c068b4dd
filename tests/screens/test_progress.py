"""A run as it is watched: folded from its events."""

from __future__ import annotations

from functools import reduce

from palpo_installer.engine.events import Event, Kind
from palpo_installer.screens.progress import Line, Progress, after, in_words

NOW = "2026-01-01T12:00:09.000+00:00"


def at(second: float, kind: Kind, text: str = "", step: str = "", code: int = 0) -> Event:
    """Return an event."""
    return Event(kind, text, step, code, f"2026-01-01T12:00:{second:06.3f}+00:00")


def fold(*events: Event, lines: tuple[Line, ...] = (Line("0", "write a"), Line("activation 0", "Reload"))) -> Progress:
    """Return the progress after events."""
    return reduce(after, events, Progress(lines))


def test_what_is_done_has_its_time_and_what_is_not_begun_has_none() -> None:
    """Each operation shows its state as a word and the seconds it took, or takes by now."""
    progress = fold(
        at(1, "acting", "write a", "0"), at(1.5, "done", "write a", "0"), at(2, "acting", "Reload", "activation 0")
    )
    assert in_words(progress, NOW).splitlines() == [
        "  done   0.5 s  write a",
        "  now    7.0 s  Reload",
    ]
    assert in_words(fold(), NOW).splitlines()[0] == "                write a"
    assert progress.current == 1


def test_what_is_waited_for_is_said_until_it_is_over() -> None:
    """The last thing waited for stands there, and is gone when its operation ends."""
    waiting = fold(at(1, "acting", "Reload", "activation 0"), at(2, "waiting", "nginx"))
    assert waiting.waiting == "nginx"
    assert after(waiting, at(3, "done", "Reload", "activation 0")).waiting == ""


def test_a_failure_is_taken_back_in_the_same_lines() -> None:
    """What was done turns into what is as before, and what cannot be put back says FAIL."""
    progress = fold(
        at(1, "acting", "write a", "0"),
        at(2, "done", "write a", "0"),
        at(2, "problem", "nginx: does not answer"),
        at(3, "undoing", "Reload", "activation 0"),
        at(4, "problem", "Reload: no", "activation 0"),
        at(5, "undoing", "write a", "0"),
        at(6, "undone", "write a", "0"),
        at(6, "ended", "Not everything could be put back", code=5),
    )
    assert in_words(progress, NOW).splitlines() == ["  back   1.0 s  write a", "  FAIL   1.0 s  Reload"]
    assert progress.backwards
    assert progress.ended is not None
    assert "12:00:02  problem    nginx: does not answer" in progress.log


def test_a_rollback_of_two_runs_has_the_lines_of_both() -> None:
    """Steps of two runs have the same names; the second does not overwrite the first."""
    events = (
        at(1, "undoing", "b", "0"),
        at(2, "undone", "b", "0"),
        at(3, "undoing", "a", "0"),
        at(4, "undone", "a", "0"),
    )
    progress = fold(*events, lines=())
    assert [(line.title, line.state) for line in progress.lines] == [("b", "undone"), ("a", "undone")]
