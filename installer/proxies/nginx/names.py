"""The names of server blocks, among those that are there."""

from __future__ import annotations

import re

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.nginx.listens import Neighbours
from palpo_installer.proxies.nginx.locations import bare
from palpo_installer.site import VirtualHost

HASHED_NAME = 46
"""The longest exact name that fits nginx's default ``server_names_hash_bucket_size`` of 64 bytes."""


def refuse_taken_name(host: VirtualHost, neighbours: Neighbours) -> None:
    """Refuse a name that somebody else's server block has on that port.

    nginx ignores the second of two equal names with a warning; ``.example.org`` is ``example.org`` too.
    """
    for neighbour in neighbours.servers_on(host.port):
        if host.name in {name.lower().removeprefix(".") for name in neighbour.names}:
            raise RefusedPlan(
                f"{host.name} already has a site on port {host.port}",
                where=f"{neighbour.file}:{neighbour.line}",
                next="Let this site be switched off for ours (proxy.take_over = true, asked with the delegation), "
                "remove the name there, or, for the server name, keep its website (base_domain = existing)",
            )


def server_name(host: VirtualHost, neighbours: Neighbours) -> str:
    """Return what follows ``server_name``.

    A name too long for nginx's hash of names is written as a pattern, since the size of that hash is set
    once for all sites. Exact and wildcard names win over patterns, and earlier patterns over later ones.

    Raises:
        RefusedPlan: a neighbour's pattern may take the requests for a name that long.
    """
    name = bare(host.name)
    if len(name) <= HASHED_NAME:
        return name
    for neighbour in neighbours.servers_on(host.port):
        for other in neighbour.names:
            if may_take(other.lower(), name):
                raise RefusedPlan(
                    f"{name} is too long for nginx's hash of names, and {other} may take its requests",
                    where=f"{neighbour.file}:{neighbour.line}",
                    next="Use a shorter name, or remove that pattern there",
                )
    return f'"~^{re.escape(name)}$"'


def may_take(pattern: str, name: str) -> bool:
    """Return whether a neighbour's ``server_name`` with a wildcard or a regular expression may take a name."""
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    if pattern.startswith("."):
        return name.endswith(pattern)
    if pattern.endswith(".*"):
        return name.startswith(pattern[:-1])
    return pattern.startswith("~")
