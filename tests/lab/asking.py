"""Asks a site over fresh connections until SIGTERM, then says how often it was asked and how often it did not answer.

Called with a name, a word that its page has, and ports, those with TLS as ``443s``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import sys
import time
from pathlib import Path

PAUSE = 0.005
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE
"""Made once, and without the authorities of the system: to read those takes longer than many requests."""

AT_ONCE = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""A request does not wait until the end of the handshake is acknowledged, for which Caddy takes 40 ms."""


def failure(name: str, word: str, port: str) -> str:
    """Return why a request is not answered as it should be, empty where it is."""
    request = f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
    answer = b""
    try:
        with socket.create_connection(("198.18.0.10", int(port.rstrip("s"))), 5) as plain:
            plain.setsockopt(*AT_ONCE)
            stream = CONTEXT.wrap_socket(plain, server_hostname=name) if port.endswith("s") else plain
            with stream:
                stream.sendall(request)
                while part := stream.recv(65536):
                    answer += part
    except OSError as error:
        return f"{port}: {type(error).__name__}: {error}"
    return "" if word.encode() in answer else f"{port}: {answer[:60]!r}"


def main() -> None:
    """Ask."""
    name, word, *ports = sys.argv[1:]
    asked = 0
    reasons: list[str] = []
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    Path("/run/asking.pid").write_text(str(os.getpid()))
    while not stopped:
        for port in ports:
            asked += 1
            reasons += [reason] if (reason := failure(name, word, port)) else []
        if asked == len(ports):
            sys.stdout.write("asking\n")
            sys.stdout.flush()
        time.sleep(PAUSE)
    sys.stdout.write(json.dumps({"asked": asked, "failed": len(reasons), "reasons": reasons[:5]}) + "\n")


if __name__ == "__main__":
    main()
