"""Routes as nginx location blocks, and everything that is quoted for nginx's configuration language.

nginx chooses a location by the decoded path with ``..`` resolved and slashes merged, but passes the target
on as it came. The homeserver reads that target itself: segment by segment, decoding each, resolving
nothing. Where the two readings differ, a target like ``/_palpo/admin/..%2f..%2f_matrix`` is ``/_matrix``
for nginx and an administration path for the homeserver, so ``readings`` gives the second one as patterns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies import words
from palpo_installer.site import (
    CHALLENGE_PATH,
    MARKER_PATH,
    Challenge,
    Closed,
    FixedJson,
    Forward,
    Marker,
    Match,
    Redirect,
    Refusal,
    Route,
    Scope,
)

LONGEST_WORD = 4000
"""nginx refuses words of 4096 bytes and more (ngx_conf_file.c, NGX_CONF_BUFFER)."""


@dataclass(frozen=True)
class Location:
    """One location block.

    Attributes:
        selector: what follows ``location``.
        route: what it does.
        refused: a method that is refused first, None for none.
    """

    selector: str
    route: Route
    refused: Closed | None = None

    @property
    def kind(self) -> str:
        """The name of its route's class."""
        return type(self.route).__name__


def locations(routes: Sequence[Route]) -> tuple[Location, ...]:
    """Return the blocks of a virtual host: the first of those with the same selector is the one.

    Exact documents and challenges win over everything, as ``location =`` and ``^~`` do; the others are
    tried in order.

    Raises:
        RefusedPlan: a path has a character that means something to nginx.
    """
    found: dict[str, Location] = {}
    for number, route in enumerate(routes):
        location = _location(route, routes[number + 1 :])
        found.setdefault(location.selector, location)
    return tuple(found.values())


def _location(route: Route, later: Sequence[Route]) -> Location:
    match route:
        case Marker():
            return Location(f"= {MARKER_PATH}", route)
        case Challenge():
            return Location(f"^~ {CHALLENGE_PATH}/", route)
        case Redirect():
            return Location("/", route)
        case FixedJson(path=path):
            return Location(f"= {bare(path)}", route)
        case Closed(match=match) if match.method:
            return Location(selector(match), _answering(match, later), refused=route)
        case Closed(match=match) | Forward(match=match):
            return Location(selector(match), route)


def _answering(match: Match, later: Sequence[Route]) -> Route:
    """Return what answers the other methods of a path: the next route that covers it."""
    routes = (route for route in later if isinstance(route, Closed | Forward) and not route.match.method)
    return next((route for route in routes if route.match.covers(match)), Closed(Match("/")))


def selector(match: Match) -> str:
    """Return what follows ``location``, for the path as nginx reads it (PCRE, anchored at both ends)."""
    if match.path == "/" and match.scope is Scope.SUBTREE:
        return "/"
    path = "/".join("[^/]+" if part == "*" else re.escape(bare(part)) for part in match.segments)
    return f'~ "^/{path}{"/?$" if match.scope is Scope.EXACT else "(?:/|$)"}"'


def readings(routes: Sequence[Route]) -> tuple[tuple[str, bool], ...]:
    """Return patterns for ``$request_uri`` as the homeserver reads it, each with whether it is passed on.

    The first that fits decides; what none fits is not passed on. Subtrees only: an exact path that holds
    neither ``..`` nor an escaped slash is the same in both readings.
    """
    kept: list[tuple[Match, bool]] = []
    for route in reversed(routes):
        if not isinstance(route, Closed | Forward) or route.match.method or route.match.scope is Scope.EXACT:
            continue
        match, passed = route.match, isinstance(route, Forward)
        touching = ((m, p) for m, p in kept if m.covers(match) or match.covers(m))
        wider, otherwise = next(touching, (Match("/"), False))
        if passed != otherwise or not wider.covers(match):
            kept.insert(0, (match, passed))
    return tuple((f'"~*^{spelled(match)}(?:[/?]|%2f|$)"', passed) for match, passed in kept)


def spelled(match: Match) -> str:
    """Return a pattern for a path with each character plain or as its percent escape, and any number of slashes."""
    written = []
    for part in match.segments:
        letters = (f"(?:{re.escape(letter)}|%{ord(letter):02x})" for letter in bare(part))
        written.append("[^/?]+" if part == "*" else "".join(letters))
    return "".join(f"(?:/|%2f)+{part}" for part in written)


def bare(word: str) -> str:
    """Return a name, path or origin that nginx reads as one word without quotes.

    Raises:
        RefusedPlan: it has a character that means something to nginx.
    """
    return words.bare(word, "an nginx configuration")


def quoted(text: str) -> str:
    """Return a path or other text as one word of nginx's language.

    Raises:
        RefusedPlan: it has a control character, or a ``$``, which nginx would take for a variable.
    """
    if "$" in text or not text.isprintable():
        raise RefusedPlan(
            f"{text!r} cannot stand in an nginx configuration", next="Use a name without $ or line breaks"
        )
    return _fitting('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')


def document(body: str) -> str:
    """Return a JSON document as one word of nginx's language.

    A ``$`` cannot be escaped for nginx, but in JSON it only stands in strings, where it has an escape.

    Raises:
        RefusedPlan: it is no JSON, has line breaks, or is longer than nginx can read.
    """
    escaped = words.one_line(body, "nginx").replace("$", "\\u0024").replace("\\", "\\\\").replace("'", "\\'")
    return _fitting(f"'{escaped}'")


def refusal(refused: Refusal, more: Mapping[str, object] | None = None) -> str:
    """Return a Matrix error (client-server API, "Standard error response") as what follows ``return``."""
    return f"{refused.status} {document(refused.body(more))}"


def _fitting(word: str) -> str:
    if len(word.encode()) > LONGEST_WORD:
        raise RefusedPlan(f"longer than the {LONGEST_WORD} bytes that nginx can read", where=word[:40])
    return word
