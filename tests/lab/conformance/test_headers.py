"""What becomes of the headers of a request, and of an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.lab.conformance.served import CLIENT, Served
from tests.lab.hosts import ADDRESS4, ADDRESS6
from tests.lab.upstream import STATUS

SPOOFED = (
    "X-Forwarded-For",
    "Forwarded",
    "X-Real-IP",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Prefix",
    "X-Client-IP",
    "X-Original-URL",
)
LIE = "203.0.113.66"


@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("address", [ADDRESS4, ADDRESS6])
def test_only_our_forwarding_headers_arrive(served: Served, address: str, protocol: str) -> None:
    """The client's own are gone, be they in lower or mixed case."""
    wire = replace(served.wire, address=address)
    if protocol == "HTTP/2":
        wire.http2(b"/_matrix/x", [(name.lower().encode(), LIE.encode()) for name in SPOOFED])
    else:
        wire.http1(b"/_matrix/x", [(name.encode(), LIE.encode()) for name in SPOOFED])
    (request,) = served.arrived
    assert request.all("x-forwarded-for") == (address,)
    assert request.all("x-forwarded-proto") == ("https",)
    assert [header for header in request.headers if LIE in header[1]] == []


@pytest.mark.parametrize("named", ["X-Forwarded-For, X-Forwarded-Proto, Host, close", "x-forwarded-proto", "close"])
def test_a_client_cannot_strip_our_headers(served: Served, named: str) -> None:
    """By naming them in Connection, as headers that a proxy drops (RFC 9110, section 7.6.1)."""
    spoofed = [(name.encode(), LIE.encode()) for name in SPOOFED]
    served.wire.http1(b"/_matrix/x", [*spoofed, (b"Connection", named.encode())])
    (request,) = served.arrived
    assert request.all("x-forwarded-for") == (ADDRESS4,)
    assert request.all("x-forwarded-proto") == ("https",)
    assert request.all("host") == (CLIENT,)
    assert [header for header in request.headers if LIE in header[1]] == []


@pytest.mark.parametrize("host", ["matrix.example.com:443", "MATRIX.example.COM", "matrix.example.com"])
def test_the_host_arrives_as_the_client_wrote_it(served: Served, host: str) -> None:
    """Port and case included."""
    assert served.wire.http1(b"/_matrix/x", [(b"Host", host.encode())]).status == 200
    (request,) = served.arrived
    assert request.all("host") == (host,)


@pytest.mark.parametrize("host", ["example.com:8448", "example.com"])
def test_the_host_of_a_server_arrives(served: Served, host: str) -> None:
    """On the port of the SRV records, where servers write the name of the server, with a port or without."""
    assert served.federation.http1(b"/_matrix/x", [(b"Host", host.encode())]).status == 200
    (request,) = served.arrived
    assert request.all("host") == (host,)


@pytest.mark.parametrize(("kibibytes", "passes"), [(7, True), (31, True), (100, False)])
def test_long_header_lines(served: Served, kibibytes: int, passes: bool) -> None:
    """Up to 32 KiB pass, over both protocols; far longer ones are refused: 4xx, or in HTTP/2 a reset."""
    header = (b"authorization", b"x" * kibibytes * 1024)
    first, second = served.wire.http1(b"/_matrix/x", [header]), served.wire.http2(b"/_matrix/x", [header])
    if passes:
        assert (first.status, second.status) == (200, 200)
        assert [request.all("authorization") for request in served.arrived] == [(header[1].decode(),)] * 2
    else:
        assert 400 <= first.status < 500
        assert 400 <= second.status < 500 or second.problem
        assert served.arrived == []


def test_a_long_request_line(served: Served) -> None:
    """A target of 31 KiB, as a filter in a query is."""
    target = "/_matrix/client/v3/sync?filter=" + "%7B" * 10_000
    for protocol in ("HTTP/1.1", "HTTP/2"):
        answer, arrived = served.ask(protocol, target)
        assert (answer.status, arrived) == (200, [target.encode()])


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"])
def test_an_answer_of_the_homeserver_keeps_its_headers(served: Served, method: bytes) -> None:
    """One CORS header and one content type, its own; no caching of ours; errors as it wrote them."""
    for status in (b"200", b"404", b"429", b"502"):
        answer = served.wire.http1(b"/_matrix/x.png", [(STATUS.encode(), status)], method=method)
        assert answer.status == int(status)
        assert answer.all("access-control-allow-origin") == ("*",)
        assert answer.all("content-type") == ("application/json",)
        assert answer.all("cache-control") == ()
        assert answer.body == (b"" if method == b"HEAD" else b'{"from":"upstream"}')
    assert {request.method for request in served.arrived} == {method.decode()}
