"""Guests: locations of ours for a server block that is somebody else's, in a file that one line there includes."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.layout import Layout
from palpo_installer.proxies import templates
from palpo_installer.proxies.base import File
from palpo_installer.proxies.nginx import locations
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.tree import Directive
from palpo_installer.proxies.virtual_hosts import Leaflet, line_with_comment
from palpo_installer.site import Guest

DIRECTORY = "palpo-installer"

HEADER_INHERIT = (1, 29, 3)
"""From here on a server block can have its headers merged into those of its locations (``add_header_inherit``)."""


def leaflet(guest: Guest, directory: Path, nginx: Nginx) -> Leaflet:
    """Return the file of a guest, for a directory that nginx does not include.

    Raises:
        RefusedPlan: a word of it cannot be written in nginx's language.
    """
    text = templates.render(
        "nginx-guest.conf.j2",
        guest=guest,
        locations=locations.locations(guest.routes),
        header_inherit=nginx.version >= HEADER_INHERIT,
        sub_filter="http_sub_module" in nginx.modules,
        auth_request="http_auth_request_module" in nginx.modules,
        bare=locations.bare,
        quoted=locations.quoted,
        document=locations.document,
        refusal=locations.refusal,
    )
    (text,), marker = templates.with_marker([text])
    name = f"{locations.bare(guest.name)}-{guest.port}.conf"
    path = directory / name
    return Leaflet(guest, File(path, text), marker, line_with_comment(guest, line(path)))


def included(path: Path) -> Path:
    """Return what a line in a site includes to include one file: a pattern for it.

    nginx goes on without the file of a pattern, and would not start without one that is named outright. So a site
    lives whatever becomes of our file.
    """
    return path.with_name(f"{path.name[:-1]}[{path.name[-1]}]")


def line(path: Path) -> str:
    """Return the directive that includes one file."""
    return f"include {included(path)};"


def includes(include: Directive, path: Path, folder: Path) -> bool:
    """Return whether an ``include`` loads a file; relative names are relative to ``folder``."""
    return any(_loads(_full(argument, folder), path) for argument in include.arguments)


def directories(folder: Path, layout: Layout) -> tuple[Path, ...]:
    """Return where files of guests may lie, the usual place first; ``folder`` is that of the main file."""
    return folder / DIRECTORY, layout.etc / "nginx"


def directory(top: Directive, layout: Layout) -> Path:
    """Return a directory for our files that no ``include`` of the configuration loads by itself.

    Args:
        top: the whole configuration.
        layout: for a second choice, where an include reaches below nginx's own directory.

    Raises:
        RefusedPlan: there is none.
    """
    folder = top.file.parent
    patterns = [_full(argument, folder) for include in _includes(top) for argument in include.arguments]
    for place in directories(folder, layout):
        # Stands for every file there; a line of ours includes a single one, by its name.
        if not any(_loads(pattern, place / "any-443.conf") for pattern in patterns):
            return place
    raise RefusedPlan(
        "nginx includes every directory that a file of ours could lie in",
        where=str(top.file),
        next=f"Let no include of nginx load {folder / DIRECTORY}/*.conf",
    )


def _includes(block: Directive) -> Iterator[Directive]:
    for each in block.block:
        if each.name == "include":
            yield each
        yield from _includes(each)


def _full(argument: str, folder: Path) -> str:
    return os.path.normpath(folder / argument)


def _loads(pattern: str, path: Path) -> bool:
    """Return whether a pattern loads a path: like glob(3), ``*`` stops at a slash and takes no leading dot."""
    parts = Path(pattern).parts
    return len(parts) == len(path.parts) and all(map(fnmatch.fnmatchcase, path.parts, parts))
