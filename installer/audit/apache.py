"""Reads Apache's virtual hosts for the audit: what they pass on, and the traps that only Apache has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from palpo_installer.audit import apache_media
from palpo_installer.audit.apache_conditions import refused
from palpo_installer.audit.apache_cures import CURES
from palpo_installer.audit.apache_passages import Passage, answering, normalised, passages
from palpo_installer.audit.finding import Proxied
from palpo_installer.audit.palpo import Read as Homeserver
from palpo_installer.audit.passing import Fault, Measure, PassingSite, Place, homeserver_ports
from palpo_installer.audit.passing_reading import Note, proxied
from palpo_installer.facts import Facts
from palpo_installer.host import Host
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.apache.directive import Directive
from palpo_installer.proxies.apache.reading import virtual_hosts
from palpo_installer.proxies.apache.virtual_hosts import ApacheVirtualHosts
from palpo_installer.proxies.found import ServerBlock

CLEARED = ("X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded")
ORIGIN = "access-control-allow-origin"
HEADER = 8190
"""Apache's default for one header line and the request line (core, LimitRequestFieldSize, LimitRequestLine)."""

TIMEOUT = 60.0
"""Apache's default for ``Timeout`` (core)."""


def read(host: Host, facts: Facts, homeserver: Homeserver, note: Note, now: datetime) -> Proxied:
    """Return what there is to say of Apache's configuration."""
    apache = facts.apache
    if apache is None:
        return Proxied()
    top = ApacheVirtualHosts(apache, host).top
    made = tuple(sites(apache, top, homeserver_ports(facts)))
    return proxied(host, made, apache.problems, facts, homeserver, note, now)


def sites(apache: Apache, top: Directive, ports: frozenset[int]) -> Iterator[PassingSite]:
    """Yield the virtual hosts that pass Matrix requests on."""
    blocks = {(each.file, each.line): each for each in apache.servers}
    for section in virtual_hosts(top):
        found = passages(section, ports)
        block = blocks.get((section.file, section.line))
        if found and block is not None:
            yield _site(apache, section, top, block, found, ports)


def _site(
    apache: Apache,
    section: Directive,
    top: Directive,
    block: ServerBlock,
    found: tuple[Passage, ...],
    ports: frozenset[int],
) -> PassingSite:
    def passed(path: str) -> Place | None:
        place = answering(found, path, guarded=_is_guarded(section))
        return None if place is not None and refused(section, path, normalised(path)) else place

    return PassingSite(
        proxy="Apache",
        block=block,
        passed=passed,
        faults=tuple(_faults(apache, section, top, block, found)),
        reading=_reading(section, top, found),
        heading=_heading(section, top),
        http2=any("http2" in each.options for each in block.listens),
        limits_logins=any("ratelimit" in each.name or "qos" in each.name for each in section.block),
        media=lambda path: apache_media.passage(section, top, found, path, ports, next(iter(block.names), "")),
        cures=CURES,
    )


def _faults(
    apache: Apache, section: Directive, top: Directive, block: ServerBlock, found: tuple[Passage, ...]
) -> Iterator[tuple[str, Fault]]:
    """Yield what is seen in the virtual host, by rule.

    Source: httpd, mod_proxy (``nocanon``, ``ProxyPreserveHost``), core (``AllowEncodedSlashes``), mod_headers; each
    measured with the documented configuration.
    """
    place = Place(section.file, section.line)
    for each in found:
        yield from each.faults()
    if _last(section, top, "allowencodedslashes", inherited=False) not in {"nodecode", "on"}:
        yield "encoded-slashes", Fault(place, "AllowEncodedSlashes is not set in this virtual host")
    if _last(section, top, "proxypreservehost") != "on":
        yield "host-header", Fault(place, "the homeserver sees its own address as Host")
    if _last(section, top, "proxyrequests") == "on":
        yield "open-proxy", Fault(place, "ProxyRequests is on for this virtual host")
    yield from _headers(section, top, place)
    yield from _security(apache, section, top, place)
    tls = _last(section, top, "sslengine") == "on"
    if tls and not block.certificates and not section.all("mdomain"):
        yield "certificate-unusable", Fault(place, "SSLEngine is on, and no certificate is named")
    opened = {each.port for each in apache.listens}
    asked = {int(number) for text in section.arguments if (number := text.rpartition(":")[2]).isdigit()}
    for port in sorted(asked - opened):
        yield "federation-port-missing", Fault(place, f"there is a virtual host for port {port}, and no Listen {port}")


def _headers(section: Directive, top: Directive, place: Place) -> Iterator[tuple[str, Fault]]:
    """Yield what becomes of the headers about the client, and of those for browsers."""
    added = _last(section, top, "proxyaddheaders") != "off"
    ruled = {
        each.arguments[1].lower()
        for each in (*section.within("requestheader"), *top.all("requestheader"))
        if len(each.arguments) > 1 and each.arguments[0].lower() in {"set", "unset"}
    }
    edited = any(
        each.arguments[1:2] and each.arguments[1].lower() == "connection" for each in section.within("requestheader")
    )
    if "x-forwarded-for" not in ruled:
        what = (
            "X-Forwarded-For begins with what the client sent" if added else "a client's X-Forwarded-For is passed on"
        )
        yield "forwarded-for", Fault(place, what)
    missing = [name for name in CLEARED if name.lower() not in ruled]
    if missing:
        yield "client-headers", Fault(place, f"a client's own {', '.join(missing)} may be passed on")
    if "x-forwarded-proto" in ruled and not edited:
        yield "connection-strips", Fault(place, "a client can strip X-Forwarded-Proto by naming it in Connection")
    for each in (*section.within("header"), *top.all("header")):
        words = [word.lower() for word in each.arguments]
        always, rest = words[:1] == ["always"], words[1:] if words[:1] in (["always"], ["onsuccess"]) else words
        doubling = rest[:1] in (["add"], ["append"], ["merge"]) or (always and rest[:1] == ["set"])
        # With a condition it may well be for answers that have none.
        conditional = any(word.startswith(("expr=", "env=")) for word in rest[2:])
        if doubling and rest[1:2] == [ORIGIN] and not conditional and not _is_apart(section, each):
            what = "Header adds Access-Control-Allow-Origin to answers that have it already"
            yield "doubled-cors", Fault(Place(each.file, each.line), what)


def _is_apart(section: Directive, directive: Directive) -> bool:
    """Return whether a directive stands in a section for paths that are none of the API's."""
    apart = (each for each in section.block if each.block and "_matrix" not in " ".join(each.arguments))
    return any(directive in each.block for each in apart)


def _security(apache: Apache, section: Directive, top: Directive, place: Place) -> Iterator[tuple[str, Fault]]:
    """Yield mod_security where it reads requests of Matrix (Synapse, docs/reverse_proxy.md)."""
    engine = next((each for part in (section, top) for each in part.within("secruleengine")), None)
    if "security2_module" in apache.modules and engine is not None and engine.arguments[0].lower() == "on":
        yield "mod-security", Fault(place, "mod_security is on for this virtual host")


def _is_guarded(section: Directive) -> bool:
    """Return whether a RewriteCond looks at the request line as it came."""
    return any("THE_REQUEST" in word for each in section.within("rewritecond") for word in each.arguments)


def _last(section: Directive, top: Directive, name: str, *, inherited: bool = True) -> str:
    return (section.last(name) or (top.last(name) if inherited else "")).lower()


def _reading(section: Directive, top: Directive, found: tuple[Passage, ...]) -> Measure:
    """Return how long an answer is waited for: ``timeout=`` of the passage, ProxyTimeout, Timeout."""
    place = found[0].place
    text = found[0].option("timeout")
    for name in ("proxytimeout", "timeout"):
        text = text or _last(section, top, name)
    seconds = float(text) if text.isdigit() else TIMEOUT
    return Measure(seconds, f"{seconds:g} seconds", place)


def _heading(section: Directive, top: Directive) -> Measure:
    texts = (_last(section, top, name) for name in ("limitrequestfieldsize", "limitrequestline"))
    size = min(int(text) if text.isdigit() else HEADER for text in texts)
    return Measure(size, f"{size} bytes", Place(section.file, section.line))
