"""One port for clients and federation, told apart by SNI and Host: SRV records that lead to port 443; real HAProxy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.lab import names, services, ways
from tests.lab.conformance.served import BASE, CLIENT
from tests.lab.hosts import ADDRESS4, ADDRESS6, ThrowAwayHost
from tests.lab.names import Records, Service
from tests.lab.running import require_root, until
from tests.lab.test_haproxy_renewal import on_disk
from tests.lab.upstream import Upstream, upstream
from tests.lab.wire import Wire

PORT = 443
TO_IT = tuple(Service(f"{service}._tcp.{BASE}", CLIENT, PORT) for service in ("_matrix-fed", "_matrix"))


def alone(host: ThrowAwayHost) -> None:
    """Run HAProxy without any frontend, so that the port is ours."""
    services.configure_haproxy(host)
    host.output(["rm", "/etc/haproxy/conf.d/neighbour.cfg"])
    host.write(
        "/etc/haproxy/conf.d/other.cfg",
        "frontend other\n    bind 127.0.0.1:9\n    default_backend none\nbackend none\n",
    )
    files = ["-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/haproxy/conf.d", "-p", "/run/haproxy.pid"]
    host.output(["haproxy", "-W", "-D", *files])
    host.until_listening(9)


STARTS: dict[str, Callable[[ThrowAwayHost], None]] = {"shared": services.start_haproxy, "alone": alone}


WAYS = [
    ("shared", "elsewhere"),
    *(
        pytest.param(start, base, marks=pytest.mark.slow)
        for start, base in [("shared", "ours"), ("alone", "elsewhere")]
    ),
]


@pytest.mark.parametrize(("start", "base_domain"), WAYS)
def test_each_name_is_served_as_itself(host: ThrowAwayHost, start: str, base_domain: str) -> None:
    """By SNI the certificate, by Host what is answered; both lead to the homeserver, and no name else does."""
    STARTS[start](host)
    ways.prepare(host, None, "srv", base_domain, proxy='kind = "haproxy"', federation="port = 443")
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert_certificates(host)
    with host.network(), upstream(8008) as homeserver:
        until(lambda: Wire(ADDRESS4, PORT, CLIENT).http1(b"/_matrix/x").status == 200, "the homeserver", 10)
        for name in (CLIENT, BASE):
            assert_both_protocols_arrive(homeserver, name)
        assert_documents(base_domain)
        assert_the_host_decides(homeserver)


def assert_certificates(host: ThrowAwayHost) -> None:
    """Each name has its own on every address, and no other port listens."""
    for name in (CLIENT, BASE):
        assert {ways.served(host, address, PORT, name) for address in (ADDRESS4, ADDRESS6)} == {on_disk(host, name)}
    assert on_disk(host, CLIENT) != on_disk(host, BASE)
    assert 8448 not in {port for _, port in host.listening()}


def arrived(homeserver: Upstream) -> list[tuple[bytes, str]]:
    """Return each target that arrived with its Host, and forget it."""
    requests = [each for each in homeserver.requests if each.target != b"/healthz"]
    homeserver.requests.clear()
    return [(each.target, each.value("host", "")) for each in requests]


def assert_both_protocols_arrive(homeserver: Upstream, name: str) -> None:
    """Clients and servers may ask under either name; what is closed is closed under both."""
    wire = Wire(ADDRESS4, PORT, name)
    homeserver.requests.clear()
    for ask in (wire.http1, wire.http2):
        for target in (b"/_matrix/federation/v1/version", b"/_matrix/client/versions"):
            assert ask(target).status == 200
            assert arrived(homeserver) == [(target, name)]
        for target in (b"/.well-known/matrix/server", b"/_synapse/admin/v1/x", b"/"):
            assert ask(target).status == 404
    assert arrived(homeserver) == []


def assert_documents(base_domain: str) -> None:
    """The client host tells where clients connect to; the base domain does where its website is ours."""
    for name, status in ((CLIENT, 200), (BASE, 200 if base_domain == "ours" else 404)):
        answer = Wire(ADDRESS4, PORT, name).http1(b"/.well-known/matrix/client")
        assert answer.status == status
        if status == 200:
            assert json.loads(answer.body)["m.homeserver"] == {"base_url": f"https://{CLIENT}"}


def assert_the_host_decides(homeserver: Upstream) -> None:
    """On a connection under the other name, with the port, in capitals; a name that is nobody's is not ours."""
    for sni, said in ((CLIENT, "example.com:443"), (BASE, "MATRIX.example.com"), (None, BASE)):
        wire, homeserver_asked = Wire(ADDRESS4, PORT, sni), b"/_matrix/client/versions"
        assert wire.http1(homeserver_asked, [(b"Host", said.encode())]).status == 200
        assert arrived(homeserver) == [(homeserver_asked, said)]
    for sni in (CLIENT, BASE):
        assert Wire(ADDRESS4, PORT, sni).http1(b"/_matrix/x", [(b"Host", b"nobody.example")]).status == 404
    assert arrived(homeserver) == []


@pytest.fixture
def recorded() -> Iterator[ThrowAwayHost]:
    """A host of its own with SRV records that lead to port 443."""
    require_root()
    host = ThrowAwayHost()
    try:
        names.serve(host, Records(services=TO_IT))
        yield host
    finally:
        host.stop()


@pytest.mark.slow
def test_other_servers_find_it_by_their_records(recorded: ThrowAwayHost) -> None:
    """With certificates of an authority, and a homeserver that answers; and back."""
    host = recorded
    services.start_haproxy(host)
    ways.prepare(host, services.start_pebble(host), "srv", proxy='kind = "haproxy"', federation="port = 443")
    before = host.snapshot()
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    homeserver = ways.start_palpo(host)
    verified = host.tool("verify", "--trust", ways.ROOT, "--json")
    checks = json.loads(verified.stdout)["checks"]
    homeserver.stop()
    assert verified.returncode == 0, [check for check in checks if check["result"] == "fail"]
    assert any(":443" in str(check) for check in checks if check["name"] == "discovery")
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}
