"""The rest of somebody else's file beside it, for as long as a run takes: first without a part of it, then gone.

Both operations are of one run and on one path, so the second one knows beforehand what the first one writes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.base import Description, Json, State, Workbench
from palpo_installer.operations.differences import presentable, unified
from palpo_installer.operations.files import PathOperation, require_unchanged
from palpo_installer.operations.paths import ABSENT, PathState, Replacement, fsync_directory, state_of, write_new


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
class RemoveRest(PathOperation):
    """Removes the rest of a file, which an earlier step of the same run wrote."""

    rest: Rest

    def describe(self, host: Host) -> Description:
        """Say what goes."""
        return Description(f"remove {self.rest.path}", details=(f"the rest of {self.rest.source}, from this run",))

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Know what will stand at the path: nothing is there yet."""
        there = Replacement.of(self.rest.path, ABSENT, bench, number)
        return replace(there, before=self.rest.state(), copy=str(bench.copies / str(number))).as_json()

    def stage(self, bench: Workbench, before: Json) -> None:
        """Write what an undo puts back: into the run's directory, and beside the path."""
        replacement, data = Replacement.read(before), self.rest.data()
        write_new(Path(replacement.copy), data, PathState("file", mode=0o600, uid=os.geteuid(), gid=os.getegid()))
        write_new(Path(replacement.kept), data, replacement.before)
        fsync_directory(Path(replacement.kept).parent)

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return whether the rest is there; its label comes from the system's policy."""
        now, wanted = state_of(self.rest.path), Replacement.read(before).before
        if now.kind == "absent":
            return State.AFTER
        return State.BEFORE if replace(now, attributes=()) == wanted else State.OTHER

    def act(self, bench: Workbench, before: Json) -> Json:
        """Remove it.

        Raises:
            RefusedPlan: it is not what this run wrote.
        """
        state = self.observe(bench, before)
        if state is State.OTHER:
            changed = "was changed by somebody else while this ran"
            raise RefusedPlan(changed, where=str(self.rest.path), next="Make a new plan")
        if state is State.BEFORE:
            self.rest.path.unlink()
            fsync_directory(self.rest.path.parent)
        return {"path": str(self.rest.path), "sha256": "", "kind": "absent"}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Put it back, for the files of before to follow."""
        if self.observe(bench, before) is not State.BEFORE:
            super().undo(bench, before)
