"""What Apache is on this host, and what its configuration says, with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from palpo_installer.proxies.found import Proxy


@dataclass(frozen=True)
class Apache(Proxy):
    """Apache as found."""

    kind: ClassVar[str] = "apache"
    title: ClassVar[str] = "Apache"
