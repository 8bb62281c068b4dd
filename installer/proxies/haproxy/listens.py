"""The sockets of our own frontends."""

from __future__ import annotations

from collections.abc import Sequence

from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.proxies.sockets import family, is_address

WILDCARDS = {"0.0.0.0": "*", "::": "[::]"}  # noqa: S104 - what a bind says


def addresses(system: System, layout: Layout) -> tuple[str, ...]:
    """Return the addresses that a frontend of our own binds."""
    usable = (4, 6) if system.ipv6 else (4,)
    return tuple(address for address in layout.addresses if family(address) in usable)


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
