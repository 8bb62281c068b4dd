"""HAProxy behind a load balancer: its sockets expect a PROXY line, which tells who the client is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.lab import names, services, ways
from tests.lab.conformance.served import CLIENT
from tests.lab.hosts import ADDRESS4, ThrowAwayHost
from tests.lab.running import until
from tests.lab.upstream import Upstream, upstream
from tests.lab.wire import Wire

SITE = "/etc/haproxy/conf.d/neighbour.cfg"
LOGIN = b"/_matrix/client/v3/login"


def balance(host: ThrowAwayHost) -> None:
    """Let the frontends of a host expect PROXY lines: by their addresses for TLS, by a rule on port 80."""
    services.configure_haproxy(host)
    text = host.read(SITE).replace(" ssl crt", " accept-proxy ssl crt")
    rule = "    tcp-request connection expect-proxy layer4\n"
    host.write(SITE, text.replace("    http-request set-header", f"{rule}    http-request set-header", 1))
    services.run_haproxy(host)


def client(address: str, family: str = "TCP6") -> Wire:
    """Return a client that a load balancer stands before (PROXY protocol, version 1)."""
    there = "203.0.113.1" if family == "TCP4" else "2001:db8::1"
    return Wire(ADDRESS4, 443, CLIENT, hello=f"PROXY {family} {address} {there} 4711 443\r\n".encode())


@pytest.mark.slow
def test_the_whole_way_behind_a_load_balancer(host: ThrowAwayHost) -> None:
    """The client's address arrives, and is limited; ``verify`` asks with the line; all is taken back."""
    balance(host)
    names.serve(host)
    ways.prepare(host, None, "well-known", proxy='kind = "haproxy"')
    before = host.snapshot()
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    with host.network(), upstream(8008) as homeserver:
        until(lambda: client("192.0.2.1", "TCP4").http1(b"/_matrix/x").status == 200, "the homeserver", 10)
        assert_the_client_arrives(homeserver)
        assert_networks_are_limited()
    assert_verified(host)
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}


def assert_the_client_arrives(homeserver: Upstream) -> None:
    """The client of the balancer, and nobody whom a header names; IPv4 as such."""
    for wire, seen in (
        (client("192.0.2.7", "TCP4"), "192.0.2.7"),
        (client("2001:db8:1::7"), "2001:db8:1::7"),
        (client("::ffff:192.0.2.8"), "192.0.2.8"),
    ):
        homeserver.requests.clear()
        assert wire.http1(b"/_matrix/x", [(b"X-Forwarded-For", b"198.51.100.1")]).status == 200
        (request,) = (each for each in homeserver.requests if each.target == b"/_matrix/x")
        assert request.all("x-forwarded-for") == (seen,)
    unknown = replace(client("::"), hello=b"PROXY UNKNOWN\r\n")
    assert unknown.http1(b"/_matrix/x").status == 200


def assert_networks_are_limited() -> None:
    """An IPv6 network is one client with many addresses, an IPv4 address one by itself, however it is written."""

    def logins(wires: list[Wire]) -> int:
        return sum(wire.http1(LOGIN, method=b"POST").status == 429 for wire in wires)

    assert logins([client(f"2001:db8:2::{number:x}") for number in range(30)]) > 10
    assert logins([client(f"2001:db8:3:{number:x}::1") for number in range(30)]) == 0
    assert logins([client(f"::ffff:192.0.2.{number}") for number in range(30)]) == 0
    assert logins([client(f"192.0.2.{number}", "TCP4") for number in range(40, 70)]) == 0


def assert_verified(host: ThrowAwayHost) -> None:
    """Names that lead to this host itself cannot be judged from here; everything behind the line can."""
    results: dict[str, set[str]] = {}
    for check in json.loads(host.tool("verify", "--json").stdout)["checks"]:
        results.setdefault(check["name"], set()).add(check["result"])
    assert results["connection"] == {"cannot-tell"}
    assert results["discovery"] == results["client well-known"] == results["certificate"] == {"pass"}
