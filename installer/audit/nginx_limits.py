"""Rules about sizes, times, HTTP/2 and limits on logins."""

from __future__ import annotations

import re
from collections.abc import Iterator

from palpo_installer.audit.figures import BODY, IDLE, JOIN
from palpo_installer.audit.finding import Finding, Severity, Trap
from palpo_installer.audit.known import Known
from palpo_installer.audit.nginx_reading import MatrixSite, listen_line
from palpo_installer.audit.traps import HTTP2, LOGINS

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

HEADER = 8 * 1024
"""nginx's default for one header line and the request line (ngx_http_core_module)."""

HTTP2_DIRECTIVE = (1, 25, 1)
"""From here on ``http2 on;``; ``listen … http2`` warns (nginx CHANGES, 1.25.1)."""

UPLOADS = Trap(
    "upload-limit",
    Severity.BREAKS,
    "nginx answers larger uploads with 413 and an HTML page before the homeserver sees them (measured).",
)
TIMEOUT = Trap(
    "read-timeout",
    Severity.BREAKS,
    "Joining a large room waits up to 120 seconds for other servers, and nginx cuts an idle answer off at its limit "
    "with 504 (measured at 60.1 seconds).",
)
HEADERS = Trap(
    "header-limit",
    Severity.WEAKENS,
    "A target or a header line over 8 KiB, as long filters and many signatures make them, gets 414 or 400 (measured).",
)
OLD_HTTP2 = Trap("http2-deprecated", Severity.KNOW, "Since 1.25.1 nginx warns of it at each test and start.")
NEW_HTTP2 = Trap(
    "http2-unknown", Severity.BREAKS, "nginx before 1.25.1 does not know the directive and does not start."
)
KEPT = Trap(
    "kept-connections",
    Severity.KNOW,
    "Palpo closes idle connections after 30 seconds. A request on one that it is just closing fails with 502.",
)


def upload_limit(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """``client_max_body_size`` absent (1 MiB) or below what Palpo takes.

    Source: ngx_http_core_module; Palpo, ``hoops.rs``: bodies up to 16 MiB. Measured: 413 above the limit.
    """
    seen = set()
    for passage in site.passages:
        directive = passage.block.last("client_max_body_size")
        size = bytes_of(directive.arguments[0]) if directive else UNITS["m"]
        place = directive or passage.directive
        if size is None or size == 0 or size >= BODY or (directive, size) in seen:
            continue
        seen.add((directive, size))
        what = (
            f"client_max_body_size is {directive.arguments[0]}" if directive else "client_max_body_size is not set: 1m"
        )
        yield UPLOADS.at(
            place.file, place.line, site.name, what, "Set it to what Palpo takes.", "client_max_body_size 16m;"
        )


def read_timeout(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """``proxy_read_timeout`` absent (60 s) or too short.

    Source: ngx_http_proxy_module; Palpo, ``sending.rs``: joins wait up to 120 s; measured: an idle request is cut
    off at 60.1 s.
    """
    seen = set()
    for passage in site.passages:
        directive = passage.block.last("proxy_read_timeout")
        seconds = seconds_of(directive.arguments[0]) if directive else 60.0
        if seconds is None or seconds > JOIN or directive in seen:
            continue
        seen.add(directive)
        place = directive or passage.directive
        set_to = directive.arguments[0] if directive else "not set: 60s"
        yield TIMEOUT.at(
            place.file,
            place.line,
            site.name,
            f"proxy_read_timeout is {set_to}",
            "Wait longer.",
            "proxy_read_timeout 300s;",
        )


def header_limit(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """``large_client_header_buffers`` at its default of 8 KiB.

    Source: ngx_http_core_module; measured: a URI of 9000 bytes gets 414, a header of 8190 bytes 400.
    """
    if not site.passages:
        return
    directive = site.block.last("large_client_header_buffers")
    size = bytes_of(directive.arguments[-1]) if directive else HEADER
    if size is None or size > HEADER:
        return
    place = directive or site.block.directive
    yield HEADERS.at(
        place.file,
        place.line,
        site.name,
        f"large_client_header_buffers is {' '.join(directive.arguments) if directive else 'not set: 4 8k'}",
        "Write in the server block, and in the default one of its socket:",
        "large_client_header_buffers 8 32k;",
    )


def http2(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """HTTP/2 not offered, or switched on in the form of another version.

    Source: ngx_http_v2_module; nginx CHANGES 1.25.1; measured: no ALPN h2 without it, and ``http2 on;`` is unknown
    to older versions.
    """
    if not site.passages or not site.server.tls or known.version is None:
        return
    new = known.version >= HTTP2_DIRECTIVE
    on = next((each for each in site.block.effective("http2") if each.arguments == ("on",)), None)
    sockets = {(each.address, each.port) for each in site.server.tls}
    old = [each for server in known.servers for each in server.tls if (each.address, each.port) in sockets]
    own = next((each for each in site.server.tls if "http2" in each.options), None)
    name = site.name
    if on is not None and not new:
        yield NEW_HTTP2.at(
            on.file, on.line, name, "http2 on; is not for this nginx", "Remove the line.", "listen 443 ssl http2;"
        )
    elif new and own is not None:
        yield OLD_HTTP2.at(
            own.file, own.line, name, "listen has the option http2", "Take it out, and write:", "http2 on;"
        )
    elif on is None and not any("http2" in each.options for each in old):
        first = site.server.tls[0]
        cure = ("http2 on;",) if new else (listen_line(first, *first.options, "http2"),)
        yield HTTP2.at(first.file, first.line, name, "HTTP/2 is not offered", "Switch it on:", *cure)


def kept_connections(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """Connections to Palpo kept longer than Palpo keeps them.

    Source: ngx_http_upstream_module, ``keepalive_timeout`` (60 s); hyper's header_read_timeout of 30 s, by reading.
    """
    used = {peer.directive for passage in site.passages for peer in passage.peers}
    for upstream in site.upstreams:
        kept = next(iter(upstream.all("keepalive")), None)
        limit = next(iter(upstream.all("keepalive_timeout")), None)
        seconds = seconds_of(limit.arguments[0]) if limit else 60.0
        if kept is None or seconds is None or seconds < IDLE or not used & set(upstream.all("server")):
            continue
        place = limit or kept
        what = f"connections to Palpo are kept for {seconds:g} seconds"
        yield KEPT.at(place.file, place.line, site.name, what, "Keep them for less:", "keepalive_timeout 25s;")


def unlimited_logins(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """Palpo's limits off, and none in nginx.

    Source: Palpo, ``hoops.rs``: limits count by TCP peer, which is the proxy, so they are switched off behind one.
    """
    passage = site.passed("/_matrix/client/v3/login")
    rate = known.said("rc_login", "per_second")
    if passage is None or passage.block.effective("limit_req") or rate is None or rate != 0:
        return
    yield LOGINS.at(
        passage.directive.file,
        passage.directive.line,
        site.name,
        "nothing limits logins",
        "Limit them for each client address: the first line in http, the others in a location of their own.",
        "limit_req_zone $binary_remote_addr zone=matrix_login:10m rate=10r/m;",
        "location ~ ^/_matrix/client/[^/]+/login$ {",
        "    limit_req zone=matrix_login burst=10 nodelay;",
        f"    proxy_pass {passage.target.origin if passage.target else 'http://127.0.0.1:8008'};",
        "}",
    )


def bytes_of(text: str) -> int | None:
    """Return a size as nginx reads it (nginx.org, "Configuration file measurement units"), None for none."""
    match = re.fullmatch(r"(\d+)([kmg]?)", text.lower())
    return int(match[1]) * UNITS[match[2]] if match else None


def seconds_of(text: str) -> float | None:
    """Return a time as nginx reads it, None for none."""
    parts = re.findall(r"(\d+)(ms|[smhd]?)\s*", text)
    return sum(int(number) * SECONDS[unit] for number, unit in parts) if parts else None
