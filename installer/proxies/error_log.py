"""What a proxy wrote from a moment on: to its error log, or to the journal of its unit."""

from __future__ import annotations

import time
from pathlib import Path

from palpo_installer.host import Command, Host
from palpo_installer.proxies.control import Mark
from palpo_installer.services import QUICK

TAIL = 256 * 1024
"""Bytes of new error log that are looked at, at most."""


def mark(host: Host, log: Path | None) -> Mark:
    """Return the present end of an error log."""
    status = host.status(log.resolve()) if log else None
    now = time.time()
    return Mark(status.st_ino, status.st_size, now) if status else Mark(0, 0, now)


def added(host: Host, log: Path | None, since: Mark) -> str:
    """Return what an error log got after a mark, also when it was rotated; empty where it cannot be read."""
    if log is None:
        return ""
    now = mark(host, log)
    begin = since.size if now.inode == since.inode and now.size >= since.size else 0
    try:
        with log.open("rb") as stream:
            stream.seek(max(begin, now.size - TAIL))
            return stream.read(TAIL).decode(errors="replace")
    except OSError:
        return ""


def journal(host: Host, unit: str, since: float) -> str:
    """Return what a unit's journal got from a time on (seconds since 1970)."""
    argv = ("journalctl", "--unit", unit, "--since", f"@{since:.0f}", "--output=cat", "--no-pager")
    return host.run(Command(argv, timeout=QUICK)).stdout
