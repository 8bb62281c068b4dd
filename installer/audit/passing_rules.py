"""The rules about what is passed on, for every proxy whose reader makes a ``PassingSite``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from palpo_installer.audit import media_passing, traps
from palpo_installer.audit.certificates import faults
from palpo_installer.audit.figures import JOIN, USUAL
from palpo_installer.audit.finding import Finding, Severity, Trap
from palpo_installer.audit.leaves import Leaf
from palpo_installer.audit.passing import Cure, Fault, PassingSite, Place
from palpo_installer.matrix_site import ADMIN_PATHS

HEADER = 8 * 1024 + 1024
"""Bytes of a header line or target below which long filters and many signatures are refused."""

DECODED = Trap(
    "decoded-target",
    Severity.BREAKS,
    "The target then arrives changed: /versions still answers 200, but the signatures of other servers do not fit any "
    "more (403), and rooms, aliases and keys with %2F or %23 are not found (measured).",
)
REWRITTEN = Trap(
    "rewritten-target",
    Severity.BREAKS,
    "The homeserver gets another path than was asked for: the signatures of other servers do not fit any more (403).",
)
SLASHES = Trap(
    "encoded-slashes",
    Severity.BREAKS,
    "Apache answers every target with %2F with 404 itself: rooms, keys and aliases with a slash are not found "
    "(measured). The directive counts inside the virtual host only.",
)
PEERS = Trap(
    "several-peers",
    Severity.BREAKS,
    "Palpo answers on one of them only, and requests to the others are lost.",
)
UPSTREAM = Trap(
    "connection-strips",
    Severity.WEAKENS,
    "A client that names a header in Connection has it taken out before the request is passed on (measured).",
)
FIREWALL = Trap(
    "mod-security",
    Severity.BREAKS,
    "Its rules are made for forms of websites and refuse requests of Matrix at random.",
)
TCP = Trap(
    "tcp-mode",
    Severity.WEAKENS,
    "In mode tcp HAProxy reads no requests: every http-request rule is passed over with a warning, so that no path is "
    "closed and no header is set (measured).",
)
HOST_PORT = Trap(
    "host-with-port",
    Severity.BREAKS,
    "Other servers ask with the port in Host (matrix.example.com:443), which does not fit then (measured): they get "
    "503.",
)
TWICE = Trap(
    "bind-twice",
    Severity.BREAKS,
    "Both pass the test and share the port: the kernel gives each connection to one of them by chance.",
)
MAPPED = Trap(
    "mapped-address",
    Severity.KNOW,
    "Clients over IPv4 then appear as ::ffff:192.0.2.1 in X-Forwarded-For and in limits (measured).",
)
MISSING = Trap(
    "path-missing",
    Severity.BREAKS,
    "What asks for it gets an answer that is not the homeserver's: clients cannot log in, other servers cannot reach "
    "this one, or media does not appear.",
)
EMPTY = Trap(
    "empty-answer",
    Severity.WEAKENS,
    "Caddy answers with 200 and an empty body (measured): clients and other servers take it for an answer, and a path "
    "that is missing looks like one that works.",
)
INTERNAL = Trap(
    "certificate-internal",
    Severity.BREAKS,
    "Caddy signs it by an authority of its own, which no client and no other server knows.",
)
PASSWORD = Trap(
    "password-asked",
    Severity.BREAKS,
    "Clients send their access token, and other servers their signature, in the same header as the password: none of "
    "them gets past it.",
)
COMPRESSED = Trap(
    "compressed-answers",
    Severity.KNOW,
    "What the homeserver answers is compressed on its way (measured). Where secrets and other people's words stand in "
    "one answer, the length of what is sent tells about both (BREACH, CVE-2013-3587).",
)
UPLOADS = Trap(
    "upload-limit",
    Severity.BREAKS,
    "Larger uploads are refused before the homeserver sees them: Caddy 2.6 says 502 with an empty body (measured), "
    "which clients take for a fault and try again.",
)
GIVEN = {
    each.rule: each
    for each in (
        DECODED, REWRITTEN, SLASHES, PEERS, UPSTREAM, FIREWALL, TCP, HOST_PORT, TWICE, MAPPED,
        MISSING, EMPTY, INTERNAL, PASSWORD, COMPRESSED, UPLOADS, traps.FORWARDING,
        traps.SPOOFED, traps.PASSED, traps.HOST, traps.DOUBLED,
        traps.NO_PORT, traps.UNUSABLE,
    )
}  # fmt: skip
"""The traps that readers see themselves, by rule."""

TIMEOUT = Trap(
    "read-timeout",
    Severity.BREAKS,
    "Joining a large room waits up to 120 seconds for other servers, and an idle answer is cut off before (measured "
    "at 60 and at 50 seconds).",
)
HEADERS = Trap(
    "header-limit",
    Severity.WEAKENS,
    "A long target or header line, as filters and many signatures make them, gets 400 or 414 (measured).",
)
RAW = Trap(
    "admin-through-dots",
    Severity.WEAKENS,
    "The proxy chooses by the path in one reading and passes the target on as it came (measured). What the homeserver "
    "makes of /_matrix/../_palpo/admin is not the proxy's to know.",
)
OWN = ("/metrics", "/health", "/healthz", "/")


@dataclass(frozen=True)
class Surroundings:
    """What the rules know beside the site.

    Attributes:
        server_name: Palpo's without its port, empty when not known.
        delegates: whether palpo.toml, or a document, leads other servers to another port than 8448.
        unlimited: whether Palpo's own limits on logins are off.
        believes_forwarded: whether the media repository looks at X-Forwarded-Host.
        leaves: by file, what stands in the certificates.
        now: when.
    """

    server_name: str
    delegates: bool
    unlimited: bool
    believes_forwarded: bool
    leaves: Mapping[str, Leaf]
    now: datetime


def judged(site: PassingSite, known: Surroundings) -> Iterator[Finding]:
    """Yield what every rule says."""
    for rule, fault in site.faults:
        yield _finding(GIVEN[rule], site, fault)
    yield from exposed(site)
    yield from limited(site, known)
    yield from certified(site, known)
    yield from media_passing.judged(
        site.name, site.media, known.server_name, site.cures, believes_forwarded=known.believes_forwarded
    )


def exposed(site: PassingSite) -> Iterator[Finding]:
    """Paths that reach the homeserver and should not.

    Source: measured for each proxy with its documented configuration.
    """
    open_paths: dict[Place, list[str]] = {}
    for path in ADMIN_PATHS:
        place = site.passed(f"{path}/v1/users")
        if place is not None:
            open_paths.setdefault(place, []).append(path)
    for place, paths in open_paths.items():
        yield _finding(traps.ADMIN, site, Fault(place, f"{', '.join(paths)} can be reached from outside"))
    # One for a proxy that resolves dots where the homeserver does not, and one for the other way round.
    up = f"{ADMIN_PATHS[0]}/v1/users/../../../../_matrix"
    spellings = (up, f"{up}/client/versions", f"/_matrix/..{ADMIN_PATHS[0]}/v1/users")
    dots = next((place for each in spellings if (place := site.passed(each)) is not None), None)
    if dots is not None and not open_paths:
        yield _finding(RAW, site, Fault(dots, "a path that is closed can be reached through .."))
    others = [(path, place) for path in OWN if (place := site.passed(path)) is not None]
    if others:
        what = f"{', '.join(path for path, _ in others)} reach the homeserver too"
        yield _finding(traps.EVERYTHING, site, Fault(others[0][1], what))
        return
    for path in ("/_matrixfoo", "/_palpo/clientfoo"):
        place = site.passed(path)
        if place is not None:
            yield _finding(traps.BOUNDARY, site, Fault(place, f"{path} is passed on too"))
            return


def limited(site: PassingSite, known: Surroundings) -> Iterator[Finding]:
    """Times, sizes, HTTP/2 and limits on logins.

    Source: Palpo, ``sending.rs`` and ``hoops.rs``; measured for each proxy.
    """
    reading, heading = site.reading, site.heading
    if reading is not None and reading.number <= JOIN:
        yield _finding(TIMEOUT, site, Fault(reading.place, f"an answer is waited for {reading.words}"))
    if heading is not None and heading.number < HEADER:
        yield _finding(HEADERS, site, Fault(heading.place, f"header lines and targets end at {heading.words}"))
    if any("ssl" in each.options for each in site.block.listens) and not site.http2:
        yield _finding(traps.HTTP2, site, Fault(site.place, "HTTP/2 is not offered"))
    login = site.passed("/_matrix/client/v3/login")
    if known.unlimited and login is not None and not site.limits_logins:
        yield _finding(traps.LOGINS, site, Fault(login, "nothing limits logins"))


def certified(site: PassingSite, known: Surroundings) -> Iterator[Finding]:
    """Certificates that are for another name, expired, without their chain, or of another key; and on 8448.

    Source: RFC 6125; RFC 8446, 4.4.2; server-server API, "Resolving server names".
    """
    if not any("ssl" in each.options for each in site.block.listens):
        return
    found = {path: leaf for path in site.block.certificates if (leaf := known.leaves.get(path)) is not None}
    for path, leaf in found.items():
        # A proxy with a list of certificates chooses by name: then each is for some of the names only.
        names = site.block.names if len(site.block.certificates) == 1 else ()
        for trap, what, cure in faults(names, path, leaf, known.now):
            yield trap.at(site.place.file, site.place.line, site.name, what, cure)
    federation = [each for each in site.block.listens if each.port == USUAL]
    certificates = [leaf.certificate for leaf in found.values() if leaf.certificate is not None]
    covered = any(each.covers(known.server_name) for each in certificates) or known.server_name in site.managed
    shows = bool(certificates or site.managed)
    if federation and known.server_name and shows and not covered and not known.delegates:
        shown = ", ".join(name for each in certificates for name in each.names) or ", ".join(site.managed)
        place = Place(federation[0].file, federation[0].line)
        what = f"port 8448 shows a certificate for {shown}; other servers ask for {known.server_name}"
        yield _finding(traps.WRONG_NAME, site, Fault(place, what))


def _finding(trap: Trap, site: PassingSite, fault: Fault) -> Finding:
    cure = site.cures.get(trap.rule, Cure("Correct it there."))
    return trap.at(fault.place.file, fault.place.line, site.name, fault.what, cure.sentence, *cure.lines)
