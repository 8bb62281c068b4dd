"""Who answers now: by port, who holds it, and for which names, with file and line."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from palpo_installer.answers import Address
from palpo_installer.facts import Facts
from palpo_installer.facts.certificates import Certificate
from palpo_installer.facts.listeners import Listener
from palpo_installer.layout import Layout
from palpo_installer.proxies.found import Listen, ServerBlock
from palpo_installer.questions.federation import FEDERATION_PORT

NAME_WIDTH = 24
WILDCARDS = {"0.0.0.0": "IPv4", "::": "IPv6"}  # noqa: S104


def who_answers(facts: Facts, layout: Layout) -> Iterator[str]:
    """Yield a line for each port that matters, and below it the proxy's sites there; then the others in short."""
    sites = tuple(site for proxy in facts.proxies for site in proxy.servers)
    served = {listen.port for site in sites for listen in site.listens if listen.port}
    ports = sorted({layout.http_port, layout.https_port, FEDERATION_PORT, *served})
    for port in ports:
        holders = [listener for listener in facts.listeners if listener.port == port]
        for owner, addresses in _by_owner(holders):
            yield f"port {port}, {addresses}: {owner}"
        if not holders:
            yield f"port {port}: nobody"
        held = {each.pid for each in holders}
        there = [site for proxy in facts.proxies if not holders or held & proxy.pids for site in proxy.servers]
        yield from _sites(there, port, facts.certificates, stopped=not holders)
    others = dict.fromkeys(
        f"{each.process or each.owner} on {each.port}" for each in facts.listeners if _far(each, ports)
    )
    if others:
        yield f"and: {', '.join(others)}"


def _far(listener: Listener, ports: list[int]) -> bool:
    """Return whether a listener can be reached from outside on another port."""
    return listener.port not in ports and not ipaddress.ip_address(listener.address).is_loopback


def _by_owner(listeners: list[Listener]) -> Iterator[tuple[str, str]]:
    """Yield each owner with its addresses in words."""
    for owner in dict.fromkeys(listener.owner for listener in listeners):
        theirs = [listener for listener in listeners if listener.owner == owner]
        families = [_family(listener) for listener in theirs]
        yield owner, " and ".join(dict.fromkeys(families))


def _family(listener: Listener) -> str:
    if listener.both_families:
        return "IPv4 and IPv6"
    return WILDCARDS.get(listener.address, listener.address)


def _sites(
    sites: Iterable[ServerBlock], port: int, certificates: tuple[Certificate, ...], *, stopped: bool
) -> Iterator[str]:
    for site in sites:
        listens = [listen for listen in site.listens if listen.port == port]
        if not listens:
            continue
        names = [name for name in site.names if name not in {"", "_"}] or ["any other name"]
        would = "would answer: " if stopped else ""
        first = f"  {would}{names[0]}"
        yield f"{first.ljust(NAME_WIDTH)}  {_where(listens)}  {site.file}:{site.line}"
        yield from (f"  {name}" for name in names[1:])
        if any("ssl" in listen.options for listen in listens):
            yield from _certificate(site, certificates)


def _where(listens: list[Listen]) -> str:
    families = (_reached(listen) for listen in listens)
    return ", ".join(dict.fromkeys(families))


def _reached(listen: Listen) -> str:
    both = listen.address == "::" and "ipv6only=off" in listen.options
    return "IPv4 and IPv6" if both else WILDCARDS.get(listen.address) or str(Address(listen.address, listen.port))


def _certificate(site: ServerBlock, certificates: tuple[Certificate, ...]) -> Iterator[str]:
    for path in site.certificates:
        known = next((each for each in certificates if str(each.chain) == path), None)
        said = f"until {known.not_after:%Y-%m-%d}, by {known.issuer}" if known else f"not readable: {path}"
        yield f"    certificate {said}"
