"""What a change makes of a file, as a difference for people."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path

from palpo_installer.homeserver.masking import masked_pair
from palpo_installer.operations.paths import state_of


def presentable(path: Path, old: str, new: str, explained: Collection[str] = ()) -> tuple[str, str]:
    """Return two versions of a file for a review: with secrets masked where others may not read it, and in TOML.

    ``explained`` are comments of ours that speak of secrets.
    """
    private = not state_of(path).mode & 0o007
    return masked_pair(old, new, (), explained) if private or path.suffix == ".toml" else (old, new)


def unified(old: str, new: str, path: Path) -> str:
    """Return a unified diff of a file as it is and as it will be."""
    return difference(old, new, path, ("now", "then"))


def difference(old: str, new: str, path: Path, called: tuple[str, str]) -> str:
    """Return a unified diff of two texts of a file; ``called`` says what each is."""
    before, after = (f"{path} ({each})" for each in called)
    return "\n".join(difflib.unified_diff(old.splitlines(), new.splitlines(), before, after, lineterm="", n=3))
