"""Operations on files, links and directories."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.errors import NotPutBack, RefusedPlan
from palpo_installer.homeserver.masking import explaining, masked_pair
from palpo_installer.host import Host
from palpo_installer.operations.base import Description, Json, Operation, State, Workbench
from palpo_installer.operations.differences import presentable, unified
from palpo_installer.operations.paths import ABSENT, PathState, fsync_directory, state_of
from palpo_installer.operations.replacement import Replacement
from palpo_installer.secret import Text


class PathOperation(Operation):
    """What the operations that replace one path share; the journal's record holds all they need."""

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return in which state the path is."""
        return Replacement.read(before).observe()

    def act(self, bench: Workbench, before: Json) -> Json:
        """Let the staged path become the real one."""
        replacement = Replacement.read(before)
        replacement.act()
        return {"path": replacement.path, "sha256": replacement.after.sha256, "kind": replacement.after.kind}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Put back what stood at the path."""
        Replacement.read(before).undo()

    def restage(self, bench: Workbench, before: Json) -> None:
        """Write the old file beside the path again."""
        Replacement.read(before).restage()

    def surrender(self, bench: Workbench, before: Json) -> Json:
        """Copy the edited file into the run's directory and take it for what this run left."""
        replacement = Replacement.read(before)
        path = Path(replacement.path)
        now = state_of(path)
        if now.kind == "file":
            kept = _place_for(bench.copies / f"edited-{path.name}", path)
            shutil.copyfile(path, kept)
            kept.chmod(0o600)
            bench.report(f"the edited {path} is kept as {kept}")
        return replace(replacement, after=now).as_json()

    def finish(self, bench: Workbench, before: Json) -> None:
        """Remove what was staged beside the path."""
        Replacement.read(before).finish()


def _place_for(wanted: Path, edited: Path) -> Path:
    """Return where the copy of an edited file goes: another file of its name may have been kept there before."""
    data, number, place = edited.read_bytes(), 1, wanted
    while place.exists() and place.read_bytes() != data:
        number, place = number + 1, wanted.with_name(f"{wanted.name}-{number + 1}")
    return place


def require_unchanged(path: Path, planned: str) -> None:
    """Check that a path is still what the plan was made for: a file with this hash, or nothing.

    Raises:
        RefusedPlan: it is not.
    """
    now = state_of(path)
    if now.kind in {"directory", "other"}:
        raise RefusedPlan("is no regular file", where=str(path), next="Move it away, then plan again")
    if now.kind == "link" and not planned.startswith("link "):
        target = f"is a link to {now.target}"
        raise RefusedPlan(target, where=str(path), next="Name the file itself, or move the link away")
    found = f"link {now.target}" if now.kind == "link" else now.sha256
    if found != planned:
        raise RefusedPlan("changed since the plan was made", where=str(path), next="Make a new plan")


class ContentOperation(PathOperation):
    """What the operations that give a file other contents share.

    Attributes:
        path: the file.
        mode: its permission bits afterwards.
        uid: its owner afterwards.
        gid: its group afterwards.
        planned: hash of the file that the plan was made for, empty for none.
    """

    path: Path
    mode: int
    uid: int
    gid: int
    planned: str

    def data(self, bench: Workbench) -> bytes:
        """Return the bytes that the file will have, with the secrets in their places."""
        raise NotImplementedError

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Look at the file, and know what it becomes."""
        require_unchanged(self.path, self.planned)
        digest = hashlib.sha256(self.data(bench)).hexdigest()
        old = state_of(self.path)
        after = PathState("file", digest, self.mode, self.uid, self.gid, attributes=old.attributes)
        return Replacement.of(self.path, after, bench, number).as_json()

    def stage(self, bench: Workbench, before: Json) -> None:
        """Copy the old file and write the new one beside it."""
        Replacement.read(before).stage(self.data(bench))


@dataclass(frozen=True)
class WriteFile(ContentOperation):
    """Writes a whole file.

    Attributes:
        text: what stands in it afterwards.
        mode: permission bits.
        uid: its owner.
        gid: its group.
        planned: hash of the file that the plan was made for, empty for none.
        unedited: what would stand in it if nobody had edited it, where ``text`` has somebody's edit in it.
        kept: the placeholders of those secrets that the file has already, in the same lines.
    """

    path: Path
    text: Text
    mode: int
    uid: int
    gid: int
    planned: str
    unedited: Text | None = None
    kept: tuple[str, ...] = ()

    @property
    def pure(self) -> Text:
        """What is ours alone: by it the next run tells what somebody changed."""
        return self.unedited or self.text

    def describe(self, host: Host) -> Description:
        """Show the difference, with the secrets of a private file masked."""
        old = host.text(self.path) if self.planned else None
        verb = "write" if old is None else "change"
        before, after = old or "", self.text.shown
        if not self.mode & 0o077:
            before, after = masked_pair(before, after, self.kept, explaining(self.pure.shown))
        details = (f"mode {self.mode:04o}", *(["with what you changed in it"] if self.unedited else []))
        return Description(f"{verb} {self.path}", unified(before, after, self.path), details)

    def act(self, bench: Workbench, before: Json) -> Json:
        """Let the staged file become the real one; what is kept of it is the hash of what is ours alone."""
        result = super().act(bench, before)
        if self.unedited is None:
            return result
        return {**result, "sha256": hashlib.sha256(self.unedited.shown.encode()).hexdigest()}

    def data(self, bench: Workbench) -> bytes:
        """Return the bytes with the secrets in their places."""
        values = {reference.name: bench.secret(reference) for reference in self.text.secrets}
        return self.text.reveal(values).encode()


@dataclass(frozen=True)
class MakeLink(PathOperation):
    """Makes a symbolic link; ``planned`` is ``link <target>`` of the one it replaces, empty for none."""

    path: Path
    target: str
    planned: str

    def describe(self, host: Host) -> Description:
        """Show both ends."""
        return Description(f"link {self.path} to {self.target}")

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Look at the path."""
        require_unchanged(self.path, self.planned)
        after = PathState("link", uid=os.geteuid(), gid=os.getegid(), target=self.target)
        return Replacement.of(self.path, after, bench, number).as_json()

    def stage(self, bench: Workbench, before: Json) -> None:
        """Make the link under a dot name."""
        Replacement.read(before).stage(None)


@dataclass(frozen=True)
class RemoveFile(PathOperation):
    """Removes a file or link that is no longer needed.

    Attributes:
        path: the file or link.
        planned: hash of the file that the plan was made for, or ``link <target>``.
        explained: its comments that speak of secrets and are ours.
    """

    path: Path
    planned: str
    explained: tuple[str, ...] = ()

    def describe(self, host: Host) -> Description:
        """Show what goes: of a link only the link does."""
        if self.planned.startswith("link "):
            target = self.planned.removeprefix("link ")
            return Description(f"remove the link {self.path}", details=(f"the link alone; it leads to {target}",))
        before, after = presentable(self.path, host.text(self.path) or "", "", self.explained)
        return Description(f"remove {self.path}", unified(before, after, self.path))

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Look at the path."""
        require_unchanged(self.path, self.planned)
        return Replacement.of(self.path, ABSENT, bench, number).as_json()

    def stage(self, bench: Workbench, before: Json) -> None:
        """Copy the file."""
        Replacement.read(before).stage(None)


@dataclass(frozen=True)
class MakeDirectory(Operation):
    """Makes a directory; taking back removes it when it is empty."""

    path: Path
    mode: int

    def describe(self, host: Host) -> Description:
        """Show it."""
        return Description(f"make the directory {self.path}", details=(f"mode {self.mode:04o}",))

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Look at the path."""
        kind = state_of(self.path).kind
        if kind not in {"absent", "directory"}:
            raise RefusedPlan("is no directory", where=str(self.path), next="Move it away, then plan again")
        return {"path": str(self.path), "kind": kind}

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return whether it is there."""
        kind = state_of(self.path).kind
        if kind == before["kind"]:
            return State.BEFORE
        return State.AFTER if kind == "directory" else State.OTHER

    def act(self, bench: Workbench, before: Json) -> Json:
        """Make it."""
        if not self.path.is_dir():
            self.path.mkdir()
            self.path.chmod(self.mode)
            fsync_directory(self.path.parent)
        return {"path": str(self.path), "kind": "directory"}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Remove it, unless it was there before or something that is kept lies in it."""
        if before["kind"] == "directory" or not self.path.is_dir():
            return
        if any(self.path.iterdir()):
            bench.report(f"{self.path} is not empty and stays")
            return
        try:
            self.path.rmdir()
        except OSError as error:
            raise NotPutBack(f"cannot be removed: {error.strerror}", where=str(self.path)) from error
        fsync_directory(self.path.parent)
