"""Rules about the unit that starts Palpo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from palpo_installer.audit.finding import Finding, Severity, Trap

HANGUP = Trap(
    "palpo-reload-kills",
    Severity.BREAKS,
    "Palpo has no signal handlers and reads its file at start only: a reload ends it, with every connection.",
)
WATCHDOG = Trap(
    "palpo-watchdog",
    Severity.BREAKS,
    "Palpo tells systemd nothing, so systemd takes it for hung after that time and ends it, again and again.",
)
RULES = (
    (HANGUP, re.compile(r"^ExecReload\s*=.*\bkill\b.*(?:HUP|-1\b|USR)", re.IGNORECASE), "ExecReload sends it a signal"),
    (WATCHDOG, re.compile(r"^WatchdogSec\s*=\s*(?!0\b)\S"), "WatchdogSec is set"),
)


def unit(path: Path, text: str) -> Iterator[Finding]:
    """A unit with a reload or a watchdog, as Palpo's page on monitoring has them.

    Source: Palpo's source holds no signal handler and no sd_notify; systemd.service(5), ``WatchdogSec=``.
    """
    for number, line in enumerate(text.splitlines(), 1):
        for trap, pattern, what in RULES:
            if pattern.match(line.strip()):
                yield trap.at(path, number, path.name, what, "Take the line out, then: systemctl daemon-reload")
