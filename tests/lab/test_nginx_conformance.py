"""What becomes of requests to the rendered site in a real nginx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.site import Site
from tests.lab.served_site import BASE, CLIENT, LEGAL, Running, installed, neighboured, refused, served
from tests.lab.upstream import DELAY, STATUS, upstream
from tests.lab.wire import Wire

ILLEGAL = ["/_matrix/a%00b", "/_matrix/a%", "/_matrix/a%zz", "/_matrix/é", "/_matrix/a|b", '/_matrix/a"b<c>']
ILLEGAL += ["/_matrix/a{b}^`", "/_matrix/a\\b", "/_matrix/[x]", "/_matrix/a#b"]

CLOSED = [
    "/",
    "/metrics",
    "/health",
    "/_matrixfoo",
    "/_MATRIX/client/versions",
    "/_palpo/clientfoo",
    "/_palpo/admin",
    "/_palpo/admin/v1/users",
    "//_palpo//admin/v1",
    "/_palpo/%61dmin/v1",
    "/%5Fpalpo/admin",
    "/_PALPO/admin",
    "/_synapse/admin/v1",
    "/_palpo/mas",
    "/_synapse/mas/x",
    "/_palpo/./admin/x",
    "/_matrix/../_palpo/admin/v1/users",
    "/_matrix/%2e%2e/_palpo/admin",
    "/_matrix/..%2f_palpo/admin",
    "/_palpo/client/../admin/v1",
    "/_palpo/client/..%2Fadmin",
    "/_palpo%2fadmin/x",
    "/_palpo/admin/..%2f..%2f_matrix/x",
    "/_palpo/admin/v1/users/../../../../_matrix",
    "/%5fPalpo/%41dmin/%2e%2e/%2e%2e/_matrix",
    "/health/../_matrix/x",
    "//health%2f..%2f_matrix",
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The site in one nginx for all tests."""
    with served(tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.mark.parametrize("target", LEGAL)
def test_a_legal_target_arrives_byte_for_byte(running: Running, target: str) -> None:
    """Over HTTP/1.1 and HTTP/2."""
    answer, arrived = running.seen(target)
    assert (answer.status, arrived) == (200, [target.encode()])
    running.homeserver.requests.clear()
    assert running.wire.http2(target.encode()).status == 200
    assert running.homeserver.targets == [target.encode()]


@pytest.mark.parametrize("target", ILLEGAL)
def test_an_illegal_target_arrives_unaltered_or_is_refused(running: Running, target: str) -> None:
    """Over HTTP/1.1 and HTTP/2; a refusal is 4xx or a reset stream."""
    answer, arrived = running.seen(target)
    assert arrived == [target.encode()] or (400 <= answer.status < 500 and not arrived)
    running.homeserver.requests.clear()
    answer = running.wire.http2(target.encode())
    assert running.homeserver.targets == [target.encode()] or 400 <= answer.status < 500 or answer.problem


@pytest.mark.parametrize("target", CLOSED)
def test_what_is_closed_stays_closed_however_it_is_written(running: Running, target: str) -> None:
    """As nginx reads it and as the homeserver would; the homeserver sees nothing."""
    for name in (CLIENT, None):
        wire = replace(running.wire, sni=name)
        for each in (running.homeserver, running.media):
            each.requests.clear()
        answer = wire.http1(target.encode(), [(b"Host", CLIENT.encode())])
        assert running.homeserver.targets + running.media.targets == []
        refused(answer, 404, "M_UNRECOGNIZED")


@pytest.mark.parametrize(
    "target",
    ["/_matrix/client/v3/register", "/_matrix/client/v3/%72egister", "/_matrix//client/v3//register/",
     "/_matrix/client/r0/register?kind=user", "/_matrix/client/v3/x/../register", "/_matrix/client/v3%2fregister"],
)  # fmt: skip
def test_closed_registration_is_closed(running: Running, target: str) -> None:
    """POST is refused however it is written; the preflight of a browser and GET reach the homeserver."""
    running.homeserver.requests.clear()
    refused(running.wire.http1(target.encode(), method=b"POST"), 403, "M_FORBIDDEN")
    assert running.homeserver.requests == []
    for method in (b"OPTIONS", b"GET"):
        assert running.wire.http1(target.encode(), method=method).status == 200
    assert running.homeserver.targets == [target.encode()] * 2


@pytest.mark.parametrize("connection", [b"close", b"X-Forwarded-For, X-Forwarded-Proto, Host, close"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_only_our_forwarding_headers_arrive(running: Running, address: str, connection: bytes) -> None:
    """The client's own are gone, also when it declares ours as headers of the connection."""
    spoofed = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Host", "X-Forwarded-Proto"]
    spoofed += ["X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Client-IP", "X-Original-URL"]
    headers = [(name.encode(), b"203.0.113.66") for name in spoofed]
    replace(running.wire, address=address).http1(b"/_matrix/x", [*headers, (b"Connection", connection)])
    request = running.homeserver.requests[-1]
    assert request.all("x-forwarded-for") == (address,)
    assert request.all("x-forwarded-proto") == ("https",)
    assert not [value for _, value in request.headers if "203.0.113.66" in value]


def test_behind_a_load_balancer_the_client_is_the_one_it_names(running: Running) -> None:
    """X-Forwarded-For comes from the PROXY line where the neighbour's socket has one."""
    hello = b"PROXY TCP4 198.51.100.7 203.0.113.1 4711 443\r\n"
    wire = replace(running.wire, port=running.nginx.ports.balanced, hello=hello)
    assert wire.http1(b"/_matrix/x").status == 200
    assert running.homeserver.requests[-1].all("x-forwarded-for") == ("198.51.100.7",)


@pytest.mark.parametrize("host", ["matrix.example.com:443", "MATRIX.example.COM", "matrix.example.com"])
def test_the_host_arrives_as_the_client_wrote_it(running: Running, host: str) -> None:
    """Port and case included."""
    running.wire.http1(b"/_matrix/x", [(b"Host", host.encode())])
    assert running.homeserver.requests[-1].all("host") == (host,)


@pytest.mark.parametrize("path", ["media/v3/x.png", "client/v1/media/x", "federation/v1/media/x"])
def test_media_goes_to_the_media_repository_as_the_server_name(running: Running, path: str) -> None:
    """With the server name as Host, whatever the client wrote."""
    _, arrived = running.seen(f"/_matrix/{path}")
    assert arrived == running.media.targets == [f"/_matrix/{path}".encode()]
    assert running.media.requests[-1].all("host") == (BASE,)
    assert running.media.requests[-1].all("x-forwarded-host") == (BASE,)
    assert running.media.requests[-1].all("x-forwarded-for") == ("127.0.0.1",)


@pytest.mark.parametrize(("size", "passes"), [(7, True), (31, True), (40, False)])
def test_long_header_lines(running: Running, size: int, passes: bool) -> None:
    """Up to 32 KiB pass, over both protocols; longer ones are refused: 4xx, or an end of the connection in HTTP/2."""
    header = (b"authorization", b"x" * size * 1024)
    first, second = running.wire.http1(b"/_matrix/x", [header]), running.wire.http2(b"/_matrix/x", [header])
    if passes:
        assert (first.status, second.status) == (200, 200)
    else:
        assert 400 <= first.status < 500
        assert 400 <= second.status < 500 or second.problem


def test_a_large_upload_passes(running: Running) -> None:
    """Ten MiB, with a length and in chunks."""
    size = 10 * 1024 * 1024
    sized = running.wire.http1(
        b"/_matrix/media/v3/upload", [(b"Content-Length", b"%d" % size)], method=b"POST", body=[bytes(size)]
    )
    piece = b"%x\r\n%b\r\n" % (65536, bytes(65536))
    chunked = running.wire.http1(
        b"/_matrix/media/v3/upload", [(b"Transfer-Encoding", b"chunked")], method=b"POST",
        body=[*[piece] * 160, b"0\r\n\r\n"],
    )  # fmt: skip
    assert (sized.status, chunked.status) == (200, 200)
    assert [request.body for request in running.media.requests[-2:]] == [size, size]


@pytest.mark.parametrize("coding", [(b"Content-Length", b"%d" % (17 * 2**20)), (b"Transfer-Encoding", b"chunked")])
def test_a_body_above_the_limit_is_answered(running: Running, coding: tuple[bytes, bytes]) -> None:
    """With 413 and JSON, after all of it was sent."""
    piece = bytes(2**20) if coding[0] == b"Content-Length" else b"%x\r\n%b\r\n" % (2**20, bytes(2**20))
    body = [*[piece] * 17, *([b"0\r\n\r\n"] if coding[1] == b"chunked" else [])]
    arrived = len(running.homeserver.requests)
    answer = running.wire.http1(b"/_matrix/client/v3/x", [coding], method=b"POST", body=body)
    refused(answer, 413, "M_TOO_LARGE")
    assert len(running.homeserver.requests) == arrived


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"])
def test_an_answer_of_the_homeserver_keeps_its_headers(running: Running, method: bytes) -> None:
    """One CORS header and one content type, its own; no caching of ours; errors as it wrote them."""
    for status in (b"200", b"404", b"429", b"502"):
        answer = running.wire.http1(b"/_matrix/x.png", [(STATUS.encode(), status)], method=method)
        assert answer.status == int(status)
        assert answer.all("access-control-allow-origin") == ("*",)
        assert answer.all("content-type") == ("application/json",)
        assert answer.all("cache-control") == ()
        assert answer.body == (b"" if method == b"HEAD" else b'{"from":"upstream"}')


def test_wrong_logins_are_limited_by_client(running: Running) -> None:
    """Of fifty at once most are refused with JSON; asking for the methods is not, nor is another address."""
    path = b"/_matrix/client/v3/login"
    answers = [running.wire.http1(path, method=b"POST") for _ in range(50)]
    limited = [answer for answer in answers if answer.status == 429]
    assert 30 <= len(limited) <= 40
    refused(limited[-1], 429, "M_LIMIT_EXCEEDED")
    assert json.loads(limited[-1].body)["retry_after_ms"] > 0
    assert running.wire.http1(b"/_matrix//client/v3/%6cogin/", method=b"POST").status == 429
    assert running.wire.http1(path).status == 200
    assert replace(running.wire, address="::1").http1(path, method=b"POST").status == 200


def test_a_homeserver_that_is_away(running: Running) -> None:
    """Refused connections give 502, silence 504, both as JSON; the next request is tried again."""
    refused(running.dead.http1(b"/_matrix/client/v3/image.png"), 502, "M_UNKNOWN")
    refused(running.wire.http1(b"/_matrix/x", [(DELAY.encode(), b"3.5")]), 504, "M_UNKNOWN")
    assert running.wire.http1(b"/_matrix/x").status == 200


def test_answers_may_take_as_long_as_the_site_says(running: Running) -> None:
    """Two seconds of three."""
    assert running.wire.http1(b"/_matrix/client/v3/sync", [(DELAY.encode(), b"2")]).status == 200


@pytest.mark.slow
def test_a_long_poll_of_a_minute(tmp_path: Path) -> None:
    """Longer than nginx waits by itself."""
    with upstream() as homeserver:
        nginx = neighboured(tmp_path)
        installed(tmp_path, nginx, homeserver.address, homeserver.address, timeout=Site.read_timeout)
        with nginx.running():
            wire = Wire("127.0.0.1", nginx.ports.https, CLIENT)
            assert wire.http1(b"/_matrix/client/v3/sync", [(DELAY.encode(), b"61")]).status == 200
