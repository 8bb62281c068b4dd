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


def test_by_hand_it_is_started_with_a_home_and_found_without_a_file_for_its_number() -> None:
    """What is Caddy's own it would keep in / else; nobody has to have started it with --pidfile."""
    by_hand = process.service_of(replace(CADDY, pid_file="", user="root"))
    command = CaddyControl().start(by_hand, 5)
    assert (command.environment, command.daemon, by_hand.searched) == ({"HOME": "/root"}, True, "run")
    assert process.service_of(CADDY).searched == ""
    unit = replace(CADDY, unit="caddy.service")
    assert CaddyControl().start(process.service_of(unit), 5).argv == ("systemctl", "start", "caddy.service")


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
