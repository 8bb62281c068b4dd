"""Ports that other sites of Caddy have: a site of ours binds what they bind, and takes no name of theirs."""

from __future__ import annotations

from collections.abc import Sequence

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.caddy.reading import EVERYWHERE
from palpo_installer.proxies.found import Listen, ServerBlock
from palpo_installer.proxies.sockets import family, is_address, is_tcp
from palpo_installer.site import VirtualHost


def refuse(host: VirtualHost, others: Sequence[ServerBlock]) -> None:
    """Refuse a name that another site has on the port, and a port that speaks the other protocol.

    Raises:
        RefusedPlan: so it is; Caddy itself would refuse such a configuration.
    """
    for block in others:
        listens = [each for each in block.listens if is_tcp(each, host.port)]
        if not listens:
            continue
        where = f"{block.file}:{block.line}"
        if host.name in block.names and not block.implied:
            raise RefusedPlan(
                f"{host.name} already has a site on port {host.port}",
                where=where,
                next="Let this site be switched off for ours (proxy.take_over = true, asked with the delegation), "
                "remove the name there, or, for the server name, keep its website (base_domain = existing)",
            )
        if any(_speaks_tls(each) != host.tls for each in listens):
            spoken, needed = ("plain HTTP", "TLS") if host.tls else ("TLS", "plain HTTP")
            raise RefusedPlan(
                f"a site speaks {spoken} on port {host.port}, where Palpo needs {needed}",
                where=where,
                next=f"Move that site to another port, or let it speak {needed}",
            )


def _speaks_tls(listen: Listen) -> bool:
    return "ssl" in listen.options


def bound(port: int, others: Sequence[ServerBlock], caddy: Caddy, layout: Layout) -> tuple[str, ...]:
    """Return what a site of ours binds on a port, none for every address.

    Of two sockets the one with the more specific address takes all of its connections: so ours are those of the
    other sites there.
    """
    there = dict.fromkeys(each.address for block in others for each in block.listens if is_tcp(each, port))
    wanted = tuple(there) or caddy.options.default_bind or layout.addresses
    return () if set(wanted) == set(EVERYWHERE) else tuple(wanted)


def reached(addresses: Sequence[str], system: System) -> tuple[str, ...]:
    """Return every local address at which a site with these takes connections."""
    local = [each for each in dict.fromkeys((*system.addresses, "127.0.0.1", "::1")) if is_address(each)]
    local = [each for each in local if system.ipv6 or family(each) == 4]
    found: list[str] = []
    for address in addresses or EVERYWHERE:
        found += [each for each in local if family(each) == family(address)] if address in EVERYWHERE else [address]
    return tuple(dict.fromkeys(found))
