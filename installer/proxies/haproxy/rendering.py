"""A site as two files of HAProxy: port 80, and the TLS ports."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.answers import Address, CertificateFiles
from palpo_installer.certificates import responder
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.proxies import templates
from palpo_installer.proxies.base import Expectation, File, Lines, Link, Part, Rendering
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.halves import certificate, literal, title
from palpo_installer.proxies.haproxy import listens, reading, words
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.haproxy.placement import OWN, PLAIN, SECURE, Placement, place
from palpo_installer.proxies.haproxy.sharing import Shared, lines, refuse_names, shared, store
from palpo_installer.site import (
    TOO_MANY,
    Challenge,
    Forward,
    Limit,
    Route,
    Site,
    VirtualHost,
)

HOST_ONLY = (2, 6, 0)
"""Before, a Host header was cut at its colon by ``field``."""
DEFAULT_BUFFER = 16384
"""Bytes of ``tune.bufsize`` where it is not set."""
BUFFER = 65536
"""``tune.bufsize``: several header lines of 32 KiB are one request head, which must fit."""


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
        return tuple(route for route in self.host.routes if isinstance(route, Forward))

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


def render(
    site: Site,
    haproxy: HAProxy,
    system: System,
    layout: Layout,
    certificates: Mapping[str, CertificateFiles],
    taken: Collection[ServerBlock] = (),
) -> Rendering:
    """Return both files, and what every bound address must show once they are live.

    Raises:
        RefusedPlan: HAProxy has no place for our files, somebody else has a port, or a word of the site cannot be
            written in HAProxy's language.
    """
    placement = place(haproxy, layout)
    gone = {(block.file, block.line) for block in taken}
    others = [
        each
        for each in haproxy.frontends
        if not placement.owns(each.section.heading.file)
        and (each.section.heading.file, each.section.heading.line) not in gone
    ]
    ports = []
    for number, tls in site.ports:
        hosts = [host for host in site.virtual_hosts if (host.port, host.tls) == (number, tls)]
        servers = tuple(_server(host, layout, certificates) for host in hosts)
        found = shared(number, tls=tls, others=others)
        refuse_names(found, [host.name for host in hosts])
        ports.append(Port(number, tls, () if found else listens.addresses(system, layout), servers, found))
    names = tuple(dict.fromkeys(words.bare(host.name.strip("[]")) for host in site.virtual_hosts))
    theirs = lines([each for port in ports for each in port.shared], names, host_of(haproxy))
    # Both halves need them: without the one for port 80 they come with the other.
    edits = (*placement.lines, *theirs)
    plain, secure = ([port for port in ports if port.tls is tls] for tls in (False, True))
    return Rendering(
        plain=_part(PLAIN, "haproxy-http.cfg.j2", placement, plain, site, haproxy, system, layout, edits),
        secure=_part(SECURE, "haproxy-tls.cfg.j2", placement, secure, site, haproxy, system, layout, edits),
        findings=tuple(_findings(site, haproxy, placement)),
    )


def _server(host: VirtualHost, layout: Layout, certificates: Mapping[str, CertificateFiles]) -> Server:
    name = re.sub(r"[^a-z0-9.-]", "-", host.name.strip("[]").lower())
    link = layout.at(OWN) / f"{re.sub(r'[^a-z0-9.-]', '-', host.certificate.strip('[]').lower())}.pem"
    return Server(host, f"for-{name}", certificate(host, certificates), link)


def _part(
    name: str,
    template: str,
    placement: Placement,
    ports: Sequence[Port],
    site: Site,
    haproxy: HAProxy,
    system: System,
    layout: Layout,
    edits: tuple[Lines, ...],
) -> Part:
    limits = _limits(ports)
    text = templates.render(
        template,
        ports=ports,
        site=site,
        limits=limits,
        refusals=_refusals(limits),
        buffer=BUFFER if buffer(haproxy, placement) < BUFFER else 0,
        host=host_of(haproxy),
        responder=responder.address(layout),
        logs=any(each.kind == "global" and each.all("log") for each in haproxy.sections),
        window=window,
        server_name=server_name,
        kind=_kind,
        bare=words.bare,
        quoted=words.quoted,
        condition=words.condition,
        detours=words.detours,
        shortcuts=words.shortcuts,
        document=words.document,
        error=words.error,
    )
    (text,), marker = templates.with_marker([text])
    files = (File(placement.directory / name, text),)
    hosts = [server.host for port in ports for server in port.servers]
    proof = tuple(_expectations(ports, marker, system))
    return Part(title(hosts), files, tuple(_links(ports, haproxy)), proof, edits)


def host_of(haproxy: HAProxy) -> str:
    """Return how the name that is wanted is taken from a request, without the port."""
    return "req.hdr(host),host_only" if haproxy.version >= HOST_ONLY else "req.hdr(host),field(1,:)"


def buffer(haproxy: HAProxy, placement: Placement) -> int:
    """Return the bytes of ``tune.bufsize`` without what our own files say."""
    theirs = [section for section in haproxy.sections if not placement.owns(section.heading.file)]
    said = reading.of_global(theirs, "tune.bufsize")
    return int(said) if said.isdigit() else DEFAULT_BUFFER


def _kind(route: Route) -> str:
    return type(route).__name__


def _limits(ports: Sequence[Port]) -> tuple[Limit, ...]:
    routes = (route for port in ports for server in port.servers for route in server.forwards)
    return tuple(dict.fromkeys(route.limit for route in routes if route.limit is not None))


def window(limit: Limit) -> int:
    """Return the seconds in which a burst and one more may come: that is the sustained rate."""
    return math.ceil((limit.burst + 1) * 60 / limit.per_minute)


def _refusals(limits: Sequence[Limit]) -> Mapping[str, str]:
    """Return what a client is told by the name of the limit it met."""
    return {each.name: words.error(TOO_MANY, {"retry_after_ms": 60_000 // each.per_minute}) for each in limits}


def server_name(upstream: Address) -> str:
    """Return our name for an upstream.

    Raises:
        RefusedPlan: it is no IP address: a name can stand for several, of which only one answers.
    """
    return f"to-{re.sub('[.:]', '-', str(literal(upstream)))}-{upstream.port}"


def _links(ports: Sequence[Port], haproxy: HAProxy) -> Iterator[Link]:
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


def _expectations(ports: Sequence[Port], marker: str, system: System) -> Iterator[Expectation]:
    for port in ports:
        for server in port.servers:
            chain = server.certificate.chain if server.certificate else None
            for address, proxy_protocol in _reached(port, system).items():
                yield Expectation(address, port.number, port.tls, server.host.name, marker, chain, proxy_protocol)


def _places(port: Port, server: Server, haproxy: HAProxy) -> Iterator[Path]:
    """Yield the names under which a certificate is loaded: where others have the port, last in their directory."""
    if not port.shared:
        yield server.link
    for _, directory in store(port.shared, reading.of_global(haproxy.sections, "crt-base")):
        yield directory / f"zz-palpo-installer-{server.link.name}"


def _reached(port: Port, system: System) -> Mapping[str, bool]:
    """Return every local address of a port, with whether its socket expects a PROXY line first."""
    found = dict.fromkeys(listens.reached(port.bound, system), False)
    for listen in (listen for each in port.shared for listen in each.listens):
        both = ["0.0.0.0"] if "ipv6only=off" in listen.options else []  # noqa: S104 - what a bind says
        for address in listens.reached([listen.address, *both], system):
            found.setdefault(address, "proxy_protocol" in listen.options)
    return found


def _findings(site: Site, haproxy: HAProxy, placement: Placement) -> Iterator[str]:
    if placement.lines:
        yield (
            f"{haproxy.unit or 'HAProxy'} loads single files only. It is told to load {placement.directory} as well, "
            "which takes one restart: for a moment, mostly less than half a second, connections are refused, and those "
            "that are open end. Later changes are reloads that lose nothing"
        )
    size = buffer(haproxy, placement)
    if size < BUFFER:
        yield (
            f"Request heads of Matrix can be larger than HAProxy's buffer of {size} bytes: tune.bufsize, "
            f"which counts for all of HAProxy, becomes {BUFFER}"
        )
    yield (
        f"HAProxy compares the announced length of a body with the limit of {site.body_limit} bytes. A body that is "
        "sent in chunks has none: for that Palpo's own limit counts"
    )
