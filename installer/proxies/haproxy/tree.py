"""HAProxy's configuration as a tree: files, sections and their lines. See its manual, "Configuration file format"."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.proxies.found import Problem, ReadFile
from palpo_installer.proxies.haproxy.configuration import Directive, Section

_WORDS = (
    "acme backend cache crt-store defaults dynamic-update fcgi-app frontend global http-errors listen log-forward "
    "log-profile mailers peers program resolvers ring traces userlist"
)
KINDS = frozenset(_WORDS.split())
"""The words that begin a section."""


@dataclass(frozen=True)
class Tree:
    """Everything that was read.

    Attributes:
        files: in the order in which HAProxy reads them.
        sections: in order.
        problems: what could not be read.
    """

    files: tuple[ReadFile, ...]
    sections: tuple[Section, ...]
    problems: tuple[Problem, ...]


def load(host: Host, paths: Sequence[Path]) -> Tree:
    """Return the tree of the files, and of the ``*.cfg`` files of the directories, that ``-f`` names."""
    read: list[ReadFile] = []
    sections: list[Section] = []
    problems: list[Problem] = []
    for path in _files(host, paths):
        data = host.read(path)
        if data is None:
            problems.append(Problem(path, 0, "there is no such file, or it cannot be read"))
            continue
        read.append(ReadFile(path, hashlib.sha256(data).hexdigest()))
        found, wrong = parse(data.decode(errors="replace"), path)
        sections += found
        problems += wrong
    return Tree(tuple(read), tuple(sections), tuple(problems))


def read(host: Host, paths: Sequence[Path]) -> Iterator[ReadFile]:
    """Yield further files that the configuration names and that were read, each once."""
    for path in dict.fromkeys(path for path in paths if path.is_absolute()):
        if (data := host.read(path)) is not None:
            yield ReadFile(path, hashlib.sha256(data).hexdigest())


def _files(host: Host, paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files: those of a directory that end in ``.cfg`` and do not begin with a dot, sorted by byte."""
    for path in paths:
        if path.is_dir():
            names = (name for name in host.names(path) if name.endswith(".cfg") and not name.startswith("."))
            yield from (path / name for name in sorted(names))
        else:
            yield path


def parse(text: str, file: Path) -> tuple[list[Section], list[Problem]]:
    """Return the sections of one file; lines of conditional blocks (``.if``) count as if all were there."""
    sections: list[Section] = []
    problems: list[Problem] = []
    blocks: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            words = tokens(line)
        except ValueError as error:
            problems.append(Problem(file, number, str(error)))
            continue
        if not words or words[0].startswith("."):
            blocks = [*blocks, number] if words[:1] == (".if",) else blocks[:-1] if words[:1] == (".endif",) else blocks
            continue
        heading = sections[-1].heading.line if sections else 0
        directive = Directive(words, file, number, next((block for block in blocks if block > heading), 0))
        if words[0] in KINDS:
            name = words[1] if len(words) > 1 and words[1] != "from" else ""
            base = words[words.index("from") + 1] if "from" in words[:-1] else ""
            sections.append(Section(words[0], name, base, directive, ()))
        elif sections:
            last = sections[-1]
            sections[-1] = replace(last, directives=(*last.directives, directive))
        else:
            problems.append(Problem(file, number, f"{words[0]!r} stands before any section"))
    return sections, problems


def tokens(line: str) -> tuple[str, ...]:
    """Return the words of a line, without quotes and comment; variables of the environment stay as written.

    Raises:
        ValueError: a quote does not end.
    """
    words: list[str] = []
    word: str | None = None
    quote = ""
    letters = iter(line.rstrip("\r"))
    for letter in letters:
        if letter == "\\" and quote != "'":
            word = (word or "") + next(letters, "")
        elif quote:
            quote = "" if letter == quote else quote
            word = (word or "") + (letter if quote else "")
        elif letter in "'\"":
            quote, word = letter, word or ""
        elif letter.isspace():
            words += [word] if word is not None else []
            word = None
        elif letter == "#":
            break
        else:
            word = (word or "") + letter
    if quote:
        raise ValueError(f"a quote {quote} does not end on its line")
    return (*words, word) if word is not None else tuple(words)
