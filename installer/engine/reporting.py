"""What a run brought about, as the outside sees it: told, and kept in the run's directory."""

from __future__ import annotations

import os
from pathlib import Path

from palpo_installer import outside, result
from palpo_installer.engine.events import Event, EventFile
from palpo_installer.engine.outcome import sentence
from palpo_installer.errors import InstallerError
from palpo_installer.host import Host
from palpo_installer.operations.paths import PathState
from palpo_installer.operations.replacement import write_new
from palpo_installer.serialization import dump
from palpo_installer.session import begin, given
from palpo_installer.verify import Report


def report(host: Host, directory: Path, events: EventFile) -> None:
    """Keep what a run that was applied brought about; what the outside sees, or cannot be written, fails nothing.

    A run that waited to be confirmed was looked at before.
    """
    if not result.was_looked_at(directory) and look(host, directory, events) is None:
        return
    try:
        summary = result.in_words(result.of_run(host.layout, directory.name))
        write_new(directory / result.FILE, summary.encode(), _private())
    except (InstallerError, OSError) as error:
        events.write(Event("finding", f"The result could not be kept: {sentence(error)}"))


def look(host: Host, directory: Path, events: EventFile) -> Report | None:
    """Look at the result of a run from outside, tell what is not as it should be, and keep the report.

    Returns:
        The report; None where nobody could look, or it could not be kept.
    """
    events.write(Event("waiting", "looking at the result as clients and other servers do"))
    try:
        seen = outside.look(host, begin(host, given(host, None, ())).answers)
        write_new(result.report_of(directory), dump(seen).encode(), _private())
    except (InstallerError, OSError) as error:
        events.write(Event("finding", f"The result could not be looked at, or not kept: {sentence(error)}"))
        return None
    for check in seen.failures:
        events.write(Event("finding", f"{check.name}, {check.subject}: {check.what} {check.next}"))
    return seen


def _private() -> PathState:
    return PathState("file", mode=0o600, uid=os.geteuid(), gid=os.getegid())
