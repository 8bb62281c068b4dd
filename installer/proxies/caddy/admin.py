"""Caddy's admin endpoint. See caddyserver.com, "API"."""

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
        self.sock.settimeout(self.timeout)
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


def load(address: str, document: object, patience: float) -> str:
    """Let Caddy run with a configuration, and return why it does not, empty where it does.

    Args:
        address: as in the global option ``admin``.
        document: the configuration.
        patience: seconds for an answer.
    """
    connection = _connection(address)
    connection.timeout = patience
    try:
        connection.request("POST", "/load", json.dumps(document), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    if answer.status == http.HTTPStatus.OK:
        return ""
    try:
        return str(json.loads(said)["error"])
    except (ValueError, LookupError, TypeError):
        return said.strip() or f"status {answer.status}"


def _connection(address: str) -> http.client.HTTPConnection:
    if address.startswith("unix/"):
        return _UnixConnection(address.removeprefix("unix/").partition("|")[0])
    host, _, port = address.removeprefix("tcp/").rpartition(":")
    number = int(port) if port.isdigit() else 2019
    return http.client.HTTPConnection(host.strip("[]") or "127.0.0.1", number, timeout=PATIENCE)
