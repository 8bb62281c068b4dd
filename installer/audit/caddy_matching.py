"""Which requests a matcher of Caddy fits. Pure.

See caddyserver.com, "Request Matchers". A request is that of a stranger: a plain GET over TLS. What a matcher says of
other things than path and target may be so or not, and then so may what follows from it: None.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from posixpath import normpath
from urllib.parse import unquote

from palpo_installer.proxies.caddy.tree import Segment

TARGETS = frozenset({"http.request.orig_uri", "http.request.uri", "uri", "orig_uri"})
"""Placeholders that stand for the target as it came, as long as nothing rewrites it."""

EXPRESSED = re.compile(r'(?P<not>!\s*)?\{(?P<name>[\w.]+)\}\.matches\("(?P<pattern>(?:[^"\\]|\\.)*)"\)')
"""A condition of an ``expression`` about a placeholder."""


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        target: as it came, path and query.
        path: decoded, with dots resolved and slashes merged, as ``path`` compares it.
        names: those of the site that it is for.
    """

    target: str
    path: str
    names: tuple[str, ...] = ()


def request(target: str, names: tuple[str, ...] = ()) -> Request:
    """Return the request for a target."""
    path = unquote(target.partition("?")[0])
    cleaned = re.sub("^//+", "/", normpath(path))
    return Request(target, f"{cleaned}/" if path.endswith("/") and cleaned != "/" else cleaned, names)


@dataclass(frozen=True)
class Matchers:
    """The named matchers of a site, by name with its ``@``."""

    named: Mapping[str, Segment]

    def fits(self, directive: Segment, asked: Request) -> bool | None:
        """Return whether a directive is for a request, None where that cannot be told."""
        word = directive.arguments[0] if directive.arguments else ""
        if word.startswith("/"):
            return fits_path(word, asked.path)
        if word in self.named:
            return self._set(self.named[word], asked)
        return None if word.startswith("@") else True

    def is_for_some(self, directive: Segment) -> bool:
        """Return whether a directive has a matcher that leaves requests out."""
        word = directive.arguments[0] if directive.arguments else ""
        return word.startswith(("/", "@")) and word not in {"/", "/*"}

    def specificity(self, directive: Segment) -> tuple[int, int]:
        """Return how early Caddy asks a directive among those of its name: the longest path first."""
        word = directive.arguments[0] if directive.arguments else ""
        written = list(_lines(self.named[word])) if word in self.named else []
        paths = [word] if word.startswith("/") else []
        if len(written) == 1 and written[0].name == "path" and len(written[0].arguments) == 1:
            paths = list(written[0].arguments)
        return (0 if word.startswith(("/", "@")) else 1, -len(paths[0].rstrip("*")) if paths else 0)

    def _set(self, defined: Segment, asked: Request) -> bool | None:
        """Return whether all that a matcher says is so."""
        groups: dict[object, list[Segment]] = {}
        for number, each in enumerate(_lines(defined)):
            groups.setdefault(each.name if each.name in {"path", "host", "method"} else number, []).append(each)
        return _all(self._one(lines, asked) for lines in groups.values())

    def _one(self, lines: Sequence[Segment], asked: Request) -> bool | None:
        words = tuple(word for line in lines for word in line.arguments)
        fits: bool | None = None
        match lines[0].name:
            case "path":
                fits = any(fits_path(word, asked.path) for word in words)
            case "path_regexp" if words:
                fits = _found(words[-1], asked.path)
            case "vars_regexp" if len(words) > 1 and words[-2].strip("{}") in TARGETS:
                fits = _found(words[-1], asked.target)
            case "method":
                fits = "GET" in {word.upper() for word in words}
            case "header" | "header_regexp" | "query" if words:
                fits = words[0].startswith("!")
            case "remote_ip" | "client_ip":
                fits = False
            case "protocol" if words[:1] in {("https",), ("http",)}:
                fits = words[0] == "https"
            case "host":
                fits = any(word.lower() in asked.names for word in words)
            case "not":
                inner = self._set(lines[0], asked)
                fits = None if inner is None else not inner
            case "expression":
                fits = _expressed(" ".join(words), asked)
        return fits


def _lines(defined: Segment) -> Iterator[Segment]:
    """Yield what a named matcher, or a ``not``, consists of: in braces, or behind it on the line."""
    if defined.braced:
        yield from defined.block
    elif len(defined.arguments) == 1 and not re.fullmatch(r"\w+", defined.arguments[0]):
        yield Segment(("expression", *defined.arguments), defined.file, defined.line)
    elif defined.arguments:
        yield Segment(defined.arguments, defined.file, defined.line)


def fits_path(pattern: str, path: str) -> bool:
    """Return whether a pattern of ``path`` fits: without regard to case, ``*`` at its ends for anything."""
    pattern, path = pattern.lower(), path.lower()
    middle = pattern.strip("*")
    if "*" in middle or middle == "":
        parts = (re.escape(part) for part in pattern.split("*"))
        return middle == "" or re.fullmatch("[^/]*".join(parts), path) is not None
    if pattern.startswith("*"):
        return middle in path if pattern.endswith("*") else path.endswith(middle)
    return path.startswith(middle) if pattern.endswith("*") else path == pattern


def _found(pattern: str, text: str) -> bool | None:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return None


def _expressed(text: str, asked: Request) -> bool | None:
    """Return whether an expression holds, where it is of conditions on the target, all of which must hold."""
    found: list[bool | None] = []
    for part in text.strip("`").split("&&"):
        match = EXPRESSED.fullmatch(part.strip())
        if match is None or match["name"] not in TARGETS:
            found.append(None)
            continue
        fits = _found(match["pattern"].replace("\\\\", "\\"), asked.target)
        found.append(fits if fits is None or not match["not"] else not fits)
    return _all(found)


def _all(values: Iterable[bool | None]) -> bool | None:
    found = list(values)
    return False if False in found else None if None in found else True
