"""Reads nginx's files as nginx does, without nginx: ``nginx -t`` and ``nginx -T`` write when nginx is stopped."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

import crossplane
from crossplane.analyzer import DIRECTIVES, NGX_CONF_BLOCK

from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.proxies.found import Problem, ReadFile

READ = frozenset(
    {"listen", "server_name", "ssl_certificate", "ssl_certificate_key", "include", "user", "pid", "error_log"}
)
"""The directives whose arguments we read, beside the blocks they stand in."""


class Statement(TypedDict):
    """A directive as crossplane gives it; ``includes`` are indexes into the documents."""

    directive: str
    line: int
    args: list[str]
    block: NotRequired[list[Statement]]
    includes: NotRequired[list[int]]


class Document(TypedDict):
    """A file as crossplane gives it."""

    file: str
    parsed: list[Statement]


@dataclass(frozen=True)
class Directive:
    """One directive with its place; the directives of an included file follow the ``include``."""

    name: str
    arguments: tuple[str, ...]
    file: Path
    line: int
    block: tuple[Directive, ...] = ()

    def all(self, name: str) -> tuple[Directive, ...]:
        """Return the directives of a name in the block."""
        return tuple(each for each in self.block if each.name == name)


@dataclass(frozen=True)
class Tree:
    """A configuration as written; ``top`` holds its directives in its block."""

    top: Directive
    files: tuple[ReadFile, ...]
    problems: tuple[Problem, ...]


def load(host: Host, main: Path) -> Tree:
    """Read a main file and all it includes. Files that are missing or broken become problems, never errors."""
    payload = crossplane.parse(str(main), onerror=_reason, check_ctx=False)
    documents: list[Document] = payload["config"]
    problems = [
        Problem(Path(error["file"]), error["line"] or 1, error["callback"])
        for error in payload["errors"]
        if _keeps_us_from_reading(error["callback"])
    ]
    files = [ReadFile(path, _digest(host, path)) for path in (Path(each["file"]) for each in documents)]
    top = Directive("", (), main, 1, tuple(_directives(documents, 0, ())))
    return Tree(top, tuple(files), tuple(problems))


def _reason(error: Exception) -> str:
    if isinstance(error, StopIteration):
        return "the file ends in the middle of a directive"
    reason = getattr(error, "strerror", None) or str(error)
    missing = getattr(error, "filename", None) if isinstance(error, OSError) else None
    return f"{missing}: {reason}" if missing else str(reason)


def _keeps_us_from_reading(reason: str) -> bool:
    """Return whether a problem hides something we need.

    Which arguments a directive takes differs between versions of nginx, so that is nginx's to say, but for
    blocks, whose end is lost with them, and for what we read.
    """
    match = re.match(r'invalid (?:number of arguments in|value ".*" in) "(\w+)" directive', reason)
    return match is None or match[1] in READ or any(mask & NGX_CONF_BLOCK for mask in DIRECTIVES.get(match[1], ()))


def _digest(host: Host, path: Path) -> str:
    try:
        data = host.read(path)
    except HostError:
        return ""
    return "" if data is None else hashlib.sha256(data).hexdigest()


def _directives(documents: list[Document], index: int, within: tuple[int, ...]) -> Iterator[Directive]:
    """Yield the directives of a file and of the files it includes, in the order in which nginx reads them."""
    document = documents[index]

    def convert(statements: list[Statement]) -> Iterator[Directive]:
        for each in statements:
            block = tuple(convert(each.get("block", [])))
            yield Directive(each["directive"], tuple(each["args"]), Path(document["file"]), each["line"], block)
            for included in each.get("includes", []):
                # nginx runs out of files where a file includes itself.
                if included not in (*within, index):
                    yield from _directives(documents, included, (*within, index))

    yield from convert(document["parsed"])
