"""How to talk to the person: full screen, as plain prompts, or not at all. The decision is pure."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

TTY = Path("/dev/tty")
LEAST_COLUMNS, LEAST_ROWS = 60, 18
WITHOUT_CURSOR = frozenset({"", "dumb", "unknown"})
"""Values of TERM that promise no way to place the cursor (terminfo, "dumb" and "unknown")."""

NO_TERMINAL = """\
palpo-installer: there is no terminal here to ask questions in. Without one, pass what to do:
  palpo-installer plan --answers FILE          show what would be changed
  palpo-installer apply --answers FILE --yes   change it
  palpo-installer detect                       show what is on this host
From another machine, ssh -t gives it a terminal."""


class Mode(StrEnum):
    """How the person is talked to."""

    WIZARD = "wizard"
    PLAIN = "plain"
    NONE = "none"


@dataclass(frozen=True)
class Terminal:
    """What is known of the terminal.

    Attributes:
        stdin: whether it is a terminal; ``stdout`` and ``stderr`` the same.
        openable: whether the session's own terminal can be opened in their place.
        term: the value of TERM.
        utf8: whether the locale says that characters are UTF-8.
        columns: its width, 0 where it does not say.
        rows: its height, 0 where it does not say.
    """

    stdin: bool
    stdout: bool
    stderr: bool
    openable: bool
    term: str
    utf8: bool
    columns: int
    rows: int


def choose(terminal: Terminal, *, plain: bool) -> Mode:
    """Return how to talk; ``plain`` is the person's wish.

    The wizard draws on standard error and reads standard input; plain prompts need standard output instead.
    """
    draws = terminal.openable or (terminal.stdin and terminal.stderr)
    asks = terminal.openable or (terminal.stdin and terminal.stdout)
    if draws and not plain and not limits(terminal):
        return Mode.WIZARD
    return Mode.PLAIN if asks else Mode.NONE


def limits(terminal: Terminal) -> str:
    """Return why the wizard cannot be drawn, as half a sentence; empty where it can."""
    if terminal.term in WITHOUT_CURSOR:
        return f"TERM is {terminal.term or 'not set'}"
    if not terminal.utf8:
        return "the locale is not UTF-8"
    if not terminal.columns or not terminal.rows:
        return "the terminal does not tell its size"
    if terminal.columns < LEAST_COLUMNS or terminal.rows < LEAST_ROWS:
        return f"{terminal.columns}x{terminal.rows} is smaller than {LEAST_COLUMNS}x{LEAST_ROWS}"
    return ""


def speaks_utf8(environment: Mapping[str, str], *, coerced: bool) -> bool:
    """Return whether the locale is a UTF-8 one (POSIX, Base Definitions, 8.2: the first of these that is set).

    Args:
        environment: the variables.
        coerced: whether Python itself put C.UTF-8 into LC_CTYPE (PEP 538), so that it says nothing.
    """
    names = ("LC_ALL", "LANG") if coerced else ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    return locale.lower().replace("-", "").partition("@")[0].endswith(".utf8")


def look() -> Terminal:
    """Return what is known of the terminal that this process was started in."""
    columns, rows = _size()
    # In UTF-8 mode (PEP 540) a LC_CTYPE of C.UTF-8 is Python's own; a person's would not have led to that mode.
    coerced = bool(sys.flags.utf8_mode) and os.environ.get("LC_CTYPE") == "C.UTF-8"
    return Terminal(
        stdin=os.isatty(0),
        stdout=os.isatty(1),
        stderr=os.isatty(2),
        openable=None not in (sys.stdin, sys.stdout, sys.stderr) and _opens(),
        term=os.environ.get("TERM", ""),
        utf8=speaks_utf8(os.environ, coerced=coerced),
        columns=columns,
        rows=rows,
    )


def connect(*descriptors: int) -> Mapping[int, int]:
    """Put the session's own terminal in the place of each of these streams that is none, where it can be opened.

    Returns:
        copies of the streams whose place it took, as under nohup.
    """
    missing, before = [descriptor for descriptor in descriptors if not os.isatty(descriptor)], {}
    if not missing:
        return {}
    sys.stdout.flush()
    with suppress(OSError):
        opened = os.open(TTY, os.O_RDWR)
        for descriptor in missing:
            before[descriptor] = os.dup(descriptor)
            os.dup2(opened, descriptor)
        os.close(opened)
    return before


def _opens() -> bool:
    try:
        os.close(os.open(TTY, os.O_RDWR))
    except OSError:
        return False
    return True


def _size() -> tuple[int, int]:
    """Return columns and rows: what COLUMNS and LINES say (a serial line knows no size), else the terminal."""
    told = [os.environ.get(name, "") for name in ("COLUMNS", "LINES")]
    columns, rows = (int(text) if text.isascii() and text.isdigit() else 0 for text in told)
    measured = _measured()
    return columns or measured[0], rows or measured[1]


def _measured() -> tuple[int, int]:
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            return _size_of(descriptor)
    try:
        with TTY.open("rb") as terminal:
            return _size_of(terminal.fileno())
    except OSError:
        return 0, 0


def _size_of(descriptor: int) -> tuple[int, int]:
    size = os.get_terminal_size(descriptor)
    return size.columns, size.lines
