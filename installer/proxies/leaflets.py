"""What a guest answers without a file, for the proxies that answer it in a file of their own kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from palpo_installer.errors import RefusedPlan
from palpo_installer.site import MARKER_PATH, Closed, FixedJson, Marker, Route, Scope

PLAIN_PATH = re.compile(r"/[A-Za-z0-9._/+=@-]+")
"""Paths that every proxy, its patterns and its maps read as one word, and as they are written."""


@dataclass(frozen=True)
class Answer:
    """What is answered at one path.

    Attributes:
        path: as decoded.
        status: of the answer.
        text: its body, as the proxy wants it written; empty for the marker.
        max_age: seconds for which it may be kept, 0 where that is not said.
    """

    path: str
    status: int
    text: str
    max_age: int = 0

    @property
    def pattern(self) -> str:
        """The path as a regular expression."""
        return f"^{re.escape(self.path)}$"


def answers(routes: Iterable[Route], title: str, written: Callable[[str], str]) -> Iterator[Answer]:
    """Yield what is answered without a file.

    Args:
        routes: of the guest.
        title: the proxy's name.
        written: returns a text as it stands in the proxy's file, or refuses it.

    Raises:
        RefusedPlan: a path or a document cannot be written.
    """
    for route in routes:
        match route:
            case Marker():
                yield Answer(MARKER_PATH, 204, "")
            case FixedJson(path=path, body=body, max_age=max_age):
                yield Answer(plain(path, title), 200, written(body), max_age)
            case Closed(match=match, refusal=refusal) if match.scope is Scope.EXACT:
                body = refusal.body()
                yield Answer(plain(match.path, title), refusal.status, written(body))


def plain(path: str, title: str) -> str:
    """Return a path that can be written as it is.

    Raises:
        RefusedPlan: it cannot.
    """
    if not PLAIN_PATH.fullmatch(path):
        raise RefusedPlan(f"this path cannot stand in a configuration of {title}", where=path)
    return path
