"""A change that takes itself back unless somebody confirms it in time: how it is asked for, waited for and given.

The run is simply not ended before it is confirmed. When everything is applied and proven, the engine goes on
holding the lock and waits for a file. At the deadline, or when it is asked to stop, it takes back as after any
failure. Where it dies, its journal has no end, and whoever recovers the run takes it back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from palpo_installer.engine.history import PastRun, runs
from palpo_installer.errors import Unconfirmed
from palpo_installer.layout import Layout

WAITING = "waiting"
"""The file in a run's directory that lies there while the run can be confirmed."""

CONFIRMED = "confirmed"
"""What a viewer renames that file to, to keep the change: that is one act, needs no space, and cannot be too early.
Nor can it be too late without being noticed: at the deadline the engine removes the file."""

WITHIN = "confirm-within"
"""The file in a run's directory that says within how many seconds; it is there before the engine starts."""

LEAST = 10
"""Seconds: in less nobody can look at a site and type a command."""

MOST = 86_400
"""Seconds: while a change waits no other run begins, and no certificate is renewed; the timer comes twice a day."""

USUAL = 300
"""Seconds that are offered: enough to log in anew and look around."""

LOOK_EVERY = 0.2
"""Seconds between two looks for the file."""

CLOCK_STEP = timedelta(seconds=2)
"""By so much the clock must have been set for the deadline to be told again."""


def _elapsed() -> float:
    """Return seconds that no change of the clock touches.

    Time for which the machine was suspended counts where the kernel tells it (clock_gettime(2), CLOCK_BOOTTIME):
    the person was shown a time of day, and it has passed for them.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Clock:
    """How time passes.

    Attributes:
        elapsed: seconds since some moment, whatever is done to the time of day.
        now: the time of day, UTC.
        pause: lets so many seconds pass.
    """

    elapsed: Callable[[], float] = _elapsed
    now: Callable[[], datetime] = _now
    pause: Callable[[float], None] = time.sleep


REAL = Clock()


def wait(
    directory: Path,
    within: float,
    check: Callable[[], None],
    tell: Callable[[datetime], None],
    clock: Clock = REAL,
) -> None:
    """Return once somebody has confirmed the run of a directory.

    Args:
        directory: of the run; what lies in it from before does not count, since nobody had seen the result.
        within: seconds.
        check: raises when the run is to stop, which goes before a confirmation.
        tell: is told the deadline, as a time of day; again when the clock was set.
        clock: how time passes.

    Raises:
        Unconfirmed: nobody did in time.
    """
    (directory / CONFIRMED).unlink(missing_ok=True)
    (directory / WAITING).touch(mode=0o600)
    deadline, told = clock.elapsed() + within, datetime.min.replace(tzinfo=UTC)
    while True:
        check()
        if (directory / CONFIRMED).exists():
            return
        left = deadline - clock.elapsed()
        if left <= 0:
            break
        until = clock.now() + timedelta(seconds=left)
        if abs(until - told) > CLOCK_STEP:
            told = until
            tell(until)
        clock.pause(min(left, LOOK_EVERY))
    try:
        (directory / WAITING).unlink()
    except FileNotFoundError:
        # Renamed since we looked.
        return
    raise Unconfirmed(f"was not confirmed within {within:.0f} seconds")


def asked_for(directory: Path) -> int | None:
    """Return within how many seconds a run must be confirmed, None where it need not be."""
    path = directory / WITHIN
    return int(path.read_text()) if path.exists() else None


def confirm(layout: Layout, identity: str) -> bool:
    """Keep the change that waits; return whether it did. That it is kept is told by the engine."""
    directory = layout.runs / identity
    try:
        (directory / WAITING).rename(directory / CONFIRMED)
    except FileNotFoundError:
        return False
    return True


def waiting(layout: Layout) -> PastRun | None:
    """Return the run that waits to be confirmed, None for none; while the lock is free, it was cut off waiting."""
    return next((run for run in runs(layout) if run.unconfirmed_until), None)


def in_time(until: datetime) -> str:
    """Return when a change takes itself back, and how long that is from now, as a sentence."""
    return in_words(until, _now())


def in_words(until: datetime, now: datetime) -> str:
    """Return when a change takes itself back, as a sentence."""
    return f"It takes itself back at {of_day(until)} (in {_span(until - now)})."


def of_day(until: datetime) -> str:
    """Return a deadline as a time of day, for words that stay on a screen."""
    return f"{until:%H:%M:%S} UTC"


def _span(left: timedelta) -> str:
    seconds = max(round(left.total_seconds()), 0)
    if seconds < 100:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds:02d} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
