"""Renewed certificates over the runtime socket of a real HAProxy, and by a reload where that does not work."""

from __future__ import annotations

from tests.lab import services, ways
from tests.lab.hosts import ADDRESS4, ThrowAwayHost
from tests.lab.running import until

SERVED = {"example.com": (443, 8448), "matrix.example.com": (443,)}
"""The ports on which each name has its certificate."""
SELF_SIGNED = "/etc/palpo-installer/self-signed"
SOCKET = "/run/haproxy/admin.sock"


def family(host: ThrowAwayHost) -> set[str]:
    """Return the processes of HAProxy."""
    return set(host.output(["ps", "-C", "haproxy", "-o", "pid="]).split())


def on_disk(host: ThrowAwayHost, name: str) -> str:
    """Return the fingerprint of the certificate for a name."""
    return host.output(["sh", "-c", f"{ways.FINGERPRINT} <{SELF_SIGNED}/{name}/fullchain.pem"]).strip()


def renewed(host: ThrowAwayHost) -> str:
    """Renew both certificates; return what was told, once every port shows what is on disk now."""
    earlier = {name: on_disk(host, name) for name in SERVED}
    host.output(["rm", *(f"{SELF_SIGNED}/{name}/fullchain.pem" for name in SERVED)])
    said = ways.done(host, "renew")
    for name, ports in SERVED.items():
        assert {ways.served(host, ADDRESS4, port, name) for port in ports} == {on_disk(host, name)}
        assert on_disk(host, name) != earlier[name]
    return said


def test_no_worker_is_started_for_a_renewal(host: ThrowAwayHost) -> None:
    """On ports of others and on our own; a later reload shows the same; without the socket it is a reload."""
    services.start_haproxy(host)
    ways.prepare(host, None, "srv", proxy='kind = "haproxy"')
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    before = family(host)
    assert "so HAProxy is reloaded" not in renewed(host)
    assert family(host) == before
    key = host.read(f"{SELF_SIGNED}/example.com/privkey.pem").splitlines()[1]
    assert ways.finds(host, key, ["/var/log", "/run", "/var/lib/palpo-installer"]) == []

    host.output(["sh", "-c", "kill -USR2 $(cat /run/haproxy.pid)"])
    until(lambda: family(host) != before, "another worker")
    assert ways.served(host, ADDRESS4, 443, "example.com") == on_disk(host, "example.com")

    host.output(["rm", SOCKET])
    before = family(host)
    said = renewed(host)
    assert f"{SOCKET}: HAProxy does not answer" in said
    assert "so HAProxy is reloaded" in said
    assert not family(host) <= before
