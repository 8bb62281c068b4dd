"""Which sockets our virtual hosts answer on, so that every neighbour answers as before.

A ``Listen`` belongs to the whole server. One that overlaps another, or that another program has the port of, passes
Apache's own test; then the reload ends Apache as a whole (listen.c, ``open_listeners``). So there is one of ours only
for a port that nobody listens on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.proxies.apache.placement import Placement
from palpo_installer.proxies.apache.reading import ANY4, ANY6, ANY_PORT, BOTH, BY_ADDRESS, HTTPS
from palpo_installer.proxies.found import Listen, ServerBlock
from palpo_installer.proxies.sockets import family, is_address, is_tcp
from palpo_installer.site import VirtualHost

WILDCARDS = (ANY4, ANY6)


@dataclass(frozen=True)
class Opened:
    """One socket that our virtual hosts share or open.

    Attributes:
        address: an IP address or a wildcard, without brackets.
        port: its port.
        both_families: a ``::`` socket that takes IPv4 too.
        shared: whether it is there without us.
    """

    address: str
    port: int
    both_families: bool = False
    shared: bool = False

    @property
    def words(self) -> str:
        """What follows ``Listen`` where it is ours."""
        return str(self.port) if self.both_families else _with_port(self.address, self.port)

    def takes(self, address: str) -> bool:
        """Return whether a connection to this local address can arrive here."""
        if self.address in WILDCARDS:
            return self.both_families or family(address) == family(self.address)
        return address == self.address


@dataclass(frozen=True)
class Door:
    """A port as our virtual hosts have it.

    Attributes:
        sockets: those that are open, or that we open.
        words: the addresses of our ``<VirtualHost>``.
        balanced: whether connections begin with a line of the PROXY protocol.
        stand_in: whether the main server answers there now, and must go on doing so.
    """

    sockets: tuple[Opened, ...]
    words: tuple[str, ...]
    balanced: bool
    stand_in: bool

    @property
    def new(self) -> tuple[Opened, ...]:
        """The sockets that are ours alone."""
        return tuple(each for each in self.sockets if not each.shared)

    def reached(self, system: System) -> tuple[str, ...]:
        """Return the local addresses at which we answer."""
        found: dict[str, None] = {}
        for socket in self.sockets:
            wildcard = socket.address in WILDCARDS
            found |= dict.fromkeys([a for a in system.addresses if socket.takes(a)] if wildcard else [socket.address])
        return tuple(found)


@dataclass(frozen=True)
class Neighbours:
    """What Apache serves beside us once the modules of our site are loaded.

    Attributes:
        servers: somebody else's virtual hosts, and the main server as the last.
        listens: the ``Listen`` directives outside our files.
        open_now: the sockets that are open without those modules.
        main: the main file; its first line stands for the main server.
    """

    servers: tuple[ServerBlock, ...]
    listens: tuple[Listen, ...]
    open_now: frozenset[tuple[str, int]]
    main: Path

    def on(self, port: int) -> Iterator[tuple[ServerBlock, Listen]]:
        """Yield each neighbour with each of its sockets on a port."""
        return ((server, each) for server in self.servers for each in server.listens if is_tcp(each, port))


def door(port: int, neighbours: Neighbours, system: System, layout: Layout) -> Door:
    """Return how we answer on a port: on the sockets that are there, else on new ones for every address.

    Raises:
        RefusedPlan: a virtual host takes requests for any port.
    """
    there = tuple(neighbours.on(port))
    for server, listen in there:
        if ANY_PORT in listen.options:
            raise RefusedPlan(
                f"this virtual host names no port, and would no longer answer on port {port} beside one that does",
                where=f"{server.file}:{server.line}",
                next=f"Let it name the port, e.g. <VirtualHost *:{port}>",
            )
    sockets = tuple(
        Opened(each.address, port, BOTH in each.options, shared=True)
        for each in neighbours.listens
        if each.port == port
    )
    named = dict.fromkeys(_with_port(each.address, port) for _, each in there if BY_ADDRESS in each.options)
    hosts = {each.address for server, each in there if (server.file, server.line) != (neighbours.main, 1)}
    return Door(
        sockets or opened(port, system, layout),
        (*named, f"*:{port}"),
        balanced=any("proxy_protocol" in each.options for _, each in there),
        stand_in=any(
            each.address not in hosts and (each.address, port) in neighbours.open_now and HTTPS not in each.options
            for each in neighbours.listens
            if each.port == port
        ),
    )


def opened(port: int, system: System, layout: Layout) -> tuple[Opened, ...]:
    """Return new sockets for the addresses of a layout; one takes both families where both have all addresses."""
    wanted = [each for each in layout.addresses if system.ipv6 or ":" not in each]
    if set(wanted) >= set(WILDCARDS):
        return (Opened(ANY6, port, both_families=True),)
    return tuple(Opened(each, port) for each in wanted)


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def refuse_other_protocol(port: int, neighbours: Neighbours, *, tls: bool) -> None:
    """Refuse a port where somebody speaks plain HTTP and we need TLS, or the other way round."""
    for server, listen in neighbours.on(port):
        speaks_tls = "ssl" in listen.options
        if speaks_tls != tls:
            spoken, needed = ("TLS", "plain HTTP") if speaks_tls else ("plain HTTP", "TLS")
            raise RefusedPlan(
                f"a site speaks {spoken} on port {port}, where Palpo needs {needed}",
                where=f"{server.file}:{server.line}",
                next=f"Move that site to another port, or let it speak {needed}",
            )


def refuse_taken_name(host: VirtualHost, neighbours: Neighbours) -> None:
    """Refuse a name that somebody else's virtual host has on that port: of two with one name, Apache takes the first.

    A ``ServerAlias`` may have wildcards.
    """
    for server, _ in neighbours.on(host.port):
        names = [name.lower() for name in server.names]
        if host.name in names:
            raise RefusedPlan(
                f"{host.name} already has a site on port {host.port}",
                where=f"{server.file}:{server.line}",
                next="Let this site be switched off for ours (proxy.take_over = true, asked with the delegation), "
                "remove the name there, or, for the server name, keep its website (base_domain = existing)",
            )
        for alias in (name for name in names if {"*", "?"} & set(name)):
            if fnmatchcase(host.name, alias.replace("[", "[[]")):
                raise RefusedPlan(
                    f"the ServerAlias {alias} of this site takes the requests for {host.name} before ours does",
                    where=f"{server.file}:{server.line}",
                    next="Name there the hosts that it is for",
                )


def refuse_default_place(host: VirtualHost, neighbours: Neighbours, placement: Placement) -> None:
    """Refuse to become what answers requests without a known name, where a neighbour does so now.

    Apache gives them to the first virtual host of an address that it reads. TLS to an IP address names no server
    (RFC 6066, section 3), so there the certificate of that one is shown.
    """
    sharing: dict[str, list[ServerBlock]] = {}
    for server, listen in neighbours.on(host.port):
        sharing.setdefault(listen.address, []).append(server)
    for address, servers in sharing.items():
        where = f"{servers[0].file}:{servers[0].line}"
        if all(placement.precedes(server) for server in servers):
            raise RefusedPlan(
                f"a site on {address} port {host.port} is read after ours and would no longer be the default there",
                where=where,
                next=f"Move it into a file of {placement.included.directory} whose name sorts before ours",
            )
        if host.tls and is_address(host.name.strip("[]")):
            raise RefusedPlan(
                f"for an IP address Apache shows the certificate of the default site on {address} port {host.port}",
                where=where,
                next="Use a host name, or a port that no other site has",
            )


def findings(doors: Iterable[Door], addresses: Collection[str]) -> Iterator[str]:
    """Yield what a person should know about ports that are served on a part of the wanted addresses only."""
    for each in doors:
        missing = [address for address in addresses if not any(_covers(socket, address) for socket in each.sockets)]
        if missing and not each.new:
            there = ", ".join(socket.address for socket in each.sockets)
            yield (
                f"Port {each.sockets[0].port} is served on {there} only, as for the sites that are there: Apache "
                "cannot open it on all addresses while these are open"
            )


def _covers(socket: Opened, wanted: str) -> bool:
    return socket.both_families or socket.address == wanted


def own_listens(doors: Sequence[Door]) -> tuple[Opened, ...]:
    """Return the sockets that need a ``Listen`` of ours."""
    return tuple(dict.fromkeys(socket for each in doors for socket in each.new))
