"""What proxies are on this host, and what their configurations say, with file and line: alike for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class Listen:
    """One socket that something answers on, in the words of nginx: a ``listen`` directive.

    The readers of other proxies say the same in these words, ``ssl`` for TLS above all.

    Attributes:
        address: normalised: ``0.0.0.0``, ``::``, an IP address without brackets, or ``unix:/path``.
        port: 80 where the directive gives none; 0 for a unix socket.
        options: the words after the address, e.g. ``ssl``, ``http2``, ``default_server``, ``proxy_protocol``.
        file: where it stands.
        line: in that file, from 1.
    """

    address: str
    port: int
    options: tuple[str, ...]
    file: Path
    line: int


@dataclass(frozen=True)
class IncludeDirectory:
    """A directory whose files are read by a pattern, where servers may stand.

    Attributes:
        directory: e.g. ``/etc/nginx/sites-enabled``.
        pattern: the last part of the include, e.g. ``*`` or ``*.conf``.
        file: the file with the directive.
        line: its line.
    """

    directory: Path
    pattern: str
    file: Path
    line: int

    def takes(self, file: Path) -> bool:
        """Return whether a file is read by the pattern: unlike one with a name, it may be missing."""
        return file.parent == self.directory and fnmatchcase(file.name, self.pattern)


@dataclass(frozen=True)
class Location:
    """One ``location`` directly in a server block.

    Attributes:
        modifier: ``=``, ``^~``, ``~``, ``~*``, ``@`` or empty.
        path: the path, regular expression or name, without quotes.
        file: where it stands.
        line: in that file, from 1.
    """

    modifier: str
    path: str
    file: Path
    line: int


@dataclass(frozen=True)
class Rule:
    """A directive that decides over requests before, or in spite of, the locations of a server block.

    Attributes:
        name: e.g. ``return``, ``if``, ``deny``.
        arguments: without quotes; those of ``if`` without its parentheses.
        file: where it stands.
        line: in that file, from 1.
        block: what stands in an ``if``.
    """

    name: str
    arguments: tuple[str, ...]
    file: Path
    line: int
    block: tuple[Rule, ...] = ()

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return " ".join((self.name, *self.arguments))


@dataclass(frozen=True)
class ServerBlock:
    """What answers for some names on some sockets: a ``server`` block of nginx, and what is its like elsewhere.

    Attributes:
        names: its ``server_name`` values as written; empty means it answers only as a default.
        listens: its ``listen`` directives; where it has none, nginx's default, with the block's own line.
        certificates: the files of its ``ssl_certificate`` directives (its own or inherited).
        file: where it begins.
        line: in that file, from 1.
        keys: the files of the ``ssl_certificate_key`` directives, in the order of ``certificates``.
        locations: those directly in it, in reading order.
        rules: what decides over its requests beside them, in reading order; what it inherits from ``http`` first.
        implied: whether the proxy makes it by itself, and does without where another one has its names there.
    """

    names: tuple[str, ...]
    listens: tuple[Listen, ...]
    certificates: tuple[str, ...]
    file: Path
    line: int
    keys: tuple[str, ...] = ()
    locations: tuple[Location, ...] = ()
    rules: tuple[Rule, ...] = ()
    implied: bool = False


@dataclass(frozen=True)
class ReadFile:
    """A file that the facts were read from; ``sha256`` of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Problem:
    """Something in the configuration that keeps it from being read."""

    file: Path
    line: int
    message: str


@dataclass(frozen=True)
class Proxy:
    """A proxy as found.

    Attributes:
        kind: its word in the answer ``proxy.kind``.
        title: what people call it.
        binary: the program.
        version: e.g. ``(1, 22, 1)``.
        configuration: the main file.
        files: every file of the configuration, in reading order.
        servers: what answers for names, in reading order; whatever the proxy calls it.
        streams: the sockets whose TCP or UDP is passed on unread.
        problems: why parts of the configuration could not be read.
        user: the account its workers run as.
        error_log: the file of its error log, empty where it is syslog, stderr, a journal or off.
        pid_file: the file with the number of its main process, empty for none.
        pid: of the running main process, None when it is stopped.
        unit: the systemd unit it runs under, or would be started by; empty for none.
        unit_enabled: whether that unit starts at boot; None where there is no unit.
        orders_certificates: whether a program of its kind orders and renews certificates itself.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    orders_certificates: ClassVar[bool] = False

    binary: Path
    version: tuple[int, int, int]
    configuration: Path
    files: tuple[ReadFile, ...]
    servers: tuple[ServerBlock, ...]
    streams: tuple[Listen, ...]
    problems: tuple[Problem, ...]
    user: str
    error_log: str
    pid_file: str
    pid: int | None
    unit: str
    unit_enabled: bool | None

    @property
    def reader(self) -> str:
        """The account that reads its certificates' keys, empty for root: most do that before they become another."""
        return ""

    def renews(self, chain: Path) -> bool:
        """Return whether it orders and renews a certificate itself."""
        return False

    def keeps_to_site(self, name: str) -> str:
        """Return why no site but its own can show the certificate that it renews for a name, empty where one can."""
        return ""

    @property
    def read_whole(self) -> tuple[Path, ...]:
        """The directories of which it reads every file, those with dot names too: nothing may be laid aside there."""
        return ()

    @property
    def pids(self) -> frozenset[int]:
        """The processes that may hold its sockets, none where it is stopped."""
        return frozenset() if self.pid is None else frozenset((self.pid,))

    @property
    def opened(self) -> tuple[Listen, ...]:
        """The sockets that it opens whatever its sites are; none where only sites open sockets."""
        return ()

    @property
    def version_in_words(self) -> str:
        """The version, e.g. ``1.22.1``."""
        return ".".join(map(str, self.version))
