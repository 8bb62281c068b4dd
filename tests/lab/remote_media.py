"""Another server, as far as it gives out media: ``python remote_media.py PORT CHAIN KEY RECORD``.

It answers every download in the form of Matrix 1.11 (server-server API, "Content Repository"), and writes down what
was asked and by which signature, one line of JSON for each request.
"""

from __future__ import annotations

import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BODY = (
    b"--between\r\nContent-Type: application/json\r\n\r\n{}\r\n"
    b"--between\r\nContent-Type: text/plain\r\n\r\na picture of another server\r\n--between--\r\n"
)


class Connection(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Say nothing: requests are recorded."""

    def do_GET(self) -> None:
        """Give out the file."""
        entry = {"target": self.path, "authorization": self.headers.get("Authorization", "")}
        with Path(sys.argv[4]).open("a", encoding="utf-8") as record:
            record.write(json.dumps(entry) + "\n")
        self.send_response(200)
        self.send_header("Content-Type", "multipart/mixed; boundary=between")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)


if __name__ == "__main__":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server = ThreadingHTTPServer(("", int(sys.argv[1])), Connection)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
