"""A stand-in for matrix-media-repo: ``python media_repository.py --config media-repo.yaml [--record FILE]``.

It answers as 1.3.7 does, as far as a proxy, Palpo or a client without an account can tell: who it is by Host and
X-Forwarded-Host, its routes, its headers, its limits, whom it asks about a token, parts of files. It keeps uploads in
memory, and takes no signature of another server for right. It shares no code with the installer, whose work it judges.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

VERSION = "v1.3.7"
MEDIA, ANY = "/_matrix/media", "(?:r0|v1|v3)"
ADMINISTRATION = f"{MEDIA}/unstable(?:/io.t2bot.media)?/admin/.*"
HEADERS = {
    "Access-Control-Allow-Headers": "Origin, X-Requested-With, Content-Type, Accept, Authorization",
    "Access-Control-Allow-Origin": "*",
    "Content-Security-Policy": "sandbox; default-src 'none';",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Security-Policy": "sandbox;",
    "Server": "matrix-media-repo",
}
LARGE = 24 << 20
"""The bytes of a file that is always there, at the media id ``large``."""


class Repository(ThreadingHTTPServer):
    """The media repository."""

    daemon_threads = True

    def __init__(self, configuration: dict[str, Any], record: Path | None) -> None:
        repo = configuration.get("repo", {})
        self.names = {each["name"]: each for each in configuration.get("homeservers", [])}
        self.forwarded: bool = repo.get("useForwardedHost", True)
        self.limit: int = configuration.get("uploads", {}).get("maxBytes", 104857600)
        self.files: dict[str, bytes] = {"large": bytes(range(256)) * (LARGE // 256)}
        self.record, self.lock = record, threading.Lock()
        super().__init__((repo.get("bindAddress", "127.0.0.1"), repo.get("port", 8000)), Connection)


class Connection(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Repository

    def log_message(self, *arguments: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Say nothing: requests are recorded."""

    def handle_any(self) -> None:
        """Choose the server by name, then the route."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = self.headers.get_all("X-Forwarded-Host") or []
        forwarded = given[0] if given and self.server.forwarded else ""
        # Go's Header.Get gives the first of several.
        self.name = (forwarded or self.headers.get("Host", "")).split(":")[0]
        self.note(len(body))
        path = self.path.partition("?")[0]
        if self.name not in self.server.names and path != "/healthz":
            self.matrix(502, "M_BAD_GATEWAY", "Review server logs to continue")
        else:
            self.routed(path, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = handle_any  # noqa: N815

    def routed(self, path: str, body: bytes) -> None:
        """Answer by route."""
        if self.command == "OPTIONS":
            self.write(200, b"")
        elif path == f"{MEDIA}/version":
            self.document(200, {"GitCommit": ".dev", "Version": VERSION, "unstable_features": {}})
        elif re.fullmatch(r"/_matrix/federation/v1/media/(?:download|thumbnail)/[^/]+", path):
            self.matrix(403, "M_FORBIDDEN", "no auth provided (required)")
        elif self.command == "POST" and re.fullmatch(rf"{MEDIA}/{ANY}/upload", path):
            self.uploaded(body)
        elif re.fullmatch(rf"(?:{MEDIA}/(?:r0|v3)|/_matrix/client/v1/media)/config", path):
            if self.user():
                self.document(200, {"m.upload.size": self.server.limit})
        elif found := re.fullmatch(
            rf"({MEDIA}/{ANY}|/_matrix/client/v1/media)/download/[^/]+/([^/]+)(?:/[^/]+)?", path
        ):
            if found[1].startswith(MEDIA) or self.user():
                self.downloaded(found[2])
        elif re.fullmatch(ADMINISTRATION, path):
            self.document(200, {"administration": True})
        else:
            self.matrix(404, "M_UNRECOGNIZED", "Unrecognized request")

    def user(self) -> str:
        """Return whose token it is, as the homeserver says; answer that it is nobody's otherwise."""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if not token:
            self.matrix(401, "M_MISSING_TOKEN", "no token provided (required)")
            return ""
        api = self.server.names[self.name]["csApi"].rstrip("/")
        request = urllib.request.Request(
            f"{api}/_matrix/client/v3/account/whoami", headers={"Authorization": f"Bearer {token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return str(json.load(answer).get("user_id") or "somebody")
        except (OSError, ValueError, urllib.error.URLError):
            self.matrix(401, "M_UNKNOWN_TOKEN", "unknown token")
            return ""

    def uploaded(self, body: bytes) -> None:
        """Keep a file."""
        if not self.user():
            return
        if len(body) > self.server.limit > 0:
            self.matrix(413, "M_TOO_LARGE", "The request is too large")
            return
        identity = secrets.token_hex(12)
        self.server.files[identity] = body
        self.document(200, {"content_uri": f"mxc://{self.name}/{identity}"})

    def downloaded(self, identity: str) -> None:
        """Give a file, or the part of it that was asked for (RFC 9110, section 14)."""
        data = self.server.files.get(identity)
        if data is None:
            self.matrix(404, "M_NOT_FOUND", "Not found")
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        kind = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
        if not asked:
            self.write(200, data, kind)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(data) - 1), len(data) - 1)
        self.write(206, data[first : last + 1], {**kind, "Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def matrix(self, status: int, errcode: str, sentence: str) -> None:
        """Answer with a Matrix error."""
        self.document(status, {"errcode": errcode, "error": sentence, "mr_errcode": errcode})

    def document(self, status: int, document: dict[str, Any]) -> None:
        """Answer with JSON."""
        self.write(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def write(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer."""
        self.send_response_only(status)
        for name, value in {**HEADERS, **(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def note(self, size: int) -> None:
        """Write down a request as one line of JSON."""
        if self.server.record is None:
            return
        entry = {"method": self.command, "target": self.path, "headers": self.headers.items(), "body": size}
        with self.server.lock, self.server.record.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--record", type=Path)
    options = parser.parse_args()
    Repository(yaml.safe_load(options.config.read_text(encoding="utf-8")), options.record).serve_forever()


if __name__ == "__main__":
    main()
