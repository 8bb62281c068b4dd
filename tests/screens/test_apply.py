"""While the engine works: what is shown of its events, asking to stop, how it closes."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta

from textual.pilot import Pilot

from palpo_installer.engine.events import Event, Kind
from palpo_installer.errors import HostError
from palpo_installer.screens.apply import HINT, KEEPING, STOPPING, Apply, Ended
from palpo_installer.screens.following import Show, Watched
from palpo_installer.screens.progress import Line, Progress
from palpo_installer.screens.result import Outcome
from tests.screens.piloted import Stage, show, text, until

PLANNED = Progress((Line("0", "write /etc/nginx/a.conf"), Line("activation 0", "Reload nginx")))


def say(kind: Kind, said: str = "", step: str = "", code: int = 0, until: str = "") -> Event:
    """Return an event of this moment."""
    return Event(kind, said, step, code, "2026-01-01T12:00:00.000+00:00", until)


class Engine:
    """Says some events, then waits until it may end."""

    def __init__(self, *events: Event, last: Event) -> None:
        self._events = events
        self._last = last
        self.may_end = threading.Event()
        self.asked = 0

    def follow(self, tell: Show, watched: Watched) -> int | None:
        """Say everything; end when it may, or when nobody watches any more."""
        for event in self._events:
            tell(event)
        while not self.may_end.wait(0.01):
            if not watched():
                return None
        tell(self._last)
        return self._last.code

    def stop(self) -> None:
        """Be asked to take back."""
        self.asked += 1


def test_operations_waiting_and_log_are_shown_and_the_end_closes_it() -> None:
    """Done, not begun yet, what is waited for, the log by one key, and the exit code with the last words."""
    engine = Engine(
        say("acting", "write /etc/nginx/a.conf", "0"),
        say("done", "write /etc/nginx/a.conf", "0"),
        say("waiting", "nginx to answer"),
        last=say("ended", "Done."),
    )

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "Waiting for: nginx to answer" in text(stage), "what is waited for")
        assert "done   0.0 s  write /etc/nginx/a.conf" in text(stage)
        assert "               Reload nginx" in text(stage)
        await pilot.press("l")
        assert "12:00:00  done       write /etc/nginx/a.conf" in text(stage)
        engine.may_end.set()
        await until(pilot, lambda: bool(stage.values), "the end")

    assert show(Apply("Run 0001", PLANNED, engine.follow, engine.stop), go).values == [Ended(0, "Done.")]


def test_asking_to_stop_is_said_and_done_once() -> None:
    """The engine is asked once, however often the key is pressed, and the screen stays until it has ended."""
    engine = Engine(last=say("ended", "Not done, and everything is as it was before.", code=1))

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        assert HINT.replace(" ", "") in "".join(text(stage).split())
        screen = stage.screen
        assert isinstance(screen, Apply)
        assert [screen.stop(), screen.stop()] == [True, True]
        await until(pilot, lambda: STOPPING in text(stage), "that it is asked")
        assert stage.values == []
        engine.may_end.set()
        await until(pilot, lambda: bool(stage.values), "the end")

    assert show(Apply("Run 0001", PLANNED, engine.follow, engine.stop), go).values[0].code == 1
    assert engine.asked == 1


def test_one_key_keeps_a_change_that_waits() -> None:
    """The key is there only while it waits; what was seen and the deadline are shown, and it is kept once."""
    until_then = datetime.now(UTC) + timedelta(seconds=90)
    engine = Engine(
        say("finding", "homeserver: Palpo does not answer"),
        say("unconfirmed", "20 checks: 1 fail, 19 pass", until=until_then.isoformat()),
        last=say("ended", "Done."),
    )
    kept: list[bool] = []

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "Keep this change? It takes itself back at" in text(stage), "the question")
        for shown in ("k Keep", "20 checks: 1 fail, 19 pass", "  homeserver: Palpo does not answer"):
            assert shown in text(stage)
        left = re.search(r"back at (\S+) UTC \(in (\d+) s\)", text(stage))
        assert left
        assert left[1] == f"{until_then:%H:%M:%S}"
        assert 0 < int(left[2]) <= 90
        await pilot.press("k", "k")
        assert KEEPING in text(stage)
        assert "k Keep" not in text(stage)
        engine.may_end.set()
        await until(pilot, lambda: bool(stage.values), "the end")

    screen = Apply("Run 0001", PLANNED, engine.follow, engine.stop, lambda: kept.append(True))
    assert show(screen, go).values == [Ended(0, "Done.")]
    assert kept == [True]


def test_nothing_is_kept_that_does_not_wait() -> None:
    """While it is applied, and again once it is taken back, the key does nothing."""
    kept: list[bool] = []
    engine = Engine(
        say("unconfirmed", until="2026-01-01T12:01:00+00:00"),
        say("undoing", "Reload nginx", "activation 0"),
        last=say("ended", "Not done, and everything is as it was before.", code=1),
    )

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "Taking back." in text(stage), "what it does")
        await pilot.press("k")
        assert "Keep" not in text(stage)

    show(Apply("Run 0001", PLANNED, engine.follow, engine.stop, lambda: kept.append(True)), go)
    assert kept == []


def test_what_takes_back_already_is_not_asked_to_stop() -> None:
    """During a rollback the key does nothing, and does not leave either."""
    engine = Engine(say("undoing", "Reload nginx", "0"), last=say("ended", "Rolled back."))

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        screen = stage.screen
        assert isinstance(screen, Apply)
        assert screen.stop()
        await until(pilot, lambda: "Taking back." in text(stage), "what it does")
        engine.may_end.set()
        await until(pilot, lambda: bool(stage.values), "the end")

    assert show(Apply("Rolling back run 0001", Progress(), engine.follow, None), go).values == [
        Ended(0, "Rolled back.")
    ]


def test_an_engine_that_cannot_be_started_closes_with_the_reason() -> None:
    """The error becomes the last words, and its exit code the code."""

    def follow(_tell: Show, _watched: Watched) -> int | None:
        raise HostError("cannot be started: No space left on device", where="the engine")

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: bool(stage.values), "the end")

    ended = show(Apply("Run 0001", PLANNED, follow, None), go).values
    assert ended == [Ended(1, "the engine: cannot be started: No space left on device")]


def test_leaving_does_not_wait_for_the_engine() -> None:
    """When the app ends, following ends, and the engine goes on without us."""
    engine = Engine(last=say("ended", "Done."))

    async def go(stage: Stage, _: Pilot[None]) -> None:
        stage.exit()

    assert show(Apply("Run 0001", PLANNED, engine.follow, engine.stop), go).values == []
    assert not engine.may_end.is_set()


def outcome(run: str, *keys: str) -> list[object]:
    """Return what the result screen closes with after keys."""

    async def go(_: Stage, pilot: Pilot[None]) -> None:
        for key in keys:
            await pilot.press(key)
            await pilot.pause()

    return show(Outcome("Done: the changes are made and proven.", run=run), go).values


def test_rolling_back_asks_first() -> None:
    """No keeps the result on the screen, yes closes it with the decision."""
    assert outcome("0001", "r", "n") == []
    assert outcome("0001", "r", "y") == ["roll-back"]


def test_there_is_no_way_back_where_nothing_is_in_force() -> None:
    """The key is not even offered."""
    assert outcome("", "r", "y") == []
    assert outcome("", "q") == ["leave"]
    assert outcome("", "enter") == ["start"]
