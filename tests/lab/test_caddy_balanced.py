"""Caddy behind a load balancer, by PROXY lines or by headers: the client's own address arrives."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from tests.lab import from_go, services, ways
from tests.lab.hosts import ADDRESS4, ThrowAwayHost
from tests.lab.running import until
from tests.lab.upstream import upstream
from tests.lab.wire import Wire

CLIENT = "203.0.113.9"
LINE = f"PROXY TCP4 {CLIENT} {ADDRESS4} 50000 443\r\n".encode()
SERVERS = (
    "{\n\tservers {\n\t\tlistener_wrappers {\n\t\t\tproxy_protocol {\n\t\t\t\tWORDS\n\t\t\t}\n\t\t\ttls\n\t\t}\n\t}\n"
)
REQUIRED = "fallback_policy require"
LOCAL = "allow 127.0.0.0/8 198.18.0.0/15 ::1/128 fd10::/16"
"""Everybody on the lab host; until 2.7 they have to send a line then."""
PEERS = "198.18.0.0/15"
"""Those who ask a lab host."""


def test_debians_caddy_has_no_such_part(tmp_path: Path) -> None:
    """A Caddyfile that asks for it does not load: there is nothing to recognise."""
    (tmp_path / "Caddyfile").write_text(f"{SERVERS.replace('WORDS', LOCAL)}}}\n:8098 {{\n}}\n")
    argv = [
        str(from_go.found(from_go.DEBIANS)),
        "adapt",
        "--adapter",
        "caddyfile",
        "--config",
        str(tmp_path / "Caddyfile"),
    ]
    said = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert said.returncode != 0
    assert "module not registered: caddy.listeners.proxy_protocol" in said.stderr


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (from_go.NEWEST, LOCAL),
        *(
            pytest.param(each, words, marks=pytest.mark.slow)
            for each in from_go.RELEASES
            for words in (LOCAL, REQUIRED)
        ),
    ],
)
def test_the_clients_own_address_arrives(
    host: ThrowAwayHost, request: pytest.FixtureRequest, version: str, words: str
) -> None:
    """What the line says is passed on, and nothing that the client says; every socket is asked as it wants to be."""
    slow = request.config.getoption("--slow")
    program = from_go.made(version) if slow else from_go.found(version)
    if words == REQUIRED and version == "2.7":
        words = "timeout 5s"
    from_go.put(host, program)
    services.make_certificate(host, services.NEIGHBOUR_CERTIFICATE, services.NEIGHBOUR_KEY, f"DNS:{services.NEIGHBOUR}")
    text = services.CADDY_NEIGHBOUR.replace("{\n", SERVERS.replace("WORDS", words), 1)
    host.write("/etc/caddy/Caddyfile", text)
    services.run_caddy(host)
    host.until_listening(443)
    ways.prepare(host, None, "well-known", proxy='kind = "caddy"')
    before = host.snapshot()
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    with host.network(), upstream(8008) as homeserver:
        wire = Wire(ADDRESS4, 443, "matrix.example.com", hello=LINE)
        until(lambda: wire.http1(b"/_matrix/client/versions").status == 200, "an answer of the homeserver", 30)
        homeserver.requests.clear()
        forged = [(b"X-Forwarded-For", b"203.0.113.66")]
        assert wire.http1(b"/_matrix/client/versions", forged).status == 200
        (arrived,) = (each for each in homeserver.requests if each.target != b"/healthz")
        assert arrived.all("x-forwarded-for") == (CLIENT,)
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.done(host, "rollback", "--yes")
    assert {path for path in ways.untouched(before, host) if not path.startswith(services.CADDYS_OWN)} == set()


@pytest.mark.parametrize("version", [each for each in from_go.SLOWLY if each != from_go.DEBIANS])
def test_headers_count_when_the_global_options_say_so(host: ThrowAwayHost, version: str) -> None:
    """A client's word for its address is nothing, until ``trusted_proxies`` says that those who say it are believed."""
    from_go.put(host, from_go.made(version))
    services.make_certificate(host, services.NEIGHBOUR_CERTIFICATE, services.NEIGHBOUR_KEY, f"DNS:{services.NEIGHBOUR}")
    host.write("/etc/caddy/Caddyfile", services.CADDY_NEIGHBOUR)
    services.run_caddy(host)
    host.until_listening(443)
    ways.prepare(host, None, "well-known", proxy='kind = "caddy"')
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    said = [(b"X-Forwarded-For", CLIENT.encode())]
    with host.network(), upstream(8008) as homeserver:
        wire = Wire(ADDRESS4, 443, "matrix.example.com")

        def arrived() -> tuple[str, ...]:
            assert wire.http1(b"/_matrix/client/versions", said).status == 200
            return [each for each in homeserver.requests if each.target != b"/healthz"][-1].all("x-forwarded-for")

        until(lambda: wire.http1(b"/_matrix/client/versions").status == 200, "an answer of the homeserver", 30)
        (seen,) = arrived()
        assert ip_address(seen) in ip_network(PEERS)
        believed = f"{{\n\tservers {{\n\t\ttrusted_proxies static {PEERS}\n\t}}\n"
        host.write("/etc/caddy/Caddyfile", host.read("/etc/caddy/Caddyfile").replace("{\n", believed, 1))
        host.output(["caddy", "reload", "--config", "/etc/caddy/Caddyfile"])
        until(lambda: arrived() == (CLIENT,), "the address that the trusted peer says", 30)
