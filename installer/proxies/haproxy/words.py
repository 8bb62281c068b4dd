"""Words, documents and conditions in HAProxy's configuration language. See its manual, "Quoting and escaping".

HAProxy decides by the path as it came, and passes it on as it came. The homeserver reads it segment by segment, decodes
each, and resolves nothing. So conditions are on the path as the homeserver reads it: each letter plain or as its %xx.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palpo_installer.answers import Address
from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies import words
from palpo_installer.proxies.spelling import DOTS, letters, spelled
from palpo_installer.site import Closed, Forward, Match, Refusal, Route, Scope, VirtualHost

CORS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS"),
    ("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization"),
)
"""Scripts of any origin may read what is answered: Matrix clients in browsers need that."""


def bare(word: str) -> str:
    """Return a name, path or origin that HAProxy reads as one word without quotes.

    Raises:
        RefusedPlan: it has a character that means something to HAProxy.
    """
    return words.bare(word, "HAProxy's configuration")


def quoted(text: str) -> str:
    """Return a text as one word: nothing between single quotes means anything.

    Raises:
        RefusedPlan: it has a control character.
    """
    if not text.isprintable():
        what = f"{text!r} cannot stand in HAProxy's configuration"
        raise RefusedPlan(what, next="Use a text without line breaks")
    return "'" + text.replace("'", "'\\''") + "'"


def document(body: str) -> str:
    """Return a JSON document as one word.

    Raises:
        RefusedPlan: it is no JSON, or has line breaks.
    """
    words.parsed(body)
    return quoted(body)


def error(refused: Refusal, more: Mapping[str, object] | None = None) -> str:
    """Return a Matrix error as one word."""
    return document(refused.body(more))


def headers(pairs: Sequence[tuple[str, str]]) -> str:
    """Return headers of an answer in the words of ``http-request return``."""
    return " ".join(f"hdr {name} {quoted(value)}" for name, value in pairs)


def condition(match: Match) -> str:
    """Return the condition that a request is one of these, empty where every request is."""
    method = [f"{{ method {bare(match.method)} }}"] if match.method else []
    if match.path == "/" and match.scope is Scope.SUBTREE:
        return " ".join(method)
    end = "/?$" if match.scope is Scope.EXACT else "(/|%2[fF]|$)"
    return " ".join([*method, matching(f"^{spelled(match, bare)}{end}")])


def detours(routes: Sequence[Route]) -> tuple[tuple[str, Refusal], ...]:
    """Return conditions for paths with ``..`` that lead to a closed one once they are resolved, and what they get."""
    found = {}
    for each in routes:
        if isinstance(each, Closed) and each.match.path != "/":
            method = f"{{ method {bare(each.match.method)} }} " if each.match.method else ""
            parts = (letters(bare(part)) for part in each.match.segments if part != "*")
            found[f"{method}{matching(DOTS)} {matching('.*'.join(parts))}"] = each.refusal
    return tuple(found.items())


@dataclass(frozen=True)
class Shortcut:
    """A condition under which a request is passed on whatever the rules for every spelling say, and where to."""

    condition: str
    upstream: Address


def shortcut(host: VirtualHost) -> Shortcut | None:
    """Return what lets most requests to a name go on at once, None where nothing is passed on as it is.

    It compares strings only, for a name and path as they are usually written, and holds for fewer paths than the rules:
    none that has, decoded once, two slashes or dots on end, or a piece that every path of an earlier route has. A path
    that cannot be decoded (``%zz``) has no such text for HAProxy, and nothing would be found in it: it is none, too.
    """
    earlier: list[Match] = []
    begins: list[str] = []
    pieces = ["//", "/.."]
    plain = [route for route in host.routes if isinstance(route, Forward) and _is_plain(route)]
    for route in host.routes:
        if isinstance(route, Forward) and _is_plain(route) and route.upstream == plain[0].upstream:
            begins += [f"{name}{bare(route.match.path)}/" for name in _written(host)]
            pieces += [_piece(each) for each in earlier if each.meets(route.match)]
        if isinstance(route, Closed | Forward):
            earlier.append(route.match)
    if not begins:
        return None
    without = " ".join(dict.fromkeys(pieces))
    condition = f"{{ base -m beg {' '.join(begins)} }} {{ path,url_dec -m found }} !{{ path,url_dec -m sub {without} }}"
    return Shortcut(condition, plain[0].upstream)


def _written(host: VirtualHost) -> tuple[str, str]:
    """Return what clients write as Host."""
    name = bare(host.name).lower()
    return name, f"{name}:{host.port}"


def _piece(match: Match) -> str:
    """Return what every path that fits has in it, once it is decoded and has no two slashes on end."""
    return bare([piece for piece in match.path.split("*") if piece][-1])


def _is_plain(route: Forward) -> bool:
    """Return whether nothing but the path decides, and nothing is changed or counted on the way."""
    subtree = route.match.scope is Scope.SUBTREE and not route.match.method and "*" not in route.match.path
    return subtree and route.match.path != "/" and not (route.host or route.limit or route.body_limit)


def matching(pattern: str) -> str:
    """Return the condition that a path matches a regular expression (POSIX, as far as HAProxy may have been built)."""
    return f"{{ path -m reg {quoted(pattern)} }}"
