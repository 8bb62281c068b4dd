"""What Apache is on this host, and what its configuration says, with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from palpo_installer.proxies.found import IncludeDirectory, Listen, Proxy, ServerBlock


@dataclass(frozen=True)
class Everywhere:
    """A line outside every virtual host that answers for a path in each of them: ``ProxyPass``, ``Redirect``.

    Attributes:
        words: its name, in small letters, and its arguments.
    """

    file: Path
    line: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class Awake:
    """What the configuration would say with the modules loaded that a site of ours needs.

    Much of it stands in ``<IfModule>``: Debian's ``Listen 443`` is there as soon as mod_ssl is.

    Attributes:
        listens: the ``Listen`` directives.
        servers: as ``Proxy.servers``.
        everywhere: what answers for paths in every virtual host.
    """

    listens: tuple[Listen, ...]
    servers: tuple[ServerBlock, ...]
    everywhere: tuple[Everywhere, ...] = ()


@dataclass(frozen=True)
class Apache(Proxy):
    """Apache as found.

    Its ``servers`` are the virtual hosts in the order in which Apache reads them; behind them, for sockets that no
    virtual host takes, the main server, whose place is the first line of the main file. Among the options of their
    sockets are ``by_address`` where a virtual host names the very address, and ``any_port`` where it names no port.

    Attributes:
        arrangement: how its files are arranged: ``debian`` (``sites-enabled``, ``mods-enabled``) or ``httpd``
            (``conf.d``).
        modules: those that are loaded, e.g. ``ssl_module``.
        available: the files of modules that can be loaded: of ``mods-available`` (Debian), else of ``modules``.
        mpm: how it processes requests: ``event``, ``worker`` or ``prefork``; empty where that is not known.
        listens: its ``Listen`` directives; what they open with IPv4 and IPv6 has ``ipv6only=off``.
        includes: the directories outside every section, in order; our files go into the last one.
        server_root: what relative paths start from.
        awake: what it would say with the modules of a site of ours.
        unaided: those of them that are loaded by lines outside our own files.
        enabled: the links of ``mods-enabled`` that are as a2enmod makes them (Debian).
        header_limits: bytes of the request line and of a header line that the main server allows, 0 where it says
            nothing.
        included: the directories that are included as such, with all below them, and not by a pattern.
    """

    kind: ClassVar[str] = "apache"
    title: ClassVar[str] = "Apache"

    arrangement: Literal["debian", "httpd"]
    modules: tuple[str, ...]
    available: tuple[str, ...]
    mpm: str
    listens: tuple[Listen, ...]
    includes: tuple[IncludeDirectory, ...]
    server_root: Path
    awake: Awake
    unaided: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    header_limits: tuple[int, int] = (0, 0)
    included: tuple[Path, ...] = ()

    @property
    def read_whole(self) -> tuple[Path, ...]:
        """Those that are included as such: only a pattern leaves out what begins with a dot."""
        return self.included

    @property
    def opened(self) -> tuple[Listen, ...]:
        """What its ``Listen`` directives say: they open a socket also where no virtual host answers on it."""
        return self.listens
