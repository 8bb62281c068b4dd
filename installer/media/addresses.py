"""Where a media repository is reached, and whether two addresses are one socket."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from palpo_installer.answers import Address
from palpo_installer.facts.media import MediaRepository
from palpo_installer.media.configuration import MediaConfiguration


def own_address(repository: MediaRepository, configuration: MediaConfiguration) -> Address | None:
    """Return where it is reached from this host."""
    host, _, port = repository.address.rpartition(":")
    return Address(host.strip("[]"), int(port)) if host else Address(configuration.address, configuration.port)


def same(one: Address, other: Address | None) -> bool:
    """Return whether two addresses are one socket: names of loopback are alike."""
    if other is None or one.port != other.port:
        return False
    return one.host == other.host or (is_loopback(one.host) and is_loopback(other.host))


def is_loopback(host: str) -> bool:
    """Return whether a host can be reached from this machine only, or is every address of it."""
    ip = ip_of(host)
    return host == "localhost" or (ip is not None and (ip.is_loopback or ip.is_unspecified))


def ip_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address that a host stands for without a look at DNS, None where it has a name."""
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return None


def split(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a URL, None where it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)
