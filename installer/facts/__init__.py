"""The facts: a frozen picture of the host. Each is a read of the machine and a pure parse."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from palpo_installer import processes
from palpo_installer.facts import (
    certificates,
    containers,
    firewalld,
    listeners,
    matrix,
    media,
    nftables,
    palpo_search,
    selinux,
    system,
    ufw,
)
from palpo_installer.facts import names as dns
from palpo_installer.facts.certificates import Certificate
from palpo_installer.facts.firewalld import Firewalld
from palpo_installer.facts.listeners import Listener
from palpo_installer.facts.matrix import Matrix
from palpo_installer.facts.media import MediaRepository
from palpo_installer.facts.names import Name
from palpo_installer.facts.nftables import InputChain
from palpo_installer.facts.palpo import Palpo
from palpo_installer.facts.selinux import SELinux
from palpo_installer.facts.system import System
from palpo_installer.facts.ufw import Ufw
from palpo_installer.host import Host
from palpo_installer.proxies.apache import discovery as apaches
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.caddy import discovery as caddies
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.haproxy import discovery as haproxies
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.nginx import discovery
from palpo_installer.proxies.nginx.configuration import Nginx


@dataclass(frozen=True)
class Facts:
    """What is.

    Attributes:
        nginx: None where nginx is not installed.
        apache: None where Apache is not.
        caddy: None where Caddy is not.
        haproxy: None where HAProxy is not.
        unseen: what could not be read, one sentence each (without root: processes, keys, …).
        matrix: the Matrix configuration that is already there.
        selinux: what it lets the proxy do, None where it is off.
        firewalld: None where it does not run.
        ufw: None where it is not active.
        chains: of a bare rule set that nobody manages.
        media: a media repository beside Palpo, None where there is no sign of one.
        installed: the files that earlier runs installed, None where that is not known.
    """

    system: System
    listeners: tuple[Listener, ...]
    nginx: Nginx | None
    palpo: Palpo
    certificates: tuple[Certificate, ...]
    names: tuple[Name, ...]
    unseen: tuple[str, ...]
    matrix: Matrix = field(default_factory=Matrix)
    selinux: SELinux | None = None
    firewalld: Firewalld | None = None
    ufw: Ufw | None = None
    chains: tuple[InputChain, ...] = ()
    apache: Apache | None = None
    caddy: Caddy | None = None
    haproxy: HAProxy | None = None
    media: MediaRepository | None = None
    installed: tuple[Path, ...] | None = None

    @property
    def proxies(self) -> tuple[Proxy, ...]:
        """The proxies that are installed."""
        return tuple(each for each in (self.nginx, self.apache, self.caddy, self.haproxy) if each is not None)

    @property
    def read_whole(self) -> tuple[Path, ...]:
        """The directories of which one of them reads every file, those with dot names too."""
        return tuple(dict.fromkeys(each for proxy in self.proxies for each in proxy.read_whole))

    def proxy(self, kind: str) -> Proxy | None:
        """Return the proxy of a kind, None where it is not installed."""
        return next((each for each in self.proxies if each.kind == kind), None)


def gather(host: Host, names: tuple[str, ...] = ()) -> Facts:
    """Return all the facts. Reads only; what cannot be read is told in ``unseen``, never raised.

    Args:
        host: the machine, under its layout.
        names: what to ask DNS for: host names, or server names with a port that is left out.
    """
    unseen: list[str] = []
    note = unseen.append
    if not host.is_root:
        note("Without root, the processes of other accounts, private keys and packet filters stay out of sight.")
    running = processes.read(host)
    boxes = containers.read(host, running, note)
    listening = listeners.read(host, running, boxes, note)
    owners = frozenset(each.pid for each in listening if each.pid is not None)
    nginx = discovery.read(host, running, owners, note)
    apache = apaches.read(host, running, owners, note)
    caddy = caddies.read(host, running, owners, note)
    haproxy = haproxies.read(host, running, owners, note)
    palpo = palpo_search.read(host, running, boxes, listening)
    base = system.read(host, running)
    proxies = tuple(each for each in (nginx, apache, caddy, haproxy) if each is not None)
    return Facts(
        system=base,
        listeners=listening,
        nginx=nginx,
        caddy=caddy,
        haproxy=haproxy,
        palpo=palpo,
        certificates=certificates.read(host, proxies, note),
        names=dns.read(host, names),
        selinux=selinux.read(host, {each.kind: each.pid for each in proxies if each.pid is not None}),
        firewalld=firewalld.read(host, running, note),
        ufw=ufw.read(host, "ufw" in base.firewalls, note),
        chains=nftables.read(host, base.firewalls),
        unseen=tuple(dict.fromkeys(unseen)),
        matrix=matrix.read(host, nginx, palpo),
        apache=apache,
        media=media.read(host, running, boxes, listening),
    )
