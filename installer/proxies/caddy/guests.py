"""Guests: answers of ours for a site that is somebody else's, in a file that one line there imports."""

from __future__ import annotations

import re
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies import templates
from palpo_installer.proxies.base import File
from palpo_installer.proxies.leaflets import Answer, answers, plain
from palpo_installer.proxies.virtual_hosts import Leaflet, line_with_comment
from palpo_installer.site import (
    CHALLENGE_PATH,
    Challenge,
    Guest,
)

TITLE = "Caddy"

UNWRITABLE = re.compile(r"[^\x20-\x7e]|`|\{(?:\$|args|http\.|env\.|file\.|system\.|time\.|vars\.|block)")
"""What would mean something in a text in backticks: its end, or a placeholder of Caddy's."""


def leaflet(guest: Guest, directory: Path) -> Leaflet:
    """Return the file of a guest, for a directory that the Caddyfile does not import.

    Raises:
        RefusedPlan: a word of it cannot be written in a Caddyfile.
    """
    webroot = next((str(route.webroot) for route in guest.routes if isinstance(route, Challenge)), "")
    text = templates.render(
        "caddy-guest.caddy.j2",
        guest=guest,
        answers=written(guest),
        label=f"palpo_installer_{guest.port}",
        webroot=plain(webroot, TITLE) if webroot else "",
        challenge=f"^{re.escape(CHALLENGE_PATH)}/[A-Za-z0-9_-]+$",
    )
    (text,), marker = templates.with_marker([text])
    path = directory / f"{guest.name}-{guest.port}.caddy"
    return Leaflet(guest, File(path, text), marker, line_with_comment(guest, line(path)))


def written(guest: Guest) -> tuple[Answer, ...]:
    """Return what is answered without a file.

    Raises:
        RefusedPlan: a document cannot be written in a Caddyfile.
    """
    return tuple(answers(guest.routes, TITLE, literal))


def line(path: Path) -> str:
    """Return the directive that imports one file, by a pattern: Caddy goes on where there is no such file.

    A pattern may have one wildcard only (caddyfile/parse.go, ``doImport``).
    """
    return f"import {plain(str(path)[:-1], TITLE)}?"


def literal(text: str) -> str:
    """Return a text as it stands between backticks.

    Raises:
        RefusedPlan: it holds what Caddy would replace.
    """
    if UNWRITABLE.search(text):
        raise RefusedPlan(f"this text cannot stand in a Caddyfile: {text!r}")
    return text
