"""What the proxy answers itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from tests.lab import ways
from tests.lab.conformance.served import BASE, CLIENT, SUPPORT, Served
from tests.lab.hosts import ADDRESS4, ADDRESS6
from tests.lab.running import until
from tests.lab.served_site import refused

LOGIN = b"/_matrix/client/v3/login"
WAIT = 12 * 1000
"""Milliseconds that a client may be asked to wait at most: one request of five a minute."""


@pytest.mark.parametrize("name", [CLIENT, BASE])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
def test_well_known_documents(served: Served, name: str, method: bytes) -> None:
    """On both hosts: 200, JSON, one CORS header, a short life; quotes and dollar signs in them survive."""
    wire = replace(served.wire, sni=name)
    documents = []
    for path in (b"client", b"support"):
        answer = wire.http1(b"/.well-known/matrix/" + path, method=method)
        assert (answer.status, answer.all("content-type")) == (200, ("application/json",))
        assert answer.all("access-control-allow-origin") == ("*",)
        assert answer.all("access-control-allow-methods") == ("GET, POST, PUT, DELETE, OPTIONS",)
        assert len(answer.all("access-control-allow-headers")) == 1
        assert re.fullmatch(r"max-age=(3600|86400)", answer.header("cache-control"))
        documents.append(answer.body)
    if method == b"HEAD":
        assert documents == [b"", b""]
    else:
        client, support = map(json.loads, documents)
        assert client == {"m.homeserver": {"base_url": f"https://{CLIENT}"}}
        assert support == {"support_page": SUPPORT}
    assert served.arrived == []


@pytest.mark.parametrize("name", [CLIENT, BASE])
def test_no_document_hides_the_srv_records(served: Served, name: str) -> None:
    """A valid /.well-known/matrix/server would be taken before them."""
    refused(replace(served.wire, sni=name).http1(b"/.well-known/matrix/server"), 404, "M_UNRECOGNIZED")
    assert served.arrived == []


@pytest.mark.parametrize("address", [ADDRESS4, ADDRESS6])
def test_the_port_of_the_srv_records(served: Served, address: str) -> None:
    """It shows the base domain's certificate, passes federation on, and answers 404 elsewhere."""
    wire = replace(served.federation, address=address)
    assert ways.served(served.host, address, wire.port, BASE) == ways.on_disk(served.host, BASE)
    assert wire.http1(b"/_matrix/federation/v1/version").status == 200
    assert [request.target for request in served.arrived] == [b"/_matrix/federation/v1/version"]
    refused(wire.http1(b"/"), 404, "M_UNRECOGNIZED")
    refused(wire.http1(b"/.well-known/matrix/server"), 404, "M_UNRECOGNIZED")


def test_each_name_shows_its_own_certificate(served: Served) -> None:
    """On IPv4 and IPv6."""
    for name in (CLIENT, BASE):
        for address in (ADDRESS4, ADDRESS6):
            assert ways.served(served.host, address, 443, name) == ways.on_disk(served.host, name)


def test_http2_is_offered_and_old_tls_refused(served: Served) -> None:
    """HTTP/2 on every port of ours; TLS 1.1 on none."""
    for wire in (served.wire, served.base, served.federation):
        assert wire.offers_http2()
        command = ["openssl", "s_client", "-connect", f"{wire.address}:{wire.port}", "-servername", wire.sni or ""]
        said = served.host.run([*command, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-brief"]).stderr
        assert "CONNECTION ESTABLISHED" not in said


def test_fifty_wrong_logins(served: Served) -> None:
    """A proxy that limits refuses most of fifty at once with 429, JSON and a time; another address is not limited.

    A proxy that does not, passes on all, for Palpo to limit, and its 429 comes back as it is.
    """
    answers = [served.wire.http1(LOGIN, method=b"POST") for _ in range(50)]
    limited = [answer for answer in answers if answer.status == 429]
    if not served.row.limits:
        assert [answer.status for answer in answers] == [200] * 50
        return
    assert 30 <= len(limited) <= 40
    assert len(served.arrived) == 50 - len(limited)
    refused(limited[-1], 429, "M_LIMIT_EXCEEDED")
    assert 0 < json.loads(limited[-1].body)["retry_after_ms"] <= WAIT
    assert served.wire.http1(b"/_matrix//client/v3/%6cogin/", method=b"POST").status == 429
    assert served.wire.http1(LOGIN).status == 200
    assert replace(served.wire, address=ADDRESS6).http1(LOGIN, method=b"POST").status == 200


def test_a_homeserver_that_is_away(served: Served) -> None:
    """Its absence is told as 502 in JSON, readable by scripts; once it is back requests reach it."""
    status = int(served.row.exceptions("away").get("status", 502))
    with served.away():
        refused(served.wire.http1(b"/_matrix/client/v3/image.png"), status, "M_UNKNOWN")
        refused(served.federation.http1(b"/_matrix/x"), status, "M_UNKNOWN")
    until(lambda: served.wire.http1(b"/_matrix/x").status == 200, "the homeserver", 10)
