"""The operation that lets the group of a proxy's account pass a directory of ours, or read a file in it."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.certificates.access import closed
from palpo_installer.errors import HostError, NotPutBack, RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.base import Description, Json, State, Workbench
from palpo_installer.operations.settings import SettingOperation
from palpo_installer.serialization import converter

ROOT_ALONE = {True: 0o700, False: 0o600}
"""The modes of directories and files that are made for root."""


@dataclass(frozen=True)
class AccessBefore:
    """Who had access before.

    Attributes:
        path: the subject, in words.
        gid: the group of the file or directory.
        mode: its mode, in octal digits.
        given: the group that it is given to.
    """

    path: str
    gid: str
    mode: str
    given: str


@dataclass(frozen=True)
class LetGroupIn(SettingOperation):
    """Lets a group pass a directory, or read a file; it belongs to root as before, and others get nothing.

    Attributes:
        place: the directory or file; of a link what it leads to.
        directory: whether it is a directory.
        account: who must get through.
        group: the group of that account.
    """

    place: Path
    directory: bool
    account: str
    group: str

    def describe(self, host: Host) -> Description:
        """Show what the group may do there."""
        mode = ROOT_ALONE[self.directory] | self._bit
        deed = "pass" if self.directory else "read"
        details = (f"group {self.group}, mode {mode:04o}", "a renewed key keeps both") if not self.directory else ()
        return Description(
            f"let {self.account} {deed} {self.place}", details=details or (f"group {self.group}, mode {mode:04o}",)
        )

    def way_back(self, before: Json) -> str:
        """Return the commands that take it back."""
        was = converter.structure(before, AccessBefore)
        return f"chgrp {was.gid} {self.place} && chmod {was.mode} {self.place}"

    def withdrawing(self, before: Json) -> tuple[tuple[str, ...], ...]:
        """Return none: no program is started."""
        return ()

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Note group and mode; what is yet to be made will be root's alone.

        Raises:
            RefusedPlan: there is no such group any more.
        """
        try:
            given = grp.getgrnam(self.group).gr_gid
        except KeyError:
            raise RefusedPlan("there is no such group any more", where=self.group, next="Plan again") from None
        gid, mode = self._now() or (0, ROOT_ALONE[self.directory])
        plain: Json = converter.unstructure(
            AccessBefore(f"access to {self.place}", str(gid), f"{mode:04o}", str(given))
        )
        return plain

    def state(self, host: Host, before: Json) -> State:
        """Return whether the group has access, by our doing."""
        was, now = converter.structure(before, AccessBefore), self._now()
        if now is None or now == (int(was.gid), int(was.mode, 8)):
            return State.BEFORE
        return State.AFTER if now[0] == int(was.given) and now[1] & self._bit else State.OTHER

    def act(self, bench: Workbench, before: Json) -> Json:
        """Give it to the group, where the account is not let in anyway.

        Raises:
            HostError: it is not there, or the account is kept out all the same.
        """
        was = converter.structure(before, AccessBefore)
        try:
            if closed(self.place, self.account):
                for path in self._alike():
                    mode = stat.S_IMODE(path.stat().st_mode)
                    # The group first: with the mode first, the former group would get what is meant for this one.
                    os.chown(path, -1, int(was.given))
                    path.chmod((mode & ~0o070) | self._bit)
            kept_out = closed(self.place, self.account)
        except (OSError, KeyError) as error:
            raise HostError(f"{self.account} cannot be let in: {error}", where=str(self.place)) from error
        if kept_out:
            raise HostError(f"{self.account} is kept out of it all the same", where=str(self.place))
        return {"path": was.path, "kind": "setting"}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Give it back to the former group, with the former mode; what somebody gave to others since stays.

        Raises:
            NotPutBack: it cannot be.
        """
        was = converter.structure(before, AccessBefore)
        try:
            for path in self._alike():
                if self._is_given(path, was):
                    path.chmod(int(was.mode, 8))
                    os.chown(path, -1, int(was.gid))
        except OSError as error:
            raise NotPutBack(f"cannot be closed again: {error.strerror}", where=str(self.place)) from error

    def _is_given(self, path: Path, was: AccessBefore) -> bool:
        """Return whether one file or directory is the group's by our doing; where it was before, its mode tells."""
        status, group = path.stat(), int(was.given)
        opened = status.st_mode & self._bit and not int(was.mode, 8) & self._bit
        return status.st_gid == group and (group != int(was.gid) or bool(opened))

    @property
    def _bit(self) -> int:
        return stat.S_IXGRP if self.directory else stat.S_IRGRP

    def _now(self) -> tuple[int, int] | None:
        """Return group and mode, None where it is not there."""
        try:
            status = self.place.stat()
        except FileNotFoundError:
            return None
        return status.st_gid, stat.S_IMODE(status.st_mode)

    def _alike(self) -> Iterator[Path]:
        """Yield what it leads to, and the earlier keys of the lineage, which certbot keeps beside it."""
        if self.place.is_symlink():
            whole = self.place.resolve()
            stem = whole.stem.rstrip("0123456789")
            yield from (each for each in sorted(whole.parent.glob(f"{stem}*{whole.suffix}")) if not each.is_symlink())
        elif self.place.exists():
            yield self.place
