"""What Apache says about a configuration: the verdict of its own test, and the reasons in its error log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.proxies import error_log
from palpo_installer.proxies.control import Mark, Verdict
from palpo_installer.proxies.opening import Refused, in_words

PLACE = re.compile(r"(?:AH\d+: )?Syntax error on line (?P<line>\d+) of (?P<file>/[^:]+):\s*(?P<rest>.*)", re.DOTALL)
BIND = re.compile(
    r"\((?P<number>\d+)\)(?P<reason>[^:]+): AH\d+: make_sock: could not bind to address (?P<address>\S+):(?P<port>\d+)"
)
GRAVE = re.compile(
    r"\[[\w-]*:(?:emerg|alert|crit)\] \[pid [^\]]*\] (?P<message>.+)|(?P<bare>AH0(?:0016|0015|0451): .+)"
)
GAVE_UP = ("no listening sockets available", "Unable to open logs", "AH00016: Configuration Failed")


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


def grave(host: Host, log: Path | None, since: Mark) -> tuple[str, ...]:
    """Return the distinct grave messages that an error log got after a mark, also when it was rotated."""
    return messages(error_log.added(host, log, since))


def journal(host: Host, unit: str, since: float) -> tuple[str, ...]:
    """Return the same of a unit's journal from a time on (seconds since 1970): what ends a start is told there."""
    return messages(error_log.journal(host, unit, since))


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
        refused = (Refused(found["address"], int(found["port"]), found["reason"]) for found in binds)
        return in_words(host, "Apache", "httpd", refused)
    return f"Apache says: {said[0]}" if said else ""
