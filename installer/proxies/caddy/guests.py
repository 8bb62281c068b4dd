"""Guests: answers of ours for a site that is somebody else's, in a file that one line there imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies import templates
from palpo_installer.proxies.base import File
from palpo_installer.proxies.virtual_hosts import Leaflet, line_with_comment
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
    compact,
)

PLAIN_PATH = re.compile(r"/[A-Za-z0-9._/+=@-]+")
"""Paths that Caddy reads as one word, and not as a pattern or a placeholder."""

UNWRITABLE = re.compile(r"[^\x20-\x7e]|`|\{(?:\$|args|http\.|env\.|file\.|system\.|time\.|vars\.|block)")
"""What would mean something in a text in backticks: its end, or a placeholder of Caddy's."""


@dataclass(frozen=True)
class Answer:
    """What is answered at one path.

    Attributes:
        path: as the client asks for it.
        status: of the answer.
        text: its body; empty for the marker.
        max_age: seconds for which it may be kept, 0 where that is not said.
    """

    path: str
    status: int
    text: str
    max_age: int = 0


def leaflet(guest: Guest, directory: Path) -> Leaflet:
    """Return the file of a guest, for a directory that the Caddyfile does not import.

    Raises:
        RefusedPlan: a word of it cannot be written in a Caddyfile.
    """
    webroot = next((str(route.webroot) for route in guest.routes if isinstance(route, Challenge)), "")
    text = templates.render(
        "caddy-guest.caddy.j2",
        guest=guest,
        answers=tuple(answers(guest.routes)),
        label=f"palpo_installer_{guest.port}",
        webroot=_plain(webroot) if webroot else "",
        challenge=f"^{re.escape(CHALLENGE_PATH)}/[A-Za-z0-9_-]+$",
    )
    (text,), marker = templates.with_marker([text])
    path = directory / f"{guest.name}-{guest.port}.caddy"
    return Leaflet(guest, File(path, text), marker, line_with_comment(guest, line(path)))


def answers(routes: tuple[Route, ...]) -> Iterator[Answer]:
    """Yield what is answered without a file.

    Raises:
        RefusedPlan: a document cannot be written in a Caddyfile.
    """
    for route in routes:
        match route:
            case Marker():
                yield Answer(MARKER_PATH, 204, "")
            case FixedJson(path=path, body=body, max_age=max_age):
                yield Answer(_plain(path), 200, literal(body), max_age)
            case Closed(match=match, refusal=refusal) if match.scope is Scope.EXACT:
                body = compact({"errcode": refusal.errcode, "error": refusal.error})
                yield Answer(_plain(match.path), refusal.status, literal(body))


def line(path: Path) -> str:
    """Return the directive that imports one file, by a pattern: Caddy goes on where there is no such file.

    A pattern may have one wildcard only (caddyfile/parse.go, ``doImport``).
    """
    return f"import {_plain(str(path)[:-1])}?"


def literal(text: str) -> str:
    """Return a text as it stands between backticks.

    Raises:
        RefusedPlan: it holds what Caddy would replace.
    """
    if UNWRITABLE.search(text):
        raise RefusedPlan(f"this text cannot stand in a Caddyfile: {text!r}")
    return text


def _plain(path: str) -> str:
    if not PLAIN_PATH.fullmatch(path):
        raise RefusedPlan("this path cannot stand in a Caddyfile", where=path)
    return path
