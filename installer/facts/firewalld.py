"""firewalld: which TCP ports are open in the zones where requests from outside arrive, now and after a reload."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from palpo_installer.facts.ports import PortRange, covers, parse_ranges
from palpo_installer.host import Host
from palpo_installer.processes import Process, consult

SERVICES = ("/etc/firewalld/services", "/usr/lib/firewalld/services")
"""Where services are described; the first that has one counts (firewalld.dirs(5))."""

PATIENCE = 15.0


@dataclass(frozen=True)
class Zone:
    """A zone.

    Attributes:
        name: its name.
        target: what happens to what no rule lets in; ``ACCEPT`` lets in everything.
        now: TCP ports that are open at run time, by themselves or by a service.
        permanent: those that are open after a reload.
    """

    name: str
    target: str
    now: tuple[PortRange, ...]
    permanent: tuple[PortRange, ...]

    def closed(self, port: int) -> bool:
        """Return whether a port is not open, or will not be after a reload."""
        return self.target != "ACCEPT" and not (covers(self.now, port) and covers(self.permanent, port))


@dataclass(frozen=True)
class Firewalld:
    """A firewalld that runs; ``zones`` are those of the interfaces that lead outside."""

    zones: tuple[Zone, ...]

    def closed(self, ports: tuple[int, ...]) -> tuple[int, ...]:
        """Return the ports that are not open in one of the zones."""
        return tuple(port for port in ports if any(zone.closed(port) for zone in self.zones))


def runs(processes: tuple[Process, ...]) -> bool:
    """Return whether firewalld runs. Asking it over D-Bus might start it, or wait for a bus that is not up yet."""
    return any(word.endswith("/firewalld") for process in processes for word in process.command)


def read(host: Host, processes: tuple[Process, ...], note: Callable[[str], None]) -> Firewalld | None:
    """Return what it lets in, None where it does not run or does not tell us."""
    if host.layout.private or not runs(processes):
        return None
    default = _ask(host, "--get-default-zone")
    active = _ask(host, "--get-active-zones")
    if default is None or active is None:
        note("firewalld runs and does not tell which ports are open; it may need root.")
        return None
    routes = (host.text(Path("/proc/net/route")) or "", host.text(Path("/proc/net/ipv6_route")) or "")
    of_interface = parse_active_zones(active)
    names = dict.fromkeys(of_interface.get(name, default.strip()) for name in outward(*routes))
    return Firewalld(tuple(_zone(host, name) for name in names or [default.strip()]))


def _zone(host: Host, name: str) -> Zone:
    now = parse_zone(_ask(host, f"--zone={name}", "--list-all") or "")
    later = parse_zone(_ask(host, "--permanent", f"--zone={name}", "--list-all") or "")
    return Zone(name, now.get("target", ""), tuple(_open(host, now)), tuple(_open(host, later)))


def _ask(host: Host, *words: str) -> str | None:
    said = consult(host, "firewall-cmd", *words, timeout=PATIENCE)
    return said.stdout if said is not None and said.status == 0 else None


def _open(host: Host, zone: dict[str, str]) -> Iterator[PortRange]:
    yield from parse_ports(zone.get("ports", ""))
    for service in zone.get("services", "").split():
        yield from _service_ports(host, service, frozenset())


def _service_ports(host: Host, name: str, seen: frozenset[str]) -> Iterator[PortRange]:
    texts = (host.text(host.layout.at(directory) / f"{name}.xml") for directory in SERVICES)
    described = next((text for text in texts if text), "")
    ports, included = parse_service(described)
    yield from ports
    for other in included:
        if other not in seen:
            yield from _service_ports(host, other, seen | {name})


def parse_service(text: str) -> tuple[tuple[PortRange, ...], tuple[str, ...]]:
    """Return the TCP ports of a service's description, and the services that it includes (firewalld.service(5))."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - the distribution's or the administrator's own file
    except ElementTree.ParseError:
        return (), ()
    ports = [each.get("port", "") for each in root.iter("port") if each.get("protocol") == "tcp"]
    return parse_ranges(" ".join(ports)), tuple(each.get("service", "") for each in root.iter("include"))


def parse_active_zones(text: str) -> dict[str, str]:
    """Return the zone of each interface that ``firewall-cmd --get-active-zones`` lists.

    It writes a zone's name, from version 2 on with ``(default)`` behind it, and indented below it ``interfaces:``
    and ``sources:``.
    """
    zones: dict[str, str] = {}
    zone = ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            zone = line.split()[0]
        elif line.strip().startswith("interfaces:"):
            zones |= dict.fromkeys(line.partition(":")[2].split(), zone)
    return zones


def parse_zone(text: str) -> dict[str, str]:
    """Return the entries of ``firewall-cmd --list-all`` by name."""
    found = re.finditer(r"^  ([a-z-]+): ?(.*)$", text, re.MULTILINE)
    return {each[1]: each[2].strip() for each in found}


def parse_ports(text: str) -> tuple[PortRange, ...]:
    """Return the TCP ports in ``8448/tcp 2379-2380/tcp 53/udp``."""
    return parse_ranges(" ".join(word.removesuffix("/tcp") for word in text.split() if word.endswith("/tcp")))


def outward(route: str, ipv6_route: str) -> tuple[str, ...]:
    """Return the interfaces with a default route, from /proc/net/route and /proc/net/ipv6_route.

    The first lists interface, destination, …, mask in the eighth place; the second destination, its length, …,
    flags in the ninth place and the interface last. A route that rejects (RTF_REJECT, 0x200) leads nowhere.
    """
    four = [words[0] for words in map(str.split, route.splitlines()) if words[1:2] == ["00000000"] == words[7:8]]
    six = [
        words[9]
        for words in map(str.split, ipv6_route.splitlines())
        if len(words) > 9 and words[0].strip("0") == "" and words[1] == "00" and not int(words[8], 16) & 0x200
    ]
    return tuple(dict.fromkeys((*four, *six)))
