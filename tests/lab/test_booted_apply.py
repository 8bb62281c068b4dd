"""The whole way on a booted Debian host: systemd reloads nginx, restarts Palpo and runs the renewal timer."""

from __future__ import annotations

import json

import pytest

from tests.lab import ways
from tests.lab.booted import BootedHost
from tests.lab.hosts import ADDRESS4, ADDRESS6, CHECKOUT
from tests.lab.services import Authority
from tests.lab.taking_back import taken_back

pytestmark = pytest.mark.booted

PALPO_UNIT = f"""\
[Unit]
Description=The stand-in for Palpo
[Service]
User=palpo
ExecStart=/opt/palpo-installer/current/bin/python {CHECKOUT}/tests/lab/palpo.py --config /etc/palpo/palpo.toml
[Install]
WantedBy=multi-user.target
"""


def install_palpo(host: BootedHost) -> None:
    """Make Palpo's user and unit, as its package would; it cannot start without palpo.toml."""
    host.output(["useradd", "--system", "palpo"])
    host.write("/etc/systemd/system/palpo.service", PALPO_UNIT)
    host.output(["systemctl", "daemon-reload"])


@pytest.mark.parametrize("delegation", [pytest.param("well-known", marks=pytest.mark.slow), "srv"])
def test_the_whole_way_under_systemd(booted: BootedHost, booted_acme: Authority, delegation: str) -> None:
    """Apply, start Palpo, apply a change that restarts it, renew by the unit, roll back all: as it was before."""
    host = booted
    install_palpo(host)
    ways.prepare(host, booted_acme, delegation)
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)

    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    name, port = ("example.com", 8448) if delegation == "srv" else ("matrix.example.com", 443)
    for address in (ADDRESS4, ADDRESS6):
        assert ways.served(host, address, port, name) == ways.on_disk(host, name)
    assert host.output(["stat", "--format=%U %a", "/etc/palpo/palpo.toml"]).strip() == "palpo 600"
    assert host.output(["systemctl", "is-active", "palpo-installer-renew.timer"]).strip() == "active"
    host.output(["systemctl", "enable", "--now", "palpo"])
    host.until_listening(8008)
    verified = host.tool("verify", "--trust", ways.ROOT, "--json")
    assert verified.returncode == 0, [c for c in json.loads(verified.stdout)["checks"] if c["result"] == "fail"]
    assert host.tool("plan", "--exit-code").returncode == 0

    pid = host.output(["systemctl", "show", "--property=MainPID", "palpo"])
    changed = host.tool("apply", "--set", "homeserver.registration=open", "--yes")
    assert changed.returncode == 0, changed.stdout + changed.stderr
    assert host.output(["systemctl", "show", "--property=MainPID", "palpo"]) != pid
    assert "allow_registration = true" in host.read("/etc/palpo/palpo.toml")

    host.output(["systemctl", "start", "palpo-installer-renew.service"], timeout=120)
    assert "not due" in host.output(["journalctl", "--unit=palpo-installer-renew.service", "--output=cat"])

    host.output(["systemctl", "disable", "--now", "palpo"])
    taken_back(host, "rollback", before)
    assert ways.neighbour_answers(host) == neighbours
    assert host.run(["systemctl", "is-active", "palpo-installer-renew.timer"]).returncode != 0
    assert host.output(["systemctl", "is-system-running"]).strip() == "running"


@pytest.mark.slow
def test_a_reload_that_hangs(booted: BootedHost) -> None:
    """An ExecReload that never returns: cut off, taken back, named; nginx serves and its unit can be used."""
    host = booted
    ways.prepare(host, None, "srv")
    host.write(
        "/etc/systemd/system/nginx.service.d/hang.conf", "[Service]\nExecReload=\nExecReload=/bin/sleep infinity\n"
    )
    host.output(["systemctl", "daemon-reload"])
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    failed = host.tool("apply", "--answers", ways.ANSWERS, "--yes", timeout=300)
    assert failed.returncode == 1, failed.stdout
    assert "systemctl reload nginx" in failed.stdout
    assert "did not end within" in failed.stdout
    assert ways.untouched(before, host) == {}
    assert ways.neighbour_answers(host) == neighbours
    assert host.output(["systemctl", "is-active", "nginx"]).strip() == "active"


def test_a_port_taken_in_the_meantime_under_systemd(booted: BootedHost) -> None:
    """Systemctl reload says 0, nginx keeps the old configuration: noticed, taken back, the holder named."""
    host = booted
    ways.prepare(host, None, "srv")
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    python = "/opt/palpo-installer/current/bin/python"
    engine = [python, str(CHECKOUT / "tests/lab/faulty_engine.py")]
    identity = host.output([*engine, "register", ways.ANSWERS]).strip()
    script = "import socket\ns = socket.create_server(('198.18.0.10', 8448))\nwhile True: s.accept()"
    host.start(["python3", "-c", script])
    host.until_listening(8448)
    assert host.run([*engine, "kill", identity, "1000000"], timeout=120).returncode == 1
    history = host.tool("history").stdout
    assert "8448" in history
    assert "python3" in history
    assert ways.untouched(before, host) == {}
    assert ways.neighbour_answers(host) == neighbours
