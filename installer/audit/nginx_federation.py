"""Rules about the port that other servers connect to, and about certificates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from palpo_installer.audit.certificates import faults, whole
from palpo_installer.audit.documents import document
from palpo_installer.audit.figures import USUAL
from palpo_installer.audit.finding import Finding, Severity, Trap
from palpo_installer.audit.known import Known
from palpo_installer.audit.leaves import Leaf
from palpo_installer.audit.nginx_reading import MatrixSite
from palpo_installer.audit.traps import NO_PORT, UNCHAINED, WRONG_NAME
from palpo_installer.proxies.nginx.blocks import serving

ONE_FAMILY = Trap(
    "federation-one-family",
    Severity.WEAKENS,
    "Servers that reach this host by the other family are refused there; testers then call federation broken.",
)


@dataclass(frozen=True)
class Endpoint:
    """Where other servers are led to.

    Attributes:
        name: SNI, Host and the name in the certificate.
        port: the port.
        because: what leads them there.
    """

    name: str
    port: int
    because: str


def endpoint(known: Known) -> Endpoint | None:
    """Return where other servers are led to; None where that cannot be told from what was read.

    Source: server-server API, "Resolving server names", steps 3 to 6.
    """
    name = known.server_name
    site = known.site_for(name, known.https_port) if name else None
    said = document(site.server, "server", known.documents) if site else None
    if said is not None and said.delegated:
        match = re.fullmatch(r"(\[.*\]|[^:]+)(?::(\d+))?", said.delegated)
        host, port = (match[1], match[2]) if match else (said.delegated, None)
        return Endpoint(host, int(port or USUAL), f"{said.directive.file}:{said.directive.line}")
    records = known.services.get(name, ())
    if records:
        return Endpoint(name, records[0].port, "an SRV record")
    elsewhere = said is not None and (said.passed_on or bool(said.redirect))
    if name and not elsewhere and site is not None and any(each.server.listens_on(USUAL) for each in known.forwarding):
        return Endpoint(name, USUAL, "no delegation")
    return None


def certificate_of_federation(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """The port for other servers with a certificate of another name.

    Source: server-server API, "Resolving server names": with SRV records, and without delegation, the certificate is
    for the server name, not for the host that the record names.
    """
    place = endpoint(known)
    for name, port, because in _expected(known, place):
        if serving(known.servers, port, name) is not site.server or not site.passages:
            continue
        for leaf in _leaves(site, known):
            if leaf.certificate is not None and not leaf.certificate.covers(name):
                listen = site.server.listens_on(port)[0]
                shown = ", ".join(leaf.certificate.names) or "no name"
                what = f"port {port} shows a certificate for {shown}; other servers ask for {name} ({because})"
                cure = f"Give {name} a server block of its own on port {port}, with its certificate:"
                lines = (f"server_name {name};", f"ssl_certificate /etc/letsencrypt/live/{name}/fullchain.pem;")
                yield WRONG_NAME.at(listen.file, listen.line, site.name, what, cure, *lines)


def _expected(known: Known, place: Endpoint | None) -> Iterator[tuple[str, int, str]]:
    """Yield the names that are asked for on ports; on 8448 the server name where nothing else was read."""
    if place is not None:
        yield place.name, place.port, place.because
    elif known.server_name and known.site_for(known.server_name, known.https_port) is None and not _delegates(known):
        yield known.server_name, USUAL, "by SRV or without delegation"


def _delegates(known: Known) -> bool:
    """Return whether palpo.toml speaks of another port: then a document elsewhere leads there."""
    said = known.said("well_known", "server")
    return isinstance(said, str) and not said.endswith(f":{USUAL}") and not said.startswith(known.server_name)


def port_missing(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """Other servers are led to a port where nothing listens.

    Source: server-server API, "Resolving server names"; measured: nothing opens 8448 by itself.
    """
    place = endpoint(known)
    first = next(iter(known.forwarding), None)
    if place is None or first is not site or any(server.listens_on(place.port) for server in known.servers):
        return
    directive = site.block.directive
    yield NO_PORT.at(
        directive.file,
        directive.line,
        site.name,
        f"other servers are led to {place.name}:{place.port} ({place.because}), and nginx does not listen there",
        f"Listen there in a server block for {place.name}:",
        f"listen {place.port} ssl;",
        f"listen [::]:{place.port} ssl;",
    )


def one_family(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """The federation port on IPv4 or IPv6 only, where the web is on both.

    Source: federation testers connect to every address in DNS, and the older one wants all of them to answer.
    """
    here, web = (
        site.server.listens_on(USUAL),
        [each for server in known.servers for each in server.listens_on(known.https_port)],
    )
    families = {":" in each.address for each in here}
    both = any("ipv6only=off" in each.options for each in here)
    if not here or not site.passages or both or len(families) == 2 or len({":" in each.address for each in web}) < 2:
        return
    missing, line = ("IPv4", f"listen {USUAL} ssl;") if True in families else ("IPv6", f"listen [::]:{USUAL} ssl;")
    what = f"port {USUAL} is not open on {missing}, while that of the web is"
    yield ONE_FAMILY.at(here[0].file, here[0].line, site.name, what, "Add beside it:", line)


def certificates(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """Certificates that are for another name, expired, without their chain, or of another key.

    Source: RFC 6125; RFC 8446, 4.4.2 (the chain is the server's to send); ngx_http_ssl_module, ``ssl_certificate``.
    """
    if not site.server.tls:
        return
    directives = site.block.effective("ssl_certificate")
    for directive, path in zip(directives, site.server.said.certificates, strict=False):
        leaf = known.leaves.get(path)
        if leaf is not None:
            for trap, what, cure in faults(site.server.said.names, path, leaf, known.now):
                lines = (f"ssl_certificate {whole(path)};",) if trap is UNCHAINED else ()
                yield trap.at(directive.file, directive.line, site.name, what, cure, *lines)


def _leaves(site: MatrixSite, known: Known) -> tuple[Leaf, ...]:
    return tuple(leaf for path in site.server.said.certificates if (leaf := known.leaves.get(path)) is not None)
