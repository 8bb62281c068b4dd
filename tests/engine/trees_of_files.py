"""Hypothesis makes directory trees of every shape, and plans of file operations over them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from palpo_installer.changes import AnyOperation, Change, Plan
from palpo_installer.operations.files import MakeDirectory, MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.paths import ABSENT, PathState, state_of
from palpo_installer.secret import Text

NAMES = (b"site", b"other.conf", b"a b", b"caf\xe9", b"line\nbreak", b"-rf", "schlüssel".encode(), b"d")
"""Names that meet again and again, so that paths collide: not UTF-8, with a newline, like an option."""

CONTENTS = (b"", b"no newline", b"one\r\ntwo\r\n", b"caf\xe9 \x00\xff\n", b"x" * 5000, "ß\n".encode())
MODES = (0o644, 0o600, 0o000, 0o444, 0o4755, 0o2750, 0o1777)
TARGETS = (b"site", b"nowhere", b".", b"..", b"line\nbreak", b"caf\xe9", b"/nowhere/at/all")


@dataclass(frozen=True)
class Thing:
    """What stands at a path of the tree before anything is done; made in this order, what cannot be made is not.

    Attributes:
        path: its names, from the top.
        kind: what it is.
        content: a file's bytes, a link's target.
        mode: permission bits.
        attribute: an extended attribute's value, empty for none.
    """

    path: tuple[bytes, ...]
    kind: str
    content: bytes
    mode: int
    attribute: bytes

    def make(self, root: Path) -> None:
        """Make it."""
        place = root.joinpath(*map(os.fsdecode, self.path))
        if os.path.lexists(place):
            # To open a pipe would wait for ever.
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        match self.kind:
            case "file":
                place.write_bytes(self.content)
            case "sparse":
                place.touch()
                os.truncate(place, 300_000)
            case "link":
                place.symlink_to(os.fsdecode(self.content))
            case "second name":
                os.link(
                    next(path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()), place
                )
            case "directory":
                place.mkdir()
            case "pipe":
                os.mkfifo(place)
        if self.kind != "link":
            if self.attribute and self.kind in {"file", "directory"}:
                os.setxattr(place, "user.note", self.attribute)
            # A directory that its owner may not enter is root's business only.
            place.chmod(self.mode | (stat.S_IRWXU if self.kind == "directory" else 0))


FileOperation = WriteFile | MakeLink | RemoveFile | MakeDirectory
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(tuple)
THINGS = st.builds(
    Thing,
    path=PATHS,
    kind=st.sampled_from(["file", "file", "file", "sparse", "link", "second name", "directory", "pipe"]),
    content=st.sampled_from((*CONTENTS, *TARGETS)),
    mode=st.sampled_from(MODES),
    attribute=st.sampled_from([b"", b"kept\x00"]),
)
TREES = st.lists(THINGS, max_size=8)


def make(things: Sequence[Thing], root: Path) -> None:
    """Make a tree; what finds something in its way is left out."""
    root.mkdir()
    for thing in things:
        with suppress(OSError, ValueError, StopIteration):
            thing.make(root)


@dataclass(frozen=True)
class Wish:
    """An operation of a plan, before the tree is looked at; a ``wild`` one may make no sense there."""

    kind: str
    path: tuple[bytes, ...]
    content: str
    target: bytes
    mode: int
    wild: bool

    def operation(self, root: Path) -> FileOperation:
        """Return the operation, planned for what stands there now."""
        place = root.joinpath(*map(os.fsdecode, self.path))
        now = state(place)
        planned = f"link {now.target}" if now.kind == "link" else now.sha256
        match self.kind if self.wild else _sensible(self.kind, now.kind):
            case "write":
                return WriteFile(place, Text(self.content), self.mode & 0o777, os.geteuid(), os.getegid(), now.sha256)
            case "link":
                return MakeLink(place, os.fsdecode(self.target), planned)
            case "remove":
                return RemoveFile(place, planned)
            case _:
                return MakeDirectory(place, 0o755)


def state(path: Path) -> PathState:
    """Return what stands at a path, nothing where the way there goes round in circles."""
    try:
        return state_of(path)
    except OSError:
        return ABSENT


def _sensible(kind: str, now: str) -> str:
    """Return what a planner would make of a wish where such a thing stands."""
    match now:
        case "absent":
            return "write" if kind == "remove" else kind
        case "file":
            return "write" if kind == "directory" else kind
        case "link":
            return kind if kind == "remove" else "link"
        case _:
            return "directory"


WISHES = st.builds(
    Wish,
    kind=st.sampled_from(["write", "write", "link", "remove", "directory"]),
    path=PATHS,
    content=st.sampled_from(["", "new\n", "new\r\nno newline", "y" * 5000, "ß\n"]),
    target=st.sampled_from(TARGETS),
    mode=st.sampled_from(MODES),
    wild=st.sampled_from([False] * 9 + [True]),
)
PLANS = st.lists(WISHES, min_size=1, max_size=5, unique_by=lambda wish: wish.path)
"""No path is written twice in one plan."""


def plan(wishes: Sequence[Wish], root: Path) -> Plan:
    """Return the plan of these wishes, in two changes, with the directories that are missing for them."""
    wanted = [wish.operation(root) for wish in wishes]
    made = {each.path for each in wanted}
    missing = {parent for each in wanted for parent in each.path.parents if state(parent).kind == "absent"} - made
    operations: list[AnyOperation] = [*(MakeDirectory(path, 0o755) for path in sorted(missing)), *wanted]
    middle = len(operations) // 2
    return Plan(
        (), (Change("first", tuple(operations[:middle])), Change("second", tuple(operations[middle:]))), (), (), ()
    )


def of_files(change: Change) -> Iterator[FileOperation]:
    """Return the operations of a change that are about files, which all of these plans' are."""
    return (each for each in change.operations if isinstance(each, FileOperation))


@dataclass(frozen=True)
class Entry:
    """What stands at a path, as a file system knows it; see ``engine`` for what the engine looks at."""

    kind: int
    mode: int
    owner: tuple[int, int]
    content: bytes
    attributes: Mapping[str, bytes]
    links: int


def seen(root: Path) -> dict[bytes, Entry]:
    """Return everything below a directory, read without any code of the engine's."""
    found = {}
    for directory, directories, files in os.walk(os.fsencode(root)):
        for name in (*directories, *files):
            path = os.path.join(directory, name)  # noqa: PTH118 - bytes
            found[os.path.relpath(path, os.fsencode(root))] = _entry(path)
    return found


def _entry(path: bytes) -> Entry:
    status = os.lstat(path)
    content = b""
    if stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)  # noqa: PTH115 - bytes
    elif stat.S_ISREG(status.st_mode):
        content = Path(os.fsdecode(path)).read_bytes()
    names = os.listxattr(path, follow_symlinks=False)
    return Entry(
        kind=stat.S_IFMT(status.st_mode),
        mode=stat.S_IMODE(status.st_mode),
        owner=(status.st_uid, status.st_gid),
        content=content,
        attributes={name: os.getxattr(path, name, follow_symlinks=False) for name in names},
        links=0 if stat.S_ISDIR(status.st_mode) else status.st_nlink,
    )
