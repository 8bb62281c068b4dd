"""The proxy is changed under systemd: units are stopped, started, enabled and disabled as if the other never was."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import names, trees, ways
from tests.lab.booted import BootedHost, installed
from tests.lab.running import require_root

UNITS = ("nginx", "apache2", "haproxy")


@pytest.fixture
def several(tmp_path: Path) -> Iterator[BootedHost]:
    """A booted host on which three proxies are installed, none of which starts at boot or has a site."""
    require_root()
    tree = trees.with_packages("proxies", ("apache2", "haproxy"))
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    for unit in UNITS:
        # To an overlay this is a file that is not there (kernel, "Overlay Filesystem", whiteouts).
        os.mknod(wants / f"{unit}.service", stat.S_IFCHR, os.makedev(0, 0))
    debian = BootedHost(tmp_path, installed(), tree=tree)
    try:
        names.serve(debian.outside)
        debian.output(["sh", "-c", "rm -f /etc/nginx/sites-enabled/* /etc/apache2/sites-enabled/*"])
        # Debian's systemctl says the same to the links of System V.
        debian.output(["systemctl", "disable", *UNITS])
        ways.prepare(debian, None, "well-known")
        yield debian
    finally:
        debian.stop()


def states(host: BootedHost) -> dict[str, tuple[str, str]]:
    """Return of each proxy whether it runs and whether it starts at boot."""
    asked = {unit: [host.run(["systemctl", verb, unit]).stdout.strip() for verb in VERBS] for unit in UNITS}
    return {unit: (running, enabled) for unit, (running, enabled) in asked.items()}


VERBS = ("is-active", "is-enabled")
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
