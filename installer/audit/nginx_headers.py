"""Rules about the headers that reach the homeserver, and those that reach browsers."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.audit.finding import Finding
from palpo_installer.audit.known import Known
from palpo_installer.audit.nginx_reading import MatrixSite, Passage
from palpo_installer.audit.traps import DOUBLED, HOST, PASSED, SPOOFED
from palpo_installer.proxies.nginx.tree import Directive

CLEARED = ("X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded")
"""What a client may send and a proxy must set or clear. Measured: nginx passes all of them on as they come."""

FROM_CLIENT = ("$proxy_add_x_forwarded_for", "$http_x_forwarded_for", "$http_x_real_ip", "$http_forwarded")
"""Variables that hold what a client sent."""


def forwarded_for(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """``X-Forwarded-For`` passed through or appended to.

    Source: ngx_http_proxy_module, ``$proxy_add_x_forwarded_for``; measured: a client's "1.2.3.4" comes first.
    """
    for passage, directive in _once(site, "X-Forwarded-For"):
        place = directive or passage.directive
        if directive is None:
            what = "X-Forwarded-For is not set, so a client's own one is passed on"
        elif any(word in directive.arguments[-1] for word in FROM_CLIENT):
            what = "X-Forwarded-For begins with what the client sent"
        else:
            continue
        yield SPOOFED.at(
            place.file,
            place.line,
            site.name,
            what,
            "Set it to the address that nginx sees.",
            "proxy_set_header X-Forwarded-For $remote_addr;",
        )


def client_headers(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """Other headers about the client that are neither set nor cleared.

    Source: measured: X-Forwarded-Proto, X-Forwarded-Host, X-Real-IP and Forwarded of a client arrive unchanged.
    """
    seen = set()
    for passage in site.passages:
        missing = tuple(name for name in CLEARED if not _is_own(passage.block.header("proxy_set_header", name)))
        if not missing or missing in seen:
            continue
        seen.add(missing)
        values = {name: "$scheme" if name == "X-Forwarded-Proto" else '""' for name in missing}
        yield PASSED.at(
            passage.directive.file,
            passage.directive.line,
            site.name,
            f"a client's own {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} passed on",
            "Set the first and clear the others." if "X-Forwarded-Proto" in missing else "Clear them.",
            *(f"proxy_set_header {name} {value};" for name, value in values.items()),
        )


def _is_own(directive: Directive | None) -> bool:
    value = directive.arguments[-1] if directive else ""
    return directive is not None and not value.startswith("$http_")


def host_header(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """Host rewritten, or replaced by the upstream's name.

    Source: measured: ``$host:$server_port`` adds :443 and lower-cases, no ``proxy_set_header Host`` sends the
    upstream's address; server-server API, "Resolving server names": which Host other servers send.
    """
    for passage, directive in _once(site, "Host"):
        place = directive or passage.directive
        value = passage.block.valued(directive.arguments[-1]) if directive else ""
        if directive is None:
            what = "the homeserver sees its own address as Host"
        elif "$server_port" in value:
            what = f"Host is rewritten to {value}"
        else:
            continue
        cure = "Pass it on as the client wrote it."
        yield HOST.at(place.file, place.line, site.name, what, cure, "proxy_set_header Host $http_host;")


def doubled_cors(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """``add_header Access-Control-Allow-Origin`` in force where requests are passed on.

    Source: Palpo sends it on every response (``main.rs``, cors_handler), as Synapse and matrix-media-repo do; MDN,
    CORSMultipleAllowOriginNotAllowed; measured with nginx and Caddy.
    """
    name = "Access-Control-Allow-Origin"
    seen = set()
    for passage in site.passages:
        directive = passage.block.header("add_header", name)
        hidden = {each.arguments[0].lower() for each in passage.block.effective("proxy_hide_header") if each.arguments}
        if directive is None or directive.arguments[1:2] == ("",) or name.lower() in hidden:
            continue
        if directive.line in seen:
            continue
        seen.add(directive.line)
        own = directive in passage.block.all("add_header")
        yield DOUBLED.at(
            directive.file,
            directive.line,
            site.name,
            f"{passage.selector} adds {name} to answers that have it already",
            "Remove the line." if own else f"Keep it away from what is passed on: in {passage.selector} write",
            *(() if own else (f'add_header {name} "";',)),
        )


def _once(site: MatrixSite, header: str) -> Iterator[tuple[Passage, Directive | None]]:
    """Yield the passages with what sets a header in each: each directive once, and one of those without."""
    seen: set[object] = set()
    for passage in site.passages:
        directive = passage.block.header("proxy_set_header", header)
        place = (directive.file, directive.line) if directive else None
        if place not in seen:
            seen.add(place)
            yield passage, directive
