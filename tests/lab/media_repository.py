"""A stand-in for matrix-media-repo: ``python media_repository.py --config media-repo.yaml [--record FILE]``.

It answers as 1.3.8 does, as far as a proxy, Palpo or a client without an account can tell: who it is by Host and
X-Forwarded-Host, its routes, its headers, its limits, whom it asks about a token, parts of files
(``test_real_media_repository.py`` asks the same of the real one). It keeps uploads in memory, and takes no signature
of another server for right. It shares no code with the installer, whose work it judges.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

VERSION = "v1.3.8"
MEDIA, ANY = "/_matrix/media", "(?:r0|v1|v3)"
HEADERS = {
    "Access-Control-Allow-Headers": "Origin, X-Requested-With, Content-Type, Accept, Authorization",
    "Access-Control-Allow-Origin": "*",
    "Content-Security-Policy": "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; "
    "style-src 'unsafe-inline'; media-src 'self'; object-src 'self';",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Security-Policy": "sandbox;",
    "X-Robots-Tag": "noindex, nofollow, noarchive, noimageindex",
    "Server": "matrix-media-repo",
}
"""What answers to its own paths carry; those to paths and methods that it has not, and 429, come without them."""

LARGE = 24 << 20
"""The bytes of a file that is always there, at the media id ``large``."""

SMALLEST = 100
BURST, RATE = 10, 5
"""Requests at once, and each second, of one address for one path."""

UNTOLD = "untold"
"""Stands for a user of whom the homeserver says nothing."""

ROUTES = (
    ("GET", f"{MEDIA}/version", "version"),
    ("GET HEAD", "/healthz", "health"),
    ("GET", "/_matrix/federation/v1/media/(?:download|thumbnail)/[^/]+", "federation"),
    ("POST", f"{MEDIA}/{ANY}/upload", "upload"),
    ("GET", f"(?:{MEDIA}/(?:r0|v3)|/_matrix/client/v1/media)/config", "limits"),
    ("GET HEAD", f"{MEDIA}/{ANY}/download/[^/]+/([^/]+)(?:/[^/]+)?", "frozen"),
    ("GET", "/_matrix/client/v1/media/download/[^/]+/([^/]+)(?:/[^/]+)?", "download"),
    ("GET POST", f"{MEDIA}/unstable(?:/io.t2bot.media)?/admin/.*", "administration"),
)
"""Methods, the path decoded, and what answers."""


class Repository(ThreadingHTTPServer):
    """The media repository."""

    daemon_threads = True

    def __init__(self, configuration: dict[str, Any], record: Path | None) -> None:
        repo = configuration.get("repo", {})
        self.names = {each["name"]: each for each in configuration.get("homeservers", [])}
        self.forwarded: bool = repo.get("useForwardedHost", True)
        self.limit: int = configuration.get("uploads", {}).get("maxBytes", 104857600)
        self.files: dict[str, bytes] = {"large": bytes(range(256)) * (LARGE // 256)}
        self.asked: dict[tuple[str, str], tuple[float, float]] = {}
        self.record, self.lock = record, threading.Lock()
        super().__init__((repo.get("bindAddress", "127.0.0.1"), repo.get("port", 8000)), Connection)


class Connection(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Repository

    def log_message(self, *arguments: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Say nothing: requests are recorded."""

    def handle_any(self) -> None:
        """Choose the route, then the server by name."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = self.headers.get_all("X-Forwarded-Host") or []
        forwarded = given[0] if given and self.server.forwarded else ""
        # Go's Header.Get gives the first of several.
        self.name = (forwarded or self.headers.get("Host", "")).split(":")[0]
        self.note(len(body))
        path = unquote(self.path.partition("?")[0])
        if self.is_busy(path):
            self.bare(429, "M_LIMIT_EXCEEDED", "Rate Limited", "M_LIMIT_EXCEEDED")
            return
        fitting = ((methods, match, what) for methods, form, what in ROUTES if (match := re.fullmatch(form, path)))
        methods, match, what = next(fitting, ("", None, ""))
        if match is None:
            self.bare(404, "M_NOT_FOUND", "Not found", "M_NOT_FOUND")
        elif self.command == "OPTIONS":
            allowed = ", ".join([*methods.split(), "OPTIONS"])
            self.write(204, b"", {"Allow": allowed, "Access-Control-Allow-Methods": allowed})
        elif self.command not in methods.split():
            self.bare(405, "M_UNKNOWN", "Method Not Allowed", "M_METHOD_NOT_ALLOWED")
        elif self.name not in self.server.names and what != "health":
            self.matrix(502, "M_UNKNOWN", "Review server logs to continue")
        else:
            self.routed(what, match[1] if match.groups() else "", body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = handle_any  # noqa: N815

    def is_busy(self, path: str) -> bool:
        """Return whether this address has asked for this path too often; count the request otherwise."""
        addresses = (self.headers.get("X-Forwarded-For") or "").split(",")
        key, now = (addresses[-1].strip() or self.client_address[0], path), time.monotonic()
        with self.server.lock:
            left, before = self.server.asked.get(key, (float(BURST), now))
            left = min(BURST, left + (now - before) * RATE)
            self.server.asked[key] = (left - 1 if left >= 1 else left, now)
        return left < 1

    def routed(self, what: str, identity: str, body: bytes) -> None:
        """Answer by route."""
        if what == "version":
            self.document(200, {"GitCommit": ".dev", "Version": VERSION, "unstable_features": {}})
        elif what == "health":
            self.document(200, {"ok": True, "status": "Probably not dead"})
        elif what == "federation":
            self.matrix(401, "M_UNAUTHORIZED", "no auth provided (required)", "M_MISSING_TOKEN")
        elif what == "frozen" and not self.headers.get("Authorization"):
            missing = "authentication is required to download this media"
            self.matrix(404, "M_NOT_FOUND", missing if identity in self.server.files else "Not found")
        elif not self.user():
            return
        elif what == "upload":
            self.uploaded(body)
        elif what == "limits":
            self.document(200, {"m.upload.size": self.server.limit})
        elif what == "administration":
            self.matrix(401, "M_UNKNOWN_TOKEN", "Authentication Failed")
        else:
            self.downloaded(identity)

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
                user = str(json.load(answer).get("user_id", ""))
        except urllib.error.HTTPError as error:
            user = "" if json.load(error).get("errcode") == "M_UNKNOWN_TOKEN" else UNTOLD
        except (OSError, ValueError):
            user = UNTOLD
        if user == UNTOLD:
            self.matrix(500, "M_UNKNOWN", "unexpected error validating access token")
        elif not user:
            self.matrix(401, "M_UNKNOWN_TOKEN", "Authentication Failed")
        return user.removeprefix(UNTOLD)

    def uploaded(self, body: bytes) -> None:
        """Keep a file."""
        if len(body) > self.server.limit > 0:
            self.matrix(413, "M_TOO_LARGE", "Too Large", "M_MEDIA_TOO_LARGE")
        elif len(body) < SMALLEST:
            self.matrix(500, "M_UNKNOWN", "Body too small or not provided", "M_MEDIA_TOO_SMALL")
        else:
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

    def matrix(self, status: int, errcode: str, sentence: str, own: str = "") -> None:
        """Answer with a Matrix error."""
        self.document(status, {"errcode": errcode, "error": sentence, "mr_errcode": own or errcode})

    def bare(self, status: int, errcode: str, sentence: str, own: str) -> None:
        """Answer with a Matrix error and none of its headers."""
        body = json.dumps({"errcode": errcode, "error": sentence, "mr_errcode": own}).encode()
        self.sent(status, body, {"Content-Type": "application/json"})

    def document(self, status: int, document: dict[str, Any]) -> None:
        """Answer with JSON."""
        self.write(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def write(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer with its headers."""
        self.sent(status, body, {**HEADERS, **(headers or {})})

    def sent(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Answer."""
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        if client := self.headers.get("X-Forwarded-For"):
            self.send_header("X-Rate-Limit-Request-Forwarded-For", client)
        self.send_header("X-Rate-Limit-Limit", f"{RATE}.00")
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
