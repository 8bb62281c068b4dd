"""The stand-in for Palpo: it ends, answers and records as Palpo does."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from palpo_installer.probe import Answer, Question, ask
from tests.homeserver.made import answers, merged
from tests.ports import free_port

PROGRAM = Path(__file__).with_name("palpo.py")
MINIMAL = 'server_name = "example.com"\ndb.url = "postgres://x@y/z"\n'


class StandIn:
    """A running stand-in."""

    def __init__(self, directory: Path, text: str, *options: str) -> None:
        self.port = free_port()
        self.records = directory / "records.jsonl"
        self.config = directory / "palpo.toml"
        self.config.write_text(f'{text}\n[[listeners]]\naddress = "127.0.0.1:{self.port}"\n', encoding="utf-8")
        command: list[str | Path] = [
            sys.executable,
            PROGRAM,
            "--config",
            self.config,
            "--record",
            self.records,
            *options,
        ]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.said = []
        for line in self.process.stderr:
            self.said.append(line.rstrip())
            if line.startswith("listening on"):
                return
        raise AssertionError(f"it ended: {self.said}")

    def ask(self, target: str, method: str = "GET", **headers: str) -> Answer:
        """Send a request on a connection of its own."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(Question("127.0.0.1", self.port, tls=False, target=target, method=method, headers=named))

    def document(self, target: str, method: str = "GET", **headers: str) -> dict[str, Any]:
        """Return the JSON document of an answer."""
        document: dict[str, Any] = json.loads(self.ask(target, method, **headers).body)
        return document

    def recorded(self) -> list[dict[str, Any]]:
        """Return what was recorded."""
        return [json.loads(line) for line in self.records.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., StandIn]]:
    """Start stand-ins, and end them with the test."""
    running = []

    def started(text: str = MINIMAL, *options: str) -> StandIn:
        running.append(StandIn(tmp_path, text, *options))
        return running[-1]

    yield started
    for stand_in in running:
        stand_in.process.kill()
        stand_in.process.communicate()


def ended(directory: Path, text: str | None, name: str = "palpo.toml") -> tuple[int, str]:
    """Return how the program ends, and what it says, for a configuration that it does not run with."""
    config = directory / name
    if text is not None:
        config.write_text(text, encoding="utf-8")
    command: list[str | Path] = [sys.executable, PROGRAM, "--config", config, "--server", "false"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        (None, 101, "config file not found"),
        ("a = ", 1, "it looks like your config is invalid"),
        ("default_room_version = 11", 1, "it looks like your config is invalid"),
        ("max_upload_size = 5000000000", 1, "out of range"),
        ("rc_login = { burst = 1 }", 1, "missing field `rc_login.per_second`"),
        ('listeners = [{ tls = { cert = "a" } }]', 1, "missing field `listeners.0.tls.key`"),
        ('storage = { root = "/x" }', 1, "unknown variant"),
        ('server_name = "https://example.com"', 1, "server name is not valid"),
        ('well_known.server = "https://example.com"', 1, "server name is not valid"),
        ('server_name = "your.server.name"', 101, "You must specify a valid server name"),
        ('registration_token = ""', 101, "Registration token"),
        ('allowed_origins = ["*"]', 101, "allowed_origins"),
        ("presence.allow_local = false", 101, "presence"),
        ("jwt.validate_signature = false", 101, "jwt.validate_signature"),
        ('keypair = { document = "%", version = "a" }', 101, "invalid base64"),
        ('keypair = { document = "AAAA", version = "a" }', 101, "invalid server Ed25519KeyPair"),
        ('db.url = "host=x"', 101, "relative URL"),
        ("a = 1", 101, "relative URL"),
    ],
)
def test_it_ends_as_palpo_does(tmp_path: Path, text: str | None, status: int, message: str) -> None:
    """1 for what does not fit, 101 for what is refused."""
    own = text is None or text.startswith(("db.", "a = "))
    result = ended(tmp_path, text if own else f'{text}\ndb.url = "postgres://x@y/z"\n')
    assert (result[0], message in result[1]) == (status, True), result


def test_it_reads_files_by_their_ending(tmp_path: Path) -> None:
    """And ends well where all is right and nothing is to be served."""
    assert ended(tmp_path, MINIMAL) == (0, "")
    assert ended(tmp_path, MINIMAL, "palpo.conf")[0] == 101


def test_an_address_in_use_ends_it(start: Callable[..., StandIn], tmp_path: Path) -> None:
    """As a panic."""
    running = start()
    command: list[str | Path] = [sys.executable, PROGRAM, "--config", running.config]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert (done.returncode, "bind failed" in done.stderr) == (101, True)


def test_unknown_keys_are_named_and_ignored(start: Callable[..., StandIn]) -> None:
    """Each with its path."""
    said = start(f'listen_addr = "x"\n{MINIMAL}turn.foo = 1\n').said
    named = [line.split("`")[1] for line in said if line.startswith("WARNING: unknown configuration key")]
    assert named == ["listen_addr", "turn.foo"]


def test_it_runs_with_the_file_that_the_installer_writes(start: Callable[..., StandIn]) -> None:
    """No key of it is unknown, and it answers with what stands there."""
    text = (
        merged(None, answers())
        .decode()
        .replace("[[listeners]]\n# Where", "#")
        .replace('\naddress = "127.0.0.1:8008"', "")
    )
    running = start(text)
    assert [line for line in running.said if not line.startswith("listening")] == []
    assert running.document("/.well-known/matrix/client") == {
        "m.homeserver": {"base_url": "https://matrix.example.com"}
    }
    assert running.document("/.well-known/matrix/server") == {"m.server": "matrix.example.com:443"}
    assert running.document("/_matrix/client/v3/register", "POST")["errcode"] == "M_FORBIDDEN"
    keys = running.document("/_matrix/key/v2/server")
    (key_id,) = keys["verify_keys"]
    assert f'version = "{key_id.removeprefix("ed25519:")}"' in text


def test_its_key_document_is_signed_by_the_key_in_it(start: Callable[..., StandIn]) -> None:
    """Over canonical JSON without the signatures, valid for a week."""
    document = start(f'{MINIMAL}home_page = "x"\n').document("/_matrix/key/v2/server")
    ((server_name, signatures),) = document.pop("signatures").items()
    ((key_id, signature),) = signatures.items()
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(document["verify_keys"][key_id]["key"] + "="))
    signed = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    public.verify(base64.b64decode(signature + "=="), signed)
    assert server_name == document["server_name"] == "example.com"
    assert 6 * 86400 < document["valid_until_ts"] / 1000 - time.time() < 8 * 86400
    assert document["old_verify_keys"] == {}


@pytest.mark.parametrize(
    ("method", "target", "status", "errcode"),
    [
        ("GET", "/health", 200, ""),
        ("GET", "/healthz", 200, ""),
        ("GET", "/", 200, ""),
        ("GET", "/_matrix/client/versions?x=1", 200, ""),
        ("GET", "/.well-known/matrix/support", 404, "M_NOT_FOUND"),
        ("GET", "/_matrix/client/v3/login", 200, ""),
        ("POST", "/_matrix/client/r0/login", 403, "M_FORBIDDEN"),
        ("POST", "/_matrix/client/v3/register", 403, "M_FORBIDDEN"),
        ("GET", "/_matrix/client/v3/sync", 401, "M_MISSING_TOKEN"),
        ("POST", "/_matrix/media/v3/upload", 401, "M_MISSING_TOKEN"),
        ("GET", "/_matrix/media/v3/download/a/b", 404, "M_UNRECOGNIZED"),
        ("GET", "/_matrix/federation/v1/event/%24a%2Fb%3Ac", 401, "M_UNAUTHORIZED"),
        ("GET", "/_matrix/federation/v1/event/%24a/b%3Ac", 404, "M_UNRECOGNIZED"),
        ("GET", "/_matrix//federation/v1/event/a", 404, "M_UNRECOGNIZED"),
        ("PUT", "/_matrix/federation/v2/send_join/a/b", 401, "M_UNAUTHORIZED"),
        ("GET", "/_matrix/federation/v1/version", 404, "M_UNRECOGNIZED"),
        ("GET", "/_palpo/client/x", 404, "M_UNRECOGNIZED"),
        ("POST", "/_synapse/admin/v1/reset_password/x", 401, "M_MISSING_TOKEN"),
        ("GET", "/_palpo/mas/x", 401, "M_MISSING_TOKEN"),
        ("DELETE", "/_matrix/client/v3/login", 405, "M_UNRECOGNIZED"),
        ("GET", "/no/such/path", 404, "M_UNRECOGNIZED"),
    ],
)
def test_its_routes_answer_as_palpos(
    start: Callable[..., StandIn], method: str, target: str, status: int, errcode: str
) -> None:
    """Paths are compared as they came, so an altered one shows; scripts of any origin may read each answer."""
    answer = start().ask(target, method)
    assert answer.status == status
    assert not errcode or json.loads(answer.body)["errcode"] == errcode
    assert answer.all("access-control-allow-origin") == ("*",)
    assert answer.header("vary") == "origin, access-control-request-method, access-control-request-headers"


def test_it_says_that_it_is_palpo(start: Callable[..., StandIn]) -> None:
    """In the form of MSC4383, beside the specifications from r0.5.0 to v1.12."""
    document = start().document("/_matrix/client/versions")
    assert document["net.zemos.msc4383.server"] == {"name": "Palpo", "version": "0.4.0"}
    assert (document["versions"][0], document["versions"][-1]) == ("r0.5.0", "v1.12")


def test_head_is_refused_and_options_answered_everywhere(start: Callable[..., StandIn]) -> None:
    """As Palpo's router and its CORS layer do."""
    running = start()
    assert {running.ask(target, "HEAD").status for target in ("/healthz", "/_matrix/client/versions", "/x")} == {405}
    answer = running.ask("/x", "OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-methods") == "GET,POST,PUT,DELETE,OPTIONS"
    assert answer.header("access-control-max-age") == "86400"


def test_well_known_without_settings_shows_palpos_guess(start: Callable[..., StandIn]) -> None:
    """Which is wrong behind a proxy: the trap that the installer must close."""
    running = start()
    assert running.document("/.well-known/matrix/client")["m.homeserver"]["base_url"] == "http://example.com"
    assert running.document("/.well-known/matrix/server") == {"m.server": "example.com:443"}
    assert running.ask("/.well-known/matrix/server").header("cache-control") == "public, max-age=3600"


def test_support_answers_with_contact_and_page(start: Callable[..., StandIn]) -> None:
    """Where the file has both."""
    support = 'well_known = { support_role = "m.role.admin", support_email = "a@b", support_page = "https://c/" }\n'
    document = start(MINIMAL + support).document("/.well-known/matrix/support")
    contact = {"role": "m.role.admin", "email_address": "a@b"}
    assert document == {"contacts": [contact], "support_page": "https://c/"}


@pytest.mark.parametrize(
    ("setting", "stage"),
    [("allow_registration = true", "m.login.dummy"), ('registration_token = "x"', "m.login.registration_token")],
)
def test_registration_begins_with_the_stage_of_the_file(
    start: Callable[..., StandIn], setting: str, stage: str
) -> None:
    """A token opens it by itself."""
    document = start(f"{setting}\n{MINIMAL}").document("/_matrix/client/v3/register", "POST")
    assert document["flows"] == [{"stages": [stage]}]


def test_all_clients_of_one_address_share_a_limit_that_a_rate_of_zero_lifts(start: Callable[..., StandIn]) -> None:
    """By default five logins, GET as well."""
    running = start()
    assert [running.ask("/_matrix/client/v3/login").status for _ in range(6)] == [200] * 5 + [429]
    unlimited = start(f"{MINIMAL}rc_login = {{ per_second = 0.0, burst = 5 }}\n")
    assert {unlimited.ask("/_matrix/client/v3/login").status for _ in range(8)} == {200}


def test_federation_that_is_off_or_signed_wrongly_is_forbidden(start: Callable[..., StandIn]) -> None:
    """No signature is right here."""
    target = "/_matrix/federation/v1/event/a"
    assert start().ask(target, Authorization='X-Matrix origin="a",key="b",sig="c"').status == 403
    off = start(f"{MINIMAL}federation.enable = false\n")
    assert off.document(target)["error"] == "Federation is disabled."


def exchange(running: StandIn, request: bytes) -> bytes:
    """Send bytes and return all that comes back until the connection is closed."""
    with socket.create_connection(("127.0.0.1", running.port), 10) as stream:
        stream.sendall(request)
        received = b""
        while block := stream.recv(65536):
            received += block
        return received


@pytest.mark.parametrize(
    ("kind", "size", "status"),
    [("image/png", 16 * 1024 * 1024, 200), ("image/png", 16 * 1024 * 1024 + 1, 413), ("multipart/x", 17000000, 200)],
)
def test_bodies_above_sixteen_mebibytes_are_refused(
    start: Callable[..., StandIn], kind: str, size: int, status: int
) -> None:
    """But for multipart ones; the answer comes once the body was read."""
    head = f"POST /_matrix/media/v3/upload?access_token=x HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n"
    request = f"{head}Content-Length: {size}\r\nConnection: close\r\n\r\n".encode() + b"0" * size
    assert exchange(start(), request).startswith(f"HTTP/1.1 {status} ".encode())


def test_sync_waits_as_long_as_it_is_asked_to(start: Callable[..., StandIn]) -> None:
    """And others are answered meanwhile."""
    running = start()
    with socket.create_connection(("127.0.0.1", running.port), 10) as stream:
        began = time.monotonic()
        stream.sendall(b"GET /_matrix/client/v3/sync?timeout=700&access_token=x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert running.ask("/healthz").body == b"ok"
        assert time.monotonic() - began < 0.7
        assert stream.recv(100).startswith(b"HTTP/1.1 200 ")
        assert time.monotonic() - began >= 0.7


def test_a_connection_is_kept_and_closed_when_it_is_idle(start: Callable[..., StandIn]) -> None:
    """Two requests on one connection, one with a body in chunks; then nothing, until the server closes."""
    running = start(MINIMAL, "--idle", "0.3")
    chunked = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    received = exchange(running, chunked + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert received.count(b"HTTP/1.1 ") == 2
    assert received.endswith(b"\r\n\r\nok")
    assert [(entry["target"], entry["body"]) for entry in running.recorded()] == [("/a", 5), ("/healthz", 0)]


@pytest.mark.parametrize(
    "target", ["//a//b/../c/./d", "/a%2fb%2Fc%00?x=%21&y=//", "/é%", "*", "http://b/c", "/a;b|c\\d"]
)
def test_a_target_is_recorded_byte_for_byte(start: Callable[..., StandIn], target: str) -> None:
    """With the headers in order and in their spelling."""
    running = start()
    request = f"GET {target} HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\nConnection: close\r\n\r\n"
    assert exchange(running, request.encode("latin-1")).startswith(b"HTTP/1.1 404 ")
    (entry,) = running.recorded()
    assert (entry["method"], entry["target"]) == ("GET", target)
    assert entry["headers"] == [["Host", "a"], ["X-One", "1"], ["x-one", "2"], ["Connection", "close"]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_at_once(start: Callable[..., StandIn], number: signal.Signals) -> None:
    """SIGHUP too, in the middle of a request: Palpo handles none."""
    running = start()
    with socket.create_connection(("127.0.0.1", running.port), 10) as stream:
        stream.sendall(b"GET /_matrix/client/v3/sync?timeout=30000&access_token=x HTTP/1.1\r\nHost: a\r\n\r\n")
        running.process.send_signal(number)
        assert running.process.wait(5) == -number


def test_it_listens_on_each_listener(tmp_path: Path) -> None:
    """IPv6 too, where ``[::]`` takes IPv4 as well."""
    first, second = free_port(), free_port()
    text = f'{MINIMAL}[[listeners]]\naddress = "127.0.0.1:{first}"\n[[listeners]]\naddress = "[::]:{second}"\n'
    config = tmp_path / "palpo.toml"
    config.write_text(text, encoding="utf-8")
    process = subprocess.Popen([sys.executable, PROGRAM, "-c", config], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert [process.stderr.readline() for _ in range(2)][-1] == f"listening on [::]:{second}\n"
        for address, port in (("127.0.0.1", first), ("127.0.0.1", second), ("::1", second)):
            assert ask(Question(address, port, tls=False, target="/healthz")).body == b"ok"
    finally:
        process.kill()
        process.communicate()
