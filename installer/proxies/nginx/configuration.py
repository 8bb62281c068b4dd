"""What nginx is on this host, and what its configuration says, with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from palpo_installer.proxies.found import Proxy


@dataclass(frozen=True)
class IncludeDirectory:
    """A directory whose files ``http`` includes by a pattern.

    Attributes:
        directory: e.g. ``/etc/nginx/sites-enabled``.
        pattern: the last part of the include, e.g. ``*`` or ``*.conf``.
        file: the file with the include directive.
        line: its line.
    """

    directory: Path
    pattern: str
    file: Path
    line: int


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
