"""What an earlier step of the same run wrote goes again: it was needed on the way only.

All steps are prepared before the first one acts, so such a step knows beforehand what it will find.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.base import Description, Json, State, Workbench
from palpo_installer.operations.files import MakeLink, PathOperation, WriteFile
from palpo_installer.operations.paths import ABSENT, PathState, fsync_directory, state_of
from palpo_installer.operations.replacement import Replacement, write_new


class RemovePassing(PathOperation):
    """What the operations share that remove what an earlier step of the same run wrote."""

    @property
    def place(self) -> Path:
        """The path."""
        raise NotImplementedError

    def written(self) -> PathState:
        """Return what the earlier step leaves there.

        Raises:
            RefusedPlan: that cannot be told any more.
        """
        raise NotImplementedError

    def data(self) -> bytes:
        """Return the bytes that the earlier step writes, none for a link.

        Raises:
            RefusedPlan: they cannot be told any more.
        """
        raise NotImplementedError

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Know what will stand at the path."""
        there, written = Replacement.of(self.place, ABSENT, bench, number), self.written()
        copy = str(bench.copies / str(number)) if written.kind == "file" else ""
        return replace(there, before=written, copy=copy).as_json()

    def stage(self, bench: Workbench, before: Json) -> None:
        """Write what an undo puts back: into the run's directory, and beside the path."""
        replacement = Replacement.read(before)
        if replacement.before.kind == "file":
            private = PathState("file", mode=0o600, uid=os.geteuid(), gid=os.getegid())
            write_new(Path(replacement.copy), self.data(), private)
            write_new(Path(replacement.kept), self.data(), replacement.before)
            fsync_directory(Path(replacement.kept).parent)

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return whether it is there; its label comes from the system's policy."""
        record, now = Replacement.read(before), state_of(self.place)
        if _alike(now, record.after):
            return State.AFTER
        return State.BEFORE if _alike(now, record.before) else State.OTHER

    def act(self, bench: Workbench, before: Json) -> Json:
        """Remove it.

        Raises:
            RefusedPlan: it is not what this run wrote.
        """
        now = state_of(self.place)
        if now.kind != "absent":
            if not _alike(now, Replacement.read(before).before):
                changed = "was changed by somebody else while this ran"
                raise RefusedPlan(changed, where=str(self.place), next="Make a new plan")
            self.place.unlink()
            fsync_directory(self.place.parent)
        return {"path": str(self.place), "sha256": "", "kind": "absent"}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Put it back, for the step that wrote it to take away."""
        if self.observe(bench, before) is not State.BEFORE:
            super().undo(bench, before)


@dataclass(frozen=True)
class RemoveWritten(RemovePassing):
    """Removes a file or link that an earlier step of the same run wrote.

    Attributes:
        path: the file or link.
        former: what stood there before the run.
        now: what the earlier step leaves there.
        text: what stands in it, empty for a link.
    """

    path: Path
    former: PathState
    now: PathState
    text: str

    @classmethod
    def after(cls, step: WriteFile | MakeLink) -> RemoveWritten:
        """Return the operation that removes what a step writes, which holds no secrets."""
        former = state_of(step.path)
        if isinstance(step, MakeLink):
            return cls(step.path, former, PathState("link", uid=os.geteuid(), gid=os.getegid(), target=step.target), "")
        text = step.text.shown
        digest = hashlib.sha256(text.encode()).hexdigest()
        state = PathState("file", digest, step.mode, step.uid, step.gid, attributes=former.attributes)
        return cls(step.path, former, state, text)

    @property
    def place(self) -> Path:
        """The path."""
        return self.path

    def written(self) -> PathState:
        """Return what the earlier step leaves there."""
        return self.now

    def data(self) -> bytes:
        """Return the bytes that the earlier step writes."""
        return self.text.encode()

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return whether it is there; where what was there before the run is back, nothing of this is to be undone."""
        state = super().observe(bench, before)
        back = state is State.OTHER and _alike(state_of(self.path), self.former)
        return State.BEFORE if back else state

    def describe(self, host: Host) -> Description:
        """Say what goes."""
        kind = "link" if self.now.kind == "link" else "file"
        return Description(f"remove {self.path}", details=(f"the {kind} as this run wrote it before",))


def _alike(one: PathState, other: PathState) -> bool:
    return replace(one, attributes=()) == replace(other, attributes=())
