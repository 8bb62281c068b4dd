"""The operation on palpo.toml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.homeserver.configuration import merge
from palpo_installer.homeserver.masking import masked_pair
from palpo_installer.homeserver.settings import Setting
from palpo_installer.host import Host
from palpo_installer.operations.base import Description, Workbench
from palpo_installer.operations.differences import unified
from palpo_installer.operations.files import ContentOperation
from palpo_installer.secret import SecretReference


@dataclass(frozen=True)
class ConfigurePalpo(ContentOperation):
    """Merges settings into palpo.toml; comments, order and unknown keys stay.

    The plan carries the settings and not the text, since the text may hold secrets of the administrator.

    Attributes:
        path: the file.
        settings: what must stand in it, secrets as references.
        mode: permission bits; never readable by others.
        uid: its owner.
        gid: its group.
        planned: hash of the file that the plan was made for, empty for none.
        former_name: the server name that the file may have and that is given up, empty for none.
    """

    path: Path
    settings: tuple[Setting, ...]
    mode: int
    uid: int
    gid: int
    planned: str
    former_name: str = ""

    def describe(self, host: Host) -> Description:
        """Show the difference with every secret masked."""
        old = host.text(self.path) if self.planned else None
        new = self.merged(None if old is None else old.encode(), lambda reference: reference.placeholder)
        before, after = masked_pair(old or "", new.decode())
        verb = "write" if old is None else "change"
        return Description(f"{verb} {self.path}", unified(before, after, self.path), (f"mode {self.mode:04o}",))

    def data(self, bench: Workbench) -> bytes:
        """Return the merged bytes with the secrets in their places."""
        return self.merged(bench.host.read(self.path), lambda reference: bench.secret(reference).reveal())

    def merged(self, existing: bytes | None, reveal: Callable[[SecretReference], str]) -> bytes:
        """Return an existing file's bytes with the settings in them."""
        return merge(existing, self.settings, reveal, self.former_name)
