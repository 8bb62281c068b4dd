"""Ports that another program holds: found before anything is written."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from palpo_installer.answers import Address
from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.listeners import Listener
from palpo_installer.proxies.base import Expectation, Rendering


def refuse_taken_ports(rendering: Rendering, listeners: Sequence[Listener], nginx: int | None) -> None:
    """Check that no other program holds a port that the proxy will need; another nginx is another program.

    Args:
        rendering: what the proxy will listen on.
        listeners: who listens now.
        nginx: the master process of the proxy, None where it is stopped.

    Raises:
        RefusedPlan: one does, with its process, unit or container; nothing is stopped for us.
    """
    needed = (*rendering.plain.expectations, *rendering.secure.expectations)
    for listener in listeners:
        # Without root the owner may be hidden; then only the run itself can tell.
        if not listener.process or listener.pid == nginx:
            continue
        if any(collides(listener, expectation) for expectation in needed):
            where = str(Address(listener.address, listener.port))
            raise RefusedPlan(
                f"is held by {listener.owner}, and nginx needs it",
                where=where,
                next="Free the port yourself, or choose another one: delegation well-known needs 80 and 443 only",
            )


def collides(listener: Listener, expectation: Expectation) -> bool:
    """Return whether a listener keeps the proxy from an address: it has it, or all addresses of its family."""
    if listener.port != expectation.port:
        return False
    bound, wanted = ipaddress.ip_address(listener.address), ipaddress.ip_address(expectation.address)
    if bound.is_unspecified:
        return listener.both_families or bound.version == wanted.version
    return bound == wanted
