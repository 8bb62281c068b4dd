"""Which sockets our server blocks listen on, so that every neighbour answers as before.

nginx keeps listen options by socket, not by server block (``ngx_http_add_addresses``): ``http2`` or
``proxy_protocol`` on one ``listen`` switches it on for every site of that address. Since 1.23.2 nginx also
warns "protocol options redefined" where they differ; it does not where a later line carries no more
than what all lines before it have in common.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.proxies.found import Listen, ServerBlock
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.placement import Placement
from palpo_installer.proxies.sockets import family, is_address, is_tcp
from palpo_installer.proxies.sockets import reached as sockets_reached
from palpo_installer.site import VirtualHost

WILDCARDS = {4: "0.0.0.0", 6: "::"}  # noqa: S104

HTTP2_DIRECTIVE = (1, 25, 1)
"""From here on ``http2 on;`` in a server block; before, an option of ``listen`` (ngx_http_v2_module)."""


@dataclass(frozen=True)
class Listening:
    """One socket that our server blocks share or open.

    Attributes:
        address: an IP address or a wildcard, without brackets.
        port: its port.
        options: the words that go into our ``listen``.
        shared: whether somebody else's server block listens there too.
        http2: whether ``listen`` switches HTTP/2 on there, by whoever's line.
        proxy_protocol: whether the socket expects a PROXY line, by whoever's line.
        both_families: a ``::`` socket that takes IPv4 too.
    """

    address: str
    port: int
    options: tuple[str, ...] = ()
    shared: bool = False
    http2: bool = False
    proxy_protocol: bool = False
    both_families: bool = False

    @property
    def wildcard(self) -> bool:
        """Whether it takes connections to every address of its family."""
        return self.address in WILDCARDS.values()

    @property
    def words(self) -> str:
        """What follows ``listen``."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return " ".join((f"{host}:{self.port}", *self.options))

    def takes(self, address: str) -> bool:
        """Return whether a connection to this local address can arrive here."""
        if self.wildcard:
            return self.both_families or family(address) == family(self.address)
        return address == self.address


@dataclass(frozen=True)
class Neighbours:
    """What nginx serves beside us.

    Attributes:
        servers: somebody else's server blocks.
        ours: the ``listen`` directives of our own files, where an earlier run has installed them.
        streams: the ``listen`` directives of ``stream``.
    """

    servers: tuple[ServerBlock, ...]
    ours: tuple[Listen, ...]
    streams: tuple[Listen, ...]

    def on(self, port: int) -> tuple[Listen, ...]:
        """Return every neighbour's TCP ``listen`` on a port."""
        return tuple(listen for server in self.servers for listen in server.listens if is_tcp(listen, port))

    def servers_on(self, port: int) -> tuple[ServerBlock, ...]:
        """Return the neighbours on a port."""
        return tuple(server for server in self.servers if any(is_tcp(listen, port) for listen in server.listens))


def listenings(
    port: int, *, tls: bool, neighbours: Neighbours, nginx: Nginx, system: System, layout: Layout
) -> tuple[Listening, ...]:
    """Return the sockets of a port: those that are there, and a new one for each family that has none.

    Where a family has specific addresses only, it gets no wildcard: a reload could not bind it while
    they are open. What an earlier run of ours opened stays for the same reason.

    Raises:
        RefusedPlan: a stream, or a site that speaks the other protocol, has the port.
    """
    refuse_streams(neighbours, port)
    found = neighbours.on(port)
    by_address: dict[str, list[Listen]] = {listen.address: [] for listen in kept(neighbours, port, system)}
    for listen in found:
        by_address.setdefault(listen.address, []).append(listen)
    covered = {family(address) for address in by_address}
    if any("ipv6only=off" in listen.options for listen in found):
        covered.add(4)
    usable = (4, 6) if system.ipv6 else (4,)
    by_address |= {a: [] for a in layout.addresses if family(a) in usable and family(a) not in covered}
    return tuple(
        listening(address, port, tls=tls, sharing=by_address[address], nginx=nginx)
        for address in sorted(by_address, key=lambda address: (family(address), ipaddress.ip_address(address)))
    )


def listening(address: str, port: int, *, tls: bool, sharing: Sequence[Listen], nginx: Nginx) -> Listening:
    """Return how we listen on one address: as everybody there does, or freely where nobody does."""
    refuse_other_protocol(sharing, tls=tls)
    can_http2 = tls and "http_v2_module" in nginx.modules
    common = [word for word in ("http2", "proxy_protocol") if sharing and all(word in s.options for s in sharing)]
    if can_http2 and not sharing:
        common = ["http2"]
    if nginx.version >= HTTP2_DIRECTIVE and "http2" in common:
        common.remove("http2")
    return Listening(
        address,
        port,
        options=(*(["ssl"] if tls else []), *common),
        shared=bool(sharing),
        http2="http2" in common or any("http2" in listen.options for listen in sharing),
        proxy_protocol=any("proxy_protocol" in listen.options for listen in sharing),
        both_families=any("ipv6only=off" in listen.options for listen in sharing),
    )


def kept(neighbours: Neighbours, port: int, system: System) -> tuple[Listen, ...]:
    """Return what our own files listen on now, without addresses that the host no longer has."""
    there = {*WILDCARDS.values(), *system.addresses}
    return tuple(listen for listen in neighbours.ours if is_tcp(listen, port) and listen.address in there)


def reached(sockets: Iterable[Listening], system: System) -> dict[str, Listening]:
    """Return each local address with the socket that takes its connections: a specific one before a wildcard."""
    found = {(each.address, each.port): each for each in sockets}
    options = {key: ("ipv6only=off",) if each.both_families else () for key, each in found.items()}
    return {address: found[key] for address, key in sockets_reached(options, system.addresses).items()}


def refuse_streams(neighbours: Neighbours, port: int) -> None:
    """Refuse a port that a ``stream`` block has: it takes every connection before ``http`` sees it."""
    for listen in neighbours.streams:
        if is_tcp(listen, port):
            raise RefusedPlan(
                f"a stream block of nginx listens on port {port}, so no site can be served there",
                where=f"{listen.file}:{listen.line}",
                next="Let the stream block pass our names on to another port, or free this one",
            )


def refuse_other_protocol(sharing: Sequence[Listen], *, tls: bool) -> None:
    """Refuse a socket that speaks plain HTTP where we need TLS, or the other way round."""
    speaks_tls = any("ssl" in listen.options for listen in sharing)
    if not sharing or speaks_tls == tls:
        return
    listen = next(listen for listen in sharing if ("ssl" in listen.options) == speaks_tls)
    spoken, needed = ("TLS", "plain HTTP") if speaks_tls else ("plain HTTP", "TLS")
    raise RefusedPlan(
        f"a site listens on {listen.address} port {listen.port} with {spoken}, where Palpo needs {needed}",
        where=f"{listen.file}:{listen.line}",
        next=f"Move that site to another port, or let it speak {needed}",
    )


def refuse_default_place(
    host: VirtualHost, sockets: Sequence[Listening], neighbours: Neighbours, placement: Placement
) -> None:
    """Refuse to become what answers requests without a known name, where a neighbour does so now.

    nginx gives them to the ``default_server`` of the socket, else to the first server block it reads. TLS to
    an IP address names no server (RFC 6066, section 3), so there the default's certificate is shown.
    """
    for address in (socket.address for socket in sockets if socket.shared):
        there = {
            server: [listen for listen in server.listens if is_tcp(listen, host.port) and listen.address == address]
            for server in neighbours.servers_on(host.port)
        }
        where = next(f"{server.file}:{server.line}" for server, listens in there.items() if listens)
        options = {word for listens in there.values() for listen in listens for word in listen.options}
        last = all(placement.precedes(server) for server, listens in there.items() if listens)
        if last and not options & {"default_server", "default"}:
            raise RefusedPlan(
                f"a site on {address} port {host.port} is read after ours and would no longer be the default there",
                where=where,
                next="Add default_server to its listen directive",
            )
        if host.tls and is_address(host.name.strip("[]")):
            raise RefusedPlan(
                f"for an IP address nginx shows the certificate of the default site on {address} port {host.port}",
                where=where,
                next="Use a host name, or a port that no other site has",
            )
