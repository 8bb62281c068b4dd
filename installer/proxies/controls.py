"""The kinds of proxies that this version can set up, as programs that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from palpo_installer.host import Command, Host
from palpo_installer.proxies.apache.control import ApacheControl
from palpo_installer.proxies.base import Link
from palpo_installer.proxies.caddy.control import CaddyControl
from palpo_installer.proxies.control import Control
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.haproxy.control import HAProxyControl
from palpo_installer.proxies.nginx.control import NginxControl
from palpo_installer.services import Service

CONTROLS: Mapping[str, Control] = {
    "nginx": NginxControl(),
    "apache": ApacheControl(),
    "caddy": CaddyControl(),
    "haproxy": HAProxyControl(),
}
"""By the word of the answer ``proxy.kind``."""


def control(kind: str) -> Control:
    """Return how a kind of proxy is controlled."""
    return CONTROLS[kind]


@runtime_checkable
class Restarting(Protocol):
    """A control whose proxy cannot take up every change by a reload."""

    def take_up(self, host: Host, service: Service, limit: float) -> Command:
        """Return how it takes up what is on disk: a reload where that does, else a restart."""


@runtime_checkable
class Swapping(Protocol):
    """A control whose proxy can take up renewed certificates as it runs, without a reload."""

    @property
    def title(self) -> str:
        """What people call the proxy."""

    def swap(self, host: Host, proxy: Proxy, links: Sequence[Link]) -> None:
        """Let it show what the files behind its links to chains and keys hold now.

        Raises:
            HostError: this is not possible here, and a reload is needed.
        """


def taking_up(proxy: Control, host: Host, service: Service, limit: float) -> Command:
    """Return how a running proxy takes up what is on disk."""
    return proxy.take_up(host, service, limit) if isinstance(proxy, Restarting) else proxy.reload(service, limit)
