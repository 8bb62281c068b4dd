"""matrix-media-repo itself, built from its source, beside Palpo behind nginx, Apache, Caddy and HAProxy.

Whether all that is assumed of it, and that its stand-in does, is so.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from palpo_installer.media.configuration import MediaConfiguration, parse
from palpo_installer.media.keys import parse as parse_key
from tests.lab import media_ways, real_media_repository, services, ways
from tests.lab.conformance.rows import ROWS, Row
from tests.lab.hosts import CHECKOUT, ThrowAwayHost
from tests.lab.real_media_repository import CONFIGURATION, HOME, LIMIT, YAML, built
from tests.lab.running import require_programs, require_root, until

pytestmark = pytest.mark.slow

CHAIN, KEY = "/run/remote.pem", "/run/remote.key"
REMOTE = "four.example.com:9448"
SEEN = "/run/remote.jsonl"
LISTED = "homeservers: [{name: a, csApi: 'http://x', signingKeyPath: /k}]\n"
READ: dict[str, dict[str, str]] = {
    "an address without a value": {"a": "repo:\n  bindAddress:\n  port: 8001\n"},
    "an empty address": {"a": "repo: {bindAddress: ''}"},
    "a boolean of YAML 1.1": {"a": "repo: {useForwardedHost: No}"},
    "a boolean in quotes": {"a": "repo: {useForwardedHost: 'off'}"},
    "true in quotes": {"a": "repo: {useForwardedHost: 'true'}"},
    "a number in quotes": {"a": "repo: {port: '8000'}"},
    "a number with lines between": {"a": "repo: {port: 8_001}"},
    "an octal number": {"a": "repo: {port: 010}"},
    "an exponent": {"a": "repo: {port: 8e3}"},
    "a number of minutes": {"a": "repo: {port: 1:20}"},
    "a number that is too large": {"a": "repo: {port: 99999999999999999999}"},
    "a section twice": {"a": "repo: {port: 1}\nrepo: {port: 2}"},
    "a section that is a list": {"a": "repo: [1]"},
    "homeservers as a table": {"a": "homeservers: {name: a}"},
    "two documents": {"a": "repo: {port: 1}\n---\nrepo: {port: 2}\n"},
    "a merge": {"a": "x: &r {port: 7}\nrepo:\n  <<: *r\n  bindAddress: 192.0.2.1\n"},
    "a server by its own file": {"a": "homeserver: a\ncsApi: http://x\nuploads: {maxBytes: 7}\n"},
    "a directory": {
        "00": f"repo: {{port: 1, bindAddress: '0.0.0.0'}}\n{LISTED}uploads: {{maxBytes: 5}}\n",
        "10": "repo: {port: 2}\naccessTokens: {maxCacheTimeSeconds: 3}\n",
        "a": "homeserver: a\ncsApi: http://y\nuploads: {minBytes: 2}\n",
        "b": "homeserver: b\n",
        "empty": "",
    },
    "an own section without a value": {"0": f"{LISTED}uploads: {{maxBytes: 4}}\n", "a": "homeserver: a\nuploads:\n"},
    "a directory with a text": {"a": LISTED, "readme": "this is a text\n"},
}
"""Configurations by what is tried, as texts by file."""


@pytest.mark.parametrize("what", ["its sample", *READ])
def test_a_configuration_is_read_as_it_reads_it_itself(tmp_path: Path, what: str) -> None:
    """What its own code makes of each is what we make of it; what it refuses we call unusable."""
    require_root()
    programs = built()
    files = READ.get(what) or {"sample": (programs.directory / "config.sample.yaml").read_text()}
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    paths = sorted(tmp_path.iterdir())
    path = paths[0] if len(paths) == 1 else tmp_path
    assert told(parse(path, {each: each.read_bytes() for each in paths})) == programs.reads(path)


def told(found: MediaConfiguration) -> dict[str, object] | None:
    """Return what we read, in the words of its reader; None where it cannot be used."""
    served = [
        {"Name": each.name, "CsApi": each.cs_api, "SigningKey": each.signing_key,
         "UploadSize": each.upload_size, "TokenSeconds": each.token_seconds}
        for each in found.served
    ]  # fmt: skip
    said = {
        "address": "" if found.address == "0.0.0.0" and "''" in _text(found) else found.address,
        "port": found.port,
        "use_forwarded_host": found.use_forwarded_host,
        "served": sorted(served, key=lambda each: str(each["Name"])),
    }
    return None if found.problem else said


def _text(found: MediaConfiguration) -> str:
    return found.path.read_text() if found.path.is_file() else ""


@pytest.mark.parametrize("row", ROWS, ids=[row.kind for row in ROWS])
def test_the_whole_way_with_matrix_media_repo(host: ThrowAwayHost, row: Row) -> None:
    """Applied, asked by the server name, given Palpo's key by the commands that are printed, believed by others."""
    require_programs(row.program)
    programs = built()
    row.start(host)
    real_media_repository.start_database(host)
    host.write(CONFIGURATION, YAML)
    running = real_media_repository.start(host, programs)
    host.write(ways.ANSWERS, media_ways.answers(row.kind), 0o600)
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    ways.start_palpo(host)

    commands = key_commands(host)
    host.output(["sh", "-euc", "\n".join(commands)])
    host.write(CONFIGURATION, YAML.replace("8008\n", f"8008\n    signingKeyPath: {HOME}/signing.key\n"))
    running.stop()
    until(lambda: ("127.0.0.1", 8000) not in host.listening(), "the end of the media repository")
    real_media_repository.start(host, programs, authority=trusted(host))
    audited = host.tool("audit", "--json")
    assert json.loads(audited.stdout)["findings"] == [], audited.stdout

    media_ways.answered(host)
    kept(host)
    verified(host)
    believed(host)


def key_commands(host: ThrowAwayHost) -> list[str]:
    """Return the commands that an audit prints for the key that is missing."""
    (finding,) = json.loads(host.tool("audit", "--json").stdout)["findings"]
    *commands, named = finding["lines"]
    assert (finding["rule"], named) == ("media-signing-key", f'signingKeyPath: "{HOME}/signing.key"')
    assert commands[-1] == f"chown root: {HOME}/signing.key"
    return [str(each) for each in commands]


def trusted(host: ThrowAwayHost) -> str:
    """Return the certificate of another server, which it shall trust."""
    services.make_certificate(host, CHAIN, KEY, "DNS:four.example.com")
    return CHAIN


def kept(host: ThrowAwayHost) -> None:
    """Assert that uploads arrive up to the limit, and come back whole and in parts, to who is logged in only."""
    host.output(["sh", "-c", f"head -c {20 << 20} /dev/urandom >/tmp/file; head -c {LIMIT + 1} /dev/zero >/tmp/large"])
    name = "/_matrix/media/v3/upload?filename=a%2Fb%20c.bin"
    said = fetched(host, name, *media_ways.TOKEN, "--data-binary", "@/tmp/file")
    stored = json.loads(said)["content_uri"].removeprefix("mxc://")
    assert stored.startswith("example.com/")
    # Over HTTP/1.1: over HTTP/2 a server may end the stream right behind its answer, which curl may then not show.
    large = ("--http1.1", "--header", "Expect:", "--data-binary", "@/tmp/large")
    assert json.loads(fetched(host, name, *media_ways.TOKEN, *large))["errcode"] == "M_TOO_LARGE"
    path = f"/_matrix/client/v1/media/download/{stored}"
    fetched(host, path, *media_ways.TOKEN, "--output", "/tmp/back")
    host.output(["cmp", "/tmp/file", "/tmp/back"])
    part = media_ways.curl(host, path, *media_ways.TOKEN, "--range", "1000-1999", "--write-out", "%{size_download}")
    assert f"content-range: bytes 1000-1999/{20 << 20}\r\n" in part.lower()
    assert part.endswith("1000")
    assert json.loads(fetched(host, path))["errcode"] == "M_MISSING_TOKEN"
    frozen = json.loads(fetched(host, f"/_matrix/media/v3/download/{stored}"))
    assert frozen["error"] == "authentication is required to download this media"


def fetched(host: ThrowAwayHost, target: str, *options: str) -> str:
    """Return the body of an answer."""
    return host.output(["curl", "-sS", "-k", "--max-time", "60", *options, f"https://matrix.example.com{target}"])


def verified(host: ThrowAwayHost) -> None:
    """Assert that ``verify`` says so too, however often it is asked."""
    for _ in range(3):
        ended = host.tool("verify", "--json")
        found = {
            each["subject"]: (each["result"], each["what"])
            for each in json.loads(ended.stdout)["checks"]
            if each["name"] == "media repository"
        }
        assert [result for result, _ in found.values()] == ["pass"] * 3, found
        assert "matrix-media-repo v1.3.8 answers as example.com" in found["127.0.0.1:8000"][1]


def believed(host: ThrowAwayHost) -> None:
    """Assert that its signed request to another server has a signature by the key that Palpo publishes."""
    script = str(CHECKOUT / "tests/lab/remote_media.py")
    host.start([host.python, script, "9448", CHAIN, KEY, SEEN])
    host.until_listening(9448)
    got = fetched(host, f"/_matrix/client/v1/media/download/{REMOTE}/picture", *media_ways.TOKEN)
    assert got == "a picture of another server", got
    request = json.loads(host.read(SEEN).splitlines()[-1])
    signed = dict(re.findall(r'(\w+)="([^"]*)"', request["authorization"]))
    published = json.loads(fetched(host, "/_matrix/key/v2/server"))["verify_keys"]
    document = {"destination": REMOTE, "method": "GET", "origin": "example.com", "uri": request["target"]}
    key = Ed25519PublicKey.from_public_bytes(unpadded(published[signed["key"]]["key"]))
    key.verify(unpadded(signed["sig"]), json.dumps(document, separators=(",", ":"), sort_keys=True).encode())
    assert parse_key(host.read(f"{HOME}/signing.key").encode()).version == signed["key"].removeprefix("ed25519:")


def unpadded(text: str) -> bytes:
    """Return the bytes of base64 without padding."""
    return base64.b64decode(text + "=" * (-len(text) % 4))
