"""Asks the neighbour's site and our client API again and again, over fresh connections, until SIGTERM.

Then prints, as JSON: how often each was asked, how often it did not answer as itself, and for how many seconds at
most it did not.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import sys
import threading
import time

NEIGHBOUR = ("neighbour.example.org", "/", b"the neighbour")
API = (sys.argv[1] if len(sys.argv) > 1 else "matrix.example.com", "/_matrix/client/versions", b'{"versions"')


class Connection(http.client.HTTPSConnection):
    """A connection to an address under a name of its own choice."""

    def __init__(self, address: str, port: int, name: str) -> None:
        super().__init__(address, port, timeout=5)
        self._name = name

    def connect(self) -> None:
        """Connect, with the name in the handshake."""
        context = ssl._create_unverified_context()
        self.sock = context.wrap_socket(socket.create_connection((self.host, self.port), 5), server_hostname=self._name)


def answers(address: str, port: int, name: str, path: str, begins: bytes) -> bool:
    """Return whether a name answers as itself."""
    secure = port == 443
    connection = Connection(address, port, name) if secure else http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": name, "Connection": "close"})
        return connection.getresponse().read().startswith(begins)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> None:
    """Ask until told to stop."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    asked = {
        "neighbour, plain": ("198.18.0.10", 80, *NEIGHBOUR),
        "neighbour, TLS": ("fd10::10", 443, *NEIGHBOUR),
        "client API": ("198.18.0.10", 443, *API),
    }
    counts = {what: {"requests": 0, "failures": 0, "dark": 0.0} for what in asked}
    good = dict.fromkeys(asked, time.monotonic())
    print("asking", flush=True)  # noqa: T201
    while not over.wait(0.01):
        for what, question in asked.items():
            count, right = counts[what], answers(*question)
            count["requests"] += 1
            count["failures"] += not right
            if right:
                good[what] = time.monotonic()
            else:
                count["dark"] = max(count["dark"], time.monotonic() - good[what])
    print(json.dumps(counts))  # noqa: T201


if __name__ == "__main__":
    main()
