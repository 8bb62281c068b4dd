"""Which request targets reach the homeserver, and how they look there."""

from __future__ import annotations

import ssl
from dataclasses import replace

import pytest

from palpo_installer.probe import Answer
from tests.lab.conformance.served import CLIENT, Served
from tests.lab.conformance.targets import BROKEN, CLOSED, ILLEGAL, LEGAL, REGISTRATION
from tests.lab.served_site import refused

PROTOCOLS = ("HTTP/1.1", "HTTP/2")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_legal_targets_arrive_byte_for_byte(served: Served, protocol: str) -> None:
    """Every one of them, answered by the homeserver."""
    seen = {target: served.ask(protocol, target) for target in LEGAL}
    otherwise = {
        target: arrived[0].decode() if arrived else answer.status
        for target, (answer, arrived) in seen.items()
        if (answer.status, arrived) != (200, [target.encode()])
    }
    assert otherwise == served.row.exceptions("legal targets")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_illegal_targets_arrive_unaltered_or_are_refused(served: Served, protocol: str) -> None:
    """A refusal is 4xx or a reset stream, and then nothing arrives."""
    wrong = {}
    for target in ILLEGAL:
        answer, arrived = served.ask(protocol, target)
        rejected = not arrived and (400 <= answer.status < 500 or (protocol == "HTTP/2" and answer.problem))
        if arrived != [target.encode()] and not rejected:
            wrong[target] = arrived or answer
    assert wrong == {}


def test_what_is_closed_stays_closed_however_it_is_written(served: Served) -> None:
    """As the proxy reads it and as the homeserver would: 404 in JSON, and the homeserver sees nothing."""
    for target in CLOSED:
        answer = served.wire.http1(target.encode())
        assert [request.target for request in served.arrived] == [], target
        refused(answer, 404, "M_UNRECOGNIZED")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_closed_stays_closed_with_a_broken_escape(served: Served, protocol: str) -> None:
    """Refused by whoever notices first, as a bad request or as nothing that is served."""
    for target in BROKEN:
        answer, arrived = served.ask(protocol, target)
        assert arrived == [], target
        assert 400 <= answer.status < 500 or (protocol == "HTTP/2" and answer.problem), (target, answer)


def test_what_is_closed_is_not_opened_by_what_a_proxy_replaces(served: Served) -> None:
    """A part of a target that the proxy takes for a variable of its own stays what it is: one segment of the path."""
    for variable in ("{http.request.uri.query.x}", "{http.request.header.x-x}", "%[req.hdr(x-x)]", "$http_x_x", "{x}"):
        target = f"/_matrix/client/{variable}/register?x=a/b"
        answer = served.wire.http1(target.encode(), [(b"X-X", b"a/b")], method=b"POST")
        assert [request.target for request in served.arrived] == [], target
        assert 400 <= answer.status < 500, target


def test_what_is_closed_stays_closed_without_a_name(served: Served) -> None:
    """Where the handshake names no host, and the Host header does."""
    nameless, instead = replace(served.wire, sni=None), served.row.exceptions("no name")
    for target in CLOSED:
        try:
            answer = nameless.http1(target.encode(), [(b"Host", CLIENT.encode())])
        except ssl.SSLError:
            answer = Answer()
        assert [request.target for request in served.arrived] == [], target
        if instead:
            assert answer.status == instead["status"]
        else:
            refused(answer, 404, "M_UNRECOGNIZED")


def test_what_is_closed_is_closed_on_the_federation_port(served: Served) -> None:
    """As well, by its name and by the name of the website."""
    for target in CLOSED:
        refused(served.federation.http1(target.encode()), 404, "M_UNRECOGNIZED")
    assert [request.target for request in served.arrived] == []


def test_closed_registration_is_closed(served: Served) -> None:
    """POST is refused however it is written; the preflight of a browser and GET reach the homeserver."""
    for target in REGISTRATION:
        served.forget()
        refused(served.wire.http1(target.encode(), method=b"POST"), 403, "M_FORBIDDEN")
        assert served.arrived == []
        for method in (b"OPTIONS", b"GET"):
            assert served.wire.http1(target.encode(), method=method).status == 200
        assert [request.target for request in served.arrived] == [target.encode()] * 2


def test_media_goes_to_the_media_repository_as_the_server_name(served: Served) -> None:
    """All three families, with the server name as Host, whatever the client wrote."""
    for path in ("media/v3/x.png", "client/v1/media/x", "federation/v1/media/x"):
        served.forget()
        target = f"/_matrix/{path}".encode()
        assert served.wire.http1(target).status == 200
        assert [request.target for request in served.media.requests] == [target]
        assert [request.target for request in served.arrived] == [target]
        assert served.media.requests[-1].all("host") == ("example.com",)
        assert served.media.requests[-1].all("x-forwarded-for") == (served.wire.address,)


def test_port_80_leads_to_the_same_target_over_tls(served: Served) -> None:
    """Byte for byte, to the literal name; only a challenge is looked for first."""
    for address in ("198.18.0.10", "fd10::10"):
        plain = replace(served.plain, address=address)
        for target in LEGAL:
            answer = plain.http1(target.encode())
            path = target.partition("?")[0]
            instead = {status for piece, status in served.row.exceptions("redirects").items() if piece in path}
            assert answer.status in (instead or {301, 308}), target
            assert answer.header("location") == f"https://{CLIENT}{target}"
    challenge = "/.well-known/acme-challenge"
    served.host.write(f"/var/lib/palpo-installer/webroot{challenge}/token", "answer")
    with served.answering():
        there = served.plain.http1(f"{challenge}/token".encode())
        assert (there.status, there.body) == (200, b"answer")
        assert served.plain.http1(f"{challenge}/other".encode()).status == 404
    assert served.plain.http1(f"{challenge}/other".encode()).status == 404
