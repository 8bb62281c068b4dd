"""Firewalls: which ones filter what arrives. Asking must not load a kernel module, which would be a change."""

from __future__ import annotations

import re
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.processes import Process, consult

TABLE = re.compile(
    r"^(?P<iptables># Warning: table [^\n]* managed by iptables-nft[^\n]*\n)?"
    r"table \w+ (?P<name>\S+) \{\n(?P<body>.*?)^\}",
    re.MULTILINE | re.DOTALL,
)
CHAIN = re.compile(r"^\s+chain \S+ \{\n(.*?)^\s+\}", re.MULTILINE | re.DOTALL)

FOREIGN_TABLES = frozenset({"firewalld", "docker-bridges", "libvirt_network", "netavark", "f2b-table"})
"""Tables of nftables that other programs fill and that close no port for everyone."""

LEGACY = (("iptables", "ip_tables_names"), ("ip6tables", "ip6_tables_names"))


def read(host: Host, processes: tuple[Process, ...]) -> tuple[str, ...]:
    """Return the active ones: the managers, else the bare rules (a manager's rules are its own)."""
    managers = []
    if _ufw(host):
        managers.append("ufw")
    if any(word.endswith("/firewalld") for process in processes for word in process.command):
        managers.append("firewalld")
    return tuple(managers) or tuple(sorted({*_nftables(host), *_legacy(host)}))


def _ufw(host: Host) -> bool:
    """Return whether ufw is on: by its file, and by its own word where it may be asked."""
    if not parse_ufw_file(host.text(host.layout.at("/etc/ufw/ufw.conf")) or ""):
        return False
    said = consult(host, "ufw", "status") if host.is_root else None
    return said is None or said.status != 0 or "Status: active" in said.stdout


def parse_ufw_file(text: str) -> bool:
    """Return whether ``/etc/ufw/ufw.conf`` switches ufw on at boot."""
    return re.search(r"^ENABLED=['\"]?yes\b", text, re.MULTILINE | re.IGNORECASE) is not None


def _nftables(host: Host) -> tuple[str, ...]:
    """Return whose rules nftables holds, not asking where that would load its module."""
    modules = host.text(Path("/proc/modules"))
    if not host.is_root or (modules is not None and not re.search(r"^nf_tables ", modules, re.MULTILINE)):
        return ()
    said = consult(host, "nft", "list", "ruleset")
    return parse_nftables(said.stdout) if said is not None and said.status == 0 else ()


def parse_nftables(text: str) -> tuple[str, ...]:
    """Return who keeps something from arriving, by the listing of ``nft list ruleset``.

    iptables on top of nftables marks its tables with a comment ahead of them.
    """
    found = (
        "iptables" if table["iptables"] else "nftables"
        for table in TABLE.finditer(text)
        if table["name"] not in FOREIGN_TABLES and _filters_input(CHAIN.findall(table["body"]))
    )
    return tuple(dict.fromkeys(found))


def _filters_input(chains: list[str]) -> bool:
    if not any("hook input" in chain for chain in chains):
        return False
    if any("hook input" in chain and "policy drop" in chain for chain in chains):
        return True
    own_or_called = [chain for chain in chains if "hook input" in chain or "hook " not in chain]
    return any(re.search(r"\b(?:drop|reject)\b", chain) for chain in own_or_called)


def _legacy(host: Host) -> tuple[str, ...]:
    """Return ``iptables`` where the old tables are loaded and refuse something."""
    for program, tables in LEGACY:
        if "filter" not in (host.text(Path("/proc/net") / tables) or "").split():
            continue
        name = f"{program}-legacy" if host.which(f"{program}-legacy") else program
        said = consult(host, name, "-S")
        if said is not None and said.status == 0 and parse_iptables(said.stdout):
            return ("iptables",)
    return ()


def parse_iptables(text: str) -> bool:
    """Return whether ``iptables -S`` shows that something is kept from arriving."""
    lines = text.splitlines()
    if any(line in {"-P INPUT DROP", "-P INPUT REJECT"} for line in lines):
        return True
    seen: set[str] = set()
    chains = ["INPUT"]
    while chains:
        chain = chains.pop()
        seen.add(chain)
        targets = [match[1] for line in lines if (match := re.match(rf"-A {re.escape(chain)} .*-[jg] (\S+)", line))]
        if {"DROP", "REJECT"} & set(targets):
            return True
        chains += [target for target in targets if target not in seen]
    return False
