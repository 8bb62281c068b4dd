"""What the rules know beside the site that they look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from palpo_installer.audit.leaves import Leaf
from palpo_installer.audit.nginx_reading import MatrixSite
from palpo_installer.audit.passing import DEFAULT_PORT
from palpo_installer.facts.names import ServiceRecord
from palpo_installer.homeserver.reading import look_up
from palpo_installer.proxies.nginx.blocks import Server, named


@dataclass(frozen=True)
class Known:
    """The values that rules are functions of.

    Attributes:
        server_name: Palpo's, without its port; empty when not known.
        sites: the server blocks that have to do with Matrix.
        servers: all server blocks of nginx.
        version: nginx's; None when not known.
        addresses: by host name, what it resolves to on the host; a name that is missing could not be resolved.
        leaves: by file, what stands in the certificates that nginx names.
        homeserver: palpo.toml as plain values, empty for none.
        services: by server name, its SRV records in DNS; a name that is missing was not asked for.
        now: when.
        homeserver_ports: those on which the homeserver may be reached on this host.
        believes_forwarded: whether a media repository looks at X-Forwarded-Host.
        documents: by path, the files that well-known locations name.
        http_port: the port that certificate authorities ask.
        https_port: the port that clients, and other servers for documents, ask.
    """

    server_name: str
    sites: tuple[MatrixSite, ...]
    servers: tuple[Server, ...]
    version: tuple[int, int, int] | None
    addresses: Mapping[str, tuple[str, ...]]
    leaves: Mapping[str, Leaf]
    homeserver: Mapping[str, object]
    services: Mapping[str, tuple[ServiceRecord, ...]]
    now: datetime
    documents: Mapping[Path, bytes] = field(default_factory=dict)
    http_port: int = 80
    homeserver_ports: frozenset[int] = frozenset({DEFAULT_PORT})
    believes_forwarded: bool = True
    https_port: int = 443

    @property
    def forwarding(self) -> tuple[MatrixSite, ...]:
        """The sites that pass requests on."""
        return tuple(site for site in self.sites if site.passages)

    def site_for(self, name: str, port: int) -> MatrixSite | None:
        """Return the Matrix site that has a name on a port, None where another one has it, or none."""
        server = named(self.servers, port, name)
        return next((site for site in self.sites if site.server is server), None)

    def said(self, *key: str) -> object:
        """Return what palpo.toml says at a key, None where it says nothing."""
        return look_up(dict(self.homeserver), key)
