"""The real HAProxy from a private directory: somebody else's configuration before ours, its process."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.control import Verdict
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.haproxy.control import verdict
from palpo_installer.proxies.virtual_hosts import Leaflet
from palpo_installer.rehearsal import installing, program
from palpo_installer.rehearsal.private_proxy import Surroundings
from palpo_installer.rehearsal.sockets import on_one_port, reserving
from palpo_installer.site import Guest

AROUND = """\
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
    timeout http-request 1s
    option forwardfor
    option httpclose
    errorfile 503 /dev/null

backend somebody-else
    http-request return status 421
"""
"""What is read first, with much that another site may set for itself. It has no frontend: two on one socket would split
its connections, and how a frontend that is there takes our lines is not rehearsed."""


@dataclass(frozen=True)
class PrivateHAProxy:
    """An HAProxy in a private directory, not started.

    Attributes:
        directory: private, for everything it reads and writes.
        found: HAProxy on this host, of which only the program and its version count.
    """

    directory: Path
    found: HAProxy

    @property
    def configuration(self) -> Path:
        """The main file."""
        return self.directory / "haproxy.cfg"

    @property
    def sites(self) -> Path:
        """Where our files go."""
        return self.directory / "sites"

    @property
    def errors(self) -> Path:
        """What HAProxy says."""
        return self.directory / "errors"

    @property
    def facts(self) -> HAProxy:
        """What rendering works with: the program as it is on this host, and nobody else's sites."""
        return replace(
            self.found,
            configuration=self.configuration,
            files=(),
            servers=(),
            streams=(),
            problems=(),
            pid=None,
            loads=(self.configuration, self.sites),
            directories=(self.sites,),
            environment_file=None,
            options=None,
            sections=(),
            frontends=(),
            sockets=(),
            chroot="",
            workers=(),
        )

    def opened(self, addresses: Sequence[str]) -> tuple[socket.socket, ...]:
        """Return sockets that keep a port until HAProxy has opened it.

        Raises:
            HostError: there is no free port.
        """
        return on_one_port(addresses, reserving)

    def leaflet(self, _guest: Guest) -> Leaflet | None:
        """Return None: a frontend that is there would have the ports, and is not rehearsed."""
        return None

    def write(self, rendering: Rendering, _around: Surroundings) -> None:
        """Write our files, and somebody else's, which is read before them."""
        self.sites.mkdir(parents=True)
        installing.install(rendering)
        self.configuration.write_text(AROUND)

    @contextmanager
    def running(self, sockets: Sequence[socket.socket]) -> Iterator[subprocess.Popen[bytes]]:
        """Run it on the ports of these sockets; it is gone afterwards.

        Raises:
            HostError: the program cannot be started.
        """
        argv = (self.found.binary, "-db", "-f", self.configuration, "-f", self.sites)
        with program.running(argv, self.errors) as process:
            program.await_listening(process, [each.getsockname()[:2] for each in sockets])
            yield process

    def verdict(self) -> Verdict:
        """Return what HAProxy said of a configuration that it did not take."""
        return verdict(False, self.errors.read_text(errors="replace"))
