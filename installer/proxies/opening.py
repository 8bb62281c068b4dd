"""Whether a socket can be opened now: the kernel is asked, and nothing listens for that."""

from __future__ import annotations

import socket

from palpo_installer.proxies.found import Listen


def refusal_of(listen: Listen, *, shares: bool = False) -> str:
    """Return why a socket cannot be opened now, empty where it can.

    Args:
        listen: the socket.
        shares: whether the proxy shares its sockets with others of the same user (SO_REUSEPORT, see socket(7)).
    """
    version = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
    try:
        with socket.socket(version, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shares))
            if version == socket.AF_INET6:
                trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int("ipv6only=off" not in listen.options))
            trial.bind((listen.address, listen.port))
    except OSError as error:
        return error.strerror or str(error)
    return ""
