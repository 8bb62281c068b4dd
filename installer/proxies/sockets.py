"""Sockets as ``listen`` directives name them. Pure, and without anything of what we serve."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping, Sequence

from palpo_installer.proxies.found import Listen

Socket = tuple[str, int]
"""An address and a port, as bound."""


def is_tcp(listen: Listen, port: int) -> bool:
    """Return whether a ``listen`` opens this TCP port (not UDP, not QUIC, not a unix socket)."""
    return listen.port == port and is_address(listen.address) and not {"udp", "quic"} & set(listen.options)


def is_address(text: str) -> bool:
    """Return whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def family(address: str) -> int:
    """Return the address family of an IP address, 4 or 6."""
    return ipaddress.ip_address(address).version


WILDCARDS = {4: "0.0.0.0", 6: "::"}  # noqa: S104


def in_words(socket: Socket) -> str:
    """Return a socket as people write it, an IPv6 address in brackets."""
    address, port = socket
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def reached(sockets: Mapping[Socket, Collection[str]], addresses: Sequence[str]) -> dict[str, Socket]:
    """Return each local address with the socket that takes its connections: a specific one before a wildcard.

    Args:
        sockets: those of one port, each with its options.
        addresses: those of this host.
    """
    taking: dict[str, Socket] = {}
    for socket, options in sorted(sockets.items(), key=lambda each: each[0][0] not in WILDCARDS.values()):
        if socket[0] not in WILDCARDS.values():
            taking[socket[0]] = socket
            continue
        families = {family(socket[0]), *((4,) if "ipv6only=off" in options else ())}
        taking |= {address: socket for address in addresses if family(address) in families}
    return taking
