"""firewalld itself on a booted host, with packets from another machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from palpo_installer.operations.firewalld import OpenFirewalldPort
from tests.lab import names, services, setting_runs, trees, ways
from tests.lab.booted import BootedHost, installed
from tests.lab.outsider import INTERFACE, Outsider
from tests.lab.running import require_root, until

OPEN, FILTERED = ("open", "open"), ("filtered", "filtered")
ZONE = "/etc/firewalld/zones/public.xml"
HAND_WRITTEN = """<?xml version="1.0" encoding="utf-8"?>
<!-- The network of the house. -->
<zone>
    <service name="ssh" />
    <short>Public</short>
    <port protocol="tcp" port="9418"/>
    <forward/>
</zone>
"""
BOTH = [OpenFirewalldPort("public", 8448, "now"), OpenFirewalldPort("public", 8448, "permanent")]


@pytest.fixture
def guarded() -> Iterator[BootedHost]:
    """A booted host with nginx, behind a firewalld whose run time has a port of somebody else's."""
    require_root()
    tree = trees.with_packages("firewalld", ("firewalld", "netbase", "nftables"))
    debian = BootedHost(installed(), tree=tree, options=["--capability=CAP_NET_ADMIN"])
    try:
        names.serve(debian.outside)
        services.configure_nginx(debian)
        debian.output(["systemctl", "restart", "nginx"])
        until(lambda: debian.run(["firewall-cmd", "--state"]).returncode == 0, "firewalld")
        yield debian
    finally:
        debian.stop()


def outside(host: BootedHost) -> Outsider:
    """Put another machine beside the host, in the zone of everybody."""
    found = Outsider(host.outside)
    host.output(["firewall-cmd", "--zone=public", f"--change-interface={INTERFACE}"])
    host.output(["firewall-cmd", "--zone=public", "--add-port=9999/tcp"])
    return found


def rules(host: BootedHost) -> str:
    """Return every rule, without the handles and counters."""
    return host.output(["nft", "--stateless", "list", "ruleset"])


def ports(host: BootedHost) -> tuple[list[str], list[str]]:
    """Return the ports that the zone lists now and for later."""
    now, later = (
        host.output(["firewall-cmd", *words, "--zone=public", "--list-ports"]) for words in ([], ["--permanent"])
    )
    return sorted(now.split()), sorted(later.split())


@pytest.mark.slow
@pytest.mark.booted
def test_the_whole_way_with_firewalld(guarded: BootedHost) -> None:
    """Filtered before, open after apply and after a reload, filtered after rollback; the zone's files byte for byte."""
    host, outsider = guarded, outside(guarded)
    host.write(ways.ANSWERS, ways.answers(None, "srv") + '[host]\nfirewall = "open"\n', 0o600)
    before, filter_before = host.snapshot(), rules(host)
    assert [outsider.finds(port) for port in (80, 443)] == [FILTERED, FILTERED]
    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert [outsider.finds(port) for port in (80, 443, 8448)] == [OPEN, OPEN, OPEN]
    expected = ["443/tcp", "80/tcp", "8448/tcp"]
    assert ports(host) == ([*expected, "9999/tcp"], expected)
    assert host.tool("apply", "--yes").stdout.startswith("Nothing to do")
    rolled_back = host.tool("rollback", "--yes")
    assert rolled_back.returncode == 0, rolled_back.stdout
    assert [outsider.finds(port) for port in (80, 443)] == [FILTERED, FILTERED]
    assert sorted(rules(host).splitlines()) == sorted(filter_before.splitlines())
    assert ways.untouched(before, host) == {}
    # firewalld itself knows the same as its files.
    host.output(["firewall-cmd", "--reload"])
    assert ports(host) == ([], [])
    host.output(["firewall-cmd", "--permanent", "--zone=public", "--add-port=9/tcp"])
    assert ports(host) == ([], ["9/tcp"])


@pytest.mark.slow
@pytest.mark.booted
@pytest.mark.parametrize("zone", ["", HAND_WRITTEN])
def test_a_kill_anywhere_leaves_the_zone_as_it_was(guarded: BootedHost, zone: str) -> None:
    """After every record; both with the package's zone and with one written by hand, comment and all."""
    host = guarded
    if zone:
        host.write(ZONE, zone)
        host.output(["firewall-cmd", "--reload"])
    outside(host)

    def state() -> tuple[object, ...]:
        return ports(host), sorted(rules(host).splitlines()), dict(host.snapshot(["/etc/firewalld"]))

    assert setting_runs.killed_everywhere(host, BOTH, state) == 6


@pytest.mark.slow
@pytest.mark.booted
def test_what_others_change_meanwhile_stays(guarded: BootedHost) -> None:
    """Another port that was opened since, for good, is kept when ours is closed; one that somebody closed is left."""
    host = guarded
    outside(host)
    identity = setting_runs.register(host, [*BOTH, OpenFirewalldPort("public", 7000, "permanent")])
    assert setting_runs.engine(host, "kill", identity, "99") == 0
    host.output(["firewall-cmd", "--permanent", "--zone=public", "--add-port=5432/tcp"])
    host.output(["firewall-cmd", "--permanent", "--zone=public", "--remove-port=7000/tcp"])
    assert host.tool("rollback", "--yes").returncode == 0
    assert ports(host) == (["9999/tcp"], ["5432/tcp"])


@pytest.mark.slow
@pytest.mark.booted
def test_a_power_cut_leaves_the_port_closed_before_firewalld_starts(guarded: BootedHost) -> None:
    """The zone is put back at boot, from firewalld's files, without asking a bus that is not up yet."""
    host = guarded
    before = host.snapshot(["/etc/firewalld"])
    identity = setting_runs.register(host, BOTH)
    assert setting_runs.engine(host, "kill", identity, "6") not in {0, 1, 5}
    assert ports(host) == (["8448/tcp"], ["8448/tcp"])
    host.power_cut()
    until(lambda: host.run(["firewall-cmd", "--state"]).returncode == 0, "firewalld")
    assert ports(host) == ([], [])
    assert host.snapshot(["/etc/firewalld"]) == before
    assert not host.exists(f"/var/lib/palpo-installer/runs/{identity}/open")
