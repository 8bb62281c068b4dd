"""Sockets as ``listen`` directives name them. Pure, and without anything of what we serve."""

from __future__ import annotations

import ipaddress

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
