"""The real nginx from a private directory: its configuration around ours, its sockets, its process."""

from __future__ import annotations

import grp
import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.answers import CertificateFiles
from palpo_installer.errors import HostError
from palpo_installer.host import SEARCH_PATH
from palpo_installer.proxies.base import File, Rendering
from palpo_installer.proxies.control import Verdict
from palpo_installer.proxies.nginx.configuration import IncludeDirectory, Nginx
from palpo_installer.proxies.nginx.diagnosis import verdict
from palpo_installer.proxies.nginx.locations import bare, quoted

LOOPBACK = ("127.0.0.1", "::1")
TRIES = 20
PATIENCE = 5.0
"""Seconds for nginx to end."""

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
class Visited:
    """A made-up site that stands for the one that a guest goes into.

    Attributes:
        name: its host name.
        port: where it answers, as it is open here.
        tls: whether with TLS.
        certificate: what it shows.
        leaflet: the file that it includes.
    """

    name: str
    port: int
    tls: bool
    certificate: CertificateFiles
    leaflet: File


@dataclass(frozen=True)
class PrivateNginx:
    """An nginx in a private directory, not started.

    Attributes:
        directory: private, for everything it reads and writes.
        found: nginx on this host, of which only the program, its version and its modules count.
    """

    directory: Path
    found: Nginx

    @property
    def configuration(self) -> Path:
        """The main file."""
        return self.directory / "nginx.conf"

    @property
    def sites(self) -> Path:
        """Where our files go."""
        return self.directory / "sites"

    @property
    def errors(self) -> Path:
        """What nginx says."""
        return self.directory / "errors"

    @property
    def facts(self) -> Nginx:
        """What rendering works with: the program as it is on this host, and nobody else's sites."""
        return replace(
            self.found,
            configuration=self.configuration,
            files=(),
            servers=(),
            streams=(),
            includes=(IncludeDirectory(self.sites, "*.conf", self.configuration, 1),),
            problems=(),
        )

    def write(
        self,
        rendering: Rendering,
        strangers: Mapping[tuple[str, int], bool],
        own: CertificateFiles,
        visited: Sequence[Visited] = (),
        addresses: Sequence[str] = (),
    ) -> None:
        """Write the configuration.

        Args:
            rendering: our files.
            strangers: the sockets where another site takes what is for none of our names, each with whether it
                speaks TLS.
            own: the certificate of that other site.
            visited: the sites that include files of ours.
            addresses: where those are open.
        """
        self.sites.mkdir(parents=True)
        for file in (*rendering.plain.files, *rendering.secure.files):
            file.path.write_text(file.text)
        names = ("pid", "body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = {name: quoted(str(self.directory / name)) for name in names}
        blocks = (
            STRANGER.format(
                address=_joined(address, port),
                ssl=" ssl" if tls else "",
                chain=quoted(str(own.chain)),
                key=quoted(str(own.key)),
            )
            for (address, port), tls in strangers.items()
        )
        others = "".join((*blocks, *(self._host(each, addresses) for each in visited)))
        # As root, nginx would give its workers to an account that cannot read a private directory.
        user = f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else ""
        sites = quoted(str(self.sites / "*.conf"))
        self.configuration.write_text(AROUND.format(user=user, sites=sites, strangers=others, **places))

    def _host(self, site: Visited, addresses: Sequence[str]) -> str:
        """Write what a site includes, and return the site."""
        site.leaflet.path.parent.mkdir(exist_ok=True)
        site.leaflet.path.write_text(site.leaflet.text)
        tls = " ssl" if site.tls else ""
        return HOST.format(
            listens="\n".join(f"        listen {_joined(address, site.port)}{tls};" for address in addresses),
            name=bare(site.name),
            chain=quoted(str(site.certificate.chain)),
            key=quoted(str(site.certificate.key)),
            leaflet=quoted(str(site.leaflet.path)),
        )

    @contextmanager
    def running(self, sockets: Sequence[socket.socket]) -> Iterator[subprocess.Popen[bytes]]:
        """Run it with listening sockets, which are closed here; it is gone afterwards.

        Raises:
            HostError: the program cannot be started.
        """
        process = self._start([each.fileno() for each in sockets])
        try:
            for each in sockets:
                each.close()
            yield process
        finally:
            _end(process)

    def _start(self, sockets: Sequence[int]) -> subprocess.Popen[bytes]:
        log = ("-e", "stderr") if self.found.version >= OWN_ERROR_LOG else ()
        with self.errors.open("wb") as said:
            try:
                return subprocess.Popen(
                    (self.found.binary, *log, "-p", self.directory, "-c", self.configuration),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    # nginx takes over listening sockets that this names, as it does when its program is replaced
                    # (ngx_add_inherited_sockets): so nobody can take a port between our choice and its start.
                    env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8", "NGINX": "".join(f"{each};" for each in sockets)},
                    pass_fds=sockets,
                    # Ctrl-C is for us; we end it.
                    start_new_session=True,
                    cwd="/",
                )
            except OSError as error:
                raise HostError(f"cannot be started: {error.strerror}", where=str(self.found.binary)) from error

    def verdict(self) -> Verdict:
        """Return what nginx said of a configuration that it did not take."""
        return verdict(False, self.errors.read_text(errors="replace"))


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process that gives no answer has ended; it is given a second."""
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        # Its session is its own: these are its master and its workers, and nobody else.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def usable_addresses() -> tuple[str, ...]:
    """Return the loopback addresses that sockets can be bound to: a host may have no IPv6."""
    usable = []
    for address in LOOPBACK:
        try:
            listening(address, 0).close()
        except OSError:
            continue
        usable.append(address)
    return tuple(usable)


def open_sockets(addresses: Sequence[str]) -> tuple[socket.socket, ...]:
    """Return a listening socket for each address, all on one port that was free.

    Raises:
        HostError: there is none.
    """
    for _ in range(TRIES):
        with ExitStack() as opened:
            first = opened.enter_context(listening(addresses[0], 0))
            port = first.getsockname()[1]
            try:
                others = [opened.enter_context(listening(address, port)) for address in addresses[1:]]
            except OSError:
                continue
            opened.pop_all()
            return (first, *others)
    raise HostError("has no free port", where=" and ".join(addresses))


def listening(address: str, port: int) -> socket.socket:
    """Return a listening socket as nginx expects one: it never waits in a call."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.create_server((address, port), family=family, backlog=511)
    opened.setblocking(False)
    return opened
