"""How nginx passes media on to a media repository, and the rule about it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from palpo_installer.audit import media_passing
from palpo_installer.audit.finding import Finding
from palpo_installer.audit.known import Known
from palpo_installer.audit.nginx_reading import MatrixSite, Passage, passage
from palpo_installer.audit.passing import Cure, MediaPassage, Place, is_homeserver
from palpo_installer.proxies.nginx.blocks import answering, passing

CLIENTS = frozenset({"$host", "$http_host", "${host}", "$host:$server_port", "$http_host:$server_port"})
NAME = Cure("Tell it the server name, in its location.", (
    "proxy_set_header Host SERVER-NAME;",
    "proxy_set_header X-Forwarded-Host SERVER-NAME;",
))  # fmt: skip
CURES = {
    "media-host": NAME,
    "media-forwarded-host": NAME,
    "media-path-missing": Cure("Pass all three on.", (
        "location ~ ^/_matrix/((client|federation)/v1/)?media(/|$) {",
        "    proxy_set_header Host SERVER-NAME;",
        "    proxy_set_header X-Forwarded-Host SERVER-NAME;",
        "    proxy_pass http://127.0.0.1:8000;",
        "}",
    )),
}  # fmt: skip


def media_passed(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """A media repository that is told another name than the server name, or is not asked for all families of paths.

    Source: as in ``media_passing``; ngx_http_proxy_module, ``proxy_set_header`` (Host is ``$proxy_host`` without one).
    """
    names = site.server.said.names
    public = names[0] if len(names) == 1 else None
    ask = partial(_media, site, known, public)
    subject, server_name = site.name, known.server_name
    yield from media_passing.judged(subject, ask, server_name, CURES, believes_forwarded=known.believes_forwarded)


def _media(site: MatrixSite, known: Known, public: str | None, path: str) -> MediaPassage | None:
    block = answering(site.block, path)
    directive = passing(block)
    found = passage(block, directive, site.upstreams, (path,)) if directive else None
    if found is None or not found.peers or site.block.all("return"):
        return None
    if any(is_homeserver(each.host, each.port, known.homeserver_ports) for each in found.peers):
        return None
    place = Place(found.directive.file, found.directive.line)
    host, forwarded = _sent(found, "Host", public), _sent(found, "X-Forwarded-Host", public)
    own = found.target.host if found.target else None
    return MediaPassage(place, own if host == "" else host, forwarded)


def _sent(found: Passage, header: str, public: str | None) -> str | None:
    """Return what arrives in a header, empty where nothing sets it; None where that cannot be told."""
    directive = found.block.header("proxy_set_header", header)
    value = found.block.valued(directive.arguments[-1]) if directive else ""
    if value in CLIENTS:
        return public
    return None if "$" in value else value.partition(":")[0]
