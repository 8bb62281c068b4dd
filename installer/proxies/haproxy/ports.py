"""The ports of a site on this HAProxy: their backends, whose frontends they have, and where certificates are put."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.answers import Address, CertificateFiles
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.proxies import halves
from palpo_installer.proxies.base import Expectation, Lines, Link
from palpo_installer.proxies.haproxy import addressing, listens, reading, words
from palpo_installer.proxies.haproxy.configuration import CertificateList, Frontend, HAProxy
from palpo_installer.proxies.haproxy.placement import OWN
from palpo_installer.proxies.haproxy.sharing import Shared, refuse_names, shared
from palpo_installer.proxies.haproxy.stores import Stores, lines, stores
from palpo_installer.site import Challenge, Forward, Site, VirtualHost

BALANCED = "proxy_protocol"
"""The option of a socket that expects a PROXY line first."""


@dataclass(frozen=True)
class Server:
    """A virtual host as the templates see it: ``acl`` names its condition."""

    host: VirtualHost
    acl: str
    certificate: CertificateFiles | None
    link: Path

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """What is passed on."""
        return self.host.forwards

    @property
    def challenges(self) -> bool:
        """Whether proofs are answered."""
        return any(isinstance(route, Challenge) for route in self.host.routes)


@dataclass(frozen=True)
class Port:
    """A port with its backend, and its frontend unless others have it: then ``bound`` is empty."""

    number: int
    tls: bool
    bound: tuple[str, ...]
    servers: tuple[Server, ...]
    shared: tuple[Shared, ...]

    @property
    def binds(self) -> tuple[str, ...]:
        """What follows each ``bind``."""
        return tuple(listens.bind(address, self.number) for address in self.bound)

    @property
    def upstreams(self) -> tuple[Address, ...]:
        """Where requests are passed on to."""
        return tuple(dict.fromkeys(route.upstream for server in self.servers for route in server.forwards))

    @property
    def challenges(self) -> bool:
        """Whether proofs are answered."""
        return any(server.challenges for server in self.servers)

    @property
    def maps_addresses(self) -> bool:
        """Whether an IPv4 client may have an IPv6 address: by one socket for both, a PROXY line, or what others say."""
        if any(addressing.is_set(each.frontend) for each in self.shared):
            return True
        options = {option for each in self.shared for listen in each.listens for option in listen.options}
        return not options.isdisjoint({"ipv6only=off", "proxy_protocol"})

    @property
    def forwards_for(self) -> bool:
        """Whether a frontend of others adds a header with the client's address to what it passes on."""
        sections = (each for there in self.shared for each in (there.frontend.section, *there.frontend.defaults))
        return any(section.all("option", "forwardfor") for section in sections)


def of_site(
    site: Site,
    others: Sequence[Frontend],
    system: System,
    layout: Layout,
    certificates: Mapping[str, CertificateFiles],
) -> tuple[Port, ...]:
    """Return the ports of a site.

    Args:
        site: what is served.
        others: the frontends of somebody else's.
        system: for the addresses of this host.
        layout: for the addresses that are bound, and our directory.
        certificates: by name.

    Raises:
        RefusedPlan: somebody else has a port, or a name, in a way that keeps ours out.
    """
    ports = []
    for number, tls in site.ports:
        hosts = [host for host in site.virtual_hosts if (host.port, host.tls) == (number, tls)]
        servers = tuple(_server(host, layout, certificates) for host in hosts)
        found = shared(number, [words.bare(host.name.strip("[]")) for host in hosts], tls=tls, others=others)
        refuse_names(found)
        ports.append(Port(number, tls, () if found else listens.addresses(system, layout), servers, found))
    return tuple(ports)


def _server(host: VirtualHost, layout: Layout, certificates: Mapping[str, CertificateFiles]) -> Server:
    name = re.sub(r"[^a-z0-9.-]", "-", host.name.strip("[]").lower())
    link = layout.at(OWN) / f"{re.sub(r'[^a-z0-9.-]', '-', host.certificate.strip('[]').lower())}.pem"
    return Server(host, f"for-{name}", halves.certificate(host, certificates), link)


def links(ports: Sequence[Port], haproxy: HAProxy) -> Iterator[Link]:
    """Yield what names chain and key side by side, as HAProxy looks for them: no second copy of a key is made."""
    pairs = {
        link: server.certificate
        for port in ports
        for server in port.servers
        if server.certificate
        for link in _places(port, server, haproxy)
    }
    for link, files in pairs.items():
        yield Link(link, str(files.chain))
        yield Link(link.with_name(f"{link.name}.key"), str(files.key))


def expectations(ports: Sequence[Port], marker: str, system: System) -> Iterator[Expectation]:
    """Yield what every bound address must show for every name."""
    for port in ports:
        for server in port.servers:
            chain = server.certificate.chain if server.certificate else None
            for address, proxy_protocol in _reached(port, system).items():
                yield Expectation(address, port.number, port.tls, server.host.name, marker, chain, proxy_protocol)


def _places(port: Port, server: Server, haproxy: HAProxy) -> Iterator[Path]:
    """Yield the names under which a certificate is loaded: where others have the port, last in their directory."""
    there = _stores(port, haproxy)
    if not port.shared or there.lists:
        yield server.link
    for directory in there.directories:
        yield directory / f"zz-palpo-installer-{server.link.name}"


def _stores(port: Port, haproxy: HAProxy) -> Stores:
    return stores(port.shared, reading.of_global(haproxy.sections, "crt-base"))


def listed(ports: Sequence[Port], haproxy: HAProxy, layout: Layout) -> tuple[Lines, ...]:
    """Return our lines in the lists of certificates that frontends of others have.

    Raises:
        RefusedPlan: one of them takes none.
    """
    wanted: dict[CertificateList, dict[Path, list[str]]] = {}
    for port in ports:
        for there in _stores(port, haproxy).lists if port.tls else ():
            for server in port.servers:
                wanted.setdefault(there, {}).setdefault(server.link, []).append(words.bare(server.host.name.lower()))
    return lines(wanted, layout.at(OWN))


def _reached(port: Port, system: System) -> Mapping[str, bool]:
    """Return every local address of a port, with whether its socket expects a PROXY line first."""
    found = dict.fromkeys(listens.reached(port.bound, system), False)
    for listen in (listen for each in port.shared for listen in each.listens):
        both = ["0.0.0.0"] if "ipv6only=off" in listen.options else []  # noqa: S104 - what a bind says
        for address in listens.reached([listen.address, *both], system):
            found.setdefault(address, BALANCED in listen.options)
    return found


def balanced(ports: Sequence[Port]) -> Iterator[str]:
    """Yield what a person should know of ports of our own where others' expect the line of a load balancer."""
    lines = [each for port in ports for there in port.shared for each in there.listens if BALANCED in each.options]
    own = [str(port.number) for port in ports if not port.shared]
    if lines and own:
        yield (
            f"Port {' and '.join(own)} takes connections without a PROXY line, unlike port {lines[0].port} "
            f"({lines[0].file}:{lines[0].line}). Where a load balancer stands before it, it must send none there, and "
            "its own address is the one that is limited then"
        )


def addressed(ports: Sequence[Port]) -> Iterator[str]:
    """Yield what a person should know of the addresses by which clients are counted on ports of others."""
    shared = (each.frontend for port in ports if port.upstreams for each in port.shared)
    for frontend in {each.section.heading: each for each in shared}.values():
        yield from addressing.findings(frontend)
