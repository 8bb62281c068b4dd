"""Operations that only a removal needs: somebody's file put back, an edit kept, an empty directory removed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import NotPutBack, RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.base import Description, Json, Operation, State, Workbench
from palpo_installer.operations.differences import presentable, unified
from palpo_installer.operations.files import PathOperation, require_unchanged
from palpo_installer.operations.paths import PathState, fsync_directory, state_of
from palpo_installer.operations.replacement import Replacement, aside


@dataclass(frozen=True)
class PutBack(PathOperation):
    """Puts a file back as it was before the first run that touched it: bytes, mode, owner, attributes.

    Attributes:
        path: the file.
        copy: where its bytes are.
        original: what stood there.
        planned: hash of the file that the plan was made for, empty for none.
    """

    path: Path
    copy: Path
    original: PathState
    planned: str

    def describe(self, host: Host) -> Description:
        """Show the difference, with secrets masked."""
        earlier = host.text(self.copy) or ""
        old, new = presentable(self.path, host.text(self.path) or "", earlier)
        details = (f"mode {self.original.mode:04o}",)
        return Description(f"put back {self.path} as it was before", unified(old, new, self.path), details)

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Look at the file and at the copy."""
        require_unchanged(self.path, self.planned)
        self._bytes()
        return Replacement.of(self.path, self.original, bench, number).as_json()

    def stage(self, bench: Workbench, before: Json) -> None:
        """Write the earlier file beside the present one."""
        Replacement.read(before).stage(self._bytes())

    def _bytes(self) -> bytes:
        data = self.copy.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.original.sha256:
            what = f"is not the {self.path} that was copied any more"
            raise RefusedPlan(what, where=str(self.copy), next=f"Put {self.path} right by hand, then try again")
        return data


@dataclass(frozen=True)
class KeepCopy(PathOperation):
    """Keeps a copy of a file that was edited by hand, for root alone, before the file itself goes.

    Attributes:
        path: where the copy will be.
        source: the edited file.
        planned: its hash.
    """

    path: Path
    source: Path
    planned: str

    def describe(self, host: Host) -> Description:
        """Show both places."""
        return Description(f"keep a copy of the edited {self.source} as {self.path}", details=("mode 0600",))

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Look at the edited file."""
        require_unchanged(self.source, self.planned)
        require_unchanged(self.path, "")
        after = PathState("file", self.planned, 0o600, os.geteuid(), os.getegid())
        return Replacement.of(self.path, after, bench, number).as_json()

    def stage(self, bench: Workbench, before: Json) -> None:
        """Write the copy."""
        Replacement.read(before).stage(self.source.read_bytes())


@dataclass(frozen=True)
class RemoveDirectory(Operation):
    """Removes a directory that an earlier run made, unless something lies in it by then.

    As long as the run can be taken back, removed files have a second name in it; so one that was not empty goes at
    the end of the run. Taken back it is not empty again, and stays. An empty one has a dot name until then, so that
    going back needs no space, and brings back all that can be said of it.
    """

    path: Path

    def describe(self, host: Host) -> Description:
        """Show it."""
        return Description(f"remove the directory {self.path}")

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Look at its mode and owner."""
        now = state_of(self.path)
        used = now.kind == "directory" and any(self.path.iterdir())
        state = {"kind": now.kind, "mode": now.mode, "uid": now.uid, "gid": now.gid}
        kept = str(aside(self.path, bench) / f".palpo-installer-{bench.run}-{number}.old")
        return {"path": str(self.path), "used": used, "kept": kept, **state}

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return whether it is gone."""
        kind = state_of(self.path).kind
        if kind == before["kind"]:
            return State.BEFORE
        return State.AFTER if kind == "absent" else State.OTHER

    def act(self, bench: Workbench, before: Json) -> Json:
        """Give it a dot name, if it is empty already."""
        if self._is_empty():
            self.path.rename(str(before["kept"]))
            fsync_directory(self.path.parent)
        return {"path": str(self.path), "kind": state_of(self.path).kind}

    def _is_empty(self) -> bool:
        return state_of(self.path).kind == "directory" and not any(self.path.iterdir())

    def restage(self, bench: Workbench, before: Json) -> None:
        """Make it again where it is gone for good: in its place where files come back into it, else by its dot name."""
        kept = Path(str(before["kept"]))
        if self.observe(bench, before) is State.AFTER and state_of(kept).kind == "absent":
            half = kept.with_name(f"{kept.name}.half")
            half.mkdir(exist_ok=True)
            os.chown(half, int(str(before["uid"])), int(str(before["gid"])))
            half.chmod(int(str(before["mode"])))
            half.rename(self.path if before["used"] else kept)

    def finish(self, bench: Workbench, before: Json) -> None:
        """Remove it for good: what has a dot name, and what is empty now and was not before."""
        kept = Path(str(before["kept"]))
        for path in (kept, kept.with_name(f"{kept.name}.half")):
            if state_of(path).kind == "directory":
                path.rmdir()
        if before["used"] and self._is_empty():
            self.path.rmdir()
            fsync_directory(self.path.parent)

    def undo(self, bench: Workbench, before: Json) -> None:
        """Let it have its name again.

        Raises:
            NotPutBack: something else stands there now.
        """
        state = self.observe(bench, before)
        if state is State.OTHER:
            raise NotPutBack("was made by somebody else meanwhile and is left as it is", where=str(self.path))
        if state is State.AFTER:
            self.restage(bench, before)
            if state_of(self.path).kind == "absent":
                Path(str(before["kept"])).rename(self.path)
            fsync_directory(self.path.parent)
