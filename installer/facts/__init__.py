"""The facts: a frozen picture of the host. Each is a read of the machine and a pure parse."""

from __future__ import annotations

from dataclasses import dataclass

from palpo_installer.facts.certificates import Certificate
from palpo_installer.facts.listeners import Listener
from palpo_installer.facts.names import Name
from palpo_installer.facts.palpo import Palpo
from palpo_installer.facts.system import System
from palpo_installer.proxies.nginx.configuration import Nginx


@dataclass(frozen=True)
class Facts:
    """What is.

    Attributes:
        nginx: None where nginx is not installed.
        unseen: what could not be read, one sentence each (without root: processes, keys, …).
    """

    system: System
    listeners: tuple[Listener, ...]
    nginx: Nginx | None
    palpo: Palpo
    certificates: tuple[Certificate, ...]
    names: tuple[Name, ...]
    unseen: tuple[str, ...]
