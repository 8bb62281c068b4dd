"""What a virtual host of Apache refuses by ``<If>``, ``<Location>`` and ``<LocationMatch>``. Pure.

Of Apache's expressions (httpd, "Expressions in Apache HTTP Server") those about the path are understood: comparisons of
``REQUEST_URI`` and ``THE_REQUEST`` with patterns, joined by ``&&``, ``||``, ``!`` and brackets. Anything else may be so
or not, and so may what follows from it: None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from palpo_installer.proxies.apache.directive import Directive

WORD = re.compile(
    r"""\s*(?:(?P<symbol>\(|\)|&&|\|\||!(?!~|=))
    | (?P<compared>%\{(?P<name>\w+)\}\s*(?P<operator>=~|!~)\s*
        (?:m(?P<mark>[^\s\w])(?P<marked>.*?)(?P=mark)|/(?P<plain>(?:[^/\\]|\\.)*)/)(?P<flags>i?))
    | (?P<constant>true|false)\b
    | (?P<other>(?:"[^"]*"|'[^']*'|%\{[^}]*\}|m?\#[^#]*\#|[^\s()&|!]|[!&|](?![&|(\s%-]))+))""",
    re.VERBOSE,
)

CONDITIONAL = frozenset({"if", "location", "locationmatch"})


@dataclass
class Expression:
    """An expression over what is known of a request: the values of some variables."""

    words: Sequence[re.Match[str]]
    values: Mapping[str, str]
    position: int = field(default=0)

    def any(self) -> bool | None:
        """Return whether one of what ``||`` joins holds."""
        found = [self.every()]
        while self._next("||"):
            found.append(self.every())
        return True if True in found else None if None in found else False

    def every(self) -> bool | None:
        """Return whether all of what ``&&`` joins holds."""
        found = [self.one()]
        while self._next("&&"):
            found.append(self.one())
        return False if False in found else None if None in found else True

    def one(self) -> bool | None:
        """Return whether one comparison, or what is in brackets, holds."""
        if self._next("!"):
            value = self.one()
            return None if value is None else not value
        if self._next("("):
            value = self.any()
            self._next(")")
            return value
        return self._compared()

    def _compared(self) -> bool | None:
        if self.position >= len(self.words):
            return None
        word = self.words[self.position]
        if word["symbol"]:
            return None
        self.position += 1
        if word["constant"]:
            return word["constant"] == "true"
        if not word["compared"]:
            # The other words of a comparison that is not understood belong to it.
            while self.position < len(self.words) and self.words[self.position]["other"]:
                self.position += 1
            return None
        value = self.values.get(word["name"])
        pattern = word["marked"] if word["mark"] else word["plain"]
        try:
            fits = None if value is None else bool(re.search(pattern, value, re.IGNORECASE if word["flags"] else 0))
        except re.error:
            return None
        return fits if fits is None or word["operator"] == "=~" else not fits

    def _next(self, symbol: str) -> bool:
        there = self.position < len(self.words) and self.words[self.position]["symbol"] == symbol
        self.position += there
        return there


def holds(text: str, values: Mapping[str, str]) -> bool | None:
    """Return whether an expression holds, None where that cannot be told."""
    return Expression([match for match in WORD.finditer(text) if match[0].strip()], values).any()


def refused(section: Directive, target: str, path: str) -> bool:
    """Return whether a virtual host refuses a target; ``path`` is it as Apache reads it.

    What cannot be told counts as refused: nothing is said of it.
    """
    values = {"REQUEST_URI": path, "THE_REQUEST": f"GET {target} HTTP/1.1"}
    return _refused_in(section, values)


def _refused_in(section: Directive, values: Mapping[str, str]) -> bool:
    """Return whether a section, or one in it, refuses a request that came as far as it."""
    inner = (each for each in section.block if each.name in CONDITIONAL and _applies(each, values) is not False)
    return any(any(map(_refuses, each.block)) or _refused_in(each, values) for each in inner)


def _refuses(directive: Directive) -> bool:
    words = tuple(word.lower() for word in directive.arguments)
    if directive.name == "redirect":
        return bool(re.fullmatch(r"40[134]|410|gone", words[0] if words else ""))
    return (directive.name, words) in {("require", ("all", "denied")), ("deny", ("from", "all"))}


def _applies(section: Directive, values: Mapping[str, str]) -> bool | None:
    text = section.arguments[-1] if section.arguments else ""
    path = values["REQUEST_URI"]
    if section.name == "if":
        return holds(text, values)
    if section.name == "location" and "~" not in section.arguments[:1]:
        prefix = text.rstrip("/")
        return path == prefix or path.startswith(f"{prefix}/")
    try:
        return re.search(text, path) is not None
    except re.error:
        return None
