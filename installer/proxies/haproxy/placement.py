"""Where our files go: into a directory that HAProxy loads, or into one of ours that its unit is told to load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.layout import Layout
from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.base import Lines
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.haproxy.unit import OPTIONS

PLAIN = "zz-palpo-installer-http.cfg"
SECURE = "zz-palpo-installer-tls.cfg"
REFUSE = "refuse.lua"
AWAY_PAGE = "away.http"
OWN = "/etc/haproxy/palpo-installer"
"""Our directory: what our files name, and these themselves where HAProxy loads no directory yet."""


@dataclass(frozen=True)
class Placement:
    """Where our files go.

    Attributes:
        directory: for our files.
        lines: what makes the unit load it; empty where it does.
    """

    directory: Path
    lines: tuple[Lines, ...]

    def owns(self, path: Path) -> bool:
        """Return whether a path is one of our two files."""
        return path.parent == self.directory and path.name in {PLAIN, SECURE}


def place(haproxy: HAProxy, layout: Layout) -> Placement:
    """Return where our files go.

    Raises:
        RefusedPlan: it cannot be told to reload, or loads no directory and cannot be told to.
    """
    if haproxy.pid is not None and not haproxy.master:
        raise RefusedPlan(
            "HAProxy runs without a main process (-W), so it cannot take up a change without losing requests",
            where=f"process {haproxy.pid}",
            next="Run it under its unit, or with -W, and plan again",
        )
    if haproxy.directories:
        return Placement(haproxy.directories[-1], ())
    own = layout.at(OWN)
    file = haproxy.environment_file
    if file is None or haproxy.options is None:
        raise RefusedPlan(
            "HAProxy loads single files only, and was not started by a unit that takes more options",
            where=" ".join(haproxy.command) or str(haproxy.configuration),
            next="Start it with one more option, -f /etc/haproxy/conf.d (make that directory first), and plan again",
        )
    before = haproxy.options_line
    if not before:
        raise RefusedPlan(
            f"no line can be added after the last one with {OPTIONS}, which has to come before ours",
            where=str(file),
            next="Add a line with a # at the end of this file, and plan again",
        )
    wanted = f'{OPTIONS}="{f"{haproxy.options} -f {OWN}".strip()}"'
    return Placement(own, (Lines(file.resolve(), file, (AddedLine(wanted, before),)),))
