"""The file of a firewalld zone: as it was, byte for byte, once the zone's settings are what they were."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from palpo_installer.layout import Layout
from palpo_installer.operations.paths import fsync_directory, state_of
from palpo_installer.operations.replacement import write_new


@dataclass(frozen=True)
class ZoneFile:
    """Where a zone's settings lie (firewalld.dirs(5)).

    Attributes:
        path: the administrator's file; firewalld makes it at the first lasting change.
        backup: what firewalld makes of its former contents.
        packaged: the distribution's, which counts where there is no other.
    """

    path: Path
    backup: Path
    packaged: Path

    @classmethod
    def of(cls, layout: Layout, zone: str) -> ZoneFile:
        """Return the files of a zone."""
        own = layout.at("/etc/firewalld/zones")
        packaged = layout.at("/usr/lib/firewalld/zones") / f"{zone}.xml"
        return cls(own / f"{zone}.xml", own / f"{zone}.xml.old", packaged)

    def copies(self, directory: Path, number: int) -> tuple[Path | None, Path | None]:
        """Return where copies of the file and its backup will lie, None for one that is not there."""
        file = directory / f"{number}-{self.path.name}" if self.path.exists() else None
        backup = directory / f"{number}-{self.backup.name}" if self.backup.exists() else None
        return file, backup

    def keep(self, file: str, backup: str) -> None:
        """Make the copies."""
        for path, copy in ((self.path, file), (self.backup, backup)):
            if copy:
                write_new(Path(copy), path.read_bytes(), state_of(path))

    def settle(self, file: str, backup: str) -> None:
        """Put both files back as they were, where the settings are as in the former file; else leave them.

        A copy that was deleted after ten runs leaves firewalld's own form, which says the same.
        """
        former = Path(file) if file else self.packaged
        if not self.path.exists() or settings(self.path) != settings(former):
            return
        for path, copy in ((self.path, file), (self.backup, backup)):
            if not copy:
                path.unlink(missing_ok=True)
            elif Path(copy).exists() and state_of(path) != state_of(Path(copy)):
                half = path.with_name(f".{path.name}.palpo-installer")
                write_new(half, Path(copy).read_bytes(), state_of(Path(copy)))
                half.rename(path)
        fsync_directory(self.path.parent)


def settings(path: Path) -> frozenset[str] | None:
    """Return what a zone's file says, whatever its order and form, comments aside; None where it says nothing."""
    try:
        root = ElementTree.fromstring(path.read_bytes())  # noqa: S314 - the system's own file
    except (OSError, ElementTree.ParseError):
        return None
    attributes = {f"{name}={value}" for name, value in root.attrib.items() if value}
    parts = (ElementTree.tostring(each, encoding="unicode") for each in root)
    return frozenset({*attributes, *(ElementTree.canonicalize(part, strip_text=True) for part in parts)})
