"""The wizard on a host without any proxy, by keys: one is installed, serves, and is purged with the uninstall."""

from __future__ import annotations

import pytest

from tests.lab import ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.screen import Terminal
from tests.lab.test_packages import PURGED, packages
from tests.lab.test_wizard import SMALL, go, is_whole


@pytest.mark.slow
def test_a_proxy_is_installed_by_keys_and_purged_with_the_uninstall(bare: ThrowAwayHost) -> None:
    """Nothing comes before the second yes; what came goes again after a yes of its own."""
    before, known = bare.snapshot(), packages(bare)
    terminal = Terminal(bare, *SMALL)
    terminal.run(bare.command)
    terminal.until("Set up Palpo behind a reverse proxy", "Leave")
    terminal.press("Enter")
    is_whole(terminal.until("No reverse proxy is installed here", "> Install nginx", "Help"), SMALL[0])
    terminal.press("Enter")
    terminal.until("nginx is not started by that", "Install nginx now?")
    terminal.press("n")
    terminal.until("> Install nginx")
    assert packages(bare) == known
    terminal.press("Enter")
    terminal.until("Install nginx now?")
    terminal.press("y")
    is_whole(terminal.until("Installing nginx", "apt-get", "Help"), SMALL[0])
    terminal.until("[Names]", timeout=120)
    assert packages(bare) != known
    terminal.press("Escape")
    terminal.until("nginx 1.22.1, stopped", "Leave")
    go(terminal, "Leave")
    terminal.until("nginx was installed. To purge it: palpo-installer uninstall --purge-packages")

    ways.prepare(bare, None, "well-known")
    assert bare.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    terminal.run(bare.command)
    terminal.until("> Reconfigure")
    go(terminal, "Uninstall")
    terminal.until("[Review]", "press a to apply", timeout=60)
    terminal.press("a")
    terminal.until("can be purged", "Remove these packages too?", timeout=60)
    terminal.press("y")
    terminal.until("Removed: nginx, nginx-common", timeout=60)
    assert packages(bare) == known
    assert not any(map(bare.exists, PURGED))
    left = {path for path in ways.untouched(before, bare) if not path.startswith(DPKG)}
    assert not left, left


DPKG = (
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/cache",
    "/var/log/apt",
    "/var/log/dpkg.log",
    "/var/lib/systemd",
    "/var/lib/swcatalog",
)
