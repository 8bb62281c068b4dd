"""The rest of somebody else's file beside it, for as long as a run takes: first without a part of it, then gone.

Both operations are of one run and on one path, so the second one knows beforehand what the first one writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.operations.base import Description, Json, Workbench
from palpo_installer.operations.differences import presentable, unified
from palpo_installer.operations.files import PathOperation, require_unchanged
from palpo_installer.operations.passing import RemovePassing
from palpo_installer.operations.paths import PathState, state_of
from palpo_installer.operations.replacement import Replacement


@dataclass(frozen=True)
class Cut:
    """Bytes that are left out: from ``start``, up to ``end`` without it."""

    start: int
    end: int


def without(data: bytes, cuts: Sequence[Cut]) -> bytes:
    """Return a file without some of its bytes."""
    kept, position = [], 0
    for cut in sorted(cuts, key=lambda each: each.start):
        kept.append(data[position : cut.start])
        position = max(position, cut.end)
    return b"".join((*kept, data[position:]))


@dataclass(frozen=True)
class Rest:
    """A file without a part of it, beside it.

    Attributes:
        path: where the rest is.
        source: the file itself, behind every link.
        planned: hash of the source that the plan was made for.
        cuts: what is left out.
    """

    path: Path
    source: Path
    planned: str
    cuts: tuple[Cut, ...]

    def data(self) -> bytes:
        """Return the rest.

        Raises:
            RefusedPlan: the source is not what the plan was made for.
        """
        require_unchanged(self.source, self.planned)
        return without(self.source.read_bytes(), self.cuts)

    def state(self) -> PathState:
        """Return what stands at the path while the rest is there: it is as readable as its source.

        Raises:
            RefusedPlan: as ``data``.
        """
        digest, source = hashlib.sha256(self.data()).hexdigest(), state_of(self.source)
        return PathState("file", digest, source.mode, source.uid, source.gid)


@dataclass(frozen=True)
class WriteRest(PathOperation):
    """Writes the rest of a file beside it."""

    rest: Rest

    def describe(self, host: Host) -> Description:
        """Show what is left out."""
        old = host.read(self.rest.source) or b""
        there = hashlib.sha256(old).hexdigest() == self.rest.planned
        new = without(old, self.rest.cuts) if there else old
        texts = presentable(self.rest.source, old.decode(errors="replace"), new.decode(errors="replace"))
        details = (f"what {self.rest.source} has, without a part of it; it goes with the same run",)
        return Description(f"write {self.rest.path}", unified(*texts, self.rest.path), details)

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Check that nothing stands at the path."""
        require_unchanged(self.rest.path, "")
        return Replacement.of(self.rest.path, self.rest.state(), bench, number).as_json()

    def stage(self, bench: Workbench, before: Json) -> None:
        """Write the rest under a dot name."""
        Replacement.read(before).stage(self.rest.data())


@dataclass(frozen=True)
class RemoveRest(RemovePassing):
    """Removes the rest of a file, which an earlier step of the same run wrote."""

    rest: Rest

    @property
    def place(self) -> Path:
        """Where the rest is."""
        return self.rest.path

    def written(self) -> PathState:
        """Return what stands there while the rest is there.

        Raises:
            RefusedPlan: the file is not what the plan was made for.
        """
        return self.rest.state()

    def data(self) -> bytes:
        """Return the rest.

        Raises:
            RefusedPlan: the file is not what the plan was made for.
        """
        return self.rest.data()

    def describe(self, host: Host) -> Description:
        """Say what goes."""
        return Description(f"remove {self.rest.path}", details=(f"the rest of {self.rest.source}, from this run",))
