"""How Caddy is told what to do, and what its test says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from palpo_installer.proxies.caddy import process
from palpo_installer.proxies.caddy.control import CaddyControl, verdict
from tests.proxies.caddy.test_caddy_rendering import CADDY


def test_a_reload_has_an_end_and_reads_certificates_anew() -> None:
    """Through the endpoint, with a limit in seconds."""
    command = CaddyControl().reload(process.service_of(CADDY), 12.0)
    assert command.timeout == 12.0
    assert command.argv == (
        *("/usr/bin/caddy", "reload", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile", "--force"),
    )


def test_what_its_test_says() -> None:
    """The error is the line that says so, whatever advice follows, and the place in it is a file and a line."""
    said = (
        '{"level":"info","msg":"using provided configuration"}\n'
        "Error: adapting config using caddyfile: /etc/caddy/x.caddy:3: unrecognized directive: nonsense\n"
    )
    found = verdict(loads=False, said=said)
    assert (found.loads, found.file, found.line) == (False, Path("/etc/caddy/x.caddy"), 3)
    assert found.error.startswith("adapting config")
    assert verdict(loads=False, said=f"{said}Did you mean to define a second site?\n") == found
    assert verdict(loads=True, said=said).error == ""


def test_a_test_runs_as_the_account_of_caddy() -> None:
    """As root it would open logs that are root's from then on, and read keys that Caddy may not."""
    service = process.service_of(replace(CADDY, user="caddy"))
    assert CaddyControl().dry_run(service, 5).argv[:6] == ("runuser", "-u", "caddy", "--", "/usr/bin/caddy", "validate")


def test_started_by_hand_it_keeps_nobody_waiting_for_its_output() -> None:
    """Caddy goes on with the output of its start, so that is nobody's pipe; a unit's start is systemd's business."""
    service = replace(process.service_of(CADDY), manager="direct")
    command = CaddyControl().start(service, 7.0)
    assert (command.argv[:4], command.argv[4:]) == (("sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh"), service.argv)
    assert command.timeout == 7.0
    managed = replace(service, manager="systemd", unit="caddy.service")
    assert CaddyControl().start(managed, 7.0).argv == ("systemctl", "start", "caddy.service")
