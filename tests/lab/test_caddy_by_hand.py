"""A Caddy that was started by hand, and writes its number nowhere, is set up as any other."""

from __future__ import annotations

from tests.lab import services, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import until


def test_it_is_told_and_taken_back(host: ThrowAwayHost) -> None:
    """It is known by its sockets; a rollback leaves files, its process and its sites as they were."""
    services.start_caddy(host)
    first = int(host.read("/run/caddy.pid"))
    host.output(["kill", str(first)])
    until(lambda: not host.run(["pgrep", "-x", "caddy"]).stdout, "the end of the first Caddy")
    host.output(["sh", "-c", "caddy start --config /etc/caddy/Caddyfile >/dev/null 2>&1"])
    host.until_listening(443)
    pid = host.output(["pgrep", "-x", "caddy"])
    ways.prepare(host, None, "well-known", proxy='kind = "caddy"')
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert "palpo-installer:" in ways.fetch(host, "http://matrix.example.com/.well-known/palpo-installer").lower()
    ways.done(host, "rollback", "1", "--yes")
    assert ways.untouched(before, host) == {}
    assert ways.neighbour_answers(host) == neighbours
    assert host.output(["pgrep", "-x", "caddy"]) == pid
