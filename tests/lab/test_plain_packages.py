"""The plain prompts on a host without any proxy: Caddy is installed, serves, and is purged with the uninstall."""

from __future__ import annotations

import pytest

from tests.lab import ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.screen import Terminal
from tests.lab.test_packages import packages
from tests.lab.test_wizard_packages import DPKG

CLIENT = "https://example.com/.well-known/matrix/client"


@pytest.mark.slow
def test_caddy_is_installed_by_a_number_and_purged_with_the_uninstall(bare: ThrowAwayHost) -> None:
    """Both recommended ones are there with reasons; nothing comes before the yes, and what came goes again."""
    host, before, known = bare, bare.snapshot(), packages(bare)
    terminal = Terminal(host, 80, 40)
    terminal.run([*host.command, "--plain"])
    terminal.until(
        "1. Install nginx: known to most", "2. Install Caddy: little to configure", "Number [3]:", timeout=60
    )
    terminal.type("2")
    terminal.press("Enter")
    terminal.until("Caddy is not started by that", "Install Caddy now? [no]:", timeout=60)
    assert packages(host) == known
    terminal.type("yes")
    terminal.press("Enter")
    terminal.until("Caddy is installed, and not started.", "Server name", timeout=180)
    terminal.press("C-c")
    terminal.until("palpo-installer uninstall")

    ways.prepare(host, None, "well-known", proxy='kind = "caddy"')
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert '"m.homeserver"' in ways.fetch(host, CLIENT, "--insecure")
    ways.done(host, "uninstall", "--purge-packages", "--yes")
    assert packages(host) == known
    left = {path for path in ways.untouched(before, host) if not path.startswith(DPKG)}
    assert not left, left
