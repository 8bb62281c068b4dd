"""What in somebody else's site keeps our answers out.

How far each directive reaches was tried on Caddy 2.6.2 (tests/lab/test_caddy_guests.py). Ours are in ``handle``, which
is before all that answers but these (caddyserver.com, "Caddyfile Directives", "Directive order"):

- ``redir``, ``basicauth`` (``basic_auth`` since 2.8) and ``forward_auth`` come before; without a matcher, or with one
  that takes our paths, they answer instead.
- ``header`` of the site is carried out before ours, which replaces what it sets; only where it is deferred it comes
  last.
- the global option ``order``, ``invoke`` and directives of plugins may come before ours as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.proxies.caddy.tree import Segment
from palpo_installer.proxies.virtual_hosts import Conflict
from palpo_installer.site import CHALLENGE_PATH, MARKER_PATH, Challenge, Closed, FixedJson, Guest

BEFORE = {
    "redir": "leads requests away",
    "basicauth": "asks for a password",
    "basic_auth": "asks for a password",
    "forward_auth": "asks another place whether to answer",
}
"""What comes before ``handle`` and may answer instead."""

FOREIGN = frozenset(
    {"invoke", "authorize", "authenticate", "rate_limit", "crowdsec", "coraza_waf", "jwtauth", "geoblock"}
)
"""What may, and cannot be judged here."""

ORIGIN = "access-control-allow-origin"


def conflicts(guest: Guest, site: Segment, options: Segment | None) -> tuple[Conflict, ...]:
    """Return everything in a site that is at odds with the answers of a guest.

    Args:
        guest: what is answered.
        site: the site, without what our own file brought into it.
        options: the global options, None where there are none.
    """
    paths = tuple(dict.fromkeys(_paths(guest)))
    return (
        *(_clients(site, paths) if guest.tls else ()),
        *(found for each in site.block if (found := _of(each, paths)) is not None),
        *_ordered(options, paths),
    )


def _paths(guest: Guest) -> Iterator[str]:
    yield MARKER_PATH
    for route in guest.routes:
        match route:
            case FixedJson(path=path):
                yield path
            case Closed(match=match):
                yield match.path
            case Challenge():
                yield f"{CHALLENGE_PATH}/"


def _of(directive: Segment, paths: tuple[str, ...]) -> Conflict | None:
    where = f"{directive.file}:{directive.line}"
    written = " ".join(directive.words)
    if directive.name == "header":
        return _header(directive, where, paths)
    if directive.name not in BEFORE.keys() | FOREIGN:
        return None
    taken, sure = _taken(directive.arguments, paths)
    if not taken:
        return None
    certain = sure and directive.name in BEFORE
    block = " { … }" if directive.block else ""
    deed = BEFORE.get(directive.name, "may answer requests")
    doubt = "" if certain else ", and whether for ours too cannot be read from the file"
    return Conflict(
        f"{written} {deed} before ours are looked at{doubt}",
        where,
        f"Move it, with all that belongs to it, into a block of its own: handle {{ {written}{block} … }}",
        taken,
        certain,
        next((each for each in directive.arguments if "://" in each), "") if directive.name == "redir" else "",
    )


def _taken(arguments: tuple[str, ...], paths: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Return the paths that a directive takes by its matcher, and whether that is sure.

    Without a matcher it takes all; a path may have a ``*`` at either end (caddyserver.com, "Request Matchers").
    """
    matcher = arguments[0] if arguments else ""
    if matcher.startswith("@"):
        return paths, False
    if not matcher.startswith("/"):
        return paths, True
    wanted = matcher.lower()
    if wanted.endswith("*") and "*" not in wanted[:-1]:
        return tuple(path for path in paths if path.startswith(wanted[:-1])), True
    return (paths, False) if "*" in wanted else (tuple(path for path in paths if path == wanted), True)


def _header(directive: Segment, where: str, paths: tuple[str, ...]) -> Conflict | None:
    """Return that a header of the site comes after ours, None where it does not."""
    rows = [directive.arguments, *(each.words for each in directive.block)]
    named = any(word.strip("+-?>").lower() == ORIGIN for row in rows for word in row)
    deferred = any(each.name == "defer" for each in directive.block) or any(
        word.startswith(">") for row in rows for word in row
    )
    if not named or not deferred:
        return None
    return Conflict(
        "this header replaces ours at the end, and scripts of other origins may not read our answers then",
        where,
        "Take Access-Control-Allow-Origin out of it, or leave out defer",
        paths,
        certain=False,
    )


def _clients(site: Segment, paths: tuple[str, ...]) -> Iterator[Conflict]:
    for client in (found for tls in site.all("tls") for found in tls.all("client_auth")):
        modes = [each.arguments[:1] for each in client.all("mode")] or [("require_and_verify",)]
        if modes[-1] in {("require",), ("require_and_verify",)}:
            yield Conflict(
                "the site refuses everybody without a client certificate, before any path is looked at",
                f"{client.file}:{client.line}",
                "Write mode verify_if_given, and let the site's own handle refuse whoever gives none",
                paths,
            )


def _ordered(options: Segment | None, paths: tuple[str, ...]) -> Iterator[Conflict]:
    for each in options.all("order") if options else ():
        if "first" in each.arguments or {"before", "handle"} <= set(each.arguments):
            yield Conflict(
                f"{' '.join(each.words)} puts a directive before ours in every site",
                f"{each.file}:{each.line}",
                "Should our paths not answer, give that directive another place, or a matcher that leaves them out",
                paths,
                certain=False,
            )
