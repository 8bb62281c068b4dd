"""The site: what must be served, whatever the proxy. What that is for a homeserver is said in ``matrix_site``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from palpo_installer.answers import Address

MARKER_PATH = "/.well-known/palpo-installer"
MARKER_HEADER = "Palpo-Installer"
CHALLENGE_PATH = "/.well-known/acme-challenge"


class Scope(StrEnum):
    """How far a path reaches."""

    EXACT = "exact"
    SUBTREE = "subtree"


@dataclass(frozen=True)
class Match:
    """Requests by their normalised path.

    Attributes:
        path: begins with ``/`` and does not end with one, but for ``/`` itself; a segment ``*`` stands for
            any one segment.
        scope: the path itself (``exact``; a trailing slash is the same), or it and all below it on a segment
            boundary (``subtree``).
        method: only requests with this method, empty for all.
    """

    path: str
    scope: Scope = Scope.SUBTREE
    method: str = ""

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments of the path."""
        return tuple(part for part in self.path.split("/") if part)

    def covers(self, other: Match) -> bool:
        """Return whether every path of another match is one of this."""
        same = all(want in {"*", got} for want, got in zip(self.segments, other.segments, strict=False))
        if self.scope is Scope.EXACT:
            return same and other.scope is Scope.EXACT and len(self.segments) == len(other.segments)
        return same and len(self.segments) <= len(other.segments)

    def meets(self, other: Match) -> bool:
        """Return whether a path can fit both, as far as their segments say."""
        return all(a == b or "*" in {a, b} for a, b in zip(self.segments, other.segments, strict=False))


@dataclass(frozen=True)
class Limit:
    """A limit on requests for each client address.

    Attributes:
        name: of the shared counter.
        per_minute: sustained rate.
        burst: how many may come at once above it.
    """

    name: str
    per_minute: int
    burst: int


@dataclass(frozen=True)
class Marker:
    """Answers ``MARKER_PATH`` with the digest of the installed configuration in ``MARKER_HEADER``."""


@dataclass(frozen=True)
class Challenge:
    """Answers HTTP-01 challenges from the files in a directory (RFC 8555, section 8.3)."""

    webroot: Path


@dataclass(frozen=True)
class Redirect:
    """Answers everything else with a permanent redirect to the same target at ``origin``."""

    origin: str


@dataclass(frozen=True)
class FixedJson:
    """A fixed JSON document, readable by scripts of any origin.

    Attributes:
        path: the exact path.
        body: the document.
        max_age: seconds for which it may be kept.
    """

    path: str
    body: str
    max_age: int


@dataclass(frozen=True)
class Forward:
    """Passes requests on, their target byte for byte.

    Attributes:
        match: which requests.
        upstream: where to.
        host: what to send as Host, and as X-Forwarded-Host too; empty for the client's own Host, and no
            X-Forwarded-Host at all.
        limit: for POST requests, None for none.
        body_limit: bytes of a request body; 0 for the limit of the site.
    """

    match: Match
    upstream: Address
    host: str = ""
    limit: Limit | None = None
    body_limit: int = 0


@dataclass(frozen=True)
class Refusal:
    """What a proxy itself answers on paths of the homeserver: a status, a Matrix error code and its sentence."""

    status: int
    errcode: str
    error: str

    def body(self, more: Mapping[str, object] | None = None) -> str:
        """Return it as JSON (client-server API, "Standard error response"), with further members."""
        return compact({"errcode": self.errcode, "error": self.error, **(more or {})})


NOTHING = Refusal(404, "M_UNRECOGNIZED", "Nothing is served here")
TOO_LARGE = Refusal(413, "M_TOO_LARGE", "The body is larger than this server accepts")
TOO_MANY = Refusal(429, "M_LIMIT_EXCEEDED", "Too many requests")
AWAY = Refusal(502, "M_UNKNOWN", "The homeserver does not answer")
NOT_FEDERATING = Refusal(403, "M_FORBIDDEN", "This server does not federate")
NOT_REGISTERING = Refusal(403, "M_FORBIDDEN", "Registration is closed on this server")


@dataclass(frozen=True)
class Closed:
    """Requests that the proxy answers itself and that never reach the homeserver."""

    match: Match
    refusal: Refusal = NOTHING


Route = Marker | Challenge | Redirect | FixedJson | Forward | Closed


@dataclass(frozen=True)
class VirtualHost:
    """One name on one port.

    Attributes:
        name: the host name, or IP literal, it answers for.
        port: where.
        tls: whether the port speaks TLS.
        certificate: the name whose certificate it shows, empty without TLS.
        routes: in order, the first that matches answers.
    """

    name: str
    port: int
    tls: bool
    certificate: str
    routes: tuple[Route, ...]

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """What is passed on, in order."""
        return tuple(route for route in self.routes if isinstance(route, Forward))


@dataclass(frozen=True)
class Guest:
    """Routes that go into a virtual host which somebody else's configuration has for a name.

    Attributes:
        name: the host name whose virtual host it is.
        port: where that answers.
        tls: whether the port speaks TLS.
        routes: a marker, then answers for paths of ours only; the rest stays its owner's.
    """

    name: str
    port: int
    tls: bool
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class Issuer:
    """An authority that a proxy orders from by itself.

    Attributes:
        directory: the URL of its ACME directory.
        email: the contact for the account, empty for none.
        ca_file: the PEM file of an authority to trust when talking to the directory, None for the system's.
    """

    directory: str
    email: str = ""
    ca_file: Path | None = None


@dataclass(frozen=True)
class Site:
    """What must be served.

    Attributes:
        virtual_hosts: those without TLS first.
        certificates: the names that need a certificate each.
        borrowed: the names whose certificate is that of somebody else's site; it is neither ordered nor renewed.
        guests: what goes into virtual hosts that are somebody else's.
        managed: those of ``certificates`` that the proxy orders and renews itself.
        issuer: from whom it does; None where it orders none.
        body_limit: bytes of a request body; larger ones are answered with 413.
        header_limit: bytes of one header line, and of the request line.
        read_timeout: seconds a proxy waits for the homeserver: joins wait for other servers up to 120 s,
            long polls a little over 30 s.
        keepalive: seconds a connection to the homeserver is kept; Palpo closes idle ones after 30 s.
    """

    virtual_hosts: tuple[VirtualHost, ...]
    certificates: tuple[str, ...]
    body_limit: int
    guests: tuple[Guest, ...] = ()
    borrowed: tuple[str, ...] = ()
    managed: tuple[str, ...] = ()
    issuer: Issuer | None = None
    header_limit: int = 32 * 1024
    read_timeout: int = 300
    keepalive: int = 25

    @property
    def ports(self) -> tuple[tuple[int, bool], ...]:
        """Each port with whether it speaks TLS, in order of first use."""
        return tuple(dict.fromkeys((host.port, host.tls) for host in self.virtual_hosts))


def compact(document: dict[str, object]) -> str:
    """Return a document as ASCII JSON without spaces."""
    return json.dumps(document, separators=(",", ":"))
