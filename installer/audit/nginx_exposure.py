"""Rules about what can be reached from outside and should not be."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.audit.finding import Finding, Severity, Trap
from palpo_installer.audit.known import Known
from palpo_installer.audit.nginx_reading import MatrixSite, Passage, listen_line
from palpo_installer.audit.traps import ADMIN, EVERYTHING
from palpo_installer.matrix_site import ADMIN_PATHS
from palpo_installer.proxies.nginx.tree import Directive

OWN = ("/metrics", "/health", "/healthz", "/")
"""What a homeserver answers for its administrator, or for nobody."""

ENCODED = Trap(
    "admin-through-dots",
    Severity.WEAKENS,
    "nginx chooses a location by the path with .. and %2f resolved, and passes the target on as it came. Palpo "
    "resolves nothing: for it /_palpo/admin/v1/users/..%2f..%2f..%2f..%2f_matrix is an administration path.",
)
SLASHES = Trap(
    "merge-slashes-off",
    Severity.WEAKENS,
    "A location that closes a path then does not fit when it is asked for with more slashes.",
)
DEFAULT = Trap(
    "federation-default-server",
    Severity.KNOW,
    "Requests for any name reach the homeserver there (measured), and another site that wants to be the default on "
    "that port keeps nginx from starting.",
)


def admin_exposed(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """The administration paths reach the homeserver.

    Source: Palpo, ``routing.rs``: ``/_palpo/admin``, ``/_synapse/admin`` and both ``mas``, and its manual on
    reverse proxies.
    """
    found: dict[Directive, list[str]] = {}
    for path in ADMIN_PATHS:
        passage = site.passed(f"{path}/v1/users")
        if passage is not None:
            found.setdefault(passage.directive, []).append(path)
    for directive, paths in found.items():
        cure = "Close them in the server block; who administers goes to Palpo's own port on this host."
        what = f"{', '.join(paths)} can be reached from outside"
        lines = ("location ~ ^/_(palpo|synapse)/(admin|mas)(/|$) {", "    return 404;", "}")
        yield ADMIN.at(directive.file, directive.line, site.name, what, cure, *lines)


def admin_through_dots(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """Targets that nginx and Palpo read differently.

    Source: ngx_http_core_module, ``location`` (normalised URI), ngx_http_proxy_module (target as sent); Salvo's
    router, which decodes each segment and resolves none. Measured for the target, read for the router.
    """
    passage = site.passed("/_matrix/client/versions")
    raw = passage is not None and passage.target is not None and passage.target.uri in {"", "$request_uri"}
    if passage is None or not raw or _guarded(site, passage):
        return
    if site.passed(f"{ADMIN_PATHS[0]}/v1/users") is not None:
        return
    yield ENCODED.at(
        passage.directive.file,
        passage.directive.line,
        site.name,
        "a path that is closed can be reached through .. and %2f",
        "Pass on only targets that begin as they should before they are decoded; write before proxy_pass:",
        "if ($request_uri !~ ^/_(matrix|palpo/client)(/|\\?|$)) {",
        "    return 404;",
        "}",
    )


def _guarded(site: MatrixSite, passage: Passage) -> bool:
    """Return whether an ``if`` refuses requests by their target as it came, or by a map of it."""
    maps = site.block.outer.all("map") if site.block.outer else ()
    mapped = {each.arguments[-1] for each in maps if each.arguments[:1] == ("$request_uri",)}
    conditions = (each for scope in passage.scopes() for each in scope.all("if") if each.all("return"))
    return any(
        word.strip("()") in {"$request_uri", *mapped} for condition in conditions for word in condition.arguments
    )


def everything_passed_on(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """Metrics, health checks and everything else reach the homeserver.

    Source: Palpo, ``routing.rs``: ``/{*path}`` serves ``./static``; measured with HAProxy's documented backend.
    """
    found = [(path, passage) for path in OWN if (passage := site.passed(path)) is not None]
    if found:
        directive = found[0][1].directive
        what = f"{', '.join(path for path, _ in found)} reach the homeserver too"
        cure = "Pass on what Matrix needs only."
        yield EVERYTHING.at(directive.file, directive.line, site.name, what, cure, "location /_matrix/ {")


def merge_slashes(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """``merge_slashes off`` where paths are closed by name.

    Source: ngx_http_core_module, ``merge_slashes``.
    """
    directive = site.block.last("merge_slashes")
    closing = any("admin" in each.path for each in site.block.below)
    if directive is not None and directive.arguments == ("off",) and closing and site.passages:
        yield SLASHES.at(
            directive.file,
            directive.line,
            site.name,
            "merge_slashes is off",
            "Write in the server block:",
            "merge_slashes on;",
        )


def federation_default(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """``default_server`` on the federation port.

    Source: measured: an unknown SNI and Host on 8448 is answered by the homeserver; two of them: nginx does not
    start.
    """
    chosen = [each for each in site.server.listens_on(8448) if {"default_server", "default"} & set(each.options)]
    if chosen and site.passages:
        words = [word for word in chosen[0].options if word not in {"default_server", "default"}]
        line = listen_line(chosen[0], *words)
        what = "this site is the default one on port 8448"
        yield DEFAULT.at(chosen[0].file, chosen[0].line, site.name, what, "Take it out, and name the server:", line)
