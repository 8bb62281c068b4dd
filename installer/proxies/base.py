"""What a proxy adapter makes of a site: files, lines, and what every bound address must then show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palpo_installer.operations.lines import AddedLine


@dataclass(frozen=True)
class File:
    """A file of the proxy's configuration, without secrets."""

    path: Path
    text: str
    mode: int = 0o644


@dataclass(frozen=True)
class Link:
    """A symbolic link that enables a file; ``target`` is what is written into it."""

    path: Path
    target: str


@dataclass(frozen=True)
class Lines:
    """What is missing of ours in a file that is and stays somebody else's, or stands there and must go.

    Attributes:
        path: the file itself, behind every link.
        named: how the configuration names it; the same where no link leads to it.
        add: the lines to add, in the order in which they come to stand.
        drop: the directives of the lines to take out, as they stand there without indentation and comment.
    """

    path: Path
    named: Path
    add: tuple[AddedLine, ...]
    drop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expectation:
    """What one bound address must show for one name once the change is live.

    Attributes:
        address: an IP address of this host.
        port: the port.
        tls: whether the port speaks TLS.
        name: SNI and Host.
        marker: the digest in the header ``Palpo-Installer``.
        certificate: the PEM file whose leaf must be shown, None without TLS.
        proxy_protocol: whether the socket expects a PROXY line first.
    """

    address: str
    port: int
    tls: bool
    name: str
    marker: str
    certificate: Path | None
    proxy_protocol: bool


@dataclass(frozen=True)
class Part:
    """One half of the proxy's configuration, which is installed and taken back as one.

    Attributes:
        title: e.g. ``plain HTTP on port 80``.
        files: with their links.
        expectations: what proves it.
        lines: in files of somebody else's, where the proxy reads no directory of files; empty where all is as it
            should be.
    """

    title: str
    files: tuple[File, ...]
    links: tuple[Link, ...]
    expectations: tuple[Expectation, ...]
    lines: tuple[Lines, ...] = ()


@dataclass(frozen=True)
class Rendering:
    """Both halves, and what the person should know about them.

    Attributes:
        plain: port 80: challenge, redirect, marker.
        secure: the TLS ports.
        findings: e.g. that a port is served on one address only, as its neighbours are.
    """

    plain: Part
    secure: Part
    findings: tuple[str, ...]
