"""The real HAProxy from a private directory: somebody else's configuration before ours, its process."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.control import Verdict
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.haproxy.control import verdict
from palpo_installer.proxies.virtual_hosts import Leaflet
from palpo_installer.rehearsal import installing, program
from palpo_installer.rehearsal.private_directory import PrivateDirectory
from palpo_installer.rehearsal.private_proxy import Surroundings
from palpo_installer.rehearsal.sockets import Open, reserving
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
        directory: what is its own.
        found: HAProxy on this host, of which only the program and its version count.
    """

    directory: PrivateDirectory
    found: HAProxy

    @property
    def facts(self) -> HAProxy:
        """What rendering works with: the program as it is on this host, and nobody else's sites."""
        return replace(
            self.found,
            configuration=self.directory.configuration,
            files=(),
            servers=(),
            streams=(),
            problems=(),
            pid=None,
            loads=(self.directory.configuration, self.directory.sites),
            directories=(self.directory.sites,),
            environment_file=None,
            options=None,
            sections=(),
            frontends=(),
            sockets=(),
            workers=(),
        )

    @property
    def opens(self) -> Open:
        """It opens the port itself."""
        return reserving

    def leaflet(self, _guest: Guest) -> Leaflet | None:
        """Return None: a frontend that is there would have the ports, and is not rehearsed."""
        return None

    def write(self, rendering: Rendering, _around: Surroundings) -> None:
        """Write our files, and somebody else's, which is read before them."""
        self.directory.sites.mkdir(parents=True)
        installing.install(rendering)
        self.directory.configuration.write_text(AROUND)

    def running(self, sockets: Sequence[socket.socket]) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Run it on the ports of these sockets; it is gone afterwards.

        Raises:
            HostError: the program cannot be started.
        """
        argv = (self.found.binary, "-db", "-f", self.directory.configuration, "-f", self.directory.sites)
        return program.opening(argv, self.directory.errors, sockets)

    def verdict(self) -> Verdict:
        """Return what HAProxy said of a configuration that it did not take."""
        return verdict(False, self.directory.said)
