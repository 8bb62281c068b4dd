"""A site as two files of nginx: port 80, and the TLS ports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from palpo_installer.answers import Address, CertificateFiles
from palpo_installer.facts.system import System
from palpo_installer.proxies import templates
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Expectation, Part, Rendering
from palpo_installer.proxies.halves import certificate, literal, title
from palpo_installer.proxies.nginx import locations
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.listens import (
    HTTP2_DIRECTIVE,
    Listening,
    Neighbours,
    listenings,
    reached,
    refuse_default_place,
)
from palpo_installer.proxies.nginx.names import refuse_taken_name, server_name
from palpo_installer.proxies.nginx.placement import installed, place
from palpo_installer.proxies.placement import PLAIN, SECURE, Placement
from palpo_installer.proxies.sockets import family
from palpo_installer.site import (
    Forward,
    Limit,
    VirtualHost,
)

OWN_HEADER_LIMITS = (1, 19, 7)
"""Before, HTTP/2 had header limits of its own (nginx CHANGES, 1.19.7)."""

Table = tuple[tuple[str, bool], ...]
"""How the homeserver reads targets: patterns, each with whether it is passed on."""


@dataclass(frozen=True)
class Server:
    """One server block, as the templates see it.

    Attributes:
        host: what it serves.
        name: what follows ``server_name``.
        sockets: what it listens on.
        locations: its location blocks.
        certificate: its files, None without TLS.
        reading: the variable that says whether the homeserver reads a target as one that is passed on;
            empty where nothing is passed on.
    """

    host: VirtualHost
    name: str
    sockets: tuple[Listening, ...]
    locations: tuple[locations.Location, ...]
    certificate: CertificateFiles | None
    reading: str

    @property
    def forwards(self) -> bool:
        """Whether anything is passed on."""
        return bool(self.host.forwards)


def render(nginx: Nginx, assignment: Assignment) -> Rendering:
    """Return both files, and what every bound address must show once they are live.

    Args:
        nginx: what is served now; our own files of an earlier run may be among it.
        assignment: what must be served.

    Raises:
        RefusedPlan: nginx has no place for our files, somebody else has a name or a port, or a word of the
            site cannot be written in nginx's language.
    """
    placement = place(nginx)
    servers = _servers(nginx, assignment, placement)
    secure = [server for server in servers if server.host.tls]
    plain = [server for server in servers if not server.host.tls]
    sockets = {server.host.port: server.sockets for server in servers}
    addresses = assignment.layout.addresses
    return Rendering(
        plain=part(PLAIN, "nginx-http.conf.j2", placement, plain, nginx, assignment),
        secure=part(SECURE, "nginx-tls.conf.j2", placement, secure, nginx, assignment),
        findings=tuple(
            finding
            for port, tls in assignment.site.ports
            for finding in findings(sockets[port], addresses, nginx, tls=tls)
        ),
    )


def _servers(nginx: Nginx, assignment: Assignment, placement: Placement) -> list[Server]:
    """Return the server blocks of a site beside those that are there.

    Raises:
        RefusedPlan: somebody else has a name or a port, or a word cannot be written in nginx's language.
    """
    hosts = assignment.site.virtual_hosts
    ours = [server for server in nginx.servers if placement.owns(server.file) or server in assignment.taken]
    neighbours = Neighbours(
        tuple(server for server in nginx.servers if server not in ours),
        tuple(listen for server in ours for listen in server.listens),
        nginx.streams,
    )
    system, layout = assignment.system, assignment.layout
    sockets = {
        port: listenings(port, tls=tls, neighbours=neighbours, nginx=nginx, system=system, layout=layout)
        for port, tls in assignment.site.ports
    }
    variables = {table: f"$palpo_installer_reading_{n}" for n, table in enumerate(tables(hosts), 1)}
    servers = []
    for host in hosts:
        refuse_taken_name(host, neighbours)
        refuse_default_place(host, sockets[host.port], neighbours, placement)
        servers.append(
            Server(
                host,
                server_name(host, neighbours),
                sockets[host.port],
                locations.locations(host.routes),
                certificate(host, assignment.certificates),
                variables.get(locations.readings(host.routes), ""),
            )
        )
    return servers


def part(
    name: str,
    template: str,
    placement: Placement,
    servers: Sequence[Server],
    nginx: Nginx,
    assignment: Assignment,
) -> Part:
    """Return one file with its proof."""
    hosts = [server.host for server in servers]
    http2 = "http_v2_module" in nginx.modules
    text = templates.render(
        template,
        servers=servers,
        site=assignment.site,
        upstreams={upstream_name(route.upstream): route.upstream for route in forwards(hosts)},
        limits=limits(hosts),
        retry_after=max((60_000 // limit.per_minute for limit in limits(hosts)), default=0),
        tables=tables(hosts),
        http2_directive=http2 and nginx.version >= HTTP2_DIRECTIVE,
        http2_header_limits=http2 and nginx.version < OWN_HEADER_LIMITS,
        upstream_name=upstream_name,
        bare=locations.bare,
        quoted=locations.quoted,
        document=locations.document,
        refusal=locations.refusal,
    )
    (text,), marker = templates.with_marker([text])
    files, links = installed(placement, name, text)
    return Part(title(hosts), files, links, tuple(expectations(servers, marker, assignment.system)))


def forwards(hosts: Iterable[VirtualHost]) -> tuple[Forward, ...]:
    """Return everything that is passed on."""
    return tuple(route for host in hosts for route in host.forwards)


def limits(hosts: Iterable[VirtualHost]) -> tuple[Limit, ...]:
    """Return each limit once: its counters are shared by all server blocks."""
    return tuple(dict.fromkeys(route.limit for route in forwards(hosts) if route.limit is not None))


def tables(hosts: Iterable[VirtualHost]) -> tuple[Table, ...]:
    """Return each table of how the homeserver reads targets once, for the hosts that pass something on."""
    return tuple(dict.fromkeys(locations.readings(host.routes) for host in hosts if host.forwards))


def upstream_name(upstream: Address) -> str:
    """Return our name for an upstream.

    Raises:
        RefusedPlan: it is no IP address: a name can stand for several, of which only one answers.
    """
    address = literal(upstream).exploded
    return f"palpo_installer_{re.sub('[.:]', '_', address)}_{upstream.port}"


def expectations(servers: Iterable[Server], marker: str, system: System) -> Iterable[Expectation]:
    """Return what each address must show for each name."""
    for server in servers:
        host, chain = server.host, server.certificate.chain if server.certificate else None
        for address, socket in reached(server.sockets, system).items():
            yield Expectation(address, host.port, host.tls, host.name, marker, chain, socket.proxy_protocol)


def findings(sockets: Sequence[Listening], addresses: Sequence[str], nginx: Nginx, *, tls: bool) -> Iterable[str]:
    """Return what a person should know about the sockets of a port; ``addresses`` are those that were to be had."""
    for version in (4, 6):
        shared = [socket for socket in sockets if socket.shared and family(socket.address) == version]
        wanted = [address for address in addresses if family(address) == version]
        if shared and not any(socket.takes(address) for socket in sockets for address in wanted):
            yield (
                f"Port {shared[0].port} is served on {', '.join(socket.address for socket in shared)} only, as for "
                "the sites that are there: nginx cannot open it on all addresses while these are open"
            )
    without = [socket.address for socket in sockets if socket.shared and not socket.http2]
    if tls and without and nginx.version < HTTP2_DIRECTIVE:
        yield (
            f"HTTP/2 is not offered on port {sockets[0].port} at {' and '.join(without)}, since it would be switched "
            "on for the other sites there as well"
        )
