"""Free loopback ports that stay ours until the proxy has them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from palpo_installer.errors import HostError

LOOPBACK = ("127.0.0.1", "::1")
TRIES = 20

Open = Callable[[str, int], socket.socket]
"""Binds a socket to an address and a port, 0 for a free one."""


def usable_addresses() -> tuple[str, ...]:
    """Return the loopback addresses that sockets can be bound to: a host may have no IPv6."""
    usable = []
    for address in LOOPBACK:
        try:
            listening(address, 0).close()
        except OSError:
            continue
        usable.append(address)
    return tuple(usable)


def on_one_port(addresses: Sequence[str], opened: Open) -> tuple[socket.socket, ...]:
    """Return a socket for each address, all on one port that was free.

    Raises:
        HostError: there is none.
    """
    for _ in range(TRIES):
        with ExitStack() as kept:
            first = kept.enter_context(opened(addresses[0], 0))
            port = first.getsockname()[1]
            try:
                others = [kept.enter_context(opened(address, port)) for address in addresses[1:]]
            except OSError:
                continue
            kept.pop_all()
            return (first, *others)
    raise HostError("has no free port", where=" and ".join(addresses))


def listening(address: str, port: int) -> socket.socket:
    """Return a listening socket that can be handed over; it never waits in a call, as nginx expects."""
    opened = socket.create_server((address, port), family=_family(address), backlog=511)
    opened.setblocking(False)
    return opened


def reserving(address: str, port: int) -> socket.socket:
    """Return a socket that keeps a port for a program that opens it itself.

    It is bound and does not listen. Linux gives such a port to nobody who asks for any free one, and to whoever
    names it and sets SO_REUSEADDR too, as servers do (socket(7); ``inet_csk_bind_conflict`` of the kernel).
    """
    opened = socket.socket(_family(address), socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if opened.family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
    except OSError:
        opened.close()
        raise
    return opened


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
