"""ufw: what it lets in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from palpo_installer.facts.ports import PortRange, covers, parse_ranges
from palpo_installer.host import Host
from palpo_installer.processes import consult

RULE = re.compile(r"^(?P<to>\S.*?)\s+(?P<action>ALLOW|DENY|REJECT|LIMIT)(?: (?P<way>IN|OUT|FWD))?\s+(?P<of>[^#]*)")
TARGET = re.compile(
    r"(?P<ports>Anywhere|[\d,:]+)(?:/(?P<protocol>\w+))?"
    r"(?: \((?!v6\))[^()]*(?:\(v6\))?\))?(?: \(v6\))?"  # the application's name, and the family
)
FROM_ANYWHERE = re.compile(r"Anywhere(?: \(v6\))?")

Verdict = Literal["open", "closed", "refused", "limited"]
"""``refused`` and ``limited`` are rules that somebody made for the port, ``closed`` is the rule for all others."""

VERDICTS: dict[str, Verdict] = {"ALLOW": "open", "LIMIT": "limited", "DENY": "refused", "REJECT": "refused"}


@dataclass(frozen=True)
class Rule:
    """A rule about everybody, on every interface; ``ports`` is empty for every port."""

    action: str
    ports: tuple[PortRange, ...]
    ipv6: bool


@dataclass(frozen=True)
class Ufw:
    """A ufw that is active.

    Attributes:
        incoming: what happens to what no rule is about: ``deny``, ``reject`` or ``allow``.
        rules: in the order in which they are asked; those for some addresses or interfaces only are left out.
        ipv6: whether it has rules for that family.
    """

    incoming: str
    rules: tuple[Rule, ...]
    ipv6: bool

    def verdict(self, port: int) -> Verdict:
        """Return what happens to a connection to a TCP port, in the worse of both families."""
        families = [self._verdict(port, ipv6=False), *([self._verdict(port, ipv6=True)] if self.ipv6 else [])]
        order: tuple[Verdict, ...] = ("refused", "limited", "closed", "open")
        return min(families, key=order.index)

    def _verdict(self, port: int, *, ipv6: bool) -> Verdict:
        for rule in self.rules:
            if rule.ipv6 == ipv6 and (not rule.ports or covers(rule.ports, port)):
                return VERDICTS[rule.action]
        return "open" if self.incoming == "allow" else "closed"


def read(host: Host, active: bool, note: Callable[[str], None]) -> Ufw | None:
    """Return what it lets in, None where it is not active or does not tell us."""
    if not active:
        return None
    said = consult(host, "ufw", "status", "verbose", timeout=15.0) if host.is_root else None
    if said is None or said.status:
        note("ufw is active and does not tell what it lets in; it needs root.")
        return None
    defaults = host.text(host.layout.at("/etc/default/ufw")) or ""
    return parse(said.stdout, ipv6=re.search(r"^IPV6=['\"]?no\b", defaults, re.MULTILINE | re.IGNORECASE) is None)


def parse(text: str, *, ipv6: bool) -> Ufw:
    """Return what ``ufw status verbose`` says."""
    default = re.search(r"^Default: (\w+) \(incoming\)", text, re.MULTILINE)
    return Ufw(default[1] if default else "deny", tuple(_rules(text)), ipv6)


def _rules(text: str) -> Iterator[Rule]:
    for line in text.splitlines():
        found = RULE.match(line)
        target = TARGET.fullmatch(found["to"]) if found else None
        if found is None or target is None or found["way"] in {"OUT", "FWD"} or target["protocol"] not in {None, "tcp"}:
            continue
        if FROM_ANYWHERE.fullmatch(found["of"].strip()):
            every = target["ports"] == "Anywhere"
            ports = () if every else parse_ranges(target["ports"])
            yield Rule(found["action"], ports, "(v6)" in line)
