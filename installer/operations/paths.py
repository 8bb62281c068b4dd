"""The state of a path, and what it takes to find and keep it."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["absent", "file", "link", "directory", "other"]


@dataclass(frozen=True)
class PathState:
    """What stands at a path: everything that taking back must restore.

    Attributes:
        sha256: of a file's bytes.
        target: of a link.
        attributes: extended attributes as ``name=hex``, sorted.
    """

    kind: Kind
    sha256: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    target: str = ""
    attributes: tuple[str, ...] = ()


ABSENT = PathState("absent")


def state_of(path: Path) -> PathState:
    """Return what stands at a path; links are not followed."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    mode, uid, gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    if stat.S_ISLNK(status.st_mode):
        return PathState("link", uid=uid, gid=gid, target=str(path.readlink()))
    if stat.S_ISDIR(status.st_mode):
        return PathState("directory", mode=mode, uid=uid, gid=gid)
    if not stat.S_ISREG(status.st_mode):
        return PathState("other", mode=mode, uid=uid, gid=gid)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return PathState("file", digest, mode, uid, gid, attributes=attributes_of(path))


def attributes_of(path: Path) -> tuple[str, ...]:
    """Return a file's extended attributes, among them access lists and SELinux labels."""
    try:
        return tuple(sorted(f"{name}={os.getxattr(path, name).hex()}" for name in os.listxattr(path)))
    except OSError:
        return ()


def fsync_directory(directory: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def existing_ancestor(path: Path) -> Path:
    """Return the closest directory above a path that is there, and so on the path's own file system."""
    return next(parent for parent in path.parents if parent.is_dir())
