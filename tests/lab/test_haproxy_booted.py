"""The whole way with Debian's HAProxy under systemd, whose unit loads a single file until it is told otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import names, services, trees, ways
from tests.lab.booted import BootedHost, installed
from tests.lab.hosts import ADDRESS4
from tests.lab.running import require_root, until

pytestmark = [pytest.mark.booted, pytest.mark.slow]

OPTIONS = "/etc/default/haproxy"
NEIGHBOUR = """
frontend neighbour
    bind *:8080
    default_backend neighbour
backend neighbour
    http-request return status 200 content-type text/plain string "the neighbour"
"""


@pytest.fixture
def haproxy() -> Iterator[BootedHost]:
    """A booted Debian host with names and HAProxy, which has a site on another port."""
    require_root()
    host = BootedHost(installed(), tree=trees.with_packages("haproxy", ("haproxy",)))
    try:
        host.output(["systemctl", "disable", "--now", "nginx"])
        names.serve(host.outside)
        host.write("/etc/haproxy/haproxy.cfg", host.read("/etc/haproxy/haproxy.cfg") + NEIGHBOUR)
        host.output(["systemctl", "restart", "haproxy"])
        host.until_listening(8080)
        yield host
    finally:
        host.stop()


def main_process(host: BootedHost) -> str:
    """Return the number of the unit's main process."""
    return host.output(["systemctl", "show", "--property=MainPID", "--value", "haproxy"]).strip()


def test_one_restart_and_reloads_from_then_on(haproxy: BootedHost) -> None:
    """The unit takes a directory of ours by one line, renewal reloads, and all goes again, by byte and in memory."""
    host = haproxy
    authority = services.start_pebble(host.outside)
    host.write(authority.ca_file, host.outside.read(authority.ca_file))
    ways.prepare(host, authority, "srv", proxy='kind = "haproxy"')
    before, options, first = host.snapshot(), host.read(OPTIONS), main_process(host)

    shown = host.tool("plan", "--answers", ways.ANSWERS).stdout
    assert "systemctl restart haproxy.service" in shown
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert ways.served(host, ADDRESS4, 8448, "example.com") == ways.on_disk(host, "example.com")
    assert '-S /run/haproxy-master.sock -f /etc/haproxy/palpo-installer"' in host.read(OPTIONS)
    restarted = main_process(host)
    assert restarted != first
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")

    ways.let_certificates_be_due(host, "example.com", "matrix.example.com")
    earlier = ways.on_disk(host, "example.com")
    ways.done(host, "renew")
    assert ways.served(host, ADDRESS4, 443, "example.com") == ways.on_disk(host, "example.com") != earlier
    assert main_process(host) == restarted

    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}
    assert host.read(OPTIONS) == options
    command = host.output(["sh", "-c", f"tr '\\0' ' ' </proc/{main_process(host)}/cmdline"])
    assert "palpo-installer" not in command
    until(lambda: 443 not in {port for _, port in host.listening()}, "the end of our sockets")

    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    ways.done(host, "uninstall", "--yes")
    assert ways.untouched(before, host) == {}
