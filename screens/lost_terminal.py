"""The terminal is gone while SIGHUP is ignored, as under nohup: the screens end, and the log says so.

Otherwise SIGHUP ends them. Textual (8.2, ``drivers/linux_driver.py``) has no word for it: its input thread reads the
end of the file over and over, and its output thread ends with the first text that nobody takes, upon which whoever
has more to show waits for ever.
"""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import syslog
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from types import FrameType

INPUT, OUTPUT, ERRORS = 0, 1, 2


class _Drawn(io.FileIO):
    """A terminal to draw on, also when it is gone."""

    def write(self, data: object, /) -> int:
        """Write what the terminal takes; nothing of it is missed once that is gone."""
        with suppress(OSError):
            return super().write(data)  # type: ignore[arg-type]
        return memoryview(data).nbytes  # type: ignore[arg-type]


def lasting() -> io.TextIOWrapper:
    """Return standard error as a stream to draw on that fails for nobody."""
    raw = _Drawn(ERRORS, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=sys.stderr.encoding, errors="replace")


def take_up_once() -> None:
    """Let SIGCONT take the screen up again only where SIGTSTP has put it away.

    It also comes with a lost terminal, and Textual would start a second input thread, which nobody ends.
    """
    put_away, take_up = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
    away = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal away
        away = True
        if callable(put_away):
            put_away(number, frame)

    def go_on(number: int, frame: FrameType | None) -> None:
        nonlocal away
        if away and callable(take_up):
            take_up(number, frame)
        away = False

    signal.signal(signal.SIGTSTP, stop)
    signal.signal(signal.SIGCONT, go_on)


def watch(lost: Callable[[], None]) -> None:
    """Call a function once, from a thread, when the terminal that is standard input is gone."""
    Thread(target=_await, args=(lost,), name="lost terminal", daemon=True).start()


def _await(lost: Callable[[], None]) -> None:
    poll = select.poll()
    # Asks for nothing but what is always told: that the other end has hung up (poll(2), POLLHUP and POLLERR).
    poll.register(INPUT, 0)
    poll.poll()
    lost()


def let_go(before: Mapping[int, int]) -> None:
    """Put something quiet in the place of the terminal: what is drawn goes nowhere, what is printed where it did.

    Args:
        before: copies of the streams that the terminal took the place of.
    """
    silent = os.open(os.devnull, os.O_RDWR)
    # Nothing that has no end: Textual's input thread would wait in a read, and whoever ends it for that thread.
    os.dup2(silent, INPUT)
    os.dup2(before.get(OUTPUT, silent), OUTPUT)
    os.dup2(silent, ERRORS)


def note(text: str, before: Mapping[int, int]) -> None:
    """Say something where it will be found: in the system's log, and where standard error led at first."""
    syslog.openlog("palpo-installer", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_WARNING, text)
    if ERRORS in before:
        with suppress(OSError):
            os.write(before[ERRORS], f"palpo-installer: {text}\n".encode())
