"""What Apache says about a configuration: the verdict of its own test, and the reasons in its error log."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

from palpo_installer.facts import denials
from palpo_installer.host import Command, Host
from palpo_installer.proxies.control import Mark, Verdict
from palpo_installer.services import QUICK

PLACE = re.compile(r"(?:AH\d+: )?Syntax error on line (?P<line>\d+) of (?P<file>/[^:]+):\s*(?P<rest>.*)", re.DOTALL)
BIND = re.compile(
    r"\((?P<number>\d+)\)(?P<reason>[^:]+): AH\d+: make_sock: could not bind to address (?P<address>\S+):(?P<port>\d+)"
)
GRAVE = re.compile(
    r"\[[\w-]*:(?:emerg|alert|crit)\] \[pid [^\]]*\] (?P<message>.+)|(?P<bare>AH0(?:0016|0015|0451): .+)"
)
GAVE_UP = ("no listening sockets available", "Unable to open logs", "AH00016: Configuration Failed")
TAIL = 256 * 1024
"""Bytes of new error log that are looked at, at most."""


def verdict(loads: bool, said: str) -> Verdict:
    """Return what a test said: its first error with the place, and its warnings."""
    lines = [line for line in said.splitlines() if line.strip() and line.strip() != "Syntax OK"]
    lines = [line for line in lines if not line.startswith(("Action '", "The Apache error log may have"))]
    if loads:
        return Verdict(True, "", None, 0, tuple(lines))
    text = "\n".join(lines)
    place = PLACE.search(text)
    if place is None:
        return Verdict(False, " ".join(lines) or "its test fails without a word", None, 0, ())
    error = " ".join(place["rest"].split())
    return Verdict(False, error, Path(place["file"]), int(place["line"]), ())


def mark(host: Host, log: Path | None) -> Mark:
    """Return the present end of an error log."""
    status = host.status(log.resolve()) if log else None
    now = time.time()
    return Mark(status.st_ino, status.st_size, now) if status else Mark(0, 0, now)


def grave(host: Host, log: Path | None, since: Mark) -> tuple[str, ...]:
    """Return the distinct grave messages that an error log got after a mark, also when it was rotated."""
    if log is None:
        return ()
    now = mark(host, log)
    begin = since.size if now.inode == since.inode and now.size >= since.size else 0
    try:
        with log.open("rb") as stream:
            stream.seek(max(begin, now.size - TAIL))
            return messages(stream.read(TAIL).decode(errors="replace"))
    except OSError:
        return ()


def journal(host: Host, unit: str, since: float) -> tuple[str, ...]:
    """Return the same of a unit's journal from a time on (seconds since 1970): what ends a start is told there."""
    argv = ("journalctl", "--unit", unit, "--since", f"@{since:.0f}", "--output=cat", "--no-pager")
    return messages(host.run(Command(argv, timeout=QUICK)).stdout)


def messages(text: str) -> tuple[str, ...]:
    """Return the distinct grave messages of a log, and those about sockets whatever their level."""
    found: dict[str, None] = {}
    for line in text.splitlines():
        bind, match = BIND.search(line), GRAVE.search(line)
        if bind:
            found[bind[0]] = None
        elif match:
            found[match["message"] or match["bare"]] = None
    return tuple(found)


def explain(host: Host, said: Sequence[str]) -> str:
    """Return why Apache did not take up its files, with the owner of a port that is taken; empty if unknown."""
    binds = [found for message in said if (found := BIND.search(message))]
    if binds:
        sentences = [f"{b['address']}:{b['port']}: {b['reason']}{_owner(host, b)}" for b in binds]
        return "Apache could not listen on " + "; ".join(dict.fromkeys(sentences))
    return f"Apache says: {said[0]}" if said else ""


def _owner(host: Host, bind: re.Match[str]) -> str:
    port = int(bind["port"])
    if bind["reason"] == "Permission denied" and (kind := denials.listening(host, "httpd", port)):
        return f', refused by SELinux, to which the port is {kind} (see {denials.LOG}); host.selinux = "allow" mends it'
    return held_by(host, port) if bind["reason"] == "Address already in use" else ""


def held_by(host: Host, port: int, but: frozenset[int] = frozenset()) -> str:
    """Return who holds a port, as the end of a sentence; ``but`` are processes that do not count."""
    owners = dict.fromkeys(socket.pid for socket in host.listening() if socket.port == port and socket.pid)
    named = [
        f"{process.name()} (process {pid})"
        for pid in owners
        if pid and pid not in but and (process := host.process(pid))
    ]
    return f", held by {', '.join(named)}" if named else ""
