"""Where our files go: into a directory that the Caddyfile imports, or into one of ours, with one line that imports it.

What Caddy was told otherwise than by a Caddyfile is never overwritten: a reload would do just that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.base import Lines
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.found import IncludeDirectory

OWN = "palpo-installer"
"""Our directory, beside the Caddyfile."""
PLAIN = "palpo-installer-http"
SECURE = "palpo-installer-tls"
SUFFIX = ".caddy"
COMMENT = "# added by palpo-installer"

SWITCHED_OFF = "Remove this option and restart Caddy, then plan again"


@dataclass(frozen=True)
class Placement:
    """Where our files go.

    Attributes:
        directory: for our files.
        suffix: how their names end, e.g. ``.caddy``.
        lines: what makes the Caddyfile import them; empty where it does.
    """

    directory: Path
    suffix: str
    lines: tuple[Lines, ...]

    def path(self, name: str) -> Path:
        """Return the path of one of our files."""
        return self.directory / f"{name}{self.suffix}"

    def owns(self, path: Path) -> bool:
        """Return whether a path is one of our two files."""
        return path in {self.path(PLAIN), self.path(SECURE)}


def place(caddy: Caddy) -> Placement:
    """Return where our files go.

    Raises:
        RefusedPlan: Caddy does not run with its Caddyfile, cannot be told to reload, or no line can be added.
    """
    refuse_other_ways(caddy)
    file = caddy.configuration
    own = file.parent / OWN
    # Behind an imported site without braces ours would be read as a part of it: only a line in front of it will do.
    usable = (each for each in reversed(caddy.imports) if each.directory == own or not caddy.braceless)
    found = next(((each, suffix) for each in usable if (suffix := _suffix(each))), None)
    if found is not None:
        return Placement(found[0].directory, found[1], ())
    if caddy.uneditable or not caddy.room:
        raise RefusedPlan(
            f"no line can be added to the Caddyfile: {caddy.uneditable or 'there is no line behind its options'}",
            where=str(file),
            next=f"Add a line with import {OWN}/*{SUFFIX} behind its global options yourself, then plan again",
        )
    line = AddedLine(f"import {OWN}/*{SUFFIX} {COMMENT}", caddy.room)
    return Placement(own, SUFFIX, (Lines(file.resolve(), file, (line,)),))


def _suffix(imported: IncludeDirectory) -> str:
    """Return how the name of a file must end for a pattern, empty where names like ours cannot fit it."""
    if imported.pattern == "*":
        return SUFFIX
    end = imported.pattern.removeprefix("*")
    return end if end.startswith(".") and not set("*?[") & set(end) else ""


def refuse_other_ways(caddy: Caddy) -> None:
    """Refuse a Caddy that does not run with its Caddyfile, or that cannot be told to take it up again.

    Raises:
        RefusedPlan: so it is.
    """
    where = caddy.unit or str(caddy.configuration)
    if caddy.elsewhere:
        raise RefusedPlan(
            f"Caddy does not run with its Caddyfile: {caddy.elsewhere}. A reload would overwrite what it serves",
            where=where,
            next=f"Put what it serves into {caddy.configuration}, restart Caddy with that file and without --resume "
            "(caddy.service, not caddy-api.service), and plan again",
        )
    if not caddy.options.admin:
        raise RefusedPlan(
            "Caddy's administration endpoint is switched off (admin off), so that it cannot be reloaded, and a restart "
            "would cut every connection",
            where=str(caddy.configuration),
            next=SWITCHED_OFF,
        )
    if caddy.variables:
        raise RefusedPlan(
            "the Caddyfile takes values from Caddy's environment ({$…}), which a test and a reload by this version "
            "would not have",
            where=str(caddy.configuration),
            next="Write the values into the Caddyfile, or choose another proxy",
        )
