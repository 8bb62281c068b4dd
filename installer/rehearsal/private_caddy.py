"""The real Caddy from a private directory: its Caddyfile around ours, its storage, its process."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.caddy import guests
from palpo_installer.proxies.caddy.configuration import Caddy, Options
from palpo_installer.proxies.caddy.control import verdict
from palpo_installer.proxies.control import Verdict
from palpo_installer.proxies.found import IncludeDirectory
from palpo_installer.proxies.virtual_hosts import Leaflet
from palpo_installer.rehearsal import installing, program
from palpo_installer.rehearsal.private_directory import PrivateDirectory
from palpo_installer.rehearsal.private_proxy import Surroundings, Visited
from palpo_installer.rehearsal.sockets import Open, reserving
from palpo_installer.site import Guest

AROUND = """\
{{
    admin off
    auto_https off
    default_bind {addresses}
    storage file_system "{storage}"
    grace_period 1s
    servers {{
        protocols h1 h2
    }}
}}

{strangers}
import "{sites}/*.caddy"
"""

STRANGER = """\
{scheme}://:{port} {{
{tls}
    respond 421
}}
"""
"""Answers what is for none of our names, as other sites do: ours must be found by their names."""

TLS = """\
    tls "{chain}" "{key}"
"""


VISITED = """\
{scheme}://{name}:{port} {{
    {line}
{tls}
    header Access-Control-Allow-Origin https://{name}
    header Strict-Transport-Security max-age=31536000
    encode gzip
    rewrite * /index.html
    respond 403
}}
"""
"""A site that takes a line of ours, with much that such a site may set for its own pages."""


@dataclass(frozen=True)
class PrivateCaddy:
    """A Caddy in a private directory, not started.

    Attributes:
        directory: what is its own.
        found: Caddy on this host, of which only the program and its version count.
    """

    directory: PrivateDirectory
    found: Caddy

    @property
    def facts(self) -> Caddy:
        """What rendering works with: the program as it is on this host, and nobody else's sites."""
        return replace(
            self.found,
            configuration=self.directory.configuration,
            files=(),
            servers=(),
            problems=(),
            user="",
            unit="",
            # An administration endpoint that nobody asks here: there is none in a private directory.
            options=Options(auto_https="off"),
            imports=(IncludeDirectory(self.directory.sites, "*.caddy", self.directory.configuration, 1),),
            braceless=False,
            elsewhere="",
            variables=False,
        )

    @property
    def opens(self) -> Open:
        """It opens the port itself."""
        return reserving

    def leaflet(self, guest: Guest) -> Leaflet:
        """Return the file that a site imports.

        Raises:
            RefusedPlan: a word of it cannot be written in a Caddyfile.
        """
        return guests.leaflet(guest, self.directory.guests)

    def write(self, rendering: Rendering, around: Surroundings) -> None:
        """Write our files, and a Caddyfile that imports them behind the other sites."""
        self.directory.sites.mkdir(parents=True)
        installing.install(rendering)
        tls = TLS.format(chain=around.certificate.chain, key=around.certificate.key)
        strangers = (
            STRANGER.format(scheme="https" if secure else "http", port=port, tls=tls if secure else "")
            for port, secure in around.strange_ports.items()
        )
        visited = (_visited(each) for each in around.visited)
        self.directory.configuration.write_text(
            AROUND.format(
                addresses=" ".join(around.addresses),
                storage=self.directory.path / "storage",
                strangers="".join((*strangers, *visited)),
                sites=self.directory.sites,
            )
        )

    def running(self, sockets: Sequence[socket.socket]) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Run it on the ports of these sockets; it is gone afterwards.

        Raises:
            HostError: the program cannot be started.
        """
        argv = (self.found.binary, "run", "--config", self.directory.configuration, "--adapter", "caddyfile")
        # Caddy keeps what it last ran with in these, also where it has other storage (caddy-run(8)).
        own = {name: str(self.directory.path / "own") for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
        return program.opening(argv, self.directory.errors, sockets, own)

    def verdict(self) -> Verdict:
        """Return what Caddy said of a configuration that it did not take."""
        return verdict(False, self.directory.said)


def _visited(site: Visited) -> str:
    """Write what a site imports, and return the site."""
    installing.write(site.leaflet.file)
    tls = TLS.format(chain=site.certificate.chain, key=site.certificate.key) if site.tls else ""
    scheme = "https" if site.tls else "http"
    return VISITED.format(scheme=scheme, name=site.name, port=site.port, line=site.leaflet.line, tls=tls)
