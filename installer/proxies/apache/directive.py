"""One directive of Apache's configuration, with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Directive:
    """One directive with its place; a section has its directives in its block.

    Attributes:
        name: lower case, e.g. ``servername``; of a section without its brackets, e.g. ``virtualhost``.
        arguments: without quotes, variables replaced.
        file: where it stands.
        line: in that file, from 1.
        block: the directives of a section.
    """

    name: str
    arguments: tuple[str, ...]
    file: Path
    line: int
    block: tuple[Directive, ...] = ()

    def all(self, name: str) -> tuple[Directive, ...]:
        """Return the directives of a name directly in the block."""
        return tuple(each for each in self.block if each.name == name)

    def last(self, name: str) -> str:
        """Return the first argument of the last directive of a name directly in the block, empty for none."""
        found = [each.arguments[0] for each in self.all(name) if each.arguments]
        return found[-1] if found else ""

    def within(self, name: str) -> Iterator[Directive]:
        """Yield the directives of a name in the block and in the sections of it, in reading order."""
        for each in self.block:
            if each.name == name:
                yield each
            yield from each.within(name)

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"
