"""A real terminal with a program in it: what it prints is waited for, what a person types is sent."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

READ = {"x86_64": 0, "aarch64": 63}.get(os.uname().machine, 0)
"""The number of the system call read(2), as /proc/PID/syscall has it."""

HANGING_UP = ("env", "--default-signal=HUP")
"""Lets a lost terminal end the program also where the tests themselves are told to outlive theirs."""


class Dialogue:
    """A program whose standard streams, and whose session, are a pseudo-terminal's.

    Attributes:
        said: everything printed so far, with line ends as in a file.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        within: Sequence[str] = (),
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        """Start a program; ``within`` is the command that leads to where it runs."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # The session begins behind the door: the keys for signals must not reach who holds it open.
        self._program = subprocess.Popen(
            [*within, *HANGING_UP, "setsid", "--ctty", "--wait", *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(environment),
            start_new_session=True,
        )
        os.close(slave)
        self.said = ""
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.hang_up()
        if self._program.poll() is None:
            self._program.kill()
        self._program.wait()

    def expect(self, text: str, timeout: float = 60.0) -> str:
        """Wait until a text is printed; return what was printed since the last time, up to its end."""
        before = self._seen
        self.match(re.escape(text), timeout)
        return self.said[before : self._seen]

    def match(self, pattern: str, timeout: float = 60.0) -> re.Match[str]:
        """Wait until what was printed since the last time matches; the next time begins at its end."""
        deadline = time.monotonic() + timeout
        while not (found := re.compile(pattern, re.MULTILINE).search(self.said, self._seen)):
            if not self._read(deadline):
                pytest.fail(f"{pattern} was not printed: {self.said[-500:]!r}")
        self._seen = found.end()
        return found

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        os.write(self._master, f"{line}\n".encode())

    def press(self, key: bytes) -> None:
        """Press a key, as the byte that the terminal makes of it."""
        os.write(self._master, key)

    def interrupt(self, timeout: float = 60.0) -> None:
        """Press Ctrl-C once the program waits for input: Python misses one between its last look and the wait."""
        deadline = time.monotonic() + timeout
        reading = f"{READ} 0x0 "
        while not Path(f"/proc/{os.tcgetpgrp(self._master)}/syscall").read_text().startswith(reading):
            if time.monotonic() > deadline:
                pytest.fail("nothing waits for input")
            os.sched_yield()
        self.press(b"\x03")

    def answer(self, prompt: str, line: str) -> str:
        """Wait for a prompt and answer it; return what was printed up to it."""
        part = self.expect(prompt)
        self.type(line)
        return part

    def take_defaults(self) -> int:
        """Press Enter at every question of the installer up to the review; return how many there were."""
        count = 0
        while self.match(r"^(Answer.*|More settings.*): \Z|^What now\?$")[0] != "What now?":
            self.type("")
            count += 1
        return count

    def hang_up(self) -> None:
        """Take the terminal away, as a lost connection does: its session gets SIGHUP."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def wait(self, timeout: float = 60.0) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + timeout
        while self._master >= 0 and self._read(deadline):
            pass
        return self._program.wait(max(deadline - time.monotonic(), 1.0))

    def _read(self, deadline: float) -> bool:
        # Not select.select: that takes no descriptor above 1023, and a long test run may have more.
        waiting = select.poll()
        waiting.register(self._master, select.POLLIN)
        if not waiting.poll(max(deadline - time.monotonic(), 0) * 1000):
            return False
        data = b""
        # Linux says EIO when nobody has the other end open any more.
        with suppress(OSError):
            data = os.read(self._master, 1 << 16)
        self.said += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)
