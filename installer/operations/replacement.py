"""What stands at a path is replaced without ever leaving half of it."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from palpo_installer.errors import NotPutBack, RefusedPlan
from palpo_installer.operations.base import Json, State, Workbench
from palpo_installer.operations.paths import PathState, existing_ancestor, fsync_directory, state_of
from palpo_installer.serialization import converter

ENDING = ".key"
"""Ends each dot name: HAProxy 2.4 takes dot names in a directory of certificates for some, but none of these."""


def aside(path: Path, bench: Workbench) -> Path:
    """Return where what replaces a path, and what it replaces, lies meanwhile: in its own directory, if that may be.

    Where a proxy reads every file of a directory, those with dot names too, it is the next one above.

    Raises:
        RefusedPlan: that is on another file system, so that nothing could be replaced in one step.
    """
    near = existing_ancestor(path)
    whole = {os.path.realpath(each) for each in bench.read_whole}
    here = Path(os.path.realpath(near))
    if str(here) not in whole:
        return near
    found = next(each for each in here.parents if str(each) not in whole)
    if found.stat().st_dev != here.stat().st_dev:
        what = "is read whole by a proxy, files with dot names too, and the directory above is on another file system"
        cure = "Let the proxy read it by a pattern with a suffix, such as *.conf or *.caddy, then plan again"
        raise RefusedPlan(what, where=str(here), next=cure)
    return found


def write_new(path: Path, data: bytes, state: PathState) -> None:
    """Write a file that only we know yet, with its owner, mode and attributes, and sync it."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _fill(file, data, state)
    except OSError as error:
        # An error of a write names no file.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _fill(file: BinaryIO, data: bytes, state: PathState) -> None:
    descriptor = file.fileno()
    if (os.geteuid(), os.getegid()) != (state.uid, state.gid):
        os.fchown(descriptor, state.uid, state.gid)
    file.write(data)
    file.flush()
    for attribute in state.attributes:
        name, _, value = attribute.partition("=")
        os.setxattr(descriptor, name, bytes.fromhex(value))
    os.fchmod(descriptor, state.mode)
    os.fsync(descriptor)


@dataclass(frozen=True)
class Replacement:
    """How what stands at one path is replaced: the value in the journal's ``prepared`` record.

    Attributes:
        path: the subject.
        before: what stood there.
        after: what will stand there.
        staged: the dot-named file that becomes ``path``.
        kept: a dot-named second name of the old file or link, so that going back needs no space.
        copy: the old bytes in the run's directory, for a rollback of a later day; empty when there were none.
        shared: whether the file is somebody else's, who goes on editing it: a rollback does not stop at that.
    """

    path: str
    before: PathState
    after: PathState
    staged: str
    kept: str
    copy: str
    shared: bool = False

    @classmethod
    def of(cls, path: Path, after: PathState, bench: Workbench, number: int) -> Replacement:
        """Return the replacement of whatever stands at a path now."""
        before = state_of(path)
        name = f".palpo-installer-{bench.run}-{number}"
        copy = bench.copies / str(number) if before.kind == "file" else ""
        parent = aside(path, bench)
        staged, kept = parent / f"{name}.new{ENDING}", parent / f"{name}.old{ENDING}"
        return cls(str(path), before, after, str(staged), str(kept), str(copy))

    @classmethod
    def read(cls, record: Json) -> Replacement:
        """Return the value that ``as_json`` gave to the journal."""
        return converter.structure(record, cls)

    def as_json(self) -> Json:
        """Return the value as the journal keeps it."""
        fields: Json = converter.unstructure(self)
        return fields

    def observe(self) -> State:
        """Return in which state the path is now."""
        now = state_of(Path(self.path))
        if now == self.before:
            return State.BEFORE
        # A new file's label comes from the system's policy, so only old attributes can be compared.
        plain = replace(now, attributes=()) == replace(self.after, attributes=())
        return State.AFTER if plain else State.OTHER

    def stage(self, data: bytes | None) -> None:
        """Copy what is there and write what will be there; ``data`` is None for a link or a removal."""
        path = Path(self.path)
        if self.before.kind == "file":
            shutil.copyfile(path, self.copy)
            Path(self.copy).chmod(0o600)
            _sync_file(Path(self.copy))
        if self.before.kind in {"file", "link"}:
            self.keep(path)
        if self.after.kind == "link":
            Path(self.staged).unlink(missing_ok=True)
            Path(self.staged).symlink_to(self.after.target)
        elif data is not None:
            write_new(Path(self.staged), data, self.after)
        fsync_directory(Path(self.staged).parent)

    def keep(self, path: Path) -> None:
        """Give the old file or link a second name, or copy it where the file system knows no second names."""
        Path(self.kept).unlink(missing_ok=True)
        try:
            os.link(path, self.kept, follow_symlinks=False)
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}:
                raise
            self._make(Path(self.kept), path)

    def _make(self, new: Path, source: Path) -> None:
        """Make the old file or link anew; a file from the bytes of a source."""
        if self.before.kind == "file":
            write_new(new, source.read_bytes(), self.before)
            return
        new.unlink(missing_ok=True)
        new.symlink_to(self.before.target)
        os.chown(new, self.before.uid, self.before.gid, follow_symlinks=False)

    def restage(self) -> None:
        """See to it that the old file or link lies beside the path, if need be from the copy.

        What lies there is used only when it is the old one to the last bit: a kill may have left half of it.
        """
        replaced = self.before.kind in {"file", "link"} and self.observe() is not State.BEFORE
        if replaced and state_of(Path(self.kept)) != self.before:
            self._make(Path(self._half), Path(self.copy))
            Path(self._half).rename(self.kept)

    @property
    def _half(self) -> str:
        """Where the old file is written again; it gets its name when it is whole."""
        return f"{self.kept}.half{ENDING}"

    def act(self) -> None:
        """Let the staged file become the path, in one step."""
        path, state = Path(self.path), self.observe()
        if state is State.OTHER:
            raise RefusedPlan("was changed by somebody else while this ran", where=self.path, next="Make a new plan")
        if state is State.BEFORE:
            if self.after.kind == "absent":
                path.unlink()
            else:
                Path(self.staged).rename(path)
            fsync_directory(path.parent)

    def undo(self) -> None:
        """Put back what stood there, in one step.

        Raises:
            NotPutBack: somebody else changed it meanwhile; it is left as it is.
        """
        path, state = Path(self.path), self.observe()
        if state is State.OTHER:
            raise NotPutBack("was changed by somebody else meanwhile and is left as it is", where=self.path)
        if state is State.AFTER:
            if self.before.kind == "absent":
                path.unlink()
            else:
                self.restage()
                Path(self.kept).rename(path)
            fsync_directory(path.parent)

    def finish(self) -> None:
        """Remove what was staged."""
        for name in (self.staged, self.kept, self._half):
            # Asking first: a read-only file system refuses also what there is nothing to remove of.
            if os.path.lexists(name):
                Path(name).unlink()


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
