"""The Matrix configuration that is already there, as far as it answers questions: values with file and line."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from palpo_installer.audit.documents import Document, document
from palpo_installer.audit.nginx_reading import MatrixSite, matrix_sites
from palpo_installer.errors import HostError, RefusedPlan
from palpo_installer.facts.palpo import Palpo
from palpo_installer.homeserver.lines import Lines
from palpo_installer.homeserver.reading import text_of, values
from palpo_installer.host import Host
from palpo_installer.proxies.nginx.blocks import Server
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.copies import load
from palpo_installer.proxies.nginx.tree import Directive

UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True)
class Told:
    """A value, and where it stands."""

    value: str
    file: Path
    line: int

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Matrix:
    """What the configuration that is there says; None for what it does not say.

    Attributes:
        server_name: of palpo.toml, else whose well-known documents are served.
        client_host: where these lead to, else the site that passes Matrix requests on.
        delegation: ``well-known``, ``srv`` or ``direct``.
        port: the port for other servers, where it is not that of the web.
        upstream: where requests are passed on to, ``127.0.0.1:8008``.
        upload: the largest upload in bytes.
        sites: the places of the server blocks that pass requests on or answer for Matrix.
    """

    server_name: Told | None = None
    client_host: Told | None = None
    delegation: Told | None = None
    port: Told | None = None
    upstream: Told | None = None
    upload: Told | None = None
    sites: tuple[Told, ...] = field(default=())

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.sites or self.server_name)


def read(host: Host, nginx: Nginx | None, palpo: Palpo) -> Matrix:
    """Return what is there; what cannot be read says nothing."""
    name, upload = _of_palpo(host, palpo)
    servers = load(host, nginx.configuration).servers if nginx else ()
    ports = {text.rpartition(":")[2] for each in palpo.configurations for text in each.listeners}
    known = frozenset(("127.0.0.1", int(port)) for port in ports if port.isdigit())
    sites = matrix_sites(servers, known, frozenset({name.value.lower()} if name else ()))
    return told(sites, name, upload, host.layout.https_port)


def told(sites: tuple[MatrixSite, ...], name: Told | None, upload: Told | None, https_port: int) -> Matrix:
    """Return what sites say; what palpo.toml says comes first."""
    web = [site for site in sites if site.server.listens_on(https_port)]
    documents = [(site, found) for site in web for found in _documents(site.server)]
    name = name or next((_name_of(site) for site, _ in documents), None)
    forwarding = [site for site in web if site.passages]
    client = next(
        (_at(urlsplit(found.base_url).hostname, found.directive) for _, found in documents if found.base_url), None
    )
    client = client or next((_name_of(site) for site in forwarding), None)
    delegated = next((found for site, found in documents if found.delegated and _has(site, name)), None)
    own = next((pair for site in sites for pair in _own_port(site, https_port)), None)
    delegation = _at("well-known", delegated.directive) if delegated else None
    if delegation is None and own is not None and name is not None and _has(own[0], name):
        delegation = Told("direct", own[1].file, own[1].line)
    return Matrix(
        server_name=name,
        client_host=client,
        delegation=delegation,
        port=own[1] if own and delegated is None else None,
        upstream=next(_upstreams(sites), None),
        upload=upload or next(_uploads(forwarding), None),
        sites=tuple(_at(site.name, site.block.directive) or Told("", Path("/"), 1) for site in sites),
    )


def _of_palpo(host: Host, palpo: Palpo) -> tuple[Told | None, Told | None]:
    """Return server name and largest upload of the palpo.toml in use."""
    for configuration in palpo.configurations[:1]:
        try:
            data = host.read(configuration.path)
            file, lines = values(data), Lines(text_of(data or b""))
        except (HostError, RefusedPlan):
            break
        name, size = file.get("server_name"), file.get("max_upload_size")
        path = configuration.path
        return (
            Told(name, path, lines.of("server_name")) if isinstance(name, str) else None,
            Told(str(size), path, lines.of("max_upload_size")) if isinstance(size, int) else None,
        )
    return None, None


def _documents(server: Server) -> Iterator[Document]:
    for kind in ("client", "server"):
        found = document(server, kind, {})
        if found is not None and (found.base_url or found.delegated):
            yield found


def _name_of(site: MatrixSite) -> Told | None:
    exact = (name for name in site.server.said.names if "." in name.strip(".") and not set(name) & set("*~$"))
    return _at(next(exact, None), site.block.directive)


def _has(site: MatrixSite, name: Told | None) -> bool:
    return name is not None and name.value.partition(":")[0] in site.server.said.names


def _own_port(site: MatrixSite, https_port: int) -> Iterator[tuple[MatrixSite, Told]]:
    """Yield a TLS port beside that of the web on which requests are passed on."""
    for listen in site.server.tls if site.passages else ():
        if listen.port != https_port:
            yield site, Told(str(listen.port), listen.file, listen.line)


def _upstreams(sites: tuple[MatrixSite, ...]) -> Iterator[Told]:
    for site in sites:
        passage = site.passed("/_matrix/client/versions")
        for peer in passage.peers if passage else ():
            address = "127.0.0.1" if peer.host == "localhost" else peer.host
            try:
                version = ipaddress.ip_address(address).version
            except ValueError:
                continue
            text = f"[{address}]:{peer.port}" if version == 6 else f"{address}:{peer.port}"
            yield Told(text, peer.directive.file, peer.directive.line)


def _uploads(sites: list[MatrixSite]) -> Iterator[Told]:
    for site in sites:
        for passage in site.passages:
            directive = passage.block.last("client_max_body_size")
            size = directive.arguments[0].lower() if directive else ""
            number, unit = (size[:-1], UNITS[size[-1]]) if size[-1:] in UNITS else (size, 1)
            if directive is not None and number.isdigit() and int(number):
                yield Told(str(int(number) * unit), directive.file, directive.line)


def _at(value: str | None, directive: Directive) -> Told | None:
    return Told(value, directive.file, directive.line) if value else None
