"""What nginx is on this host, and what its configuration says, with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from palpo_installer.proxies.found import IncludeDirectory, Proxy


@dataclass(frozen=True)
class Nginx(Proxy):
    """nginx as found; its ``servers`` are the ``server`` blocks of ``http``, its ``streams`` those of ``stream``.

    Attributes:
        modules: the ``--with-…`` words of its build options, e.g. ``http_v2_module``.
        includes: the directories ``http`` includes, in order; our files go into the last one.
    """

    kind: ClassVar[str] = "nginx"
    title: ClassVar[str] = "nginx"

    modules: tuple[str, ...]
    includes: tuple[IncludeDirectory, ...]
