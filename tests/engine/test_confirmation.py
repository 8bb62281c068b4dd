"""Waiting to be confirmed: by a clock that the test turns, through the real engine, and after it died."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from palpo_installer.engine import confirmation, launch
from palpo_installer.engine.confirmation import CONFIRMED, Clock, asked_for, confirm, in_words, wait, waiting
from palpo_installer.engine.history import past_run, runs, state, unfinished
from palpo_installer.engine.journal import OPEN, Journal, read
from palpo_installer.engine.lock import hold, is_free
from palpo_installer.engine.process import STOP, Engine
from palpo_installer.errors import Interrupted, Locked, Unconfirmed
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from tests.engine.runs import events, last_words, writing

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


class Hand:
    """Turns a clock; ``then`` says what happens meanwhile, by the second from which on it has happened."""

    def __init__(self, then: dict[float, Callable[[], object]] | None = None) -> None:
        self.seconds = 0.0
        self.shift = timedelta()
        self._then = dict(then or {})
        self.clock = Clock(lambda: self.seconds, lambda: NOON + timedelta(seconds=self.seconds) + self.shift, self.turn)

    def turn(self, seconds: float) -> None:
        """Let seconds pass, and what happens in them happen."""
        assert seconds > 0
        self.seconds += seconds
        for at in [at for at in self._then if at <= self.seconds]:
            self._then.pop(at)()


def go_on() -> None:
    """Nobody asks to stop."""


def test_nobody_confirms(tmp_path: Path) -> None:
    """At the deadline, not before, with one word of when that will be."""
    hand, told = Hand(), list[datetime]()
    with pytest.raises(Unconfirmed, match="was not confirmed within 60 seconds"):
        wait(tmp_path, 60, go_on, told.append, hand.clock)
    assert hand.seconds == pytest.approx(60)
    assert told == [NOON + timedelta(seconds=60)]


@pytest.mark.parametrize("at", [0.1, 30, 59.9, 60])
def test_somebody_confirms(tmp_path: Path, at: float) -> None:
    """Up to the deadline itself, and it is noticed at once."""
    hand = Hand({at: (tmp_path / CONFIRMED).touch})
    wait(tmp_path, 60, go_on, lambda _: None, hand.clock)
    assert at <= hand.seconds <= at + 0.3


def test_what_lay_there_before_does_not_count(tmp_path: Path) -> None:
    """Nobody had seen the result then."""
    (tmp_path / CONFIRMED).touch()
    with pytest.raises(Unconfirmed):
        wait(tmp_path, 60, go_on, lambda _: None, Hand().clock)


def test_the_last_moment_belongs_to_whoever_acts_first(tmp_path: Path) -> None:
    """Confirmed after the last look and before the deadline is acted on: kept, by one rename that says so."""
    layout = Layout(tmp_path)
    directory = layout.runs / "0001"
    directory.mkdir(parents=True)
    hand = Hand()
    confirmed: list[bool] = []

    def elapsed() -> float:
        if hand.seconds >= 60:
            confirmed.append(confirm(layout, "0001"))
        return hand.seconds

    wait(directory, 60, go_on, lambda _: None, replace(hand.clock, elapsed=elapsed))
    assert confirmed == [True]
    with pytest.raises(Unconfirmed):
        wait(directory, 60, go_on, lambda _: None, Hand().clock)
    assert not confirm(layout, "0001")


def test_stopping_goes_before_confirming(tmp_path: Path) -> None:
    """Where both are asked for at the same moment, the host gets back what it had."""
    asked = list[bool]()

    def both() -> None:
        (tmp_path / CONFIRMED).touch()
        asked.append(True)

    def check() -> None:
        if asked:
            raise Interrupted("stopped on request")

    with pytest.raises(Interrupted):
        wait(tmp_path, 60, check, lambda _: None, Hand({5: both}).clock)


@pytest.mark.parametrize("by", [timedelta(hours=-3), timedelta(hours=3)])
def test_setting_the_clock_neither_cuts_nor_prolongs(tmp_path: Path, by: timedelta) -> None:
    """The seconds are counted apart from the time of day, and the deadline is told as the new time of day."""
    told = list[datetime]()
    hand = Hand({20: lambda: setattr(hand, "shift", by)})
    with pytest.raises(Unconfirmed):
        wait(tmp_path, 60, go_on, told.append, hand.clock)
    assert hand.seconds == pytest.approx(60)
    assert told[0] == NOON + timedelta(seconds=60)
    assert told[1] == pytest.approx(told[0] + by, abs=timedelta(milliseconds=1))
    assert len(told) == 2


def test_the_real_clock_goes_on() -> None:
    """It counts seconds, through a suspension too where the kernel tells that."""
    first = confirmation.REAL.elapsed()
    assert first >= time.monotonic() - 1
    assert confirmation.REAL.elapsed() >= first
    assert abs(confirmation.REAL.now() - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("left", "words"),
    [(58, "58 s"), (0, "0 s"), (-3, "0 s"), (298, "4 min 58 s"), (86_400, "24 h 00 min")],
)
def test_the_deadline_has_words(left: int, words: str) -> None:
    """The time of day, and how long that is from now."""
    until = NOON + timedelta(seconds=left)
    assert in_words(until, NOON) == f"It takes itself back at {until:%H:%M:%S} UTC (in {words})."


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A host's copy."""
    return Layout(tmp_path)


@pytest.fixture
def identity(layout: Layout, tmp_path: Path) -> str:
    """A run that writes a file, to be confirmed within a minute."""
    identity = launch.register(writing((tmp_path / "file", "text")), {}, layout, confirm_within=60)
    assert asked_for(layout.runs / identity) == 60
    return identity


def killed(*_: object) -> None:
    """Stand in for SIGKILL: nothing of the engine runs after it."""
    raise KeyboardInterrupt


def test_a_confirmed_run_is_applied(layout: Layout, tmp_path: Path, identity: str) -> None:
    """It waits with everything applied and looked at, and its end comes after the confirmation."""
    hand = Hand()

    def look_and_confirm() -> None:
        assert (tmp_path / "file").read_text() == "text"
        assert [event.kind for event in events(tmp_path, identity)][-3:] == ["waiting", "finding", "unconfirmed"]
        assert read(layout.runs / identity / "journal.jsonl")[-1].kind == "unconfirmed"
        assert (layout.runs / identity / OPEN).exists()
        assert not is_free(layout)
        run = waiting(layout)
        assert run is not None
        assert run.unconfirmed_until == NOON + timedelta(seconds=60)
        assert state(run, busy=True) == "waits to be confirmed, and takes itself back at 12:01:00 UTC"
        assert confirm(layout, identity)
        assert not confirm(layout, identity)

    hand = Hand({30: look_and_confirm})
    assert Engine(Host(layout), hand.clock).carry_on(identity) == 0
    assert last_words(tmp_path, identity) == "Done."
    assert past_run(layout.runs / identity).result == "applied"
    assert waiting(layout) is None
    assert not (layout.runs / identity / OPEN).exists()


def test_a_run_that_nobody_confirms_takes_itself_back(layout: Layout, tmp_path: Path, identity: str) -> None:
    """The exit code, the cause and the file are those of any run that failed; events tell the deadline."""
    assert Engine(Host(layout), Hand().clock).carry_on(identity) == 1
    assert not (tmp_path / "file").exists()
    run = past_run(layout.runs / identity)
    assert (run.result, run.cause) == ("taken-back", "was not confirmed within 60 seconds")
    (told,) = [event for event in events(tmp_path, identity) if event.kind == "unconfirmed"]
    assert told.until == "2026-01-02T12:01:00+00:00"


def test_a_stop_while_it_waits_takes_back(layout: Layout, tmp_path: Path, identity: str) -> None:
    """At once, and not only at the deadline."""
    hand = Hand({5: (layout.runs / identity / STOP).touch})
    assert Engine(Host(layout), hand.clock).carry_on(identity) == 1
    assert hand.seconds < 6
    assert past_run(layout.runs / identity).cause == "stopped on request"
    assert not (tmp_path / "file").exists()


def test_a_run_whose_engine_died_waiting_is_taken_back(layout: Layout, tmp_path: Path, identity: str) -> None:
    """The next engine does not go on waiting, not even where the file lies there: nobody told that it counted."""
    with pytest.raises(KeyboardInterrupt):
        Engine(Host(layout), Hand({5: killed}).clock).carry_on(identity)
    assert confirm(layout, identity)
    assert [run.id for run in unfinished(layout)] == [identity]
    assert Engine(Host(layout)).carry_on(identity) == 1
    assert not (tmp_path / "file").exists()
    assert past_run(layout.runs / identity).cause == "the run was cut off before it was confirmed"


def test_a_record_that_cannot_be_written_takes_back(
    layout: Layout, tmp_path: Path, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could tell the deadline of a run that does not say that it waits."""
    append = Journal.append

    def full(journal: Journal, record: object) -> None:
        if getattr(record, "kind", "") == "unconfirmed":
            raise OSError(28, "No space left on device")
        append(journal, record)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "append", full)
    assert Engine(Host(layout), Hand().clock).carry_on(identity) == 1
    assert not (tmp_path / "file").exists()


def test_an_engine_that_is_started_again_begins_nothing(layout: Layout, tmp_path: Path, identity: str) -> None:
    """Where the first one died before its first record, its viewer has said that nothing was done."""
    (layout.runs / identity / "secrets.json").unlink()
    assert Engine(Host(layout)).carry_on(identity) == 1
    assert "run 0001: is over; nothing was changed" in last_words(tmp_path, identity)
    assert not (tmp_path / "file").exists()


def test_who_wants_the_lock_is_told_until_when_and_what_to_do(layout: Layout, identity: str) -> None:
    """The run, its deadline, and both commands; without a waiting run just that one is at work."""
    with pytest.raises(KeyboardInterrupt):
        Engine(Host(layout), Hand({5: killed}).clock).carry_on(identity)
    with hold(layout, "run 0001"), pytest.raises(Locked) as raised:
        launch.require_free(layout)
    said = str(raised.value)
    assert "run 0001 is applied and not confirmed. It takes itself back at 12:01:00 UTC (in 0 s)" in said
    assert "To keep it: palpo-installer confirm." in said
    assert raised.value.exit_code == 7
    Engine(Host(layout)).carry_on(identity)
    with hold(layout, "run 0002"), pytest.raises(Locked, match="another run is at work"):
        launch.require_free(layout)


def test_every_state_has_words(layout: Layout, identity: str) -> None:
    """A run that is cut off is not called one that waits, and one that is at work is not called interrupted."""
    with pytest.raises(KeyboardInterrupt):
        Engine(Host(layout), Hand({5: killed}).clock).carry_on(identity)
    (run,) = runs(layout)
    assert state(run, busy=False) == "was cut off, and waits to be taken back"
    Engine(Host(layout)).carry_on(identity)
    assert [state(run, busy=busy) for run in runs(layout) for busy in (True, False)] == [
        "did not work out, and was taken back"
    ] * 2
