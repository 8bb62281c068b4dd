"""Whole directory trees as values, to compare a host before and after."""

from __future__ import annotations

from pathlib import Path

from palpo_installer.operations.paths import PathState, state_of


def tree(root: Path) -> dict[str, PathState]:
    """Return the state of every path below a directory."""
    return {str(path.relative_to(root)): state_of(path) for path in sorted(root.rglob("*"))}
