"""Reads Caddy's sites for the audit: what they pass on, and the traps that only Caddy has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from palpo_installer.audit import caddy_documents
from palpo_installer.audit.caddy_cures import CURES
from palpo_installer.audit.caddy_faults import faults, media, missing
from palpo_installer.audit.caddy_passages import Answer, Site, leads_home, site
from palpo_installer.audit.caddy_values import bytes_of, seconds_of
from palpo_installer.audit.figures import USUAL
from palpo_installer.audit.finding import Proxied, Unread
from palpo_installer.audit.palpo import Read as Homeserver
from palpo_installer.audit.passing import Fault, Measure, PassingSite, Place, homeserver_ports
from palpo_installer.audit.passing_reading import Note, proxied
from palpo_installer.facts import Facts
from palpo_installer.host import Host
from palpo_installer.proxies.caddy import addresses, tree
from palpo_installer.proxies.caddy.addresses import Ports
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.caddy.discovery import environment_of
from palpo_installer.proxies.caddy.tree import Segment
from palpo_installer.proxies.found import ServerBlock

WAITING = ("response_header_timeout", "read_timeout")
"""What ends an answer of the homeserver that is idle (caddyserver.com, reverse_proxy, "The http transport")."""


def read(host: Host, facts: Facts, homeserver: Homeserver, note: Note, now: datetime) -> Proxied:
    """Return what there is to say of Caddy's configuration."""
    caddy = facts.caddy
    if caddy is None:
        return Proxied()
    if caddy.elsewhere:
        note(
            Unread(
                f"Caddy ({caddy.configuration})", caddy.elsewhere, "Let Caddy run with its Caddyfile, and look again"
            )
        )
        return Proxied()
    written = tree.load(host, caddy.configuration, environment_of(host, caddy.pid) if caddy.pid else {})
    whole = tuple(sites(caddy, written.segments))
    made = tuple(passing(written.segments, whole, homeserver_ports(facts)))
    judged = proxied(host, made, caddy.problems, facts, homeserver, note, now)
    served = [each for each, block in whole if any("ssl" in listen.options for listen in block.listens)]
    findings = (*judged.findings, *caddy_documents.judged(served))
    return Proxied(findings, judged.read, judged.answered)


def sites(caddy: Caddy, segments: Sequence[Segment]) -> Iterator[tuple[Site, ServerBlock]]:
    """Yield the site blocks, each with all its names, sockets and certificates."""
    ports = Ports(caddy.options.http_port, caddy.options.https_port)
    for segment in segments:
        found = (addresses.parse(word, ports) for word in addresses.words(segment.words))
        asked = {each.port for each in found if each is not None}
        # Caddy's own redirect from HTTP is a block of the same line, on a port that no address has.
        blocks = [
            each
            for each in caddy.servers
            if (each.file, each.line) == (segment.file, segment.line) and asked & {one.port for one in each.listens}
        ]
        if segment.words and blocks:
            block = _whole(blocks)
            yield site(segment, block.names), block


def _whole(blocks: Sequence[ServerBlock]) -> ServerBlock:
    files = [pair for each in blocks for pair in zip(each.certificates, each.keys, strict=False)]
    return ServerBlock(
        names=tuple(dict.fromkeys(name for each in blocks for name in each.names)),
        listens=tuple(dict.fromkeys(listen for each in blocks for listen in each.listens)),
        certificates=tuple(dict.fromkeys(chain for chain, _ in files)),
        file=blocks[0].file,
        line=blocks[0].line,
        keys=tuple(dict.fromkeys(key for _, key in files)),
    )


def passing(
    segments: Sequence[Segment],
    whole: Sequence[tuple[Site, ServerBlock]],
    ports: frozenset[int],
) -> Iterator[PassingSite]:
    """Yield the sites that pass Matrix requests on."""
    top = next((each for each in segments if not each.words), Segment((), Path(), 0))
    home = [(each, block) for each, block in whole if any(leads_home(one, ports) for one in each.proxies())]
    ssl = (block for _, block in whole if any(one.port == USUAL and "ssl" in one.options for one in block.listens))
    managed = tuple(dict.fromkeys(name for block in ssl for name in block.names))
    absent = list(missing([each for each, _ in home]))
    for number, (each, block) in enumerate(home):
        found = [*faults(each, top, ports), *(absent if number == 0 else ())]
        yield _site(each, block, top, ports, found, managed)


def _site(
    each: Site,
    block: ServerBlock,
    top: Segment,
    ports: frozenset[int],
    found: Sequence[tuple[str, Fault]],
    managed: tuple[str, ...],
) -> PassingSite:
    def passed(target: str) -> Place | None:
        answer = each.answer(target)
        return _place(answer.by) if answer is not None and _goes_home(answer, ports) else None

    protocols = [word for said in top.all("servers") for line in said.all("protocols") for word in line.arguments]
    return PassingSite(
        proxy="Caddy",
        block=block,
        passed=passed,
        faults=tuple(dict.fromkeys(found)),
        reading=_reading(each, top, ports),
        heading=_heading(top),
        http2=not protocols or "h2" in protocols,
        limits_logins=any(True for _ in each.segment.within("rate_limit")),
        media=lambda path: media(each, ports, path),
        cures=CURES,
        managed=managed,
    )


def _goes_home(answer: Answer, ports: frozenset[int]) -> bool:
    return answer.sure and answer.by.name == "reverse_proxy" and leads_home(answer.by, ports)


def _reading(each: Site, top: Segment, ports: frozenset[int]) -> Measure | None:
    """Return how long an answer is waited for: as the transport says, or the timeouts of the server; None for ever."""
    own = [one for one in each.proxies() if leads_home(one, ports)]
    lines = [line for one in own for name in WAITING for line in one.within(name)]
    lines += [line for said in top.all("servers") for part in said.all("timeouts") for line in part.all("write")]
    measures = [
        Measure(seconds, f"{seconds:g} seconds ({line.name})", _place(line))
        for line in lines
        if line.arguments and (seconds := seconds_of(line.arguments[0]))
    ]
    return min(measures, key=lambda measure: measure.number, default=None)


def _heading(top: Segment) -> Measure | None:
    lines = (line for said in top.all("servers") for line in said.all("max_header_size") if line.arguments)
    for line in lines:
        size = bytes_of(line.arguments[0])
        if size is not None:
            return Measure(size, f"{line.arguments[0]} for all together", _place(line))
    return None


def _place(segment: Segment) -> Place:
    return Place(segment.file, segment.line)
