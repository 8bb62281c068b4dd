"""Words, documents and conditions in HAProxy's configuration language. See its manual, "Quoting and escaping".

HAProxy decides by the path as it came, and passes it on as it came. The homeserver reads it segment by segment, decodes
each, and resolves nothing. So conditions are on the path as the homeserver reads it: each letter plain or as its %xx.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from palpo_installer.errors import RefusedPlan
from palpo_installer.site import Closed, Forward, Match, Refusal, Route, Scope, compact

DOTS = r"(/|%2[fF])(\.|%2[eE])(\.|%2[eE])(/|%2[fF])"
"""A segment ``..`` in any spelling, between two others."""


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
    if not re.fullmatch(r"[A-Za-z0-9._:/\[\]-]+", word):
        what = f"{word!r} cannot stand in HAProxy's configuration"
        raise RefusedPlan(what, next="Use letters, digits, dots and dashes")
    return word


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
    try:
        json.loads(body)
    except ValueError as error:
        raise RefusedPlan(f"not a JSON document: {error}", where=body[:40]) from error
    return quoted(body)


def refusal(refused: Refusal, more: Mapping[str, object] | None = None) -> str:
    """Return a Matrix error (client-server API, "Standard error response")."""
    return compact({"errcode": refused.errcode, "error": refused.error, **(more or {})})


def error(refused: Refusal, more: Mapping[str, object] | None = None) -> str:
    """Return a Matrix error as one word."""
    return document(refusal(refused, more))


def headers(pairs: Sequence[tuple[str, str]]) -> str:
    """Return headers of an answer in the words of ``http-request return``."""
    return " ".join(f"hdr {name} {quoted(value)}" for name, value in pairs)


def condition(match: Match) -> str:
    """Return the condition that a request is one of these, empty where every request is."""
    method = [f"{{ method {bare(match.method)} }}"] if match.method else []
    if match.path == "/" and match.scope is Scope.SUBTREE:
        return " ".join(method)
    end = "/?$" if match.scope is Scope.EXACT else "(/|%2[fF]|$)"
    return " ".join([*method, matching(f"^{spelled(segments(match.path))}{end}")])


def detours(routes: Sequence[Route]) -> tuple[tuple[str, Refusal], ...]:
    """Return conditions for paths with ``..`` that lead to a closed one once they are resolved, and what they get."""
    found = {}
    for each in routes:
        if isinstance(each, Closed) and each.match.path != "/":
            method = f"{{ method {bare(each.match.method)} }} " if each.match.method else ""
            parts = ("".join(map(_letter, bare(part))) for part in segments(each.match.path) if part != "*")
            found[f"{method}{matching(DOTS)} {matching('.*'.join(parts))}"] = each.refusal
    return tuple(found.items())


def shortcuts(routes: Sequence[Route]) -> tuple[tuple[str, Forward], ...]:
    """Return conditions under which a request is passed on whatever the rules for every spelling say, and how.

    They compare strings only, for the path decoded once, and hold for fewer paths than the rules: none with two slashes
    or dots on end, and none with a piece that every path of an earlier route has.
    """
    earlier: list[Match] = []
    found = []
    for route in routes:
        if isinstance(route, Forward) and _is_plain(route):
            pieces = dict.fromkeys(("//", "/..", *(_piece(each) for each in earlier if _meet(each, route.match))))
            begins = f"{{ path,url_dec -m beg {bare(route.match.path)}/ }}"
            found.append((f"{begins} !{{ path,url_dec -m sub {' '.join(pieces)} }}", route))
        if isinstance(route, Closed | Forward):
            earlier.append(route.match)
    return tuple(found)


def _meet(one: Match, other: Match) -> bool:
    """Return whether a path can fit both, as far as their segments say."""
    return all(a == b or "*" in {a, b} for a, b in zip(segments(one.path), segments(other.path), strict=False))


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


def spelled(parts: Sequence[str]) -> str:
    """Return a pattern for segments, each character plain or as its percent escape, after any number of slashes."""
    written = ("[^/?]+" if part == "*" else "".join(map(_letter, bare(part))) for part in parts)
    return "".join(f"(/|%2[fF])+{part}" for part in written)


def segments(path: str) -> tuple[str, ...]:
    """Return the segments of a path."""
    return tuple(part for part in path.split("/") if part)


def _letter(letter: str) -> str:
    code = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{ord(letter):02x}")
    return f"({re.escape(letter)}|%{code})"
