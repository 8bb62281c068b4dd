"""The sockets of our own frontends, and who else has them: two frontends on one address split its traffic."""

from __future__ import annotations

from collections.abc import Sequence

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.proxies.haproxy.configuration import Frontend
from palpo_installer.proxies.sockets import family, is_address, is_tcp

WILDCARDS = {"0.0.0.0": "*", "::": "[::]"}  # noqa: S104 - what a bind says


def addresses(port: int, others: Sequence[Frontend], system: System, layout: Layout) -> tuple[str, ...]:
    """Return the addresses that our frontend of a port binds.

    Raises:
        RefusedPlan: a frontend of somebody else's has the port. Its test would pass, and the kernel would spread
            connections over both.
    """
    for frontend in others:
        listen = next((each for each in frontend.listens if is_tcp(each, port)), None)
        if listen is not None:
            raise in_the_way(frontend, listen.line, port)
    usable = (4, 6) if system.ipv6 else (4,)
    return tuple(address for address in layout.addresses if family(address) in usable)


def in_the_way(frontend: Frontend, line: int, port: int) -> RefusedPlan:
    """Return the refusal of a port that a frontend has, with what can be done."""
    name, heading = frontend.section.name, frontend.section.heading
    if frontend.mode != "http":
        return RefusedPlan(
            f"{frontend.section.kind} {name} passes connections on port {port} on unread (mode {frontend.mode})",
            where=f"{heading.file}:{line}",
            next="Let it listen on other addresses or another port, then plan again",
        )
    return RefusedPlan(
        f"{frontend.section.kind} {name} listens on port {port} already, and two frontends on one port would split its "
        "connections between them",
        where=f"{heading.file}:{line}",
        next=f"Let {name} listen on another port or behind another name's address, or choose another proxy; then plan "
        "again",
    )


def bind(address: str, port: int) -> str:
    """Return what follows ``bind``: each family by itself, so that an IPv4 client is seen as such."""
    written = WILDCARDS.get(address, f"[{address}]" if ":" in address else address)
    return f"{written}:{port}{' v6only' if address == '::' else ''}"


def reached(bound: Sequence[str], system: System) -> tuple[str, ...]:
    """Return every local address at which these take connections."""
    local = dict.fromkeys((*system.addresses, "127.0.0.1", "::1"))
    found: list[str] = []
    for address in bound:
        if address in WILDCARDS:
            found += [each for each in local if is_address(each) and family(each) == family(address)]
        else:
            found.append(address)
    return tuple(dict.fromkeys(found))
