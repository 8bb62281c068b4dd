"""A Caddyfile as a tree of segments with file and line, its imports and snippets in place."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from glob import glob
from pathlib import Path

from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.proxies.caddy.tokens import Token, Unreadable, expanded, lines
from palpo_installer.proxies.found import IncludeDirectory, Problem, ReadFile

DEEPEST = 20
"""Imports within imports; Caddy itself refuses a file that imports itself."""

ARGUMENT = re.compile(r"\{args(?:\.(\d+)|\[(\d+)\])\}")
"""An argument of an import in what is imported; the second form is that of Caddy 2.7."""

MAGIC = frozenset("*?[")
LAID_ASIDE = ".palpo-installer-0001-1.old.key"
"""A name as a run has it beside the files that it changes."""


@dataclass(frozen=True)
class Segment:
    """A site block, the global options, a snippet, or a directive: some words, and what stands in braces after them.

    Attributes:
        words: empty for the global options.
        file: where it stands.
        line: in that file, from 1.
        block: what stands in its braces.
        braced: whether it has braces at all; the one site of a file may do without.
    """

    words: tuple[str, ...]
    file: Path
    line: int
    block: tuple[Segment, ...] = ()
    braced: bool = False

    @property
    def name(self) -> str:
        """Its first word."""
        return self.words[0] if self.words else ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words after the first one."""
        return self.words[1:]

    def all(self, name: str) -> tuple[Segment, ...]:
        """Return the directives of a name directly in the block."""
        return tuple(each for each in self.block if each.name == name)

    def within(self, name: str) -> Iterator[Segment]:
        """Yield the directives of a name anywhere in the block."""
        for each in self.block:
            if each.name == name:
                yield each
            yield from each.within(name)


@dataclass(frozen=True)
class Import:
    """An import at the top level, where sites stand; ``pattern`` is absolute."""

    pattern: str
    file: Path
    line: int


@dataclass(frozen=True)
class Tree:
    """A configuration as written.

    Attributes:
        segments: global options and sites, in reading order; snippets and imports are resolved.
        imports: those at the top level that name files.
        files: every file that was read.
        problems: why parts could not be read.
        last_line: how many lines the main file has.
        braceless: whether an imported file has a site without braces: such a site takes all that is imported behind it.
        options_imported: the line of the main file that imports the global options, 0 where none does.
        variables: whether it takes values from Caddy's environment.
        globbed: the directories of all imports by a pattern that fits what begins with a dot, as ``*`` does in Go.
    """

    segments: tuple[Segment, ...]
    imports: tuple[Import, ...]
    files: tuple[ReadFile, ...]
    problems: tuple[Problem, ...]
    last_line: int
    braceless: bool
    options_imported: int
    variables: bool
    globbed: tuple[IncludeDirectory, ...] = ()


def load(host: Host, main: Path, environment: Mapping[str, str]) -> Tree:
    """Read a Caddyfile and all it imports. Files that are missing or broken become problems, never errors."""
    reader = _Reader(host, environment)
    segments = tuple(reader.file(main, ()))
    text = host.text(main) or ""
    top = next((each for each in segments if not each.words), None)
    return Tree(
        segments,
        tuple(reader.imports),
        tuple(dict.fromkeys(reader.files)),
        tuple(dict.fromkeys(reader.problems)),
        text.count("\n") + (not text.endswith("\n") and bool(text)),
        any(each.words and not each.braced and each.file != main for each in segments),
        _led_in(reader.imports, top.file, main) if top else 0,
        reader.variables,
        tuple(dict.fromkeys(reader.globbed)),
    )


def _led_in(imports: Sequence[Import], file: Path, main: Path) -> int:
    """Return the line of the main file whose import leads to a file, 0 where none does."""
    found = next((each for each in imports if fnmatchcase(str(file), each.pattern)), None)
    if found is None or file == main:
        return 0
    return found.line if found.file == main else _led_in(imports, found.file, main)


@dataclass
class _Reader:
    """What was met so far."""

    host: Host
    environment: Mapping[str, str]
    snippets: dict[str, Segment] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    files: list[ReadFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    globbed: list[IncludeDirectory] = field(default_factory=list)
    variables: bool = False

    def file(self, path: Path, within: tuple[Path, ...]) -> Iterator[Segment]:
        """Yield the segments of a file."""
        try:
            data = self.host.read(path)
        except HostError as error:
            self.problems.append(Problem(path, 1, error.what))
            return
        if data is None:
            self.problems.append(Problem(path, 1, "there is no such file"))
            return
        self.files.append(ReadFile(path, hashlib.sha256(data).hexdigest()))
        text = data.decode(errors="replace")
        self.variables |= "{$" in text
        try:
            written = _segments(lines(expanded(text, self.environment)), path)
        except Unreadable as error:
            self.problems.append(Problem(path, error.line, str(error)))
            return
        yield from self.resolved(written, (*within, path), top=True)

    def resolved(self, written: Sequence[Segment], within: tuple[Path, ...], *, top: bool = False) -> Iterator[Segment]:
        """Yield segments with what they import in place; snippets are kept and yield nothing."""
        for each in written:
            if top and re.fullmatch(r"\(.+\)", each.name) and len(each.words) == 1:
                self.snippets[each.name[1:-1]] = each
            elif each.name == "import" and each.arguments:
                yield from self.imported(each, within, top=top)
            else:
                yield replace(each, block=tuple(self.resolved(each.block, within)))

    def imported(self, line: Segment, within: tuple[Path, ...], *, top: bool) -> Iterator[Segment]:
        """Yield what an import stands for: a snippet, or the files of a pattern."""
        name, arguments = line.arguments[0], line.arguments[1:]
        if len(within) > DEEPEST:
            self.problems.append(Problem(line.file, line.line, "imports go too deep"))
        elif name in self.snippets:
            given = tuple(_with_arguments(each, arguments) for each in self.snippets[name].block)
            yield from self.resolved(given, (*within, line.file), top=top)
        else:
            pattern = os.path.normpath(line.file.parent / name)
            if top:
                self.imports.append(Import(pattern, line.file, line.line))
            if fnmatchcase(LAID_ASIDE, last := Path(pattern).name):
                above = map(Path, sorted(glob(os.path.dirname(pattern))))  # noqa: PTH120, PTH207
                self.globbed += (IncludeDirectory(each, last, line.file, line.line) for each in above if each.is_dir())
            found = sorted(glob(pattern))  # noqa: PTH207  as Caddy's own filepath.Glob
            if not found and not MAGIC & set(pattern):
                self.problems.append(Problem(line.file, line.line, f"there is no file to import: {name}"))
            for path in (Path(each) for each in found):
                segments = self.file(path, within) if path not in within else ()
                yield from (_with_arguments(each, arguments) for each in segments)


def _with_arguments(segment: Segment, arguments: Sequence[str]) -> Segment:
    def put(match: re.Match[str]) -> str:
        number = int(match[1] or match[2])
        return arguments[number] if number < len(arguments) else match[0]

    words = tuple(ARGUMENT.sub(put, word) for word in segment.words)
    return replace(segment, words=words, block=tuple(_with_arguments(each, arguments) for each in segment.block))


def _segments(written: Sequence[Sequence[Token]], path: Path) -> tuple[Segment, ...]:
    """Return the segments at the top level of a file.

    Raises:
        Unreadable: braces do not match.
    """
    rest, found = _joined(written), []
    while rest:
        line = rest.pop(0)
        if line[0].closes:
            raise Unreadable("this } closes nothing", line[0].line)
        if line[-1].opens:
            found.append(Segment(_words(line[:-1]), path, line[0].line, _block(rest, path, line[0].line), braced=True))
        elif line[0].text == "import":
            found.append(Segment(_words(line), path, line[0].line))
        else:
            # The one site of a file may do without braces, and then has all that follows.
            found.append(Segment(_words(line), path, line[0].line, _block(rest, path, 0)))
    return tuple(found)


def _block(rest: list[Sequence[Token]], path: Path, opened: int) -> tuple[Segment, ...]:
    """Take the lines of a block from those that are left; ``opened`` is the line of its brace, 0 where it has none."""
    found: list[Segment] = []
    while rest:
        line = rest.pop(0)
        if line[0].closes:
            if not opened:
                raise Unreadable("this } closes nothing", line[0].line)
            return tuple(found)
        block = _block(rest, path, line[-1].line) if line[-1].opens else ()
        words = _words(line[:-1] if line[-1].opens else line)
        found.append(Segment(words, path, line[0].line, block, braced=line[-1].opens))
    if opened:
        raise Unreadable("a block is not closed at the end of the file", opened)
    return tuple(found)


def _joined(written: Sequence[Sequence[Token]]) -> list[Sequence[Token]]:
    """Return the lines, those of a list of addresses that goes on behind a comma as one."""
    found: list[Sequence[Token]] = []
    for line in written:
        goes_on = found and found[-1][-1].text.endswith(",") and not found[-1][-1].quoted
        if goes_on:
            found[-1] = (*found[-1], *line)
        else:
            found.append(line)
    return found


def _words(line: Sequence[Token]) -> tuple[str, ...]:
    return tuple(token.text for token in line)
