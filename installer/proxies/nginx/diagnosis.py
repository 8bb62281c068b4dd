"""What nginx says about a configuration: the verdict of ``nginx -t``, and the reasons in its error log."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from palpo_installer.host import Command, Host
from palpo_installer.proxies import error_log
from palpo_installer.proxies.control import Mark, Verdict
from palpo_installer.proxies.opening import Refused, in_words
from palpo_installer.services import Service

EMERGENCY = re.compile(r"\[emerg\] (?:\d+#\d+: )?(?P<message>.+)")
PLACE = re.compile(r" in (?P<file>/.+):(?P<line>\d+)$")
WARNING = re.compile(r"\[warn\] (?:\d+#\d+: )?(?P<message>.+)")
BIND = re.compile(r"bind\(\) to (?P<address>\S+):(?P<port>\d+) failed \(\d+: (?P<reason>[^)]+)\)")
GAVE_UP = "still could not bind()"


def dry_run(service: Service, limit: float) -> Command:
    """Return how nginx tests its configuration."""
    return Command((*service.argv, "-t"), timeout=limit)


def examine(host: Host, service: Service, limit: float) -> Verdict:
    """Test the configuration on disk.

    Where nginx is stopped this writes: an empty file for its process number, logs, temporary directories.

    Raises:
        TimedOut: it takes too long, e.g. because a name in it cannot be resolved.
        HostError: nginx cannot be started.
    """
    completed = host.run(dry_run(service, limit))
    return verdict(completed.status == 0, completed.stderr)


def verdict(loads: bool, said: str) -> Verdict:
    """Return what a test said."""
    warnings = tuple(found["message"] for line in said.splitlines() if (found := WARNING.search(line)))
    errors = [found["message"] for line in said.splitlines() if (found := EMERGENCY.search(line))]
    error = errors[0] if errors else said.strip()
    place = PLACE.search(error)
    return Verdict(
        loads=loads,
        error="" if loads else (error[: place.start()] if place else error),
        file=Path(place["file"]) if place else None,
        line=int(place["line"]) if place else 0,
        warnings=warnings,
    )


def new_conflicts(before: Sequence[str] | None, after: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
    """Return the warnings about conflicting names that a change brought.

    Of two blocks with the same name on the same socket nginx ignores the later one, with a warning only. Where it
    is not known what it warned of before (None), those count that speak of our own ``names``.
    """
    conflicts = Counter(warning for warning in after if warning.startswith("conflicting server name"))
    if before is None:
        return tuple(warning for warning in conflicts if any(f'"{name}"' in warning for name in names))
    return tuple(conflicts - Counter(before))


def emergencies(host: Host, log: Path | None, since: Mark) -> tuple[str, ...]:
    """Return the distinct ``[emerg]`` messages that an error log got after a mark, also when it was rotated."""
    return _messages(error_log.added(host, log, since))


def journal_emergencies(host: Host, unit: str, since: float) -> tuple[str, ...]:
    """Return the same of a unit's journal from a time on (seconds since 1970): not every error reaches the log."""
    return _messages(error_log.journal(host, unit, since))


def _messages(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found["message"] for line in text.splitlines() if (found := EMERGENCY.search(line))))


def explain(host: Host, messages: Sequence[str]) -> str:
    """Return why nginx did not take up its files, with the owner of a port that is taken; empty if unknown."""
    binds = [found for message in messages if (found := BIND.search(message))]
    if binds:
        refused = (Refused(found["address"], int(found["port"]), found["reason"]) for found in binds)
        return in_words(host, "nginx", "nginx", refused)
    return f"nginx says: {messages[0]}" if messages else ""
