"""A stand-in for Palpo, which cannot be had here: ``python palpo.py --config palpo.toml [--record FILE]``.

It reads palpo.toml, ends and answers as Palpo 0.4.0 does, as far as a reverse proxy, an installer or another
server without an account can tell. It has no database and no rooms: any access token is taken, no password and
no X-Matrix signature is right. It shares no code with the installer, whose work it judges.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import socketserver
import ssl
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

# It runs as a program of its own, outside any package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.lab.palpo_configuration import load, panic, say, speaks_tls
from tests.lab.palpo_homeserver import Homeserver, Request, Response
from tests.lab.palpo_routes import ROUTES

VERSION = "0.4.0"
SEARCHED = ("palpo.toml", "/etc/palpo/palpo.toml", "/var/palpo/palpo.toml")


class Recorder:
    """Writes each request as one line of JSON, before it is answered."""

    def __init__(self, path: Path | None) -> None:
        self.file = path.open("a", encoding="utf-8", buffering=1) if path else None
        self.lock = threading.Lock()

    def record(self, request: Request, listener: str) -> None:
        """Write a request: its target as it came, its headers in order, the length of its body."""
        if self.file is None:
            return
        entry = {
            "listener": listener,
            "peer": request.peer,
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "body": request.length,
        }
        with self.lock:
            self.file.write(json.dumps(entry) + "\n")


class Listener(socketserver.ThreadingTCPServer):
    """One of ``[[listeners]]``."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, table: dict[str, Any], homeserver: Homeserver, recorder: Recorder, idle: float) -> None:
        self.name: str = table.get("address", "0.0.0.0:8008")
        self.homeserver, self.recorder, self.idle = homeserver, recorder, idle
        host, _, port = self.name.rpartition(":")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host.strip("[]"), int(port)), Connection)
        if speaks_tls(table):
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(table["tls"]["cert"], table["tls"]["key"])
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def server_bind(self) -> None:
        """Bind; ``[::]`` takes IPv4 as well."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class Connection(BaseHTTPRequestHandler):
    """One connection, kept until it has been idle for thirty seconds."""

    protocol_version = "HTTP/1.1"
    server: Listener

    def setup(self) -> None:
        """Take the time limit of the listener."""
        super().setup()
        self.connection.settimeout(self.server.idle)

    def handle_one_request(self) -> None:
        """Read a request, record it, answer it."""
        self.close_connection = True
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            request = Request(
                self.command,
                # parse_request() shortens "//" at the beginning of the path it keeps.
                self.raw_requestline.split(b" ")[1].strip().decode("latin-1"),
                tuple(self.headers.items()),
                self.discarded(),
                str(self.client_address[0]),
            )
            self.server.recorder.record(request, self.server.name)
            self.write(self.server.homeserver.respond(request))
        except (OSError, ValueError):
            self.close_connection = True

    def discarded(self) -> int:
        """Read the body, also in chunks (RFC 9112, section 7.1), and return its length: nothing here looks at it."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.skipped(int(self.headers.get("Content-Length", "0")))
        length = 0
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            length += self.skipped(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return length

    def skipped(self, size: int) -> int:
        """Read and forget that many bytes."""
        left = size
        while left and (block := self.rfile.read(min(left, 65536))):
            left -= len(block)
        return size - left

    def write(self, response: Response) -> None:
        """Write a response in one go."""
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        if response.status != 204:
            lines.append(f"content-length: {len(response.body)}")
        lines += ["connection: close"] * self.close_connection
        body = b"" if self.command == "HEAD" else response.body
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: requests are recorded elsewhere."""


def main() -> None:
    """Serve until a signal ends the process; Palpo handles none, and neither do we."""
    parser = argparse.ArgumentParser(prog="palpo")
    parser.add_argument("-c", "--config", type=Path)
    parser.add_argument("-s", "--server", choices=("true", "false"), default="true")
    parser.add_argument("-V", "--version", action="version", version=f"palpo {VERSION}")
    parser.add_argument("--record", type=Path, help="the file that gets a line of JSON for each request")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds that an idle connection is kept")
    options = parser.parse_args()
    found = next((path for path in SEARCHED if Path(path).exists()), SEARCHED[0])
    file = load(options.config or Path(os.environ.get("PALPO_CONFIG", found)))
    homeserver, recorder = Homeserver(file, ROUTES), Recorder(options.record)
    if options.server == "false":
        return
    for table in file.get("listeners", [{}]):
        try:
            listener = Listener(table, homeserver, recorder, options.idle)
        except ssl.SSLError as error:
            panic(f"bind failed: {error}")
        except FileNotFoundError as error:
            sys.exit(f"Error: {error}")
        except (OSError, ValueError) as error:
            panic(f"bind failed: {error}")
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        say(f"listening on {listener.name}")
    threading.Event().wait()


if __name__ == "__main__":
    main()
