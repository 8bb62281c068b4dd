"""The facts: a frozen picture of the host. Each is a read of the machine and a pure parse."""

from __future__ import annotations

from dataclasses import dataclass, field

from palpo_installer import processes
from palpo_installer.facts import certificates, containers, listeners, matrix, palpo_search, system
from palpo_installer.facts import names as dns
from palpo_installer.facts.certificates import Certificate
from palpo_installer.facts.listeners import Listener
from palpo_installer.facts.matrix import Matrix
from palpo_installer.facts.names import Name
from palpo_installer.facts.palpo import Palpo
from palpo_installer.facts.system import System
from palpo_installer.host import Host
from palpo_installer.proxies.nginx import discovery
from palpo_installer.proxies.nginx.configuration import Nginx


@dataclass(frozen=True)
class Facts:
    """What is.

    Attributes:
        nginx: None where nginx is not installed.
        unseen: what could not be read, one sentence each (without root: processes, keys, …).
        matrix: the Matrix configuration that is already there.
    """

    system: System
    listeners: tuple[Listener, ...]
    nginx: Nginx | None
    palpo: Palpo
    certificates: tuple[Certificate, ...]
    names: tuple[Name, ...]
    unseen: tuple[str, ...]
    matrix: Matrix = field(default_factory=Matrix)


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
    palpo = palpo_search.read(host, running, boxes, listening)
    return Facts(
        system=system.read(host, running),
        listeners=listening,
        nginx=nginx,
        palpo=palpo,
        certificates=certificates.read(host, nginx, note),
        names=dns.read(host, names),
        unseen=tuple(dict.fromkeys(unseen)),
        matrix=matrix.read(host, nginx, palpo),
    )
