"""The real nginx from a private directory: its configuration around ours, its sockets, its process."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from palpo_installer.answers import Address
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.control import Verdict
from palpo_installer.proxies.found import IncludeDirectory
from palpo_installer.proxies.nginx import guests
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.diagnosis import verdict
from palpo_installer.proxies.nginx.locations import bare, quoted
from palpo_installer.proxies.virtual_hosts import Leaflet
from palpo_installer.rehearsal import installing, program
from palpo_installer.rehearsal.private_directory import PrivateDirectory
from palpo_installer.rehearsal.private_proxy import Surroundings, Visited
from palpo_installer.rehearsal.sockets import Open, listening
from palpo_installer.site import Guest

OWN_ERROR_LOG = (1, 19, 5)
"""From here on ``-e`` keeps nginx from opening the error log that was compiled in (nginx CHANGES, 1.19.5)."""

AROUND = """\
daemon off;
{user}
pid {pid};
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {body};
    proxy_temp_path {proxy};
    fastcgi_temp_path {fastcgi};
    uwsgi_temp_path {uwsgi};
    scgi_temp_path {scgi};
{strangers}
    include {sites};
}}
"""

STRANGER = """\
    server {{
        listen {address}{ssl} default_server;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        return 421;
    }}
"""
"""Answers what is for none of our names, as other sites do: ours must be found by their names."""

HOST = """\
    server {{
{listens}
        server_name {name};
        ssl_certificate {chain};
        ssl_certificate_key {key};
        add_header Access-Control-Allow-Origin https://{name} always;
        add_header Strict-Transport-Security max-age=31536000 always;
        default_type text/html;
        error_page 404 /missing.html;
        deny all;
        include {leaflet};
    }}
"""
"""A site that takes a line of ours, with much that such a site may set for its own pages."""


@dataclass(frozen=True)
class PrivateNginx:
    """An nginx in a private directory, not started.

    Attributes:
        directory: what is its own.
        found: nginx on this host, of which only the program, its version and its modules count.
    """

    directory: PrivateDirectory
    found: Nginx

    @property
    def facts(self) -> Nginx:
        """What rendering works with: the program as it is on this host, and nobody else's sites."""
        return replace(
            self.found,
            configuration=self.directory.configuration,
            files=(),
            servers=(),
            streams=(),
            includes=(IncludeDirectory(self.directory.sites, "*.conf", self.directory.configuration, 1),),
            problems=(),
        )

    @property
    def opens(self) -> Open:
        """It takes over sockets that listen."""
        return listening

    def leaflet(self, guest: Guest) -> Leaflet:
        """Return the file that a site includes.

        Raises:
            RefusedPlan: a word of it cannot be written in nginx's language.
        """
        return guests.leaflet(guest, self.directory.guests, self.facts)

    def write(self, rendering: Rendering, around: Surroundings) -> None:
        """Write our files, and a main file that includes them beside the other sites."""
        self.directory.sites.mkdir(parents=True)
        installing.install(rendering)
        names = ("pid", "body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = {name: quoted(str(self.directory.path / name)) for name in names}
        blocks = (
            STRANGER.format(
                address=Address(address, port),
                ssl=" ssl" if tls else "",
                chain=quoted(str(around.certificate.chain)),
                key=quoted(str(around.certificate.key)),
            )
            for (address, port), tls in around.strangers.items()
        )
        others = "".join((*blocks, *(_host(each, around.addresses) for each in around.visited)))
        # As root, nginx would give its workers to an account that cannot read a private directory.
        user = f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else ""
        sites = quoted(str(self.directory.sites / "*.conf"))
        self.directory.configuration.write_text(AROUND.format(user=user, sites=sites, strangers=others, **places))

    @contextmanager
    def running(self, sockets: Sequence[socket.socket]) -> Iterator[subprocess.Popen[bytes]]:
        """Run it with listening sockets, which are closed here; it is gone afterwards.

        Raises:
            HostError: the program cannot be started.
        """
        log = ("-e", "stderr") if self.found.version >= OWN_ERROR_LOG else ()
        argv = (self.found.binary, *log, "-p", self.directory.path, "-c", self.directory.configuration)
        numbers = [each.fileno() for each in sockets]
        # nginx takes over listening sockets that this names, as it does when its program is replaced
        # (ngx_add_inherited_sockets): so nobody can take a port between our choice and its start.
        inherited = {"NGINX": "".join(f"{each};" for each in numbers)}
        with program.running(argv, self.directory.errors, handed_over=numbers, environment=inherited) as process:
            for each in sockets:
                each.close()
            yield process

    def verdict(self) -> Verdict:
        """Return what nginx said of a configuration that it did not take."""
        return verdict(False, self.directory.said)


def _host(site: Visited, addresses: Sequence[str]) -> str:
    """Write what a site includes, and return the site."""
    installing.write(site.leaflet.file)
    tls = " ssl" if site.tls else ""
    return HOST.format(
        listens="\n".join(f"        listen {Address(address, site.port)}{tls};" for address in addresses),
        name=bare(site.name),
        chain=quoted(str(site.certificate.chain)),
        key=quoted(str(site.certificate.key)),
        leaflet=quoted(str(site.leaflet.file.path)),
    )
