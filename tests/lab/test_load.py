"""A neighbour under load, over connections of every sort, while the whole way is gone: no request fails."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab import ways
from tests.lab.hosts import ADDRESS4, ADDRESS6, ThrowAwayHost
from tests.lab.load_on_neighbour import load_on_the_neighbour
from tests.lab.services import Authority

NAMES = ("matrix.example.com", "example.com")
ADDRESSES = (ADDRESS4, ADDRESS6)
CHANGE = ("--set", "federation.delegation=well-known")


def let_certificates_be_due(host: ThrowAwayHost) -> None:
    """Let certbot take every certificate for one that is to be renewed now."""
    for name in NAMES:
        settings = f"/etc/palpo-installer/acme/renewal/palpo-{name}.conf"
        host.output(["sed", "-i", "1i renew_before_expiry = 1 year", settings])


def done(host: ThrowAwayHost, *command: str) -> str:
    """Run a command that must succeed; return what it said."""
    ended = host.tool(*command, timeout=240)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_no_request_to_a_neighbour_fails(nginx: ThrowAwayHost, acme: Authority, tell: Callable[[object], None]) -> None:
    """Apply, a second apply that changes the sites, a renewal that is taken up, and the rollback of all of it.

    Requests go on over kept and over new connections, HTTP/1.1 and HTTP/2, with and without TLS, IPv4 and IPv6.
    """
    host = nginx
    host.output(["sed", "-i", "s/443 ssl/443 ssl http2/", "/etc/nginx/sites-available/neighbour"])
    host.output(["nginx", "-s", "reload"])
    ways.prepare(host, acme, "srv")
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    with load_on_the_neighbour(host) as load:
        with load.phase("apply"):
            done(host, "apply", "--answers", ways.ANSWERS, "--yes")
        with load.phase("second apply"):
            done(host, "apply", *CHANGE, "--yes")
        let_certificates_be_due(host)
        earlier = {name: ways.on_disk(host, name) for name in NAMES}
        with load.phase("renewal"):
            said = done(host, "renew")
        served = {(name, address): ways.served(host, address, 443, name) for name in NAMES for address in ADDRESSES}
        with load.phase("rollback"):
            done(host, "rollback", "1", "--yes")
    assert said.count(": renewed") == len(NAMES), said
    for (name, _), fingerprint in served.items():
        assert fingerprint == ways.on_disk(host, name) != earlier[name]
    for phase in load.phases:
        tell(f"neighbour, {phase}")
    assert set(load.phases[-1].kinds) == {"new", "kept", "kept, HTTP/2"}
    assert [phase.name for phase in load.phases if phase.requests < 50] == []
    assert [(phase.name, phase.reasons) for phase in load.phases if phase.failures] == []
    assert ways.untouched(before, host) == {}
    assert ways.neighbour_answers(host) == neighbours
