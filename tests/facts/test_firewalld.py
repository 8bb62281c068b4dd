from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from palpo_installer import processes
from palpo_installer.facts.firewalld import Firewalld, Zone, outward, parse_active_zones, parse_service, read
from palpo_installer.facts.ports import PortRange
from tests.recorded import RecordedHost, Said, recorded

MATRIX = (
    '<service><include service="https"/><port protocol="tcp" port="8448"/><port protocol="udp" port="1"/></service>'
)
ZONES = """public (default)
  interfaces: eth0 eth1
docker
  interfaces: docker0
internal
  sources: 10.0.0.0/8
"""


def look(host: RecordedHost) -> tuple[Firewalld | None, list[str]]:
    """Return what is found on a host, and what is noted."""
    notes: list[str] = []
    return read(host, processes.read(host), notes.append), notes


def test_what_is_open_now_and_after_a_reload(tmp_path: Path) -> None:
    """By port and by service, over TCP only, in the zone that the default route leads through."""
    found, notes = look(recorded("alma_conf_d", tmp_path))
    assert found is not None
    assert [(zone.name, zone.target) for zone in found.zones] == [("public", "default")]
    assert PortRange(80, 80) in found.zones[0].now
    assert PortRange(80, 80) not in found.zones[0].permanent
    assert found.closed((80, 443, 8448, 22)) == (80, 443, 8448)
    assert notes == []


def test_a_zone_that_accepts_everything_has_no_closed_port() -> None:
    """Its target says so."""
    assert not Zone("trusted", "ACCEPT", (), ()).closed(8448)


def test_services_include_others(tmp_path: Path) -> None:
    """The service for Matrix is 8448 and all of https; the administrator's file goes before the package's."""
    host = recorded("alma_conf_d", tmp_path)
    directory = host.layout.at("/etc/firewalld/services")
    directory.mkdir(parents=True)
    (directory / "http.xml").write_text(MATRIX)
    (directory / "https.xml").write_text(
        '<service><include service="http"/><port protocol="tcp" port="443"/></service>'
    )
    found, _ = look(host)
    assert found is not None
    assert [port for port in (80, 443, 8448) if any(port in each for each in found.zones[0].now)] == [443, 8448]


def test_a_broken_description_opens_nothing() -> None:
    """As firewalld itself has it."""
    assert parse_service("<service><port") == ((), ())


def test_zones_of_interfaces() -> None:
    """With the mark of newer versions, several interfaces, and zones of sources only."""
    assert parse_active_zones(ZONES) == {"eth0": "public", "eth1": "public", "docker0": "docker"}


def test_interfaces_that_lead_outside() -> None:
    """Those with a default route of either family; the kernel's own that rejects leads nowhere."""
    zeros = "0" * 32
    four = (
        "Iface Destination Gateway Flags RefCnt Use Metric Mask",
        "eth0 00000000 0102 0003 0 0 0 00000000",
        "eth1 0002 0 1 0 0 0 00FF",
    )
    six = f"{zeros} 00 {zeros} 00 fe80 400 1 0 00000003 eth2\n{zeros} 00 {zeros} 00 {zeros} ffffffff 1 0 00200200 lo\n"
    assert outward("\n".join(four), six) == ("eth0", "eth2")
    assert outward("", "") == ()


def test_without_a_route_the_default_zone_counts(tmp_path: Path) -> None:
    """So it does for an interface that no zone lists."""
    host = recorded("alma_conf_d", tmp_path)
    silent = {"firewall-cmd --get-active-zones": Said(())}
    host.recording = replace(host.recording, commands={**host.recording.commands, **silent})
    found, _ = look(host)
    assert found is not None
    assert [zone.name for zone in found.zones] == ["public"]


def test_a_firewalld_that_does_not_tell_is_noted(tmp_path: Path) -> None:
    """As without root; one that does not run is not asked: the question might start it."""
    host = recorded("alma_conf_d", tmp_path)
    host.recording = replace(host.recording, commands={})
    assert look(host) == (None, ["firewalld runs and does not tell which ports are open; it may need root."])
    stopped = recorded("debian_sites", tmp_path / "stopped")
    assert look(stopped) == (None, [])
    assert stopped.asked == []
