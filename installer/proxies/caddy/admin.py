"""Caddy's admin endpoint, read only. See caddyserver.com, "API"."""

from __future__ import annotations

import http.client
import json
import socket

PATIENCE = 3.0
"""Seconds for an answer on loopback."""


class _UnixConnection(http.client.HTTPConnection):
    """A connection through a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


def running_configuration(address: str) -> object | None:
    """Return the configuration that Caddy runs with, None where its endpoint does not answer.

    Args:
        address: as in the global option ``admin``.
    """
    connection = _connection(address)
    try:
        # Caddy refuses a Host header that is not its own address.
        connection.request("GET", "/config/")
        answer = connection.getresponse()
        data = answer.read()
        return json.loads(data) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _connection(address: str) -> http.client.HTTPConnection:
    if address.startswith("unix/"):
        return _UnixConnection(address.removeprefix("unix/").partition("|")[0])
    host, _, port = address.removeprefix("tcp/").rpartition(":")
    number = int(port) if port.isdigit() else 2019
    return http.client.HTTPConnection(host.strip("[]") or "127.0.0.1", number, timeout=PATIENCE)
