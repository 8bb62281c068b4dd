"""The proxy is changed to HAProxy under Debian's unit, which loads one file, while a site of the former one stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import sites, ways
from tests.lab.booted import BootedHost
from tests.lab.booted_proxies import states, with_several
from tests.lab.running import require_root
from tests.lab.test_switching import MARKER
from tests.lab.test_switching_with_website import APPLY, CLIENT, EVERYTHING, asked_of_the_old, holders, served_by
from tests.lab.website_owners import HAPROXY_NEIGHBOUR, OWNERS, PAGE, Owner, make

pytestmark = [pytest.mark.booted, pytest.mark.slow]

PACKAGES = ("apache2", "caddy", "haproxy")
UNITS = ("nginx", *PACKAGES)
MAIN, OPTIONS = "/etc/haproxy/haproxy.cfg", "/etc/default/haproxy"
OURS = "-f /etc/haproxy/palpo-installer"
OFF, WAITS, ON = ("inactive", "disabled"), ("inactive", "enabled"), ("active", "enabled")
THEIR_OWN = ("/var/lib/haproxy/dev", "/var/lib/caddy", "/root/.config/caddy")
"""HAProxy's unit shows it the system's log in the first, and systemd makes the place; the others are Caddy's."""

JOURNAL = ["journalctl", "--quiet", "--no-pager", "--boot", *(f"--unit={unit}" for unit in UNITS)]


@pytest.fixture
def several(tmp_path: Path) -> Iterator[BootedHost]:
    """A booted host on which all proxies are installed, none of which starts at boot, and which has a website."""
    require_root()
    with with_several(tmp_path, "all-proxies", PACKAGES) as host:
        make(host)
        # Debian's Caddy runs as an account of its own.
        host.output(["chmod", "o+rx", str(Path(sites.KEY).parent)])
        host.output(["chmod", "644", sites.KEY])
        yield host


def under_its_unit(kind: str) -> Owner:
    """Return the owner of the website where systemd starts the proxy, also at boot."""
    owner = OWNERS[kind]
    return replace(owner, start=("systemctl", "enable", "--now", owner.program))


def take_into_main_file(host: BootedHost) -> None:
    """Write the website into the one file that HAProxy's unit loads."""
    host.write(MAIN, host.read(MAIN) + OWNERS["haproxy"].text)


def let_it_wait(host: BootedHost) -> None:
    """Write the website where HAProxy runs with another one: refused, and the advice is followed."""
    host.write(MAIN, host.read(MAIN) + HAPROXY_NEIGHBOUR)
    host.output(["systemctl", "enable", "--now", "haproxy"])
    host.until_listening(8083)
    take_into_main_file(host)
    before, units = host.snapshot(), states(host, UNITS)
    refused = host.tool(*APPLY, "--set", "proxy.kind=haproxy")
    assert refused.returncode == 1
    assert f"{MAIN}:" in refused.stderr
    assert "Stop HAProxy (systemctl stop haproxy.service), and the change starts it" in refused.stderr
    assert (ways.untouched(before, host), states(host, UNITS)) == ({}, units)
    host.output(["systemctl", "stop", "haproxy.service"])


def readable(host: BootedHost) -> list[str]:
    """Return what of ours Caddy's account may read."""
    return sorted(host.output(["find", "/etc/palpo-installer", "-group", "caddy"]).split())


def nobody_fights(host: BootedHost) -> None:
    """Check that no proxy was ever told that a port is another's."""
    said = host.output(JOURNAL).lower()
    assert "started haproxy" in said
    assert "already in use" not in said, said
    assert not host.run(["grep", "-ri", "already in use", "/var/log/nginx"]).stdout


def haproxy_serves(host: BootedHost, old: Owner, units: dict[str, tuple[str, str]]) -> None:
    """Check that HAProxy has the ports, with the website and all of ours, and the old one what stays with it."""
    assert states(host, UNITS) == units
    assert holders(host) == {port: {"haproxy"} for port in (80, 443, 8448)}
    nobody_fights(host)
    assert "https://chat.example.com" in ways.fetch(host, CLIENT, "--insecure")
    for port in (443, 1443):
        assert PAGE in ways.fetch(host, f"https://example.com:{port}/", "--insecure")
    assert not host.run(["sh", "-c", old.left]).stdout
    assert readable(host) == []
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")


@pytest.mark.parametrize("was", ["off", "running"])
@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_its_unit_takes_a_directory_and_nobody_fights(several: BootedHost, kind: str, was: str) -> None:
    """The site that stays is answered all the time; a boot changes nothing; taken back, all is as before."""
    host, old = several, under_its_unit(kind)
    served_by(host, old)
    old.give_away(host)
    if was == "off":
        take_into_main_file(host)
    else:
        let_it_wait(host)
    before, units, keys = host.snapshot(), states(host, UNITS), readable(host)
    assert bool(keys) == (kind == "caddy")
    assert units == dict.fromkeys(UNITS, OFF) | {old.program: ON} | ({} if was == "off" else {"haproxy": WAITS})
    changed = {"proxy.kind": "haproxy", **EVERYTHING}
    options = [word for key, value in changed.items() for word in ("--set", f"{key}={value}")]
    assert f'{OURS}"' in ways.done(host, "plan", "--answers", ways.ANSWERS, *options)
    assert ways.untouched(before, host) == {}
    with asked_of_the_old(host, old):
        ways.done(host, *APPLY, *options)
    assert f'{OURS}"' in host.read(OPTIONS)
    haproxy_serves(host, old, units | {"haproxy": ON})
    host.reboot()
    haproxy_serves(host, old, units | {"haproxy": ON})
    with asked_of_the_old(host, old):
        ways.done(host, "rollback", "--yes")
    nobody_fights(host)
    assert states(host, UNITS) == units
    assert readable(host) == keys
    left = {path for path in ways.untouched(before, host) if not path.startswith(THEIR_OWN)}
    assert left == set()
    assert set(holders(host)) == {80, 443}
    assert all(programs == {old.program} for programs in holders(host).values())
    assert "palpo-installer:" in ways.fetch(host, MARKER, "--insecure").lower()
