"""The system: distribution, init system, SELinux, firewall, addresses."""

from __future__ import annotations

import ipaddress
import shlex
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from palpo_installer.facts import firewalls
from palpo_installer.host import Host
from palpo_installer.processes import Process


@dataclass(frozen=True)
class System:
    """What the host is.

    Attributes:
        distribution: ``ID`` of os-release, e.g. ``debian``.
        version: ``VERSION_ID`` of os-release, empty where there is none.
        name: ``PRETTY_NAME`` of os-release.
        init: who starts services; ``none`` in a bare container or namespace.
        selinux: its mode.
        firewalls: the active ones: ``ufw``, ``firewalld``, ``nftables``, ``iptables``.
        addresses: every IP address of an interface that is up, loopback last, link-local left out.
        ipv6: whether sockets of that family can be bound.
        root: whether the facts were read by root; if not, processes and files may be missing from them.
    """

    distribution: str
    version: str
    name: str
    init: Literal["systemd", "openrc", "none"]
    selinux: Literal["enforcing", "permissive", "disabled"]
    firewalls: tuple[str, ...]
    addresses: tuple[str, ...]
    ipv6: bool
    root: bool


def read(host: Host, processes: tuple[Process, ...]) -> System:
    """Return what the host is.

    The distribution and the init system are those under the layout; the kernel's doings (SELinux, packet
    filters, addresses) are those of this machine. A private copy has the addresses of its layout and no packet filter.
    """
    layout = host.layout
    release = parse_release(host.text(host.layout.at("/etc/os-release")) or _vendor_release(host))
    return System(
        distribution=release.get("ID", "linux"),
        version=release.get("VERSION_ID", ""),
        name=release.get("PRETTY_NAME", release.get("NAME", "an unknown Linux")),
        init=_init(host),
        selinux=parse_selinux(host.text(Path("/sys/fs/selinux/enforce"))),
        firewalls=() if layout.private else firewalls.read(host, processes),
        addresses=parse_addresses(layout.addresses if layout.private else _interface_addresses()),
        ipv6=any(":" in each for each in layout.addresses) if layout.private else _has_ipv6(host),
        root=host.is_root,
    )


def _has_ipv6(host: Host) -> bool:
    """Return whether the kernel knows the family: it has this file for as long as it does."""
    return host.status(Path("/proc/net/if_inet6")) is not None


def _vendor_release(host: Host) -> str:
    return host.text(host.layout.at("/usr/lib/os-release")) or ""


def parse_release(text: str) -> dict[str, str]:
    """Return the assignments of an os-release file (os-release(5): shell words, one for each line)."""
    values = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            values[key] = _unquote(value)
    return values


def _unquote(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value


def _init(host: Host) -> Literal["systemd", "openrc", "none"]:
    """Return who starts services (sd_booted(3); OpenRC keeps its state in /run/openrc)."""
    if host.status(host.layout.at("/run/systemd/system")) is not None:
        return "systemd"
    return "none" if host.status(host.layout.at("/run/openrc")) is None else "openrc"


def parse_selinux(enforce: str | None) -> Literal["enforcing", "permissive", "disabled"]:
    """Return the mode that ``/sys/fs/selinux/enforce`` says; None is a missing file."""
    if enforce is None:
        return "disabled"
    return "enforcing" if enforce.strip() == "1" else "permissive"


def _interface_addresses() -> list[str]:
    up = {name for name, status in psutil.net_if_stats().items() if status.isup}
    return [
        address.address
        for name, addresses in psutil.net_if_addrs().items()
        if name in up
        for address in addresses
        if address.family in {socket.AF_INET, socket.AF_INET6}
    ]


def parse_addresses(found: Iterable[str]) -> tuple[str, ...]:
    """Return IP addresses without zones: IPv4 first, loopback last, link-local left out."""
    addresses = {ipaddress.ip_address(address.partition("%")[0]) for address in found}
    routable = [address for address in addresses if not address.is_link_local]
    return tuple(map(str, sorted(routable, key=lambda one: (one.is_loopback, one.version, int(one)))))
