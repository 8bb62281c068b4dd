"""The operation on single lines of a file that is, and stays, somebody else's."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.errors import NotPutBack
from palpo_installer.homeserver.masking import masked_pair
from palpo_installer.host import Host
from palpo_installer.operations.base import Description, Json, State, Workbench
from palpo_installer.operations.differences import unified
from palpo_installer.operations.files import PathOperation, require_unchanged
from palpo_installer.operations.paths import PathState, fsync_directory, state_of
from palpo_installer.operations.replacement import Replacement, write_new


@dataclass(frozen=True)
class AddedLine:
    """A line of ours in a file of somebody else's, or several that stand together.

    Attributes:
        text: the line with its indentation, without its end; what follows ``#`` tells whose it is. Several have a line
            feed between them.
        before: the number of the line, from 1, in front of which it comes to stand.
    """

    text: str
    before: int


@dataclass(frozen=True)
class EditLines(PathOperation):
    """Adds lines of ours to somebody else's file, takes such lines out of it, or both; every other byte stays.

    The file goes on being edited by whoever owns it. So what counts is whether our lines stand in it, whatever
    else changed: in the same run an undo brings back the very file, later it takes out exactly our lines. A line is
    ours by its directive; indentation and comment may have been changed.

    Attributes:
        path: the file itself, behind every link.
        named: how the proxy's configuration names it; the same where no link leads to it.
        add: the lines to add, in the order in which they come to stand.
        drop: the directives of the lines to take out, as ``include /…;``.
        planned: hash of the file that the plan was made for.
    """

    path: Path
    named: Path
    add: tuple[AddedLine, ...]
    drop: tuple[str, ...]
    planned: str

    def describe(self, host: Host) -> Description:
        """Show the difference as long as the file is the one that the plan was made for."""
        now = state_of(self.path)
        diff = ""
        if now.sha256 == self.planned:
            old = host.read(self.path) or b""
            before, after = (data.decode(errors="replace") for data in (old, self._forth(old)))
            if not now.mode & 0o077:
                before, after = masked_pair(before, after)
            diff = unified(before, after, self.path)
        behind = f"{self.named} is a link to it" if self.named != self.path else ""
        details = (behind, "every other line stays as it is; so does what is changed in it later")
        return Description(self._title(), diff, details)

    def _title(self) -> str:
        count = f"{max(len(self.added), len(self.drop))} lines" if len(self.added or self.drop) > 1 else "one line"
        match bool(self.add), bool(self.drop):
            case True, True:
                return f"move {count} in {self.path}"
            case True, False:
                return f"add {count} to {self.path}"
            case _:
                return f"take {count} out of {self.path}"

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Look at the file, and know what it becomes."""
        require_unchanged(self.path, self.planned)
        old = state_of(self.path)
        after = replace(old, sha256=_digest(self._forth(self.path.read_bytes())))
        return replace(Replacement.of(self.path, after, bench, number), shared=True).as_json()

    def stage(self, bench: Workbench, before: Json) -> None:
        """Copy the file and write it anew beside itself."""
        Replacement.read(before).stage(self._forth(self.path.read_bytes()))

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return ``after`` where what was to be added stands in the file, and what was to go does not."""
        exact = Replacement.read(before).observe()
        if exact is not State.OTHER:
            return exact
        kind = state_of(self.path).kind
        if kind != "file":
            # With the whole file, the line went as well.
            return State.BEFORE if kind == "absent" else State.OTHER
        data = self.path.read_bytes()
        if self.add:
            return State.AFTER if holds(data, self.added) else State.BEFORE
        return State.BEFORE if holds(data, self.drop) else State.AFTER

    def act(self, bench: Workbench, before: Json) -> Json:
        """Let the staged file become the real one."""
        replacement = Replacement.read(before)
        if self.observe(bench, before) is not State.AFTER:
            replacement.act()
        return {"path": str(self.path), "sha256": replacement.after.sha256, "kind": "lines"}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Bring back the file, or where it was edited since, take our lines out of it (and theirs into it)."""
        replacement, state = Replacement.read(before), self.observe(bench, before)
        if state is State.OTHER:
            raise NotPutBack("is no regular file any more and is left as it is", where=str(self.path))
        if state is State.BEFORE:
            return
        if self._is_as_left(replacement):
            replacement.undo()
            return
        now, data = state_of(self.path), self._back(replacement)
        self._reserve(replacement, now, data)
        Path(replacement.staged).rename(self.path)
        fsync_directory(self.path.parent)

    def restage(self, bench: Workbench, before: Json) -> None:
        """Write beside the file what an undo will put in its place."""
        replacement = Replacement.read(before)
        if self.observe(bench, before) is not State.AFTER:
            return
        if self._is_as_left(replacement):
            replacement.restage()
        else:
            self._reserve(replacement, state_of(self.path), self._back(replacement))

    @property
    def places(self) -> dict[int, str]:
        """The lines that are added by the number of the line that they come to stand in front of."""
        found: dict[int, str] = {}
        for line in self.add:
            there = found.get(line.before)
            found[line.before] = line.text if there is None else f"{there}\n{line.text}"
        return found

    @property
    def added(self) -> tuple[str, ...]:
        """The directives of the lines that are added."""
        return tuple(directive(text) for line in self.add for text in line.text.split("\n"))

    @staticmethod
    def _is_as_left(replacement: Replacement) -> bool:
        """Return whether the old file can come back whole: nobody touched it, and there is something to bring back."""
        there = Path(replacement.kept).exists() or Path(replacement.copy).exists()
        return there and replacement.observe() is State.AFTER

    @staticmethod
    def _reserve(replacement: Replacement, now: PathState, data: bytes) -> None:
        staged, wanted = Path(replacement.staged), replace(now, sha256=_digest(data))
        if state_of(staged) != wanted:
            write_new(staged, data, wanted)

    def _forth(self, data: bytes) -> bytes:
        """Return the file of the plan with our lines added and taken out."""
        return edited(data, self.places, self.drop)

    def _back(self, replacement: Replacement) -> bytes:
        """Return the file of now as if this had not been done."""
        data = edited(self.path.read_bytes(), {}, self.added)
        if not self.drop:
            return data
        try:
            old = Path(replacement.copy).read_bytes()
        except OSError:
            old = b""
        before = _lines(old)
        for place, line in enumerate(before):
            if directive(line.decode(errors="replace")) in self.drop:
                data = _put_back(data, before, place, self.path)
        return data


def directive(text: str) -> str:
    """Return the directive of a line, with single spaces and without its comment: what a line is known by."""
    return " ".join(text.partition("#")[0].split())


def _lines(data: bytes) -> list[bytes]:
    """Return the lines with their ends, counted as nginx counts them: by line feeds alone."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]] + [rest for rest in data.split(b"\n")[-1:] if rest]


def holds(data: bytes, directives: Collection[str]) -> bool:
    """Return whether a line with one of some directives stands in a file."""
    return any(directive(line.decode(errors="replace")) in directives for line in _lines(data))


def edited(data: bytes, add: dict[int, str], drop: Collection[str]) -> bytes:
    """Return a file with lines added in front of others, by their numbers, and all lines of some directives left out.

    Several for one place have a line feed between them. A new line ends as the one before it does, the first of a file
    as the one behind it. One may also come behind the last line, where that has an end.
    """
    result: list[bytes] = []
    behind = [b""] if data.endswith(b"\n") else []
    for number, line in enumerate([*_lines(data), *behind], 1):
        if number in add:
            windows = (result[-1] if result else line).endswith(b"\r\n")
            end = b"\r\n" if windows else b"\n"
            result += [line.encode() + end for line in add[number].split("\n")]
        if directive(line.decode(errors="replace")) not in drop:
            result.append(line)
    return b"".join(result)


def _put_back(data: bytes, before: Sequence[bytes], place: int, path: Path) -> bytes:
    """Return a file with a line of an earlier one between the two between which it stood.

    Raises:
        NotPutBack: these two do not stand together any more, or do so in several places.
    """
    line, now = before[place], _lines(data)
    above, below = ([each.strip() for each in part] for part in (before[:place][-1:], before[place + 1 :][:1]))
    found = [
        number
        for number in range(len(now) + 1)
        if above == [each.strip() for each in now[:number][-1:]]
        and below == [each.strip() for each in now[number:][:1]]
    ]
    if len(found) != 1:
        raise NotPutBack(
            f"was edited so that it is not clear where this line belongs: {line.decode(errors='replace').strip()}",
            where=str(path),
            next="Put it back by hand, then reload the proxy",
        )
    return b"".join((*now[: found[0]], line, *now[found[0] :]))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
