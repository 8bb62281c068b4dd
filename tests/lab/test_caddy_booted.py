"""Caddy under systemd on a booted Debian host, as its package runs it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import from_go, services, ways
from tests.lab.booted import BootedHost
from tests.lab.booted_proxies import applied, main_process, without_nginx
from tests.lab.hosts import ADDRESS4, ADDRESS6
from tests.lab.running import require_root
from tests.lab.test_caddy_account import answer_with_files, make_certificates
from tests.lab.test_caddy_left_alone import ADDED, SERVERS
from tests.lab.test_caddy_own_orders import TRUSTED, kept, prepare

pytestmark = [pytest.mark.booted, pytest.mark.slow]

UNIT = "caddy"
VERSIONS = (from_go.DEBIANS, from_go.NEWEST)
LIMIT = 150.0
"""Seconds in which a run ends that cannot reach Caddy: reloads have limits, and there are two of them."""


@pytest.fixture(params=VERSIONS)
def debian(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[BootedHost]:
    """A booted host with Caddy instead of nginx, and certificates of our names that its account may read.

    Debian's unit runs Debian's Caddy, or the newest in its place.
    """
    require_root()
    program = tmp_path / "layer" / from_go.INSTALLED[1:]
    if request.param != from_go.DEBIANS:
        program.parent.mkdir(parents=True)
        shutil.copy(from_go.made(request.param), program)
        program.chmod(0o755)
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
        assert request.param == from_go.DEBIANS or from_go.is_caddy_of(host, program)
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


def refused(host: BootedHost, why: str) -> None:
    """Assert that an apply is refused for a reason, and changes nothing."""
    before, running, answers = host.snapshot(), main_process(host, UNIT), ways.neighbour_answers(host)
    said = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert said.returncode not in {0, 5}
    assert why in " ".join((said.stdout + said.stderr).split()), said.stdout + said.stderr
    assert ways.untouched(before, host) == {}
    assert (main_process(host, UNIT), ways.neighbour_answers(host)) == (running, answers)


def answer(host: BootedHost) -> None:
    """Put answers on the host that need no authority."""
    ways.prepare(host, None, "srv", proxy='kind = "caddy"')
    answer_with_files(host)


def test_a_unit_whose_reload_hangs_for_ever(debian: BootedHost) -> None:
    """Caddy is told through its endpoint, so that nothing waits for the unit's own way."""
    host = debian
    unit = "/etc/systemd/system/caddy.service.d/hang.conf"
    host.write(unit, "[Service]\nExecReload=\nExecReload=/bin/sleep infinity\n")
    host.output(["systemctl", "daemon-reload"])
    answer(host)
    before = host.snapshot()
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert ways.served(host, ADDRESS4, 8448, "example.com") != ""
    ways.done(host, "rollback", "--yes")
    assert {path for path in ways.untouched(before, host) if not path.startswith("/var/lib/caddy")} == set()


def test_a_caddy_that_takes_no_orders_is_not_waited_for(debian: BootedHost) -> None:
    """Stopped by a signal when it is to be reloaded: the run ends in time and says why; all is as before after it."""
    host = debian
    answer(host)
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    # What comes first of all is the file; then Caddy is tried, and told.
    stop = f"until ls /etc/caddy/palpo-installer/*.caddy >/dev/null 2>&1; do :; done; kill -STOP {pid(host)}"
    stopping = host.start(["sh", "-c", stop])
    began = time.monotonic()
    ended = host.tool("apply", "--answers", ways.ANSWERS, "--yes", timeout=LIMIT * 2)
    assert time.monotonic() - began < LIMIT
    stopping.wait()
    said = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode in {1, 5}, said
    assert "stopped" in said
    host.output(["kill", "-CONT", pid(host)])
    assert host.tool("recover").returncode in {0, 1}
    assert {path for path in ways.untouched(before, host) if not path.startswith("/var/lib/caddy")} == set()
    assert ways.neighbour_answers(host) == neighbours


def pid(host: BootedHost) -> str:
    """Return the number of Caddy's process."""
    return host.output(["systemctl", "show", "--property=MainPID", "--value", "caddy"]).strip()


def test_what_only_the_api_or_a_saved_configuration_knows_stays(debian: BootedHost) -> None:
    """A server that was added through the endpoint; then Debian's other unit, which resumes what was saved."""
    host = debian
    answer(host)
    asked = ["curl", "--silent", "--fail", "-X", "PUT", "-H", "Content-Type: application/json"]
    host.output([*asked, "--data", ADDED, f"{SERVERS}/more"])
    refused(host, "Caddy does not run with its Caddyfile")
    assert host.output(["curl", "--silent", "http://127.0.0.1:8099"]) == "by the API"
    host.output(["systemctl", "stop", "caddy"])
    host.output(["systemctl", "start", "caddy-api"])
    host.until_listening(8099)
    refused(host, "--resume")
    assert host.output(["curl", "--silent", "http://127.0.0.1:8099"]) == "by the API"
