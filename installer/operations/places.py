"""The places that the steps of a run change, told apart through links."""

from __future__ import annotations

import os
from pathlib import Path

from palpo_installer.errors import RefusedPlan


def place(path: Path) -> str:
    """Return where a path really is: two that differ may be the same where a directory on the way is a link."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 - Path.resolve fails on loops


class Places:
    """The places that the steps of a run change: through links two paths may be one place, or lie on each other's way.

    Then a step could not tell its own state from another's, or would lose its way while it is taken back.
    """

    def __init__(self) -> None:
        self._changed: dict[str, Path] = {}
        self._replaced: dict[str, Path] = {}
        self._passed: dict[str, Path] = {}

    def add(self, path: Path, *, replaced: bool) -> None:
        """Note a path, and whether what stands there is replaced, as a directory never is.

        Raises:
            RefusedPlan: it is the same place as another one, or a link on the way of one of them is replaced.
        """
        here, on_the_way = place(path), {place(parent) for parent in path.parents}
        other = self._changed.setdefault(here, path)
        if other != path:
            raise _confused(path, f"is the same as {other}")
        self._passed |= dict.fromkeys(on_the_way, path)
        if replaced:
            self._replaced[here] = path
        crossed = sorted(self._passed.keys() & self._replaced.keys())
        if crossed:
            raise _confused(self._replaced[crossed[0]], f"is on the way to {self._passed[crossed[0]]}")


def _confused(path: Path, what: str) -> RefusedPlan:
    cure = "Make a directory of its own in the place of the link, then plan again"
    return RefusedPlan(f"{what}: a directory on the way is a link", where=str(path), next=cure)
