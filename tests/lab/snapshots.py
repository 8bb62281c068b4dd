"""Everything about the files of a host that must be as before: type, bytes, mode, owner, xattrs, link targets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

BELOW = ("/etc", "/var/lib", "/var/www")
# The package manager's own: large, and nobody's business here.
WITHOUT = ("/var/lib/apt", "/var/lib/dpkg")


@dataclass(frozen=True)
class Entry:
    """What lies at a path.

    Attributes:
        kind: ``file``, ``directory``, ``link``, or the number of another type.
        mode: permission bits, in octal.
        owner: user and group number.
        content: a file's SHA-256, a link's target, empty for others.
        attributes: extended attributes, values in hex.
    """

    kind: str
    mode: str
    owner: tuple[int, int]
    content: str
    attributes: tuple[tuple[str, str], ...]


Snapshot = Mapping[str, Entry]

# Runs on the host with its own Python and prints one JSON list for each path.
SCAN = """
import hashlib, json, os, stat, sys

def content(path, kind):
    if kind == "link":
        return os.readlink(path)
    if kind != "file":
        return ""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

def walk(path):
    if path in without:
        return
    status = os.lstat(path)
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
    kind = kinds.get(stat.S_IFMT(status.st_mode), str(stat.S_IFMT(status.st_mode)))
    names = sorted(os.listxattr(path, follow_symlinks=False))
    values = [[name, os.getxattr(path, name, follow_symlinks=False).hex()] for name in names]
    mode = format(stat.S_IMODE(status.st_mode), "o")
    print(json.dumps([path, kind, mode, [status.st_uid, status.st_gid], content(path, kind), values]))
    if kind == "directory":
        for name in sorted(os.listdir(path)):
            walk(os.path.join(path, name))

split = sys.argv.index("--")
without = set(sys.argv[split + 1:])
for path in sys.argv[1:split]:
    if os.path.lexists(path):
        walk(path)
"""


def parse(printed: str) -> Snapshot:
    """Return the entries by path that ``SCAN`` printed."""
    entries = {}
    for line in printed.splitlines():
        path, kind, mode, (user, group), content, attributes = json.loads(line)
        entries[path] = Entry(kind, mode, (user, group), content, tuple((name, value) for name, value in attributes))
    return entries


def differences(before: Snapshot, after: Snapshot) -> dict[str, tuple[Entry | None, Entry | None]]:
    """Return the paths that differ, each with its entry before and after, None where there was none."""
    return {
        path: (before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    }
