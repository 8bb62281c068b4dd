"""What proxies there are and what each serves now: for choosing one, and for saying who is in the way. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.facts import Facts
from palpo_installer.layout import Layout
from palpo_installer.proxies.found import Proxy

PROGRAMS: Mapping[str, str] = {
    "nginx": "nginx",
    "apache2": "apache",
    "httpd": "apache",
    "caddy": "caddy",
    "haproxy": "haproxy",
    "relayd": "relayd",
    "traefik": "traefik",
}
"""The answer that stands for each program that is a reverse proxy."""

TITLES: Mapping[str, str] = {"apache": "Apache", "caddy": "Caddy", "haproxy": "HAProxy", "traefik": "Traefik"}
"""What people call them, where that is not their word."""


@dataclass(frozen=True)
class Standing:
    """A proxy as it stands.

    Attributes:
        kind: its word in the answer ``proxy.kind``.
        title: what people call it.
        running: whether it runs.
        ports: those it holds now, in order.
        sites: how many of its sites are not ours, one on several ports counted once; None where that was not read.
        unit: its unit, empty for none.
        container: the container it runs in, empty for none.
        ours: whether it serves for us.
    """

    kind: str
    title: str
    running: bool
    ports: tuple[int, ...]
    sites: int | None
    unit: str
    container: str = ""
    ours: bool = False

    def __str__(self) -> str:
        """Return it as a sentence without its full stop."""
        held = f"holds {named(self.ports)}" if self.ports else "holds no port"
        state = f"runs and {held}" if self.running else "is stopped"
        many = "" if self.sites is None else f", {self.sites} other site{'' if self.sites == 1 else 's'}"
        place = f", container {self.container}" if self.container else f", {self.unit}" if self.unit else ""
        return f"{self.title} {state}{many}{place}"

    def holds(self, layout: Layout) -> bool:
        """Return whether it holds a port of the web."""
        return bool({layout.http_port, layout.https_port} & set(self.ports))


def named(ports: Sequence[int]) -> str:
    """Return ports as people name them."""
    *first, last = map(str, ports)
    return f"ports {', '.join(first)} and {last}" if first else f"port {last}"


def standings(facts: Facts) -> tuple[Standing, ...]:
    """Return every proxy that is installed, or that holds a port without our knowing its configuration."""
    read = tuple(_of_proxy(proxy, facts) for proxy in facts.proxies)
    own = {pid for proxy in facts.proxies for pid in proxy.pids}
    others: dict[tuple[str, str, str], list[int]] = {}
    for each in facts.listeners:
        kind = PROGRAMS.get(each.process, "")
        if kind and each.pid not in own and (each.container or all(kind != found.kind for found in read)):
            others.setdefault((kind, each.unit, each.container), []).append(each.port)
    unread = (
        Standing(kind, TITLES.get(kind, kind), True, tuple(sorted(set(ports))), None, unit, container)
        for (kind, unit, container), ports in others.items()
    )
    return (*read, *unread)


def _of_proxy(proxy: Proxy, facts: Facts) -> Standing:
    held = {each.port for each in facts.listeners if each.pid in proxy.pids}
    others = {block.names for block in proxy.servers if not _is_ours(block.file, facts)}
    ports, ours = tuple(sorted(held)), serves_us(proxy, facts)
    return Standing(proxy.kind, proxy.title, proxy.pid is not None, ports, len(others), proxy.unit, ours=ours)


def serves_us(proxy: Proxy, facts: Facts) -> bool:
    """Return whether a proxy reads a file of ours: a site, or what a site of somebody else's leads to."""
    read = (*(each.path for each in proxy.files), *(block.file for block in proxy.servers))
    return any(_is_ours(file, facts) for file in read)


def _is_ours(file: Path, facts: Facts) -> bool:
    """Return whether an earlier run installed a file; where that is not known, its name tells.

    A name alone proves nothing: a copy has it too, and so has what is left of an installation that nobody recorded.
    """
    return "palpo-installer" in file.name if facts.installed is None else file in facts.installed


def theirs(proxy: Proxy, ports: Collection[int], facts: Facts) -> int:
    """Return how many sites of others a proxy has on some ports."""
    there = (block for block in proxy.servers if any(each.port in ports for each in block.listens))
    return len({block.names for block in there if not _is_ours(block.file, facts)})


def leaving(facts: Facts, port: int, processes: Collection[int | None]) -> Proxy | None:
    """Return the proxy that leaves a port which these processes have to another: it has it for sites of ours alone."""
    alone = (each for each in facts.proxies if serves_us(each, facts) and not theirs(each, [port], facts))
    return next((each for each in alone if {*processes} <= {*each.pids}), None)


def holder(facts: Facts, layout: Layout) -> Standing | None:
    """Return the proxy that holds the ports of the web: that of HTTPS counts more; None for none."""
    found = [each for each in standings(facts) if each.holds(layout)]
    return max(found, key=lambda each: layout.https_port in each.ports, default=None)


def freeing(standing: Standing) -> str:
    """Return how a person frees the ports that a proxy holds."""
    if standing.container:
        return f"stop container {standing.container}"
    if standing.unit:
        return f"systemctl disable --now {standing.unit}"
    return f"end {standing.title}"
