"""The two ways back, an uninstall and a rollback, and what is left of all runs after either."""

from __future__ import annotations

from tests.lab import ways
from tests.lab.hosts import LabHost
from tests.lab.snapshots import Snapshot, differences

STATE = "/var/lib/palpo-installer"
STAYS = {"/etc/palpo-installer/keys", "/etc/palpo-installer/self-signed"}
"""What an uninstall leaves where nothing was ordered and nothing was edited."""
NOT_OURS = ("/var/log", "/var/lib/nginx", "/var/lib/systemd/random-seed", "/var/lib/systemd/timers")
"""What nginx and systemd write while they run."""


def uninstall(host: LabHost, *options: str) -> str:
    """Uninstall and return what was said."""
    return ways.done(host, "uninstall", "--yes", *options)


def roll_back(host: LabHost, *options: str) -> str:
    """Take runs back and return what was said."""
    return ways.done(host, "rollback", "--yes", *options)


def left(before: Snapshot, host: LabHost) -> set[str]:
    """Return the paths that are not as before: of what is new only the topmost, but for directories of ours."""
    changed = differences(before, host.snapshot())
    paths = {path for path in changed if not path.startswith(NOT_OURS)}
    ours = {"/etc/palpo-installer", STATE}
    return {path for path in paths - ours if path.rpartition("/")[0] not in paths - ours}


def taken_back(host: LabHost, back: str, before: Snapshot) -> str:
    """Take every run back, check that the host is as before the first, and return what was said.

    Args:
        host: where nothing was ordered, and what was edited since is as it was again.
        back: ``uninstall`` or ``rollback``.
        before: the host before the first run.
    """
    if back == "uninstall":
        said = uninstall(host)
        assert left(before, host) == STAYS
    else:
        said = roll_back(host, "0001")
        assert ways.untouched(before, host) == {}
    return said
