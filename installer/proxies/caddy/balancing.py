"""PROXY lines in front of requests, as load balancers send them.

See caddyserver.com, "Global options", "servers", ``listener_wrappers``; ``proxy_protocol`` is in Caddy since 2.7.
Whether a request of this host's own needs such a line was tried on 2.7.6, 2.8.4, 2.9.1 and 2.10.2: with 2.7 who is
allowed to send one must, and for anybody else it is no request; since 2.8 a line is read or left out where it comes,
and needed only with ``fallback_policy require`` (tests/lab/test_caddy_balanced.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from palpo_installer.proxies.caddy.tree import Segment

Version = tuple[int, int, int]

OPTIONAL: Version = (2, 8, 0)
"""The first one that takes requests with and without a line on one socket."""


@dataclass(frozen=True)
class Balancing:
    """What a block of ``servers`` says of PROXY lines.

    Attributes:
        listener: the socket that it is for, e.g. ``:443``; empty for those that no other block is for.
        balanced: whether lines are read at all.
        allowed: networks of those who may send one; empty for everybody.
        required: whether nobody else gets an answer without one.
    """

    listener: str
    balanced: bool
    allowed: tuple[str, ...] = ()
    required: bool = False

    def expects(self, source: str, version: Version) -> bool:
        """Return whether a request from an address needs a line."""
        if not self.balanced or version >= OPTIONAL:
            return self.balanced and self.required
        return not self.allowed or any(_is_within(source, each) for each in self.allowed)


def read(servers: Segment) -> Balancing:
    """Return what a block of ``servers`` says."""
    wrappers = [found for each in servers.all("listener_wrappers") for found in each.all("proxy_protocol")]
    allowed = (word for each in wrappers for line in each.all("allow") for word in line.arguments)
    fallback = [line.arguments for each in wrappers for line in each.all("fallback_policy")]
    listener = servers.arguments[0] if servers.arguments else ""
    return Balancing(
        listener, bool(wrappers), tuple(allowed), any("require" in map(str.lower, each) for each in fallback)
    )


def expects(blocks: Sequence[Balancing], address: str, port: int, version: Version) -> bool:
    """Return whether a request of this host's own to one of its addresses needs a line.

    Args:
        blocks: what the global options say.
        address: where it goes, and so also where it comes from.
        port: where it goes.
        version: of Caddy.
    """
    host = f"[{address}]" if ":" in address else address
    places = {f"{each}:{port}" for each in ("", host, "0.0.0.0", "[::]")}  # noqa: S104 - compared, not bound
    own = [each for each in blocks if each.listener in places]
    return any(each.expects(address, version) for each in own or [each for each in blocks if not each.listener])


def _is_within(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False
