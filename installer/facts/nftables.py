"""The bare rule set of nftables: where arriving packets are judged, and which TCP ports rules let in.

It is somebody's own work and is never edited; this is for naming the chain and the line that it lacks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from palpo_installer.facts.firewalls import FOREIGN_TABLES
from palpo_installer.facts.ports import PortRange, covers, parse_ranges
from palpo_installer.host import Host
from palpo_installer.processes import consult

TABLE = re.compile(r"^table (?P<family>\w+) (?P<name>\S+) \{\n(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
CHAIN = re.compile(r"^\s+chain (?P<name>\S+) \{\n(?P<body>.*?)^\s+\}", re.MULTILINE | re.DOTALL)
ACCEPT = re.compile(r"\btcp dport (?:\{(?P<several>[^}]*)\}|(?P<one>[\d-]+))[^\n]*\baccept\b")


@dataclass(frozen=True)
class InputChain:
    """A chain that keeps something from arriving.

    Attributes:
        name: family, table and chain, as the program ``nft`` takes them: ``inet filter input``.
        accepted: TCP ports that a rule of the table lets in, be it for some addresses only.
    """

    name: str
    accepted: tuple[PortRange, ...]

    def lacking(self, ports: tuple[int, ...]) -> tuple[int, ...]:
        """Return the ports that no rule lets in."""
        return tuple(port for port in ports if not covers(self.accepted, port))


def read(host: Host, firewalls: tuple[str, ...]) -> tuple[InputChain, ...]:
    """Return the chains; asked only where ``firewalls`` says that nftables filters, so that nothing is loaded."""
    said = consult(host, "nft", "list", "ruleset") if "nftables" in firewalls else None
    return parse(said.stdout) if said is not None and said.status == 0 else ()


def parse(text: str) -> tuple[InputChain, ...]:
    """Return the chains of ``nft list ruleset`` that judge what arrives and refuse something, by word or policy."""
    chains = []
    for table in TABLE.finditer(text):
        found = {chain["name"]: chain["body"] for chain in CHAIN.finditer(table["body"])}
        accepted = parse_ranges(",".join(each["several"] or each["one"] for each in ACCEPT.finditer(table["body"])))
        for name, body in found.items():
            refuses = "policy drop" in body or re.search(r"\b(?:drop|reject)\b", table["body"])
            if table["name"] not in FOREIGN_TABLES and "hook input" in body and refuses:
                chains.append(InputChain(f"{table['family']} {table['name']} {name}", accepted))
    return tuple(chains)
