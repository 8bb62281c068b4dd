"""Guests: answers of ours for a virtual host that is somebody else's, in a file that one line there includes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies import templates
from palpo_installer.proxies.base import File
from palpo_installer.proxies.virtual_hosts import Leaflet
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
"""Paths that Apache, its regular expressions and its expressions in quotes all read as they are written."""

UNWRITABLE = re.compile(r"[^\x20-\x7e]|%\{|\$[0-9{]")
"""What would mean something in a text of Apache's: a variable, or the group of a regular expression."""


@dataclass(frozen=True)
class Answer:
    """What is answered at one path.

    Attributes:
        path: as decoded.
        status: of the answer.
        text: its body, quoted for Apache; empty for the marker.
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


def leaflet(guest: Guest, directory: Path) -> Leaflet:
    """Return the file of a guest, for a directory that Apache does not include.

    Raises:
        RefusedPlan: a word of it cannot be written in Apache's language.
    """
    webroot = next((str(route.webroot) for route in guest.routes if isinstance(route, Challenge)), "")
    text = templates.render(
        "apache-guest.conf.j2",
        guest=guest,
        answers=tuple(answers(guest.routes)),
        webroot=_plain(webroot) if webroot else "",
        challenge=f"^{re.escape(CHALLENGE_PATH)}/([A-Za-z0-9_-]+)$",
        host=re.escape(guest.name),
    )
    (text,), marker = templates.with_marker([text])
    path = directory / f"{guest.name}-{guest.port}.conf"
    return Leaflet(guest, File(path, text), marker, line(path))


def answers(routes: tuple[Route, ...]) -> Iterator[Answer]:
    """Yield what is answered without a file.

    Raises:
        RefusedPlan: a document cannot be written in Apache's language.
    """
    for route in routes:
        match route:
            case Marker():
                yield Answer(MARKER_PATH, 204, "")
            case FixedJson(path=path, body=body, max_age=max_age):
                yield Answer(_plain(path), 200, quoted(body), max_age)
            case Closed(match=match, refusal=refusal) if match.scope is Scope.EXACT:
                body = compact({"errcode": refusal.errcode, "error": refusal.error})
                yield Answer(_plain(match.path), refusal.status, quoted(body))


def line(path: Path) -> str:
    """Return the directive that includes one file, by a pattern: Apache goes on where there is no such file.

    What follows a directive is never a comment to Apache, so that the path alone tells whose the line is.
    """
    return f"IncludeOptional {_plain(str(path.parent))}/{path.name[:-1]}[{path.name[-1]}]"


def quoted(text: str) -> str:
    """Return a text as it stands in the quotes of ``ErrorDocument``, which is an expression (httpd, "Expressions").

    A backslash is read twice: by the configuration, and by the expression.

    Raises:
        RefusedPlan: it holds what Apache would replace.
    """
    if UNWRITABLE.search(text):
        raise RefusedPlan(f"this text cannot stand in a configuration of Apache: {text!r}")
    return text.replace("\\", "\\\\\\\\").replace('"', '\\"')


def _plain(path: str) -> str:
    if not PLAIN_PATH.fullmatch(path):
        raise RefusedPlan("this path cannot stand in a configuration of Apache", where=path)
    return path
