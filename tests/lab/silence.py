"""Asks the client API over fresh connections until SIGTERM, then says how long nobody answered it, in seconds."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import sys
import time
from pathlib import Path

TARGET = "/_matrix/client/versions"
PAUSE = 0.005
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE
"""Made once, and without the authorities of the system: to read those takes longer than many requests."""

AT_ONCE = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""A request does not wait until the end of the handshake is acknowledged, for which Caddy takes 40 ms."""


def answers(name: str) -> bool:
    """Return whether a request over a fresh connection is answered by the homeserver."""
    try:
        with socket.create_connection(("198.18.0.10", 443), 5) as plain:
            plain.setsockopt(*AT_ONCE)
            with CONTEXT.wrap_socket(plain, server_hostname=name) as secure:
                secure.sendall(f"GET {TARGET} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
                return secure.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False


def main() -> None:
    """Ask."""
    asked = failed = 0
    longest, last = 0.0, time.monotonic()
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    Path("/run/silence.pid").write_text(str(os.getpid()))
    while not stopped:
        asked += 1
        if answers(sys.argv[1]):
            now = time.monotonic()
            longest, last = max(longest, now - last), now
            if asked == 1:
                sys.stdout.write("asking\n")
                sys.stdout.flush()
        else:
            failed += 1
        time.sleep(PAUSE)
    longest = max(longest, time.monotonic() - last)
    sys.stdout.write(json.dumps({"asked": asked, "failed": failed, "longest": round(longest, 3)}) + "\n")


if __name__ == "__main__":
    main()
