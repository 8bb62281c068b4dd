"""What becomes of the headers of a request, and of an answer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from tests.lab.conformance.rows import AT_ONCE
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


@pytest.mark.parametrize("kibibytes", [7, 31])
@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])
def test_long_lines_pass(served: Served, kibibytes: int, protocol: str) -> None:
    """A header line, as a signature or a token makes it, and a target, as a filter does, of up to 32 KiB."""
    header = (b"authorization", b"x" * kibibytes * 1024)
    target = "/_matrix/client/v3/sync?filter=" + "%7B" * (kibibytes * 1024 // 3)
    for answer, arrived in (served.ask(protocol, "/_matrix/x", [header]), served.ask(protocol, target)):
        if kibibytes > 7 and protocol in served.row.exceptions("long lines"):
            assert answer.status in {served.row.exceptions("long lines")[protocol], 414}
            assert arrived == []
        else:
            assert answer.status == 200
            (request,) = served.arrived
            assert request.all("authorization") in {(), (header[1].decode(),)}
            assert len(arrived) == 1


@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])
def test_header_lines_that_are_far_too_long_are_refused(served: Served, protocol: str) -> None:
    """With 4xx, or in HTTP/2 a reset; nothing arrives. Some answer before all of it was sent."""
    instead = served.row.exceptions("endless lines").get(protocol)
    if instead == AT_ONCE:
        with suppress(OSError):
            assert served.ask(protocol, "/_matrix/x", [(b"authorization", b"x" * 200 * 1024)])[0].status != 200
        assert served.arrived == []
        return
    answer, arrived = served.ask(protocol, "/_matrix/x", [(b"authorization", b"x" * 200 * 1024)])
    if instead:
        assert (answer.status, arrived) == (instead, [b"/_matrix/x"])
        return
    assert 400 <= answer.status < 500 or (protocol == "HTTP/2" and answer.problem)
    assert arrived == []


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
