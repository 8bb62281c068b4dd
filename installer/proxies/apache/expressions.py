"""Routes as conditions of Apache's expressions, and everything that is quoted for its configuration language.

Apache reads a target with ``..`` resolved, slashes merged and all escapes decoded, and passes it on as it came. The
homeserver reads that target itself: segment by segment, decoding each, resolving nothing. Only what both readings
pass on is passed on. See httpd, "Expressions in Apache HTTP Server".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies import words
from palpo_installer.site import Closed, Forward, Match, Refusal, Route, Scope

ORIGIN = "(?:https?://[^/?]+)?"
"""What a target in absolute form has before its path (RFC 9112, section 3.2.2)."""

LONGEST_LINE = 8000
"""Apache refuses lines of 8192 bytes and more (httpd.h, MAX_STRING_LEN)."""

PLAIN = "(?:[A-Za-z0-9_!$@:=~/-]++|(?<!/)[.])"
"""Some of a path that no reader decodes, resolves or cuts."""

NEVER = "false"
NOTHING_FITS = "(?!)"


def passed_on(routes: Sequence[Route]) -> str:
    """Return the condition under which a request is passed on: by Apache's reading and by the homeserver's."""
    return f"({_first_match(routes, here)}) && ({_first_match(_subtrees(routes), there)})"


def _first_match(routes: Iterable[Route], reading: Callable[[Match], str]) -> str:
    """Return whether the first route that fits a request is one that passes it on; without methods."""
    condition = NEVER
    # Each expression costs time on every request: what a following route passes on anyway needs none of its own.
    following: list[Match] = []
    for route in reversed([each for each in routes if isinstance(each, Closed | Forward)]):
        if route.match.method or route.match == Match("/"):
            continue
        if isinstance(route, Closed):
            following.clear()
        elif any(each.covers(route.match) for each in following):
            continue
        else:
            following.append(route.match)
        fits = reading(route.match)
        if isinstance(route, Forward):
            condition = fits if condition == NEVER else f"{fits} || ({condition})"
        elif condition != NEVER:
            condition = f"!({fits}) && ({condition})"
    return condition


def _subtrees(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Return the routes that count for the homeserver's reading.

    Of an exact path that holds neither ``..`` nor an escaped slash both readings are the same, and others are part of
    a subtree.
    """
    return tuple(each for each in routes if isinstance(each, Closed | Forward) and each.match.scope is not Scope.EXACT)


def usual(routes: Sequence[Route]) -> str:
    """Return the pattern of paths, as they came, that are passed on like most whatever is asked about them.

    It fits fewer targets than ``passed_on``: below a path that is passed on like everything else, of characters
    that have one reading, without segments that begin with a dot, and below no path of an earlier route that is
    answered here or passed on otherwise. Such a target is the same for Apache and for the homeserver, or has slashes
    more. The pattern never goes back where it need not: that would cost as much as the rest.
    """
    most = next((each for each in reversed(routes) if isinstance(each, Forward)), None)
    earlier: list[Match] = []
    begins = []
    for route in routes:
        if not isinstance(route, Closed | Forward):
            continue
        if isinstance(route, Closed) or most is None or not _passed_on_alike(route, most):
            earlier.append(route.match)
        elif _is_plain(route.match):
            others = [each for each in earlier if each.meets(route.match)]
            if all(len(each.segments) > len(route.match.segments) for each in others):
                begins.append(_plainly(route.match, others))
    return f"^(?:{'|'.join(begins)})(?:/{PLAIN}*+)?$" if begins else NOTHING_FITS


def _passed_on_alike(route: Forward, most: Forward) -> bool:
    """Return whether two routes say the same about a request, as far as Apache can tell clients apart."""
    return (route.upstream, route.host, route.body_limit) == (most.upstream, most.host, most.body_limit)


def _is_plain(match: Match) -> bool:
    """Return whether nothing but the beginning of a path decides."""
    return match.scope is Scope.SUBTREE and not match.method and "*" not in match.path and match.path != "/"


def _plainly(match: Match, others: Iterable[Match]) -> str:
    """Return the pattern of a beginning, where what follows is not the rest of another path."""
    beginning = match.segments
    closed = []
    for other in others:
        rest = other.segments[len(beginning) :]
        letters = ("[^/]++" if part == "*" else _without_backslashes(re.escape(bare(part))) for part in rest)
        end = "/*+$" if other.scope is Scope.EXACT else "(?:/|$)"
        closed.append("".join(f"/++{each}" for each in letters) + end)
    return "".join(f"/{_without_backslashes(re.escape(bare(part)))}" for part in beginning) + (
        f"(?!(?i:{'|'.join(closed)}))" if closed else ""
    )


def refused(route: Closed, earlier: Sequence[Route]) -> str:
    """Return the condition under which a route answers itself, those before it left out that also fit."""
    method = f"%{{REQUEST_METHOD}} == '{bare(route.match.method)}' && " if route.match.method else ""
    condition = f"{method}{here(route.match)}"
    before = [
        here(each.match)
        for each in earlier
        if isinstance(each, Closed | Forward) and not each.match.method and each.match.covers(route.match)
    ]
    return " && ".join([condition, *(f"!({each})" for each in before)])


def misread(match: Match) -> str:
    """Return whether a target fits for Apache, and not as it came: it could not be passed on unaltered."""
    pattern = spelled(match)
    return f"%{{REQUEST_URI}} =~ m#^{pattern}#i && !(%{{THE_REQUEST}} =~ m#^[^ ]+ {ORIGIN}{pattern}#i)"


def here(match: Match) -> str:
    """Return whether a request fits, for the path as Apache reads it."""
    if match.path == "/":
        return "true"
    path = "/".join("[^/]+" if part == "*" else re.escape(bare(part)) for part in match.segments)
    return f"%{{REQUEST_URI}} =~ m#^/{_without_backslashes(path)}{'/?$' if match.scope is Scope.EXACT else '(?:/|$)'}#"


def there(match: Match) -> str:
    """Return whether a request fits, for the target as the homeserver reads it."""
    return f"%{{THE_REQUEST}} =~ m#^[^ ]+ {ORIGIN}{spelled(match)}#i"


def spelled(match: Match) -> str:
    """Return a pattern for a path with each character plain or as its percent escape, and any number of slashes."""
    written = []
    for part in match.segments:
        letters = (f"(?:{_without_backslashes(re.escape(each))}|%{ord(each):02x})" for each in bare(part))
        written.append("[^/?]+" if part == "*" else "".join(letters))
    return "".join(f"(?:/|%2f)+{part}" for part in written) + "(?:[/? ]|%2f|$)"


def told_apart(match: Match) -> str:
    """Return the pattern of what is passed on apart, the target behind its first slash as the only group.

    That slash is part of the upstream's address: Apache keeps connections only where the address has a path (AH10400).
    """
    return f"(?i)^{ORIGIN}/((?:/|%2f)*{spelled(match).removeprefix('(?:/|%2f)+')}.*)$"


def _without_backslashes(pattern: str) -> str:
    r"""Return a pattern with ``[.]`` for ``\.``: in quotes, a backslash is read by more than one reader."""
    return re.sub(r"\\(.)", r"[\1]", pattern)


def exactly(path: str) -> str:
    """Return the pattern of one path for ``<LocationMatch>``."""
    return f"^{_without_backslashes(re.escape(bare(path)))}$"


def bare(word: str) -> str:
    """Return a name, path or origin that Apache reads as one word without quotes.

    Raises:
        RefusedPlan: it has a character that means something to Apache.
    """
    return words.bare(word, "an Apache configuration")


def quoted(text: str) -> str:
    """Return a path or other text as one word of Apache's language.

    Raises:
        RefusedPlan: it has line breaks, or ``${``, which Apache would replace by a variable.
    """
    if not text.isprintable() or "${" in text or "%{" in text:
        raise RefusedPlan(
            f"{text!r} cannot stand in an Apache configuration", next="Use a name without ${, %{ or line breaks"
        )
    word = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if len(word.encode()) > LONGEST_LINE:
        raise RefusedPlan(f"longer than the {LONGEST_LINE} bytes that Apache can read", where=text[:40])
    return word


def document(body: str) -> str:
    r"""Return a JSON document as the text of an ``ErrorDocument``, which Apache reads as an expression.

    There ``%{`` begins a variable, ``$1`` is a match, and a backslash escapes. In JSON they only stand in strings,
    where the first two have other spellings.

    Raises:
        RefusedPlan: it is no JSON, has line breaks, or is longer than Apache can read.
    """
    return quoted(words.one_line(body, "Apache").replace("$", "\\u0024").replace("%", "\\u0025").replace("\\", "\\\\"))


def refusal(answer: Refusal) -> str:
    """Return a Matrix error (client-server API, "Standard error response") as the text of an ``ErrorDocument``."""
    return document(answer.body())
