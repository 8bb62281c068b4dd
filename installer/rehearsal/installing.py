"""Puts a rendering where it belongs, in a private directory: no record, no undo."""

from __future__ import annotations

from palpo_installer.proxies.base import File, Rendering


def install(rendering: Rendering) -> None:
    """Write the files and links of both halves."""
    for part in (rendering.plain, rendering.secure):
        for file in part.files:
            write(file)
        for link in part.links:
            link.path.parent.mkdir(parents=True, exist_ok=True)
            link.path.symlink_to(link.target)


def write(file: File) -> None:
    """Write a file, and the directories on the way to it."""
    file.path.parent.mkdir(parents=True, exist_ok=True)
    file.path.write_text(file.text)
    file.path.chmod(file.mode)
