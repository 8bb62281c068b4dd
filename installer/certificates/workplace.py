"""Certbot's directories and environment: everything it needs is built here, nothing is inherited."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.certificates.directory import trust
from palpo_installer.errors import TimedOut
from palpo_installer.host import SEARCH_PATH
from palpo_installer.layout import Layout

LOCK = ".certbot.lock"
"""The file in certbot's configuration directory that it holds a kernel lock on until it ends."""


@dataclass(frozen=True)
class Workplace:
    """Where one certbot works.

    Attributes:
        configuration: accounts, lineages, renewal settings; kept for ever.
        work: its scratch directory.
        logs: its logs.
        home: an empty directory, so that no ``~/.netrc`` and no settings of root's are read.
        temporary: for files that live as long as the process.
        lines: what the child tells, as a file: a pipe would break with the engine. The child's standard output
            carries a kernel lock on it, from before the child's first instruction until its end.
        output: what certbot prints.
    """

    configuration: Path
    work: Path
    logs: Path
    home: Path
    temporary: Path
    lines: Path
    output: Path

    @classmethod
    def of(cls, layout: Layout) -> Workplace:
        """Return the workplace of a layout; one certbot works there at a time."""
        base = layout.state / "certbot"
        return cls(
            configuration=layout.acme,
            work=base / "work",
            logs=layout.log / "certbot",
            home=base / "home",
            temporary=base / "temporary",
            lines=base / "lines.jsonl",
            output=base / "output",
        )

    def prepare(self) -> None:
        """Make the directories, for root alone, and remove what a killed process left."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        private = (self.configuration, self.lines.parent, self.work, self.logs, self.home, self.temporary)
        for directory in private:
            directory.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            directory.mkdir(mode=0o700, exist_ok=True)

    def arguments(self) -> tuple[str, ...]:
        """Return certbot's arguments for its directories."""
        return (
            *("--config-dir", str(self.configuration)),
            *("--work-dir", str(self.work)),
            *("--logs-dir", str(self.logs)),
            *("--max-log-backups", "30"),
        )

    def environment(self, ca_file: Path | None, proxy: str) -> dict[str, str]:
        """Return the whole environment of the child."""
        variables = {
            "PATH": SEARCH_PATH,
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "REQUESTS_CA_BUNDLE": trust(ca_file),
        }
        return {**variables, "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy} if proxy else variables


def wait_until_idle(layout: Layout, timeout: float, check: Callable[[], None] = lambda: None) -> None:
    """Wait until no certbot works with our directories, for instance one that outlived a killed engine.

    Args:
        layout: whose certbot.
        timeout: seconds.
        check: called about once a second; may raise.

    Raises:
        TimedOut: it is still at work.
    """
    deadline = time.monotonic() + timeout
    while is_busy(layout):
        check()
        if time.monotonic() >= deadline:
            raise TimedOut(
                f"an order is still being made after {timeout:g} seconds",
                where=str(layout.acme / LOCK),
                next="Wait until the certbot process has ended, then try again",
            )
        time.sleep(min(0.5, timeout))


def is_busy(layout: Layout) -> bool:
    """Return whether a child of ours, or a certbot that somebody started by hand, works with our directories."""
    return _held(Workplace.of(layout).lines, fcntl.flock) or _held(layout.acme / LOCK, fcntl.lockf)


def _held(path: Path, lock: Callable[[int, int], None]) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
