"""What the rendered site shows in a real nginx, beside neighbours with other settings."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.probe import Question, ask
from tests.lab.conformance.targets import LEGAL
from tests.lab.neighboured_nginx import Ports
from tests.lab.served_site import BASE, CLIENT, NEIGHBOUR, Running, installed, neighboured, refused, served
from tests.lab.upstream import DELAY, upstream
from tests.lab.wire import Wire


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The site in one nginx for all tests."""
    with served(tmp_path_factory.mktemp("nginx")) as running:
        yield running


def test_the_configuration_is_accepted_without_a_warning(running: Running) -> None:
    """Not one line, though every neighbour inherits other settings."""
    assert running.nginx.test() == ""


def test_a_name_of_two_hundred_characters_is_served(tmp_path: Path) -> None:
    """Where nginx's hash of names is as small as it comes."""
    name = ".".join(["m" * 60, "a" * 60, "t" * 60, "example.com.org.net"])
    with upstream() as homeserver:
        nginx = neighboured(tmp_path)
        installed(tmp_path, nginx, homeserver.address, homeserver.address, timeout=3, client=name)
        assert nginx.test() == ""
        with nginx.running():
            assert Wire("127.0.0.1", nginx.ports.https, name).http1(b"/_matrix/x").status == 200
    assert len(name) > 200


def test_every_expectation_holds_on_its_address(running: Running) -> None:
    """Each name shows the marker and its own certificate wherever it is said to."""
    expectations = (*running.rendering.plain.expectations, *running.rendering.secure.expectations)
    assert {each.address for each in expectations} == {"127.0.0.1", "::1"}
    for each in expectations:
        question = Question(each.address, each.port, each.tls, each.name, each.name, "/.well-known/palpo-installer")
        answer = ask(replace(question, proxy_protocol=each.proxy_protocol))
        assert answer.all("palpo-installer") == (each.marker,), each
        if each.certificate:
            shown = certificate_of(each.certificate)
            assert answer.chain == shown, each


def certificate_of(path: Path) -> bytes:
    """Return the leaf of a PEM file."""
    return ssl.PEM_cert_to_DER_cert(path.read_text())


@pytest.mark.parametrize("name", [CLIENT, BASE])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
def test_well_known_documents(running: Running, name: str, method: bytes) -> None:
    """200, JSON, one CORS header, a short life; quotes and dollar signs in them survive."""
    wire, documents = replace(running.wire, sni=name), []
    for path in (b"client", b"server", b"support"):
        answer = wire.http1(b"/.well-known/matrix/" + path, method=method)
        assert (answer.status, answer.all("content-type")) == (200, ("application/json",))
        assert answer.all("access-control-allow-origin") == ("*",)
        assert answer.all("access-control-allow-methods") == ("GET, POST, PUT, DELETE, OPTIONS",)
        assert len(answer.all("access-control-allow-headers")) == 1
        assert re.fullmatch(r"max-age=(3600|86400)", answer.header("cache-control"))
        documents.append(answer.body)
    if method != b"HEAD":
        client, server, support = map(json.loads, documents)
        port = running.nginx.ports.https
        assert client["m.homeserver"] == {"base_url": f"https://{CLIENT}:{port}"}
        assert server == {"m.server": f"{CLIENT}:{port}"}
        assert support["contacts"][0]["email_address"] == "it's $@example.com"


@pytest.mark.parametrize("target", LEGAL)
def test_the_redirect_keeps_the_target(running: Running, target: str) -> None:
    """Byte for byte, to the literal name, on each address."""
    ports = running.nginx.ports
    for address in ("127.0.0.1", "::1"):
        wire = Wire(address, ports.http, CLIENT, tls=False)
        answer = wire.http1(target.encode(), [(b"Host", b"Matrix.Example.Com:1")])
        assert (answer.status, answer.header("location")) == (301, f"https://{CLIENT}:{ports.https}{target}")


def test_challenges_are_answered_before_the_redirect(running: Running) -> None:
    """As plain text over plain HTTP; one that is not there is 404, not a redirect."""
    wire = Wire("::1", running.nginx.ports.http, BASE, tls=False)
    answer = wire.http1(b"/.well-known/acme-challenge/token")
    assert (answer.status, answer.body, answer.header("content-type")) == (200, b"answer", "text/plain")
    assert wire.http1(b"/.well-known/acme-challenge/other").status == 404


def test_neighbours_and_nameless_requests_are_answered_as_before(running: Running, tmp_path: Path) -> None:
    """Compared with the same nginx without us, on every address and port it had."""
    alone = neighboured(tmp_path)

    def answers(ports: Ports, name: str, sni: str | None) -> list[tuple[int, bytes, bool]]:
        balanced = Wire("127.0.0.1", ports.balanced, sni, hello=b"PROXY UNKNOWN\r\n")
        secure = [Wire(address, ports.https, sni) for address in ("127.0.0.1", "::1")]
        plain = [Wire(address, ports.http, sni, tls=False) for address in ("127.0.0.1", "::1")]
        asked = [(wire, wire.http1(b"/", [(b"Host", name.encode())])) for wire in (*secure, *plain, balanced)]
        return [(answer.status, answer.body, wire.tls and wire.offers_http2()) for wire, answer in asked]

    with alone.running():
        for name, sni in ((NEIGHBOUR, NEIGHBOUR), ("unknown.example", "unknown.example"), ("127.0.0.1", None)):
            before = answers(alone.ports, name, sni)
            assert {body for _, body, _ in before} == {b"neighbour over http", b"neighbour over https"}
            assert answers(running.nginx.ports, name, sni) == before


def test_behind_a_load_balancer_the_client_is_the_one_it_names(running: Running) -> None:
    """X-Forwarded-For comes from the PROXY line where the neighbour's socket has one."""
    hello = b"PROXY TCP4 198.51.100.7 203.0.113.1 4711 443\r\n"
    wire = replace(running.wire, port=running.nginx.ports.balanced, hello=hello)
    assert wire.http1(b"/_matrix/x").status == 200
    assert running.homeserver.requests[-1].all("x-forwarded-for") == ("198.51.100.7",)


def test_answers_may_take_as_long_as_the_site_says(running: Running) -> None:
    """Two seconds of three; four are told as 504 in JSON, and the next request is tried again."""
    assert running.wire.http1(b"/_matrix/client/v3/sync", [(DELAY.encode(), b"2")]).status == 200
    refused(running.wire.http1(b"/_matrix/x", [(DELAY.encode(), b"3.5")]), 504, "M_UNKNOWN")
    assert running.wire.http1(b"/_matrix/x").status == 200


def test_http2_is_offered_where_it_harms_nobody(running: Running) -> None:
    """On new sockets, and on a shared one only if the neighbours have it there."""
    ports = running.nginx.ports
    assert Wire("127.0.0.1", ports.federation, BASE).offers_http2()
    assert Wire("127.0.0.1", ports.https, CLIENT).offers_http2()
    assert not Wire("::1", ports.https, CLIENT).offers_http2()
    assert any(f"HTTP/2 is not offered on port {ports.https} at ::1" in each for each in running.rendering.findings)


def test_old_tls_is_refused(running: Running) -> None:
    """TLS 1.1, though the other sites allow it and the client speaks it."""
    assert agrees_on_tls_1_1(running.nginx.ports.https, NEIGHBOUR)
    assert not agrees_on_tls_1_1(running.nginx.ports.federation, BASE)
    assert not agrees_on_tls_1_1(running.nginx.ports.https, CLIENT)


def agrees_on_tls_1_1(port: int, name: str) -> bool:
    """Return whether a handshake with TLS 1.1 succeeds."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, "-tls1_1"]
    command += ["-cipher", "ALL:@SECLEVEL=0", "-brief"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
    return "Protocol version: TLSv1.1" in done.stderr
