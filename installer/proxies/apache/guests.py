"""Guests: answers of ours for a virtual host that is somebody else's, in a file that one line there includes."""

from __future__ import annotations

import re
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies import templates
from palpo_installer.proxies.base import File
from palpo_installer.proxies.leaflets import answers, plain
from palpo_installer.proxies.virtual_hosts import Leaflet
from palpo_installer.site import (
    CHALLENGE_PATH,
    Challenge,
    Guest,
)

TITLE = "Apache"

UNWRITABLE = re.compile(r"[^\x20-\x7e]|%\{|\$[0-9{]")
"""What would mean something in a text of Apache's: a variable, or the group of a regular expression."""


def leaflet(guest: Guest, directory: Path) -> Leaflet:
    """Return the file of a guest, for a directory that Apache does not include.

    Raises:
        RefusedPlan: a word of it cannot be written in Apache's language.
    """
    webroot = next((str(route.webroot) for route in guest.routes if isinstance(route, Challenge)), "")
    text = templates.render(
        "apache-guest.conf.j2",
        guest=guest,
        answers=tuple(answers(guest.routes, TITLE, quoted)),
        webroot=plain(webroot, TITLE) if webroot else "",
        challenge=f"^{re.escape(CHALLENGE_PATH)}/([A-Za-z0-9_-]+)$",
        host=re.escape(guest.name),
    )
    (text,), marker = templates.with_marker([text])
    path = directory / f"{guest.name}-{guest.port}.conf"
    return Leaflet(guest, File(path, text), marker, line(path))


def line(path: Path) -> str:
    """Return the directive that includes one file, by a pattern: Apache goes on where there is no such file.

    What follows a directive is never a comment to Apache, so that the path alone tells whose the line is.
    """
    return f"IncludeOptional {plain(str(path.parent), TITLE)}/{path.name[:-1]}[{path.name[-1]}]"


def quoted(text: str) -> str:
    """Return a text as it stands in the quotes of ``ErrorDocument``, which is an expression (httpd, "Expressions").

    A backslash is read twice: by the configuration, and by the expression.

    Raises:
        RefusedPlan: it holds what Apache would replace.
    """
    if UNWRITABLE.search(text):
        raise RefusedPlan(f"this text cannot stand in a configuration of Apache: {text!r}")
    return text.replace("\\", "\\\\\\\\").replace('"', '\\"')
