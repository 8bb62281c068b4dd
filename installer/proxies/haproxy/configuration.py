"""What HAProxy is on this host, and what its configuration says, with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from palpo_installer.proxies.found import Proxy


@dataclass(frozen=True)
class HAProxy(Proxy):
    """HAProxy as found."""

    kind: ClassVar[str] = "haproxy"
    title: ClassVar[str] = "HAProxy"
