"""What Caddy is on this host, and what its configuration says, with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from palpo_installer.proxies.found import Proxy


@dataclass(frozen=True)
class Caddy(Proxy):
    """Caddy as found."""

    kind: ClassVar[str] = "caddy"
    title: ClassVar[str] = "Caddy"
