"""What HAProxy is on this host, and what its configuration says, with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from palpo_installer.proxies.found import Listen, Proxy


@dataclass(frozen=True)
class Directive:
    """One line of a section.

    Attributes:
        words: without quotes and comment.
        file: where it stands.
        line: in that file, from 1.
        block: the line of the conditional block (``.if``) that it stands in within its section, 0 for none.
    """

    words: tuple[str, ...]
    file: Path
    line: int
    block: int = 0

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"

    @property
    def front(self) -> int:
        """The number of the line in front of which another one stands before it in any case."""
        return self.block or self.line

    def __str__(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        kind: e.g. ``global``, ``defaults``, ``frontend``.
        name: empty where it has none.
        base: the named ``defaults`` that it is made ``from``, empty for the last ones before it.
        heading: the line that begins it.
        directives: in order.
    """

    kind: str
    name: str
    base: str
    heading: Directive
    directives: tuple[Directive, ...]

    def all(self, *words: str) -> tuple[Directive, ...]:
        """Return the directives that begin with these words."""
        return tuple(each for each in self.directives if each.words[: len(words)] == words)


@dataclass(frozen=True)
class CertificateList:
    """A file of ``crt-list``: on each line a certificate and the names for which it is shown.

    Attributes:
        path: the file.
        entries: the words of its lines, without comments.
        end: the number of the line behind its last one, 0 where none can stand there.
        uneditable: why no line can be added, empty where one can.
    """

    path: Path
    entries: tuple[tuple[str, ...], ...]
    end: int
    uneditable: str


@dataclass(frozen=True)
class Bind:
    """A ``bind`` with what it shows certificates from.

    Attributes:
        directive: itself.
        certificates: the files and directories of ``crt``.
        lists: the files of ``crt-list``.
    """

    directive: Directive
    certificates: tuple[str, ...]
    lists: tuple[CertificateList, ...]


@dataclass(frozen=True)
class Frontend:
    """A ``frontend`` or ``listen`` section that accepts connections.

    Attributes:
        section: itself.
        mode: ``http``, or ``tcp`` where connections are passed on unread.
        listens: its ``bind`` addresses.
        names: the host names and SNI names that its rules know, as far as they tell.
        binds: its ``bind`` lines.
        defaults: the sections that it has settings and rules from, the nearest first.
    """

    section: Section
    mode: str
    listens: tuple[Listen, ...]
    names: tuple[str, ...]
    binds: tuple[Bind, ...]
    defaults: tuple[Section, ...] = ()

    @property
    def certificates(self) -> tuple[str, ...]:
        """The files and directories of ``crt``."""
        return tuple(path for bind in self.binds for path in bind.certificates)

    @property
    def lists(self) -> tuple[CertificateList, ...]:
        """The files of ``crt-list``."""
        return tuple(each for bind in self.binds for each in bind.lists)


@dataclass(frozen=True)
class RuntimeSocket:
    """A ``stats socket``: commands for a running HAProxy. ``level`` is ``user``, ``operator`` or ``admin``."""

    address: str
    level: str


@dataclass(frozen=True)
class HAProxy(Proxy):
    """HAProxy as found.

    Attributes:
        command: how its main process was started, or would be by its unit.
        loads: the files and directories of its ``-f``, in order.
        directories: those of them that are directories: every ``*.cfg`` in one is loaded.
        environment_file: the file from which the unit takes options, None where it takes none from a file.
        options: the value of ``EXTRAOPTS`` that the unit uses, None where it uses none.
        options_line: the number of the line of that file in front of which another value would win, 0 for none.
        sections: in reading order.
        frontends: what accepts connections.
        sockets: its runtime sockets.
        master: whether a main process watches workers and can be told to reload.
        workers: the processes that hold its sockets.
        lua: whether it was built with Lua.
    """

    kind: ClassVar[str] = "haproxy"
    title: ClassVar[str] = "HAProxy"

    command: tuple[str, ...] = ()
    loads: tuple[Path, ...] = ()
    directories: tuple[Path, ...] = ()
    environment_file: Path | None = None
    options: str | None = None
    options_line: int = 0
    sections: tuple[Section, ...] = ()
    frontends: tuple[Frontend, ...] = ()
    sockets: tuple[RuntimeSocket, ...] = ()
    master: bool = True
    workers: tuple[int, ...] = ()
    lua: bool = False

    @property
    def pids(self) -> frozenset[int]:
        """The main process, and the workers, which alone hold the sockets (management guide, "Master-worker mode")."""
        return super().pids | {*self.workers}
