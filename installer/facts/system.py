"""The system: distribution, init system, SELinux, firewall, addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
