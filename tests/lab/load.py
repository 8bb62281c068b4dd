"""Asks a neighbour's site again and again, over fresh connections, until SIGTERM; then prints the counts."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import threading

NAME = "neighbour.example.org"


def answered(address: str, port: int) -> bool:
    """Return whether the neighbour answers as itself."""
    context = ssl._create_unverified_context()
    connection = (
        http.client.HTTPSConnection(address, port, timeout=5, context=context)
        if port == 443
        else http.client.HTTPConnection(address, port, timeout=5)
    )
    try:
        connection.request("GET", "/", headers={"Host": NAME, "Connection": "close"})
        return connection.getresponse().read().startswith(b"the neighbour")
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> None:
    """Ask until told to stop."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    counts = {"requests": 0, "failures": 0}
    while not over.wait(0.02):
        for address, port in (("198.18.0.10", 80), ("fd10::10", 443)):
            counts["requests"] += 1
            counts["failures"] += not answered(address, port)
    print(json.dumps(counts))  # noqa: T201


if __name__ == "__main__":
    main()
