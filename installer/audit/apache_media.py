"""How Apache passes media on to a media repository. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from palpo_installer.audit.apache_passages import Passage, leads_home, normalised
from palpo_installer.audit.passing import MediaPassage
from palpo_installer.proxies.apache.directive import Directive

PATHS = frozenset({"location", "locationmatch"})
CONDITIONS = frozenset({"if", "elseif", "else"})


def passage(
    section: Directive, top: Directive, found: Sequence[Passage], path: str, ports: frozenset[int], name: str
) -> MediaPassage | None:
    """Return how a path reaches another server than the homeserver, None where it does not.

    mod_proxy appends the Host of the request, as mod_headers has left it, to X-Forwarded-Host (``ProxyAddHeaders``),
    and sends its own address as Host where ``ProxyPreserveHost`` is off (measured).

    Args:
        section: the virtual host.
        top: what stands outside of it.
        found: what it passes on.
        path: as it came.
        ports: those of the homeserver.
        name: the name that clients ask for.
    """
    way = next((each for each in found if each.takes(normalised(path))), None)
    if way is None or way.url == "!" or leads_home(way.url, ports):
        return None
    asked, forwarded = (_set(section, path, header, client) for header, client in (("host", name), (FORWARDED, "")))
    preserved = _switch(section, top, "proxypreservehost") == "on"
    host = asked if preserved else urlsplit(way.url).hostname
    if _switch(section, top, "proxyaddheaders") != "off":
        unknown = asked is None or forwarded is None
        forwarded = None if unknown else ", ".join(each for each in (forwarded, asked) if each)
    return MediaPassage(way.place, host, forwarded)


FORWARDED = "x-forwarded-host"


def _set(section: Directive, path: str, header: str, client: str) -> str | None:
    """Return what mod_headers makes of a header; ``client`` is what comes from clients. None where it depends."""
    value: str | None = client
    for each, sure in _in_force(section, path):
        words = [word.lower() for word in each.arguments[:2]]
        if each.name != "requestheader" or words[1:] != [header] or words[0] not in {"set", "unset"}:
            continue
        told = "".join(each.arguments[2:3]) if words[0] == "set" else ""
        conditional = (
            not sure or "%" in told or told.startswith("expr=") or len(each.arguments) > 3 + ("early" in each.arguments)
        )
        value = None if conditional else told
    return value


def _in_force(section: Directive, path: str) -> Iterator[tuple[Directive, bool]]:
    """Yield the directives for a path, with whether that is sure; sections for paths come after the others."""
    for each in section.block:
        if not each.block:
            yield each, True
    for each in section.block:
        if each.name in PATHS and _fits(each, path):
            yield from ((one, True) for one in each.block)
        elif each.name in CONDITIONS:
            yield from ((one, False) for one in each.block)


def _fits(section: Directive, path: str) -> bool:
    words = section.arguments
    pattern = section.name == "locationmatch" or words[:1] == ("~",)
    if pattern:
        try:
            return bool(words) and re.search(words[-1], path) is not None
        except re.error:
            return False
    prefix = words[-1].rstrip("/") if words else ""
    return path == prefix or path.startswith(f"{prefix}/")


def _switch(section: Directive, top: Directive, name: str) -> str:
    return (section.last(name) or top.last(name)).lower()
