"""What one subject adds to a plan."""

from __future__ import annotations

from dataclasses import dataclass

from palpo_installer.changes import Change, Unchanged


@dataclass(frozen=True)
class Share:
    """Changes, what needs none, what the person should know, and what must be put right first."""

    changes: tuple[Change, ...] = ()
    unchanged: tuple[Unchanged, ...] = ()
    findings: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
