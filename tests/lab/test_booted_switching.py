"""The proxy is changed under systemd: units are stopped, started, enabled and disabled as if the other never was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import booted_proxies, ways
from tests.lab.booted import BootedHost
from tests.lab.booted_proxies import main_process
from tests.lab.running import require_root
from tests.lab.test_switching import MARKER
from tests.lab.website_owners import HAPROXY_NEIGHBOUR

PACKAGES = ("apache2", "haproxy")
UNITS = ("nginx", *PACKAGES)


@pytest.fixture
def several(tmp_path: Path) -> Iterator[BootedHost]:
    """A booted host on which three proxies are installed, none of which starts at boot or has a site."""
    require_root()
    with booted_proxies.with_several(tmp_path, "proxies", PACKAGES) as host:
        ways.prepare(host, None, "well-known")
        yield host


def states(host: BootedHost) -> dict[str, tuple[str, str]]:
    """Return of each proxy whether it runs and whether it starts at boot."""
    return booted_proxies.states(host, UNITS)


LOG = "/var/lib/haproxy/dev"
OFF, ON = ("inactive", "disabled"), ("active", "enabled")


@pytest.mark.slow
@pytest.mark.parametrize(("other", "unit"), [("apache", "apache2"), ("haproxy", "haproxy")])
def test_units_are_as_if_there_were_only_one(several: BootedHost, other: str, unit: str) -> None:
    """The one that serves runs and starts at boot, the one that was left is off again; so after a reboot."""
    host = several
    before = host.snapshot()
    none = dict.fromkeys(UNITS, OFF)
    assert states(host) == none
    first = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert first.returncode == 0, first.stdout + first.stderr
    assert states(host) == none | {"nginx": ON}
    switched = host.tool("apply", "--set", f"proxy.kind={other}", "--yes")
    assert switched.returncode == 0, switched.stdout + switched.stderr
    assert states(host) == none | {unit: ON}
    host.reboot()
    assert states(host) == none | {unit: ON}
    assert "Nothing to do" in host.tool("plan").stdout
    back = host.tool("rollback", "0002", "--yes")
    assert back.returncode == 0, back.stdout + back.stderr
    assert states(host) == none | {"nginx": ON}
    assert host.tool("apply", "--set", f"proxy.kind={other}", "--yes").returncode == 0
    gone = host.tool("uninstall", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert states(host) == none
    # HAProxy's unit shows it the system's log there, and systemd makes the place for that.
    changed = {path: each for path, each in ways.untouched(before, host).items() if not path.startswith(LOG)}
    assert changed == {}, list(changed)


@pytest.mark.slow
def test_nobody_comes_back_at_boot_to_take_the_ports(several: BootedHost) -> None:
    """A stopped Apache that starts at boot is foreseen; left for nginx it is refused until it stays off."""
    host = several
    host.output(["systemctl", "enable", "apache2"])
    shown = host.tool("plan", "--answers", ways.ANSWERS)
    assert "Apache is stopped, but apache2.service starts at boot, and its configuration has port 80" in shown.stdout
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--set", "proxy.kind=apache", "--yes")
    assert states(host)["apache2"] == ON
    back = ("apply", "--set", "proxy.kind=nginx", "--yes")
    refused = host.tool(*back)
    assert refused.returncode == 1
    assert "after the next boot two would want what nginx needs" in refused.stderr
    host.output(["systemctl", "disable", "apache2"])
    ways.done(host, *back)
    none = dict.fromkeys(UNITS, OFF)
    assert states(host) == none | {"nginx": ON}
    host.reboot()
    assert states(host) == none | {"nginx": ON}
    assert "Nothing to do" in host.tool("plan").stdout


@pytest.mark.slow
def test_a_haproxy_that_runs_is_restarted_to_load_our_directory(several: BootedHost) -> None:
    """Its unit names our directory from then on, so it starts anew when nginx has let go, and when taken back."""
    host, main = several, "/etc/haproxy/haproxy.cfg"
    host.write(main, host.read(main) + HAPROXY_NEIGHBOUR)
    host.output(["systemctl", "enable", "--now", "haproxy"])
    host.until_listening(8083)
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--set", "proxy.kind=nginx", "--yes")
    before, both = host.snapshot(), dict.fromkeys(UNITS, OFF) | {"nginx": ON, "haproxy": ON}
    assert states(host) == both
    first = main_process(host, "haproxy")
    ways.done(host, "apply", "--set", "proxy.kind=haproxy", "--yes")
    assert states(host) == both | {"nginx": OFF}
    restarted = main_process(host, "haproxy")
    assert restarted != first
    assert "palpo-installer:" in ways.fetch(host, MARKER, "--insecure").lower()
    assert "elsewhere" in ways.fetch(host, "http://127.0.0.1:8083/")
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.done(host, "rollback", "--yes")
    assert states(host) == both
    assert main_process(host, "haproxy") != restarted
    assert "palpo-installer:" in ways.fetch(host, MARKER, "--insecure").lower()
    assert "elsewhere" in ways.fetch(host, "http://127.0.0.1:8083/")
    changed = {path: each for path, each in ways.untouched(before, host).items() if not path.startswith(LOG)}
    assert changed == {}, list(changed)
