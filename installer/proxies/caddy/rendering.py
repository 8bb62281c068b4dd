"""A site as two files of Caddy: port 80, and the TLS ports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from palpo_installer.answers import Address, CertificateFiles
from palpo_installer.proxies import templates
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Expectation, File, Part, Rendering
from palpo_installer.proxies.caddy import automation, balancing, keys, sharing, shortcuts, words
from palpo_installer.proxies.caddy.balancing import Version
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.caddy.placement import PLAIN, SECURE, Placement, place
from palpo_installer.proxies.halves import certificate, literal, title
from palpo_installer.site import (
    MARKER_PATH,
    NOTHING,
    Closed,
    FixedJson,
    Forward,
    Marker,
    Refusal,
    Route,
    Site,
    VirtualHost,
)

UNLIMITED = (
    "Caddy cannot count the logins of each client: Palpo's own limits on logins, registrations and password checks "
    "stay on in palpo.toml, raised, since they count all clients together"
)

TELLS_CLIENTS: Version = (2, 7, 0)
"""The first one that has a client's address by itself, as its option ``trusted_proxies`` says who it is to believe.

See caddyserver.com, "Conventions", "Placeholders", ``{client_ip}``. It is what the connection says where the option is
not set, which a test sees with all of 2.7 to 2.10 (tests/lab/test_caddy_balanced.py).
"""


@dataclass(frozen=True)
class Handle:
    """A ``handle`` with its matcher; ``refusal`` is what it answers where nothing is passed on."""

    name: str
    matcher: tuple[str, ...]
    kind: str
    route: Route
    refusal: Refusal | None


@dataclass(frozen=True)
class Server:
    """A virtual host as the templates see it.

    Attributes:
        host: as the site has it.
        bound: what it binds; empty for every address.
        reached: the local addresses at which it takes connections.
        certificate: None for plain HTTP.
        balanced: those of ``reached`` where a request of this host's own begins with a PROXY line.
        lent: whether Caddy orders this certificate for another site.
    """

    host: VirtualHost
    bound: tuple[str, ...]
    reached: tuple[str, ...]
    certificate: CertificateFiles | None
    balanced: frozenset[str]
    lent: bool = False

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """What is passed on."""
        return self.host.forwards

    @property
    def handles(self) -> tuple[Handle, ...]:
        """What answers, in order; what has no matcher of its own comes last, and is the template's."""
        return tuple(_handles(self.host.routes, detours=bool(self.forwards)))


@dataclass(frozen=True)
class Led:
    """A name of another site's that Caddy leads from plain HTTP to TLS; with two ports of TLS, to any of them."""

    name: str
    bound: tuple[str, ...]
    port: int


def _handles(routes: Sequence[Route], *, detours: bool) -> Iterator[Handle]:
    number = 0
    for route in routes:
        for matcher, refusal in _matchers(route, routes if detours else ()):
            if not matcher and isinstance(route, Closed):
                continue
            number += 1
            kind = "Closed" if refusal else type(route).__name__
            yield Handle(f"palpo_{number}", matcher, kind, route, refusal)


def _matchers(route: Route, routes: Sequence[Route]) -> Iterator[tuple[tuple[str, ...], Refusal | None]]:
    match route:
        case Marker():
            yield words.literally(MARKER_PATH), None
            if routes:
                yield words.misspelled(), NOTHING
            # Paths that lead to a closed one by way of "..", for whoever resolves them.
            yield from words.detours(routes)
        case FixedJson():
            yield words.literally(route.path), None
        case Closed():
            yield words.condition(route.match), route.refusal
        case Forward():
            yield words.condition(route.match), None


def render(caddy: Caddy, assignment: Assignment) -> Rendering:
    """Return both files, and what every bound address must show once they are live.

    Raises:
        RefusedPlan: Caddy has no place for our files, somebody else has a name or a port, or a word of the site
            cannot be written in a Caddyfile.
    """
    site, system, layout = assignment.site, assignment.system, assignment.layout
    placement = place(caddy)
    others = [each for each in caddy.servers if not placement.owns(each.file) and each not in assignment.taken]
    servers = []
    for host in site.virtual_hosts:
        files = certificate(host, assignment.certificates)
        lent = files is not None and host.certificate in site.borrowed and caddy.renews(files.chain)
        if files is not None and host.certificate not in site.managed and not lent:
            keys.refuse_unreadable(files, caddy.user, layout)
        sharing.refuse(host, others)
        bound = sharing.bound(host.port, others, caddy, layout)
        reached = sharing.reached(bound, system)
        says = caddy.options.balancing
        balanced = frozenset(each for each in reached if balancing.expects(says, each, host.port, caddy.version))
        servers.append(Server(host, bound, reached, files, balanced, lent))
    plain, secure = ([each for each in servers if each.host.tls is tls] for tls in (False, True))
    led = tuple(
        Led(each.host.name, sharing.bound(caddy.options.http_port, others, caddy, layout), caddy.options.http_port)
        for each in secure
        if each.host.port != caddy.options.https_port and automation.led_by_caddy(each.host.name, others, caddy.options)
    )
    limited = any(route.limit for each in servers for route in each.forwards)
    return Rendering(
        plain=_part(PLAIN, "caddy-http.caddy.j2", placement, plain, site, caddy.version, led),
        secure=_part(SECURE, "caddy-tls.caddy.j2", placement, secure, site, caddy.version),
        findings=(UNLIMITED,) if limited else (),
    )


def _part(
    name: str,
    template: str,
    placement: Placement,
    servers: Sequence[Server],
    site: Site,
    version: Version,
    led: Sequence[Led] = (),
) -> Part:
    text = templates.render(
        template,
        servers=servers,
        led=led,
        site=site,
        target=words.TARGET,
        tells_clients=version >= TELLS_CLIENTS,
        kind=_kind,
        upstream=upstream,
        bare=words.bare,
        quoted=words.quoted,
        document=words.document,
        far_above=words.far_above,
        shortcut_of=shortcuts.shortcut,
        error=words.error,
    )
    (text,), marker = templates.with_marker([text])
    lines = placement.lines if name == PLAIN else ()
    files = (File(placement.path(name), text),)
    return Part(title(each.host for each in servers), files, (), tuple(_expectations(servers, marker)), lines)


def _kind(route: Route) -> str:
    return type(route).__name__


def upstream(address: Address) -> str:
    """Return an upstream as Caddy dials it.

    Raises:
        RefusedPlan: it is no IP address: a name can stand for several, of which only one answers.
    """
    ip = literal(address)
    return f"[{ip}]:{address.port}" if ip.version == 6 else f"{ip}:{address.port}"


def _expectations(servers: Sequence[Server], marker: str) -> Iterator[Expectation]:
    for server in servers:
        host, chain = server.host, server.certificate.chain if server.certificate else None
        for address in server.reached:
            line = address in server.balanced
            yield Expectation(address, host.port, host.tls, host.name, marker, chain, proxy_protocol=line)
