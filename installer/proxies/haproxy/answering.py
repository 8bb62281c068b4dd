"""Which frontend answers for a name: HAProxy has one for each socket, and its rules look at the name, or do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from palpo_installer.proxies.answering import Answering, By
from palpo_installer.proxies.found import Rule, ServerBlock
from palpo_installer.proxies.sockets import is_tcp

TERM = "host rules for"


def answering(servers: Sequence[ServerBlock], name: str, port: int) -> tuple[Answering, ...]:
    """Return who answers for a name on a port: one entry for each frontend and reason, with its sockets.

    A frontend that no rule for this name is known of may have a backend for all names.

    Args:
        servers: the frontends that speak HTTP.
        name: the host name of a request.
        port: a TCP port.
    """
    wanted = name.lower().removesuffix(".")
    found: dict[Answering, tuple[tuple[str, int], ...]] = {}
    sockets = ((listen.address, port) for block in servers for listen in block.listens if is_tcp(listen, port))
    for socket in dict.fromkeys(sockets):
        there = [block for block in servers if any((each.address, each.port) == socket for each in block.listens)]
        answer = Answering(there[0], _by(there[0], wanted), (), TERM)
        found[answer] = (*found.get(answer, ()), socket)
    return tuple(replace(answer, sockets=sockets) for answer, sockets in found.items())


def _by(block: ServerBlock, name: str) -> By:
    names = [each.lower() for each in block.names]
    if name in names or f".{name}" in names:
        return By.NAME
    if any(name.endswith(each.removeprefix("*")) for each in names if each.startswith(("*.", "."))):
        return By.WILDCARD
    return By.ANY if any(map(_for_every_name, block.rules)) else By.DEFAULT


def _for_every_name(rule: Rule) -> bool:
    """Return whether a rule answers without asking for anything."""
    name = rule.name.split()
    answers = name[0] in {"default_backend", "redirect"} or name[1:] in (["return"], ["redirect"])
    return answers and not {"if", "unless"} & set(rule.arguments)
