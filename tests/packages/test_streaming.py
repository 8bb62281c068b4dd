"""Running a program of the package manager."""

from __future__ import annotations

import time

from palpo_installer.host import Command
from palpo_installer.packages.streaming import stream


def test_lines_are_told_in_order_with_the_status() -> None:
    """Also the last one without an end, and what went to standard error."""
    lines: list[str] = []
    ended = stream(Command(("sh", "-c", "echo one; echo two >&2; printf three; exit 3")), lines.append)
    assert (ended.status, ended.stopped, lines) == (3, "", ["one", "two", "three"])
    assert ended.output == "one\ntwo\nthree"


def test_what_takes_too_long_is_asked_to_end() -> None:
    """By SIGTERM, and that is said."""
    began = time.monotonic()
    ended = stream(Command(("sh", "-c", "echo begun; exec sleep 60"), timeout=0.3), lambda _: None)
    assert ended.stopped == "did not end within 0.3 seconds"
    assert time.monotonic() - began < 10


def test_what_nobody_wants_any_more_is_interrupted_and_may_end_by_itself() -> None:
    """It gets what Ctrl-C would send, alone, and comes to its own end."""
    script = "trap 'echo ending; exit 4' INT; echo begun; while :; do sleep 0.05; done"
    lines: list[str] = []
    ended = stream(Command(("sh", "-c", script)), lines.append, wanted=lambda: "begun" not in lines)
    assert (ended.status, ended.stopped, lines) == (4, "stopped on request", ["begun", "ending"])


def test_what_it_leaves_behind_does_not_keep_us() -> None:
    """A daemon that a package started may hold its output for ever."""
    began = time.monotonic()
    assert stream(Command(("sh", "-c", "sleep 30 & echo done")), lambda _: None).output == "done"
    assert time.monotonic() - began < 10
