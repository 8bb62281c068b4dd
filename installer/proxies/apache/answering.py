"""Which virtual host answers for a name, by Apache's own rules, on each socket by itself.

See httpd, "An In-Depth Discussion of Virtual Host Matching": of the virtual hosts of an address, those with that very
address before those with any, the first whose ServerName or ServerAlias fits; where none does, the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from palpo_installer.proxies.answering import Answering, By
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.sockets import is_tcp

TERM = "ServerName"


def answering(servers: Sequence[ServerBlock], name: str, port: int) -> tuple[Answering, ...]:
    """Return who answers for a name on a port: one entry for each virtual host and reason, with its sockets.

    Args:
        servers: the virtual hosts in the order in which Apache reads them, each with the sockets at which its own
            addresses are the nearest.
        name: the host name of a request.
        port: a TCP port.
    """
    wanted, found = name.lower().removesuffix("."), dict[Answering, tuple[tuple[str, int], ...]]()
    sockets = ((listen.address, port) for block in servers for listen in block.listens if is_tcp(listen, port))
    for socket in dict.fromkeys(sockets):
        there = [block for block in servers if any((each.address, each.port) == socket for each in block.listens)]
        fitting = ((block, by) for block in there if (by := _fits(block, wanted)) is not None)
        block, by = next(fitting, (there[0], By.DEFAULT))
        answer = Answering(block, by, (), TERM)
        found[answer] = (*found.get(answer, ()), socket)
    return tuple(replace(answer, sockets=sockets) for answer, sockets in found.items())


def _fits(block: ServerBlock, name: str) -> By | None:
    """Return by what a virtual host answers for a name, None where it does not (vhost.c, ``matches_aliases``)."""
    names = [each.lower().removesuffix(".") for each in block.names]
    if name in names:
        return By.NAME
    patterns = (each for each in names if "*" in each or "?" in each)
    return By.WILDCARD if any(_expression(each).fullmatch(name) for each in patterns) else None


def _expression(pattern: str) -> re.Pattern[str]:
    """Return an alias as a regular expression: ``*`` stands for any text, ``?`` for one character."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))
