"""Words, documents and conditions in a Caddyfile. See caddyserver.com, "Caddyfile Concepts".

Caddy's own matcher ``path`` compares the path decoded, cleaned and in lower case, while it passes targets on as they
came. The homeserver reads a path segment by segment, decodes each, and resolves nothing. So the conditions here are on
the target as it came, each letter plain or as its %xx.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies import words
from palpo_installer.proxies.spelling import DOTS, letters, spelled
from palpo_installer.site import Closed, Match, Refusal, Route, Scope

TARGET = "{http.request.orig_uri}"
"""The target as it came (caddyserver.com, "Conventions", "Placeholders")."""
PATH = "^[^?]*"
"""The beginning of a target as far as its path goes."""
LEGAL = r"^[A-Za-z0-9._~:/@!$&'()*+,;=%\[\]-]*([?]|$)"
"""A path that Caddy passes on as it came: other signs, which no URL may have (RFC 3986), it would escape."""
SLACK = 2**20
"""Bytes above a limit up to which a body is read as far as the limit goes, and then refused.

Behind an answer Caddy reads 256 KiB more of a body, waits for half a second, and ends the connection (Go, net/http): a
client that sends all before it reads would miss the answer. So what is a little too large is taken in first.
"""
ESCAPED = {"{": r"\u007b", "}": r"\u007d", "`": r"\u0060"}
"""Signs that mean something to Caddy even in quotes, as JSON has them in its texts."""


def bare(word: str) -> str:
    """Return a name, path or origin that Caddy reads as one word without quotes.

    Raises:
        RefusedPlan: it has a character that means something to Caddy.
    """
    return words.bare(word, "a Caddyfile")


def quoted(text: str) -> str:
    """Return a text as one word: between backticks only braces can mean something.

    Raises:
        RefusedPlan: it has a backtick, a brace or a control character.
    """
    if not text.isprintable() or set("`{}") & set(text):
        what = f"{text!r} cannot stand in a Caddyfile"
        raise RefusedPlan(what, next="Use a text without braces, backticks and line breaks")
    return f"`{text}`"


def document(body: str) -> str:
    """Return a JSON document as one word, its texts without anything that Caddy would replace.

    Raises:
        RefusedPlan: it is no JSON.
    """
    return f"`{_json(words.parsed(body))}`"


def _json(value: object) -> str:
    match value:
        case dict():
            return "{" + ",".join(f"{_json(key)}:{_json(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_json, value)) + "]"
        case str():
            return "".join(ESCAPED.get(sign, sign) for sign in json.dumps(value))
        case _:
            return json.dumps(value)


def error(refused: Refusal, more: Mapping[str, object] | None = None) -> str:
    """Return a Matrix error (client-server API, "Standard error response") as one word."""
    return document(refused.body(more))


def condition(match: Match) -> tuple[str, ...]:
    """Return the lines of a matcher for these requests, none where every request is one."""
    method = (f"method {bare(match.method)}",) if match.method else ()
    if match.path == "/" and match.scope is Scope.SUBTREE:
        return method
    end = "/?([?]|$)" if match.scope is Scope.EXACT else "(/|%2[fF]|[?]|$)"
    return (*method, matching(f"^{spelled(match, bare)}{end}"))


def literally(path: str) -> tuple[str, ...]:
    """Return the line of a matcher for this very path and nothing else."""
    return (matching(f"^{re.escape(bare(path))}([?]|$)"),)


def misspelled() -> tuple[str, ...]:
    """Return the line of a matcher for paths with signs that no URL may have, and that would not arrive as sent.

    As an expression (CEL): ``vars_regexp`` looks at a target only after what stands in its braces was replaced, be it
    by a header of the client's. Behind this line no path has braces.
    """
    return (f"not expression {_both(LEGAL)}",)


def detours(routes: Sequence[Route]) -> tuple[tuple[tuple[str, ...], Refusal], ...]:
    """Return matchers for paths with ``..`` that lead to a closed one once they are resolved, and what they get."""
    found: dict[tuple[str, ...], Refusal] = {}
    for each in routes:
        if isinstance(each, Closed) and each.match.path != "/":
            method = (f"method {bare(each.match.method)}",) if each.match.method else ()
            parts = "[^?]*".join(letters(bare(part)) for part in each.match.segments if part != "*")
            found[*method, f"expression {_both(PATH + DOTS, PATH + parts)}"] = each.refusal
    return tuple(found.items())


def _both(*patterns: str) -> str:
    """Return a condition that a target matches all of some regular expressions (CEL)."""
    conditions = (f'{TARGET}.matches("{pattern}")'.replace("\\", "\\\\") for pattern in patterns)
    return f"`{' && '.join(conditions)}`"


def matching(pattern: str) -> str:
    """Return the line of a matcher that the target matches a regular expression (Go, "RE2")."""
    return f"vars_regexp {TARGET} {quoted(pattern)}"


def far_above(limit: int) -> str:
    """Return a pattern for lengths well above a limit in bytes: by ``SLACK``, and from there the next round number."""
    least = limit + SLACK
    zeros = len(str(least)) - 2
    leading = -(-least // 10**zeros)
    if leading == 100:
        leading, zeros = 10, zeros + 1
    first, second = divmod(leading, 10)
    begins = [f"{first}[{second}-9]", *([rf"[{first + 1}-9]\d"] if first < 9 else [])]
    rest = r"\d" * zeros
    return rf"^0*(({'|'.join(begins)}){rest}|\d\d{rest}\d+)$"
