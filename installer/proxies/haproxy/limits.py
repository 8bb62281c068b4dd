"""The limits on requests for each client: who is counted, where, and what is said to whom it meets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from palpo_installer.proxies.haproxy import words
from palpo_installer.proxies.haproxy.configuration import Section
from palpo_installer.proxies.haproxy.ports import Port
from palpo_installer.site import TOO_MANY, Limit

TRACKED = re.compile(r"track-sc(\d)")
COUNTERS = ("2", "1", "0")
"""The counters of a request (manual, "track-sc0"): a rule for one that is in use already does nothing."""
CLIENT = "req.hdr_ip(X-Forwarded-For),ipmask(32,64)"
"""Who is counted: an address of IPv4, and of IPv6 the network that one client usually has all of (RFC 6177)."""


@dataclass(frozen=True)
class Counter:
    """How requests are counted.

    Attributes:
        number: of a counter that nobody else uses, empty where all are in use: then it is by address alone.
    """

    number: str

    def track(self, table: str) -> str:
        """Return the action that begins it, empty for none."""
        return f"track-sc{self.number} {CLIENT} table {table}" if self.number else ""

    def rate(self, table: str) -> str:
        """Return what tells how many there were."""
        return f"sc_gpc0_rate({self.number},{table})" if self.number else f"src_gpc0_rate({table})"

    def count(self, table: str) -> str:
        """Return the action that counts one."""
        free = f"set-var(txn.palpo_installer_counted) src_inc_gpc0({table})"
        return f"sc-inc-gpc0({self.number})" if self.number else free


def counter(sections: Iterable[Section]) -> Counter:
    """Return a counter that nobody's rules use: those of a frontend that leads to us count in it before ours do."""
    rules = (str(directive) for section in sections for directive in section.directives)
    used = {number for rule in rules for number in TRACKED.findall(rule)}
    return Counter(next((number for number in COUNTERS if number not in used), ""))


def of_ports(ports: Sequence[Port]) -> tuple[Limit, ...]:
    """Return the limits that some ports have."""
    routes = (route for port in ports for server in port.servers for route in server.forwards)
    return tuple(dict.fromkeys(route.limit for route in routes if route.limit is not None))


def window(limit: Limit) -> int:
    """Return the seconds in which a burst and one more may come: that is the sustained rate."""
    return math.ceil((limit.burst + 1) * 60 / limit.per_minute)


def refusals(limits: Sequence[Limit]) -> Mapping[str, str]:
    """Return what a client is told by the name of the limit it met."""
    return {each.name: words.error(TOO_MANY, {"retry_after_ms": 60_000 // each.per_minute}) for each in limits}
