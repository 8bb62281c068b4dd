"""Caddy under systemd on a booted Debian host, as its package runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import services, ways
from tests.lab.booted import BootedHost
from tests.lab.booted_proxies import applied, main_process, without_nginx
from tests.lab.hosts import ADDRESS4, ADDRESS6
from tests.lab.running import require_root
from tests.lab.test_caddy_account import answer_with_files, make_certificates
from tests.lab.test_caddy_own_orders import TRUSTED, kept, prepare

pytestmark = [pytest.mark.booted, pytest.mark.slow]

UNIT = "caddy"


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[BootedHost]:
    """A booted host with Caddy instead of nginx, and certificates of our names that its account may read."""
    require_root()
    with without_nginx(tmp_path, "caddy", ("caddy",)) as host:
        make_certificates(host)
        host.write("/etc/caddy/Caddyfile", services.CADDY_NEIGHBOUR)
        services.make_certificate(
            host, services.NEIGHBOUR_CERTIFICATE, services.NEIGHBOUR_KEY, f"DNS:{services.NEIGHBOUR}"
        )
        host.output(
            ["sh", "-c", f"chmod o+rx {Path(services.NEIGHBOUR_KEY).parent}; chmod 644 {services.NEIGHBOUR_KEY}"]
        )
        host.output(["systemctl", "restart", UNIT])
        host.until_listening(443)
        yield host


def test_the_whole_way_under_systemd(debian: BootedHost) -> None:
    """Its unit goes on with the same process, active; taken back, the host is as before."""
    host = debian
    ways.prepare(host, None, "srv", proxy='kind = "caddy"')
    answer_with_files(host)
    before, running = host.snapshot(), main_process(host, UNIT)
    applied(host, UNIT)
    ways.done(host, "rollback", "--yes")
    left = {path for path in ways.untouched(before, host) if not path.startswith("/var/lib/caddy")}
    assert left == set()
    assert main_process(host, UNIT) == running


@pytest.mark.parametrize("method", ["proxy", "http-01"])
def test_ordered_certificates_under_systemd(debian: BootedHost, method: str) -> None:
    """Debian's unit runs as caddy: it orders itself, or reads what we ordered by its group; taken back as before."""
    host = debian
    authority = services.start_pebble(host.outside)
    for path in (TRUSTED, authority.ca_file):
        host.write(path, host.outside.read(authority.ca_file), 0o644)
    prepare(host, authority, "srv")
    host.write(ways.ANSWERS, host.read(ways.ANSWERS).replace('"proxy"', f'"{method}"'), 0o600)
    before = host.snapshot()
    applied(host, UNIT)
    place = kept if method == "proxy" else ways.on_disk
    for port, name in ((443, "matrix.example.com"), (8448, "example.com")):
        assert {ways.served(host, address, port, name) for address in (ADDRESS4, ADDRESS6)} == {place(host, name)}
    timer = host.run(["systemctl", "is-active", "palpo-installer-renew.timer"]).stdout.strip()
    assert timer == ("inactive" if method == "proxy" else "active")
    host.output(["systemctl", "restart", "caddy"])
    host.until_listening(8448)
    assert ways.served(host, ADDRESS4, 8448, "example.com") == place(host, "example.com")

    ways.done(host, "rollback", "--yes")
    left = {path for path in ways.untouched(before, host) if not path.startswith("/var/lib/caddy")}
    assert left == set()
    assert host.output(["find", "/etc/palpo-installer", "-group", "caddy"]) == ""
