"""What a rehearsal asks of a proxy in a private directory."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from palpo_installer.answers import CertificateFiles
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.control import Verdict
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.virtual_hosts import Leaflet
from palpo_installer.rehearsal.sockets import Open
from palpo_installer.site import Guest


@dataclass(frozen=True)
class Visited:
    """A made-up site that stands for the one that a guest goes into.

    Attributes:
        name: its host name.
        port: where it answers, as it is open here.
        tls: whether with TLS.
        certificate: what it shows.
        leaflet: what it takes from us.
    """

    name: str
    port: int
    tls: bool
    certificate: CertificateFiles
    leaflet: Leaflet


@dataclass(frozen=True)
class Surroundings:
    """What there is beside our files.

    Attributes:
        addresses: what is open, ``127.0.0.1`` first.
        strangers: the sockets where another site takes what is for none of our names, each with whether it speaks
            TLS.
        certificate: that of the other site.
        visited: the sites that take something of ours.
    """

    addresses: Sequence[str]
    strangers: Mapping[tuple[str, int], bool]
    certificate: CertificateFiles
    visited: Sequence[Visited] = ()

    @property
    def strange_ports(self) -> Mapping[int, bool]:
        """The ports of ``strangers``, for a proxy whose sites are bound to every address."""
        return {port: tls for (_, port), tls in self.strangers.items()}


class PrivateProxy(Protocol):
    """The real program with a configuration, sockets and files of its own, not started.

    It is made with a directory, private, for everything it reads and writes, and with the proxy as found on this
    host, of which only the program, its version and its modules count.
    """

    @property
    def facts(self) -> Proxy:
        """What rendering works with: the program as it is on this host, and nobody else's sites."""

    @property
    def opens(self) -> Open:
        """How a port is opened so that nobody else gets it before the program has it."""

    def leaflet(self, guest: Guest) -> Leaflet | None:
        """Return what goes into somebody else's site, None where nothing does by itself.

        Raises:
            RefusedPlan: a word of it cannot be written in the proxy's language.
        """

    def write(self, rendering: Rendering, around: Surroundings) -> None:
        """Write the configuration: our files, and what is around them."""

    def running(self, sockets: Sequence[socket.socket]) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Run it on sockets that were opened its way; it is gone afterwards.

        Raises:
            HostError: the program cannot be started.
        """

    def verdict(self) -> Verdict:
        """Return what it said of a configuration that it did not take."""
