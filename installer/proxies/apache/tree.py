"""Reads Apache's files as Apache does, without Apache: ``apache2ctl -S`` needs a configuration that loads.

What stands in ``<IfModule>``, ``<IfDefine>``, ``<IfVersion>`` and ``<IfFile>`` is read where it applies, as if it stood
in their place, and so is what is included. Every other section is a directive with a block.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.proxies.apache import conditions
from palpo_installer.proxies.apache.directive import Directive
from palpo_installer.proxies.apache.lines import Line, lines, substituted
from palpo_installer.proxies.found import Problem, ReadFile

MAGIC = frozenset("*?[")
DEEPEST = 20
"""How many files may include each other at most (core.c, AP_MAX_INCLUDE_DEPTH is 128)."""

UNREADABLE = {
    "use": "a macro (mod_macro) stands here, and what it makes is not known before Apache runs",
    "<perl": "Perl (mod_perl) makes this part of the configuration, and what it makes is not known",
}


@dataclass(frozen=True)
class Surroundings:
    """What a configuration is read with.

    Attributes:
        server_root: what relative paths start from.
        version: of Apache.
        variables: its environment.
        defines: the names given with ``-D``.
        modules: what is compiled in, e.g. ``core.c``.
        assumed: modules that count as loaded though no line loads them.
    """

    server_root: Path
    version: tuple[int, int, int]
    variables: dict[str, str] = field(default_factory=dict)
    defines: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tree:
    """A configuration as written; ``top`` holds its directives in its block.

    Attributes:
        top: stands for the main file.
        files: every file, in reading order.
        problems: why parts cannot be read.
        loads: the identifiers of the modules that its lines load, e.g. ``ssl_module``, each with the file.
        server_root: as it says, else as it was found with.
        included: the directories that are included as such, with all below them, and not by a pattern.
    """

    top: Directive
    files: tuple[ReadFile, ...]
    problems: tuple[Problem, ...]
    loads: tuple[tuple[str, Path], ...]
    server_root: Path
    included: tuple[Path, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """The identifiers of the modules."""
        return tuple(each for each, _ in self.loads)


def load(host: Host, main: Path, surroundings: Surroundings) -> Tree:
    """Read a main file and all it includes. Files that are missing or broken become problems, never errors."""
    reader = _Reader(host, surroundings)
    block = reader.file(main, optional=False, asked=(main, 1), depth=0)
    return Tree(
        Directive("", (), main, 1, block),
        tuple(reader.files.values()),
        tuple(dict.fromkeys(reader.problems)),
        tuple(reader.loads),
        reader.server_root,
        tuple(dict.fromkeys(reader.included)),
    )


class _Reader:
    """Goes through the files in order; what is loaded and defined counts from its line on."""

    def __init__(self, host: Host, surroundings: Surroundings) -> None:
        self.host = host
        self.server_root = surroundings.server_root
        self.version = surroundings.version
        self.variables = dict(surroundings.variables)
        self.defines = set(surroundings.defines)
        self.loads: list[tuple[str, Path]] = []
        self.known = set(surroundings.modules)
        for each in surroundings.assumed:
            self.known |= conditions.names_of_module(each, "")
        self.files: dict[Path, ReadFile] = {}
        self.problems: list[Problem] = []
        self.included: list[Path] = []

    def file(self, path: Path, *, optional: bool, asked: tuple[Path, int], depth: int) -> tuple[Directive, ...]:
        """Return the directives of a file; ``asked`` is the place that includes it."""
        if depth > DEEPEST:
            self.problems.append(Problem(*asked, f"{path}: files that include each other"))
            return ()
        try:
            data = self.host.read(path)
        except HostError as error:
            self.problems.append(Problem(*asked, f"{path}: {error.what}"))
            return ()
        if data is None:
            if not optional:
                self.problems.append(Problem(*asked, f"{path}: No such file or directory"))
            return ()
        self.files.setdefault(path, ReadFile(path, hashlib.sha256(data).hexdigest()))
        return self._section(path, lines(data.decode(errors="replace")), None, depth)

    def _section(self, path: Path, rest: Iterator[Line], begun: Line | None, depth: int) -> tuple[Directive, ...]:
        """Return the directives up to the end of a section, or of the file."""
        found: list[Directive] = []
        for line in rest:
            if line.name.startswith("</"):
                if begun is None or line.name[2:] != begun.name[1:]:
                    self.problems.append(Problem(path, line.number, f"{line.name}> ends no section"))
                return tuple(found)
            found += self._directive(path, line, rest, depth)
        if begun is not None:
            self.problems.append(Problem(path, begun.number, f"{begun.name}> is not closed"))
        return tuple(found)

    def _directive(self, path: Path, line: Line, rest: Iterator[Line], depth: int) -> tuple[Directive, ...]:
        if line.name in UNREADABLE:
            self.problems.append(Problem(path, line.number, UNREADABLE[line.name]))
        if line.name in {"<macro", "<perl"}:
            _skip(rest, line.name)
            return ()
        if line.name in conditions.SECTIONS:
            return self._conditional(path, line, rest, depth)
        text, missing = substituted(line.rest, self.variables)
        if missing and line.name in {"listen", "include", "<virtualhost", "servername", "serverroot"}:
            self.problems.append(Problem(path, line.number, f"the variable {missing[0]} has no value"))
        arguments = Line(line.number, line.name, text).words
        if line.name.startswith("<"):
            block = self._section(path, rest, line, depth)
            return (Directive(line.name[1:], arguments, path, line.number, block),)
        directive = Directive(line.name, arguments, path, line.number)
        return (directive, *self._obeyed(directive, depth))

    def _obeyed(self, directive: Directive, depth: int) -> tuple[Directive, ...]:
        """Do what a directive tells the reader itself; return what it includes."""
        match directive.name, directive.arguments:
            case "loadmodule", (identifier, source, *_):
                self.loads.append((identifier, directive.file))
                self.known |= conditions.names_of_module(identifier, Path(source).stem)
            case "define", (name, *value):
                self.defines.add(name)
                self.variables |= {name: value[0]} if value else {}
            case "undefine", (name, *_):
                self.defines.discard(name)
            case "serverroot", (root, *_):
                self.server_root = Path(root)
            case ("include" | "includeoptional") as name, (pattern, *_):
                return self._included(directive, pattern, optional=name == "includeoptional", depth=depth)
        return ()

    def _included(self, directive: Directive, pattern: str, *, optional: bool, depth: int) -> tuple[Directive, ...]:
        paths = tuple(self.matching(self.server_root / pattern))
        place = (directive.file, directive.line)
        if not paths and not optional:
            self.problems.append(Problem(*place, f"{self.server_root / pattern}: No such file or directory"))
        return tuple(
            each for path in paths for each in self.file(path, optional=optional, asked=place, depth=depth + 1)
        )

    def matching(self, pattern: Path) -> Iterator[Path]:
        """Yield the files of an include in Apache's order: by name; a directory stands for all below it."""
        found = [Path("/")]
        for part in pattern.parts[1:]:
            if MAGIC & set(part):
                found = [
                    each / name
                    for each in found
                    for name in self.host.names(each)
                    if fnmatchcase(name, part) and name.startswith(".") <= part.startswith(".")
                ]
            else:
                found = [each / part for each in found]
        for path in found:
            yield from self._below(path)

    def _below(self, path: Path) -> Iterator[Path]:
        if path.is_dir():
            self.included.append(path)
            for name in self.host.names(path):
                yield from self._below(path / name)
        elif self.host.status(path) is not None:
            yield path

    def _conditional(self, path: Path, line: Line, rest: Iterator[Line], depth: int) -> tuple[Directive, ...]:
        text = substituted(line.rest, self.variables)[0]
        if not self._applies(Line(line.number, line.name, text)):
            _skip(rest, line.name)
            return ()
        return self._section(path, rest, line, depth)

    def _applies(self, line: Line) -> bool:
        if line.name == "<ifversion":
            return conditions.compares(self.version, line.words)
        return conditions.holds(line.words, lambda wanted: self._given(line.name, wanted))

    def _given(self, name: str, wanted: str) -> bool:
        match name:
            case "<ifmodule":
                return wanted in self.known
            case "<ifdefine":
                return wanted in self.defines
            case _:
                return self.host.status(self.server_root / wanted) is not None


def _skip(rest: Iterator[Line], name: str) -> None:
    """Pass over a section that does not apply."""
    depth = 1
    for line in rest:
        depth += (line.name == name) - (line.name == f"</{name[1:]}")
        if not depth:
            return
