"""A media repository beside Palpo on a lab host, whatever the proxy: what it must see, and what clients must get."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass

from tests.lab import ways
from tests.lab.hosts import CHECKOUT, LabHost
from tests.lab.media_repository import LARGE
from tests.lab.running import Running

CONFIGURATION = "/etc/matrix-media-repo/media-repo.yaml"
RECORD = "/run/media.jsonl"
LIMIT = 30 << 20
"""Above Palpo's 16 MiB, so that the one cannot be taken for the other."""

YAML = f"""\
repo: {{bindAddress: '127.0.0.1', port: 8000}}
homeservers:
  - name: example.com
    csApi: http://127.0.0.1:8008
    signingKeyPath: /etc/matrix-media-repo/signing.key
uploads: {{maxBytes: {LIMIT}}}
"""
KEY = f"""\
-----BEGIN MMR PRIVATE KEY-----
Key-ID: ed25519:other
Version: 1

{base64.b64encode(bytes(32)).decode()}
-----END MMR PRIVATE KEY-----
"""
"""One of its own, as its documentation tells to make: Palpo publishes no such key."""

TOKEN = ("--header", "Authorization: Bearer somebody")


@dataclass(frozen=True)
class Arrived:
    """A request as the media repository got it."""

    target: str
    hosts: tuple[str, ...]
    forwarded_hosts: tuple[str, ...]
    clients: tuple[str, ...]
    body: int


def start(host: LabHost, text: str = YAML) -> Running:
    """Put a configuration with its key on a host, and start the repository."""
    host.write(CONFIGURATION, text)
    host.write("/etc/matrix-media-repo/signing.key", KEY, 0o600)
    host.write(RECORD, "")
    script = str(CHECKOUT / "tests/lab/media_repository.py")
    running = host.start([host.python, script, "--config", CONFIGURATION, "--record", RECORD])
    host.until_listening(8000)
    return running


def arrived(host: LabHost) -> list[Arrived]:
    """Return what has arrived so far from clients; HAProxy asks for its health by itself, at any time."""
    rows = [json.loads(line) for line in host.read(RECORD).splitlines()]
    return [_read(row) for row in rows if row["target"] != "/healthz"]


def _read(row: dict[str, object]) -> Arrived:
    pairs = row["headers"]
    assert isinstance(pairs, list)

    def every(name: str) -> tuple[str, ...]:
        return tuple(value for key, value in pairs if key.lower() == name)

    hosts, forwarded, clients = every("host"), every("x-forwarded-host"), every("x-forwarded-for")
    return Arrived(str(row["target"]), hosts, forwarded, clients, int(str(row["body"])))


def curl(host: LabHost, target: str, *options: str) -> str:
    """Return what a client gets, with status and headers; a large body is counted."""
    url = f"https://matrix.example.com{target}"
    return host.output(["curl", "-sS", "-k", "--max-time", "60", "-o", "/dev/null", "-D", "-", *options, url])


def answered(host: LabHost) -> None:
    """Assert that each family is answered by it, as the server, for the client's own address, with one CORS header.

    The same of the stand-in and of the real one.
    """
    lies = ("--header", "X-Forwarded-Host: evil.example", "--header", "X-Forwarded-For: 203.0.113.66")
    for target, status in (
        ("/_matrix/media/version", 200),
        ("/_matrix/client/v1/media/config", 401),
        ("/_matrix/federation/v1/media/download/x", 401),
        ("/_matrix/media/v3/download/example.com/a%2Fb", 404),
    ):
        head = curl(host, target, "-4", *lies).lower()
        assert re.match(rf"http/\S+ {status} ", head), head
        assert head.count("x-content-security-policy: sandbox;") == head.count("access-control-allow-origin:") == 1
        assert "x-rate-limit-request-forwarded-for: 198.18.0.10\r\n" in head
    asked = ("--request", "OPTIONS", "--header", "Origin: https://app.example")
    head = curl(host, "/_matrix/client/v1/media/config", *asked).lower()
    assert re.match(r"http/\S+ 204 ", head), head
    assert head.count("access-control-allow-origin:") == 1
    for target in (
        "/_matrix/media/unstable/admin/datastores",
        "/_matrix/client/v1/mediafoo",
        "/_matrix/client/versions",
    ):
        assert "x-rate-limit-limit" not in curl(host, target).lower()


def check(host: LabHost) -> None:
    """Assert all that clients and the repository must see through the proxy of a host."""
    answered(host)
    before = len(arrived(host))
    lies = ("--header", "X-Forwarded-Host: evil.example", "--header", "X-Forwarded-For: 203.0.113.66")
    for target in (
        "/_matrix/media/version",
        "/_matrix/media/v3/download/example.com/a%2Fb",
        "/_matrix/client/v1/media/config",
        "/_matrix/federation/v1/media/download/x",
    ):
        head = curl(host, target, *lies)
        assert "x-content-security-policy: sandbox;" in head.lower(), head
        assert head.lower().count("access-control-allow-origin:") == 1, head
        last = arrived(host)[-1]
        assert (last.target, last.hosts, last.forwarded_hosts) == (target, ("example.com",), ("example.com",))
        assert "203.0.113.66" not in last.clients
    seen = len(arrived(host))
    assert seen == before + 4
    for target in (
        "/_matrix/media/unstable/admin/purge/old",
        "/_matrix/media/unstable/io.t2bot.media/admin/tasks/all",
        "/_matrix/client/v3/logout",
        "/_matrix/client/v1/mediafoo",
        "/_matrix/client/versions",
    ):
        assert "x-content-security-policy" not in curl(host, target).lower()
    assert len(arrived(host)) == seen
    downloads(host)
    uploads(host)


def downloads(host: LabHost) -> None:
    """Assert that a large file comes whole, and a part of it as asked for."""
    large = "/_matrix/client/v1/media/download/example.com/large"
    counted = curl(host, large, *TOKEN, "--write-out", "%{http_code} %{size_download}")
    assert counted.endswith(f"200 {LARGE}"), counted
    part = curl(host, large, *TOKEN, "--range", "1000-1999", "--write-out", "%{http_code} %{size_download}")
    assert f"content-range: bytes 1000-1999/{LARGE}" in part.lower()
    assert part.endswith("206 1000"), part
    # Slower than any buffer in between, and than the connection to the repository would be kept idle.
    slow = curl(host, large, *TOKEN, "--limit-rate", "12M", "--write-out", "%{http_code} %{size_download}")
    assert slow.endswith(f"200 {LARGE}"), slow


def uploads(host: LabHost) -> None:
    """Assert that an upload larger than Palpo's arrives, and one above the repository's limit gets 413.

    Over HTTP/1.1: over HTTP/2 a server may end the stream right behind its answer, which curl may then not show.
    """
    upload = "/_matrix/media/v3/upload"
    for size, status in ((20 << 20, "200"), (LIMIT + 1, "413")):
        host.output(["truncate", "--size", str(size), "/tmp/upload"])
        before = len(arrived(host))
        options = ("--http1.1", "--data-binary", "@/tmp/upload", "--header", "Expect:", "--write-out", "%{http_code}")
        assert curl(host, upload, *TOKEN, *options).endswith(status)
        bodies = [each.body for each in arrived(host)[before:]]
        # A proxy may count what it passes on already: then its beginning arrives, and is cut.
        assert [body for body in bodies if body >= size] == ([size] if status == "200" else [])
    host.output(["rm", "/tmp/upload"])
    # What is not for the repository keeps Palpo's limit.
    host.output(["truncate", "--size", str(17 << 20), "/tmp/upload"])
    put = (
        "--http1.1",
        "-X",
        "PUT",
        "--data-binary",
        "@/tmp/upload",
        "--header",
        "Expect:",
        "--write-out",
        "%{http_code}",
    )
    assert curl(host, "/_matrix/client/v3/devices/x", *TOKEN, *put).endswith("413")
    host.output(["rm", "/tmp/upload"])


def answers(kind: str) -> str:
    """Return answers with a media repository, for a proxy."""
    lines = ways.answers(None, "srv").splitlines()
    return "\n".join([*lines, "[proxy]", f'kind = "{kind}"', "[media]", 'upstream = "127.0.0.1:8000"', ""])
