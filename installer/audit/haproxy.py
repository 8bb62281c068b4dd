"""Reads HAProxy's front ends for the audit: what they pass on, and the traps that only HAProxy has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from palpo_installer.audit import haproxy_media
from palpo_installer.audit.finding import Proxied, Unread
from palpo_installer.audit.haproxy_conditions import Conditions
from palpo_installer.audit.haproxy_cures import CURES
from palpo_installer.audit.palpo import Read as Homeserver
from palpo_installer.audit.passing import Fault, Measure, PassingSite, Place, homeserver_ports, is_homeserver
from palpo_installer.audit.passing_reading import Note, proxied
from palpo_installer.facts import Facts
from palpo_installer.host import Host
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.haproxy.configuration import Directive, Frontend, HAProxy, Section
from palpo_installer.proxies.haproxy.reading import of_global

CLEARED = ("X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded")
ORIGIN = "access-control-allow-origin"
COUNTED = re.compile(r"(?:src|sc\d*)_\w*(?:rate|cnt)\b")
"""A test of how often a client came (manual, "sc_http_req_rate" and its like)."""

SECONDS = {"us": 1e-6, "ms": 0.001, "": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""A number without a unit is milliseconds (manual, "Time format")."""

BUFFER = 16384
"""HAProxy's default for a whole request head (manual, ``tune.bufsize``); measured: 16000 bytes are refused with it."""


def read(host: Host, facts: Facts, homeserver: Homeserver, note: Note, now: datetime) -> Proxied:
    """Return what there is to say of HAProxy's configuration."""
    if facts.haproxy is None:
        return Proxied()
    for unread in _looked_up(facts.haproxy):
        note(unread)
    made = tuple(sites(facts.haproxy, homeserver_ports(facts)))
    return proxied(host, made, facts.haproxy.problems, facts, homeserver, note, now)


def _looked_up(haproxy: HAProxy) -> Iterator[Unread]:
    """Yield the lines that make up the name of a backend for each request, ours in others' front ends among them."""
    for frontend in haproxy.frontends:
        for each in (*frontend.section.all("use_backend"), *frontend.section.all("default_backend")):
            if "%[" in "".join(each.words[1:2]):
                why = f"the name of the backend is made for each request ({each.words[1]}), and is not followed"
                yield Unread(f"{each.file}:{each.line}", why, "`palpo-installer verify` asks for what it serves")


def sites(haproxy: HAProxy, ports: frozenset[int]) -> Iterator[PassingSite]:
    """Yield the front ends from which requests reach the homeserver."""
    backends = {
        section.name: section
        for section in haproxy.sections
        if section.kind in {"backend", "listen"} and any(_is_home(each, ports) for each in section.all("server"))
    }
    blocks = {(each.file, each.line): each for each in haproxy.servers}
    for frontend in haproxy.frontends:
        reached = tuple(_reached(frontend.section, backends))
        if reached:
            heading = frontend.section.heading
            # One in mode tcp serves no names; its sockets and certificates are what is known.
            block = blocks.get((heading.file, heading.line)) or ServerBlock(
                frontend.names, frontend.listens, (), heading.file, heading.line
            )
            parts = (frontend.section, *reached)
            names = tuple(dict.fromkeys(name for part in parts for name in Conditions(part).names))
            yield _site(haproxy, frontend, replace(block, names=block.names or names), reached, backends)


def _is_home(server: Directive, ports: frozenset[int]) -> bool:
    host, _, port = (server.words[2] if len(server.words) > 2 else "").rpartition(":")
    return port.isdigit() and is_homeserver(host, int(port), ports)


def _reached(section: Section, backends: dict[str, Section]) -> Iterator[Section]:
    if section.name in backends and section.kind == "listen":
        yield section
    for directive in (*section.all("use_backend"), *section.all("default_backend")):
        if len(directive.words) > 1 and directive.words[1] in backends:
            yield backends[directive.words[1]]


def _site(
    haproxy: HAProxy, frontend: Frontend, block: ServerBlock, reached: tuple[Section, ...], backends: dict[str, Section]
) -> PassingSite:
    section = frontend.section
    asked = tuple(Conditions(section, name.lower()) for name in block.names or ("",))

    def passed(path: str) -> Place | None:
        if frontend.mode != "http":
            place = section.heading
            return Place(place.file, place.line)
        found = next((each for one in asked if (each := one.passing(path, backends)) is not None), None)
        return _place(found) if found is not None else None

    lines = tuple(each for part in (section, *reached) for each in part.directives)
    return PassingSite(
        proxy="HAProxy",
        block=block,
        passed=passed,
        faults=tuple(_faults(haproxy, frontend, reached, lines)),
        reading=_reading(haproxy, reached[0]),
        heading=_heading(haproxy, section),
        http2=any("http2" in each.options for each in block.listens),
        media=lambda path: haproxy_media.passage(haproxy, asked, path, frozenset(backends)),
        limits_logins=any(COUNTED.match(word) for each in lines for word in each.words),
        cures=CURES,
    )


def _faults(
    haproxy: HAProxy, frontend: Frontend, reached: tuple[Section, ...], lines: tuple[Directive, ...]
) -> Iterator[tuple[str, Fault]]:
    """Yield what is seen in a front end and its back ends, by rule.

    Source: HAProxy's manual (``mode``, ``bind``, ``http-request``, ``hdr``); each measured with the documented
    configuration.
    """
    place = _place(frontend.section.heading)
    if frontend.mode != "http" and any(each.words[0] == "http-request" for each in lines):
        yield "tcp-mode", Fault(place, "it has no mode http, neither itself nor from its defaults")
    yield from _names(lines)
    yield from _sockets(haproxy, frontend)
    yield from _targets(lines)
    yield from _headers(lines, place)
    for back in reached:
        servers = [each for each in back.all("server") if "backup" not in each.words]
        if len(servers) > 1 and not back.all("use-server"):
            yield "several-peers", Fault(_place(servers[1]), f"backend {back.name} has {len(servers)} servers")


def _names(lines: tuple[Directive, ...]) -> Iterator[tuple[str, Fault]]:
    """Yield what compares Host with a name as it came, port included."""
    for each in lines:
        for position, word in enumerate(each.words):
            exact = word.lower().startswith(("hdr(host)", "req.hdr(host)", "%[hdr(host)", "%[req.hdr(host)"))
            stripped = any(part in word for part in ("host_only", "field(1", "map_beg", "map_dom", "regsub"))
            rest = each.words[position + 1 :]
            other = "-m" in rest and {"beg", "dom", "reg", "sub"} & set(rest)
            ported = any(":" in value for value in rest)
            asked = (word.startswith("%[") and "map" in word) or not word.startswith("%[")
            if exact and asked and not stripped and not other and not ported:
                yield "host-with-port", Fault(_place(each), "Host is compared with its port in it")
                return


def _sockets(haproxy: HAProxy, frontend: Frontend) -> Iterator[tuple[str, Fault]]:
    """Yield sockets that another front end has too, and those that mix both families."""
    others = [there for there in haproxy.frontends if there is not frontend]
    for each in frontend.listens:
        socket = (each.address, each.port)
        sharing = (there.section for there in others if any((x.address, x.port) == socket for x in there.listens))
        other = next(sharing, None)
        if other is not None:
            what = f"port {each.port} is bound by {other.kind} {other.name} ({other.heading.where}) too"
            yield "bind-twice", Fault(Place(each.file, each.line), what)
    for bind in frontend.section.all("bind"):
        if "v4v6" in bind.words:
            yield "mapped-address", Fault(_place(bind), "the socket takes IPv4 as mapped addresses (v4v6)")


def _targets(lines: tuple[Directive, ...]) -> Iterator[tuple[str, Fault]]:
    """Yield what changes the target on its way (measured: ``url_dec`` 20 of 24, ``percent-*`` 2 of 24)."""
    for each in lines:
        if each.words[0] != "http-request" or len(each.words) < 2:
            continue
        action, value = each.words[1], "".join(each.words[2:3])
        setting = action in {"set-path", "set-uri", "set-pathq"}
        if action in {"normalize-uri", "replace-path", "replace-uri", "replace-pathq"} or (
            setting and "url_dec" in value
        ):
            yield "decoded-target", Fault(_place(each), f"http-request {action} changes targets")
        elif setting and not (action == "set-path" and value == "%[path]"):
            yield "rewritten-target", Fault(_place(each), f"http-request {action} changes targets")


def _headers(lines: tuple[Directive, ...], place: Place) -> Iterator[tuple[str, Fault]]:
    """Yield what becomes of the headers about the client, and of those for browsers."""
    ruled = {
        each.words[2].lower()
        for each in lines
        if each.words[:1] == ("http-request",) and each.words[1:2] in {("set-header",), ("del-header",)}
        for _ in each.words[2:3]
    }
    begun = tuple(
        each.words[2].lower()
        for each in lines
        if each.words[:2] == ("http-request", "del-header") and each.words[3:5] == ("-m", "beg")
    )
    ruled |= {name.lower() for name in ("X-Forwarded-For", *CLEARED) if begun and name.lower().startswith(begun)}
    appended = any(each.words[:2] == ("option", "forwardfor") for each in lines)
    if "x-forwarded-for" not in ruled:
        what = "a client's own X-Forwarded-For comes first" if appended else "a client's X-Forwarded-For is passed on"
        yield "forwarded-for", Fault(place, what)
    missing = [name for name in CLEARED if name.lower() not in ruled]
    if missing:
        yield "client-headers", Fault(place, f"a client's own {', '.join(missing)} may be passed on")
    for each in lines:
        adds = each.words[:2] in {("http-response", "add-header"), ("http-after-response", "add-header")}
        if adds and each.words[2:3] and each.words[2].lower() == ORIGIN:
            what = "Access-Control-Allow-Origin is added to answers that have it already"
            yield "doubled-cors", Fault(_place(each), what)


def _reading(haproxy: HAProxy, back: Section) -> Measure | None:
    """Return ``timeout server`` of a back end, be it from its defaults; None for none."""
    number = haproxy.sections.index(back)
    defaults = [each for each in haproxy.sections[:number] if each.kind == "defaults"]
    named = [each for each in defaults if each.name == back.base] if back.base else defaults[-1:]
    for part in (back, *named):
        found = [each for each in part.all("timeout", "server") if len(each.words) > 2]
        if found:
            text = found[-1].words[2]
            seconds = seconds_of(text)
            return Measure(seconds, f"{seconds:g} seconds", _place(found[-1])) if seconds is not None else None
    return None


def _heading(haproxy: HAProxy, section: Section) -> Measure:
    # A whole head must fit, so a buffer of 16 KiB is no room for one line of 8 KiB and all others.
    said = of_global(haproxy.sections, "tune.bufsize")
    buffer = int(said) if said.isdigit() else BUFFER
    room = buffer if buffer > BUFFER else buffer // 4
    return Measure(room, f"{buffer} bytes for all together", _place(section.heading))


def _place(directive: Directive) -> Place:
    return Place(directive.file, directive.line)


def seconds_of(text: str) -> float | None:
    """Return a time as HAProxy reads it, None for none."""
    match = re.fullmatch(r"(\d+)(us|ms|[smhd]?)", text)
    return int(match[1]) * SECONDS[match[2]] if match else None
