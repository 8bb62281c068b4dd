"""What in somebody else's server block keeps our locations out, or from answering.

How far each rule reaches was tried on nginx 1.22 (tests/lab/test_nginx_conflicts.py). For a template of locations that
are included into such a block it follows:

- ``return`` in a location answers before access is checked, so a location that returns needs nothing against
  ``deny``, ``auth_basic`` and ``auth_request``.
- a location that serves files is not forbidden by what the block or ``http`` says once it has ``allow all;``,
  ``auth_basic off;`` and ``auth_request off;`` of its own (the last one where nginx has that module).
- ``add_header`` of the block is inherited only by a location that has none of its own; ``error_page`` likewise.
- nothing in a location helps against ``ssl_verify_client on``, and against ``return``, ``rewrite`` and ``if`` of the
  block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from palpo_installer.proxies.found import Location, Rule, ServerBlock
from palpo_installer.proxies.nginx.deciding import FOREIGN
from palpo_installer.proxies.nginx.rewriting import Effect, effects, request
from palpo_installer.proxies.virtual_hosts import Conflict
from palpo_installer.site import (
    CHALLENGE_PATH,
    MARKER_PATH,
    Challenge,
    Closed,
    FixedJson,
    Guest,
    Marker,
    Route,
    Scope,
)

TOKEN = "palpo-installer-0123456789-ABCDEFGHIJKLMNOPQRS"  # noqa: S105 - the form of a challenge's name, no secret
"""Stands for the name of a challenge (RFC 8555, section 8.3: base64url)."""


@dataclass(frozen=True)
class _Path:
    """A path of ours: the location's modifier and path, and the path of a request for it."""

    modifier: str
    path: str
    asked: str


def conflicts(guest: Guest, block: ServerBlock) -> tuple[Conflict, ...]:
    """Return everything in a server block that is at odds with the routes of a guest, in the block's own order."""
    found: dict[Conflict, tuple[str, ...]] = {}
    for path in _paths(guest.routes):
        for conflict in (*_same_location(path, block), *_before_locations(path, guest, block)):
            found[conflict] = (*found.get(conflict, ()), path.path)
    found |= dict.fromkeys(_access(guest, block), tuple(path.path for path in _paths(guest.routes)))
    return tuple(replace(conflict, paths=paths) for conflict, paths in found.items())


def _paths(routes: tuple[Route, ...]) -> Iterator[_Path]:
    for route in routes:
        match route:
            case Marker():
                yield _Path("=", MARKER_PATH, MARKER_PATH)
            case Challenge():
                yield _Path("^~", f"{CHALLENGE_PATH}/", f"{CHALLENGE_PATH}/{TOKEN}")
            case FixedJson(path=path):
                yield _Path("=", path, path)
            case Closed(match=match) if match.scope is Scope.EXACT:
                yield _Path("=", match.path, match.path)


def _same_location(path: _Path, block: ServerBlock) -> Iterator[Conflict]:
    """Two exact locations of a path, or two by prefix whatever their modifier, are "duplicate location" to nginx.

    One of each kind goes together, and so does a location inside another one (``ngx_http_join_exact_locations``).
    """
    for location in block.locations:
        if location.path == path.path and _kind(location) == ("=" if path.modifier == "=" else "prefix"):
            written = f"location {location.modifier} {location.path}".replace("  ", " ")
            yield Conflict(
                f"the site has a location of its own for this path ({written}), and nginx refuses a second one",
                f"{location.file}:{location.line}",
                "Remove that location: its answer comes from the included file then",
                (),
            )


def _kind(location: Location) -> str:
    return "prefix" if location.modifier in {"", "^~"} else location.modifier


def _before_locations(path: _Path, guest: Guest, block: ServerBlock) -> Iterator[Conflict]:
    """Yield what answers or moves a request before nginx looks for a location."""
    known = request(guest.name, guest.port, tls=guest.tls, path=path.asked)
    first = block.names[0].lower() if block.names else ""
    known["server_name"] = first.removeprefix("*").removeprefix(".") if not first.startswith("~") else None
    for effect in effects(block.rules, known):
        yield _conflict(effect)


def _conflict(effect: Effect) -> Conflict:
    rule = effect.rule
    deed = "answers every request" if rule.name == "return" else "leads requests away"
    if effect.within:
        deed = "answers requests" if rule.name == "return" else deed
        deed += f" with if ({' '.join(effect.within[-1].arguments)})"
    sure = "" if effect.certain else ", and whether for ours too cannot be read from the file"
    if rule.name == "return" and not effect.within:
        cure = f"Move this line into a location of its own: location / {{ {rule}; }}"
    elif effect.within and effect.certain:
        cure = "Move what is inside the braces, without the condition, into: location / { … }"
    else:
        cure = "Move this line into: location / { … }"
    return Conflict(f"{rule} {deed} before any location is looked for{sure}", rule.where, cure, (), effect.certain,
                    effect.redirect)  # fmt: skip


def _access(guest: Guest, block: ServerBlock) -> Iterator[Conflict]:
    for rule in block.rules:
        if rule.name == "ssl_verify_client" and guest.tls and rule.arguments[:1] == ("on",):
            yield Conflict(
                "the site refuses everybody without a client certificate, before any location",
                rule.where,
                "Write ssl_verify_client optional; here, and in each location of the site: "
                "if ($ssl_client_verify != SUCCESS) { return 403; }",
                (),
            )
        elif rule.name in FOREIGN:
            yield _foreign(rule)


def _foreign(rule: Rule) -> Conflict:
    return Conflict(
        f"{rule.name} applies to every location of the site, ours too, and what it does cannot be read from the file",
        rule.where,
        "Should our paths not answer, take it out of the server block and into the site's own locations",
        (),
        certain=False,
    )
