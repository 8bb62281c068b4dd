"""What a site passes on to the homeserver, in words that are alike for every proxy. Each reader makes these values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from palpo_installer.facts import Facts
from palpo_installer.proxies.found import ServerBlock

LOOPBACK = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::")  # noqa: S104
DEFAULT_PORT = 8008


@dataclass(frozen=True)
class Place:
    """A line of a configuration."""

    file: Path
    line: int


@dataclass(frozen=True)
class Fault:
    """Something that is not as it should be: where, and one sentence of what."""

    place: Place
    what: str


@dataclass(frozen=True)
class Measure:
    """A number that a configuration sets, or a default of the proxy; ``words`` are those of the configuration."""

    number: float
    words: str
    place: Place


@dataclass(frozen=True)
class Cure:
    """What to do about a kind of finding in one proxy: a sentence, and what to write."""

    sentence: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class MediaPassage:
    """How media are passed on to another address than the homeserver's.

    Attributes:
        place: the line that does it.
        host: the name that arrives as Host, without its port; None where that cannot be told.
        forwarded: what arrives as X-Forwarded-Host; empty for nothing, None where that cannot be told.
    """

    place: Place
    host: str | None
    forwarded: str | None = ""


def no_media(_path: str) -> MediaPassage | None:
    """Return that media go where everything else goes."""
    return None


@dataclass(frozen=True, eq=False)
class PassingSite:
    """Something that answers for names and passes Matrix requests on.

    Attributes:
        proxy: what people call the proxy.
        block: its names, sockets and certificates.
        passed: returns what passes a path on to the homeserver, None where nothing does, or not for strangers.
        faults: what the reader saw itself, by the rule that it belongs to.
        reading: seconds that the proxy waits for an answer; None for no limit.
        heading: bytes of one header line, or of the target; None for no limit that matters.
        http2: whether its TLS sockets offer HTTP/2.
        limits_logins: whether it limits logins itself.
        cures: what to do, by rule, in this proxy's words.
        media: returns how a path goes to a media repository, None where it does not.
        managed: the names for which the proxy shows a certificate on 8448 without one of these files.
    """

    proxy: str
    block: ServerBlock
    passed: Callable[[str], Place | None]
    faults: tuple[tuple[str, Fault], ...]
    reading: Measure | None
    heading: Measure | None
    http2: bool
    limits_logins: bool
    cures: Mapping[str, Cure] = field(default_factory=dict)
    managed: tuple[str, ...] = ()
    media: Callable[[str], MediaPassage | None] = no_media

    @property
    def name(self) -> str:
        """Its first name."""
        return next(iter(self.block.names), "a site without a name")

    @property
    def place(self) -> Place:
        """Where it begins."""
        return Place(self.block.file, self.block.line)


def believes_forwarded(facts: Facts) -> bool:
    """Return whether a media repository looks at X-Forwarded-Host: its default, and what its configuration says."""
    configuration = facts.media.configuration if facts.media else None
    return configuration.use_forwarded_host if configuration else True


def homeserver_ports(facts: Facts) -> frozenset[int]:
    """Return the ports on which the homeserver may be reached on this host."""
    texts = (text for each in facts.palpo.configurations for text in each.listeners)
    ports = {text.rpartition(":")[2] for text in (*texts, facts.palpo.answers_at)}
    return frozenset({int(port) for port in ports if port.isdigit()} | {DEFAULT_PORT})


def is_homeserver(host: str, port: int, ports: frozenset[int]) -> bool:
    """Return whether an address is the homeserver's, as far as its port tells."""
    return port in ports and host.strip("[]") in LOOPBACK
