"""Which site answers for a name, by Caddy's own rules, on each socket by itself.

See caddyserver.com, "Caddyfile Concepts", "Addresses", and caddyconfig/httpcaddyfile/httptype.go: sites are tried by
their longest name, those that have one with a ``*`` after the others, and sites for every name last; a ``*`` is exactly
one label.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from palpo_installer.proxies.answering import Answering, By
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.sockets import is_tcp

TERM = "site address"


def answering(servers: Sequence[ServerBlock], name: str, port: int) -> tuple[Answering, ...]:
    """Return who answers for a name on a port: one entry for each site and reason, with its sockets.

    Where no site fits Caddy answers itself, with an empty page: there nobody is found.

    Args:
        servers: the sites in the order of the Caddyfile.
        name: the host name of a request, which is also the one in its TLS handshake.
        port: a TCP port.
    """
    wanted = name.lower().removesuffix(".")
    found: dict[Answering, tuple[tuple[str, int], ...]] = {}
    sockets = ((listen.address, port) for block in servers for listen in block.listens if is_tcp(listen, port))
    for socket in dict.fromkeys(sockets):
        there = [block for block in servers if any((each.address, each.port) == socket for each in block.listens)]
        fitting = ((block, by) for block in sorted(there, key=_rank) if (by := _fits(block, wanted)) is not None)
        block, by = next(fitting, (None, By.DEFAULT))
        if block is not None:
            answer = Answering(block, by, (), TERM)
            found[answer] = (*found.get(answer, ()), socket)
    return tuple(replace(answer, sockets=sockets) for answer, sockets in found.items())


def _rank(block: ServerBlock) -> tuple[bool, bool, int]:
    """Return the place of a site among the others: those without a name last, before them those with a wildcard."""
    longest = max((len(name) - name.count("*") for name in block.names), default=0)
    return not block.names, any("*" in name for name in block.names), -longest


def _fits(block: ServerBlock, name: str) -> By | None:
    if not block.names:
        return By.DEFAULT
    names = [each.lower() for each in block.names]
    if name in names:
        return By.NAME
    return By.WILDCARD if any("*" in each and _expression(each).fullmatch(name) for each in names) else None


def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", "[^.]+"))
