"""Ports for tests, each given out once.

A test that asks the system for a free port and gives it back for a program to use can lose it on the way, to another
test or to any connection that is made meanwhile: the system takes the near end of a connection from the same range.
So these come from below that range, and one file remembers for all tests on the machine which came last.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from contextlib import ExitStack
from itertools import product
from pathlib import Path

FIRST = 10_240
"""The first port that is given out."""

END = 32_768
"""The first one above, where the system takes ports for connections (``ip_local_port_range``)."""

DEMONSTRATION = frozenset({8, 43, 48, 80})
"""Ends of the ports that the demonstration chooses by itself, in the same range."""


def free_ports(number: int) -> list[int]:
    """Return ports that nobody has, for TCP and UDP, on IPv4 and IPv6 loopback."""
    path = Path(tempfile.gettempdir(), f"palpo-test-ports-{os.getuid()}")
    with path.open("a+") as last:
        fcntl.flock(last, fcntl.LOCK_EX)
        last.seek(0)
        port = int(last.read() or FIRST)
        found: list[int] = []
        while len(found) < number:
            port = port + 1 if port + 1 < END else FIRST
            if port % 100 not in DEMONSTRATION and is_free(port):
                found.append(port)
        last.truncate(0)
        last.write(str(port))
    return found


def free_port() -> int:
    """Return a port that nobody has, for TCP and UDP, on IPv4 and IPv6 loopback."""
    (port,) = free_ports(1)
    return port


def is_free(port: int) -> bool:
    """Return whether nobody has a port, for TCP and UDP, on IPv4 and IPv6 loopback."""
    families = [(socket.AF_INET, "127.0.0.1"), *([(socket.AF_INET6, "::1")] if socket.has_dualstack_ipv6() else [])]
    with ExitStack() as stack:
        for (family, address), kind in product(families, (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            tried = stack.enter_context(socket.socket(family, kind))
            if kind == socket.SOCK_STREAM:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((address, port))
            except OSError:
                return False
    return True
