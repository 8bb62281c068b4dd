"""A site as two files of HAProxy: port 80, and the TLS ports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from palpo_installer.answers import Address
from palpo_installer.certificates import responder
from palpo_installer.errors import RefusedPlan
from palpo_installer.layout import Layout
from palpo_installer.proxies import halves, templates
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import File, Lines, Part, Rendering
from palpo_installer.proxies.haproxy import limits, reading, words
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.haproxy.placement import AWAY_PAGE, OWN, PLAIN, REFUSE, SECURE, Placement, place
from palpo_installer.proxies.haproxy.ports import Port, addressed, balanced, expectations, links, listed, of_site
from palpo_installer.proxies.haproxy.sharing import lines
from palpo_installer.site import (
    AWAY,
    TOO_LARGE,
    Route,
    Site,
)

OLDEST = (2, 4, 0)
"""Before, a section could not be made from ``defaults`` by name, so that other files' would reach ours."""
HOST_ONLY = (2, 6, 5)
"""Before, a Host header was cut at its colon by ``field``."""
READS_REFUSED = (3, 0, 0)
"""Before, who was refused and went on sending found the connection cut (measured: 2.6, HTTP/1.1 and HTTP/2)."""
DEFAULT_BUFFER = 16384
"""Bytes of ``tune.bufsize`` where it is not set."""
BUFFER = 65536
"""``tune.bufsize``: several header lines of 32 KiB are one request head, which must fit."""

SECOND_HEADER = "X-Palpo-Installer-Client"
"""Has the address that a frontend of others adds by itself, which can only be given another name."""


def render(haproxy: HAProxy, assignment: Assignment) -> Rendering:
    """Return both files, and what every bound address must show once they are live.

    Raises:
        RefusedPlan: HAProxy is too old or has no place for our files, somebody else has a port, or a word of the site
            cannot be written in HAProxy's language.
    """
    _refuse_old(haproxy)
    site, layout = assignment.site, assignment.layout
    placement = place(haproxy, layout)
    gone = {(block.file, block.line) for block in assignment.taken}
    others = [
        each
        for each in haproxy.frontends
        if not placement.owns(each.section.heading.file)
        and (each.section.heading.file, each.section.heading.line) not in gone
    ]
    ports = of_site(site, others, assignment.system, layout, assignment.certificates)
    theirs = lines([each for port in ports for each in port.shared], host_of(haproxy))
    # Both halves need them: without the one for port 80 they come with the other.
    edits = (*placement.lines, *theirs)
    plain, secure = ([port for port in ports if port.tls is tls] for tls in (False, True))
    # A list may name a certificate only when there is one.
    more = listed(secure, haproxy, layout)
    return Rendering(
        plain=_part(PLAIN, "haproxy-http.cfg.j2", placement, plain, haproxy, assignment, edits),
        secure=_part(SECURE, "haproxy-tls.cfg.j2", placement, secure, haproxy, assignment, (*edits, *more)),
        findings=(*_findings(site, haproxy, placement), *balanced(ports), *addressed(ports)),
    )


def _refuse_old(haproxy: HAProxy) -> None:
    if haproxy.version < OLDEST:
        raise RefusedPlan(
            f"HAProxy {'.'.join(map(str, haproxy.version))} is too old: before 2.4 our files could not be kept apart "
            "from the defaults of others",
            where=str(haproxy.binary),
            next="Install HAProxy 2.4 or newer, as Debian 12 and Ubuntu 22.04 have it, or choose another proxy",
        )


def _part(
    name: str,
    template: str,
    placement: Placement,
    ports: Sequence[Port],
    haproxy: HAProxy,
    assignment: Assignment,
    edits: tuple[Lines, ...],
) -> Part:
    counted = limits.of_ports(ports)
    theirs = (each for each in haproxy.sections if not placement.owns(each.heading.file))
    layout = assignment.layout
    refusing = _refusing(ports, haproxy, layout)
    away_page = layout.at(OWN) / AWAY_PAGE if any(port.tls and port.upstreams for port in ports) else None
    text = templates.render(
        template,
        ports=ports,
        site=assignment.site,
        limits=counted,
        refusals=limits.refusals(counted),
        counter=limits.counter(theirs),
        buffer=BUFFER if buffer(haproxy, placement) < BUFFER else 0,
        refusing=refusing,
        away_page=away_page,
        host=host_of(haproxy),
        responder=responder.address(layout),
        second_header=SECOND_HEADER,
        logs=any(each.kind == "global" and each.all("log") for each in haproxy.sections),
        window=limits.window,
        server_name=server_name,
        kind=_kind,
        bare=words.bare,
        quoted=words.quoted,
        headers=words.headers,
        cors_headers=words.CORS,
        condition=words.condition,
        detours=words.detours,
        shortcut_of=words.shortcut,
        document=words.document,
        error=words.error,
    )
    pages = {placement.directory / name: text}
    if refusing:
        pages[refusing] = _reader()
    if away_page:
        pages[away_page] = _away()
    texts, marker = templates.with_marker(tuple(pages.values()))
    files = tuple(map(File, pages, texts))
    title = halves.title(server.host for port in ports for server in port.servers)
    return Part(
        title, files, tuple(links(ports, haproxy)), tuple(expectations(ports, marker, assignment.system)), edits
    )


def _refusing(ports: Sequence[Port], haproxy: HAProxy, layout: Layout) -> Path | None:
    """Return the file of what reads refused bodies, None where HAProxy does so itself or cannot read it."""
    needed = haproxy.lua and haproxy.version < READS_REFUSED and any(port.upstreams for port in ports)
    return layout.at(OWN) / REFUSE if needed else None


def _reader() -> str:
    return templates.render(
        "haproxy-refuse.lua.j2",
        headers=words.CORS,
        refusal=TOO_LARGE.body(),
    )


def _away() -> str:
    page = templates.render("haproxy-away.http.j2", headers=words.CORS, refusal=AWAY.body())
    return page.removesuffix("\n")


def host_of(haproxy: HAProxy) -> str:
    """Return how the name that is wanted is taken from a request, without the port."""
    return "req.hdr(host),host_only" if haproxy.version >= HOST_ONLY else "req.hdr(host),field(1,:)"


def buffer(haproxy: HAProxy, placement: Placement) -> int:
    """Return the bytes of ``tune.bufsize`` without what our own files say."""
    theirs = [section for section in haproxy.sections if not placement.owns(section.heading.file)]
    said = reading.of_global(theirs, "tune.bufsize")
    return int(said) if said.isdigit() else DEFAULT_BUFFER


def _kind(route: Route) -> str:
    return type(route).__name__


def server_name(upstream: Address) -> str:
    """Return our name for an upstream.

    Raises:
        RefusedPlan: it is no IP address: a name can stand for several, of which only one answers.
    """
    return f"to-{re.sub('[.:]', '-', str(halves.literal(upstream)))}-{upstream.port}"


def _findings(site: Site, haproxy: HAProxy, placement: Placement) -> Iterator[str]:
    if placement.lines:
        yield (
            f"{haproxy.unit or 'HAProxy'} loads single files only. It is told to load {placement.directory} as well, "
            "which takes one restart: for a moment, mostly less than half a second, connections are refused, and those "
            "that are open end. Later changes are reloads that lose nothing"
        )
    size = buffer(haproxy, placement)
    if size < BUFFER:
        yield (
            f"Request heads of Matrix can be larger than HAProxy's buffer of {size} bytes: tune.bufsize, "
            f"which counts for all of HAProxy, becomes {BUFFER}"
        )
    yield (
        f"HAProxy compares the announced length of a body with the limit of {site.body_limit} bytes. A body that is "
        "sent in chunks has none: for that Palpo's own limit counts"
    )
