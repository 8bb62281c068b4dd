"""The rule about answers to certificate authorities on port 80."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.audit.finding import Finding, Severity, Trap
from palpo_installer.audit.known import Known
from palpo_installer.audit.nginx_reading import MatrixSite
from palpo_installer.proxies.nginx.blocks import Server
from palpo_installer.proxies.nginx.tree import Directive
from palpo_installer.site import CHALLENGE_PATH

SWALLOWED = Trap(
    "challenge-swallowed",
    Severity.BREAKS,
    "What stands in the server block itself answers before any location does (measured: 301): the file is never shown, "
    "and the certificate is not renewed.",
)


def swallowed_challenge(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """A location for ACME challenges behind a redirect of the whole server block.

    Source: ngx_http_rewrite_module: directives of the server level run before a location is chosen; measured.
    """
    if not site.passages and known.server_name not in site.server.said.names:
        return
    for server in known.servers:
        shared = {name.lower() for name in server.said.names} & {name.lower() for name in site.server.said.names}
        if shared and server.listens_on(known.http_port):
            yield from _swallowing(server)


def _swallowing(server: Server) -> Iterator[Finding]:
    challenge = next((each for each in server.block.below if each.path.startswith(CHALLENGE_PATH)), None)
    directive = next(
        (each for each in (*server.block.all("return"), *server.block.all("rewrite")) if _ends(each)), None
    )
    if challenge is None or directive is None:
        return
    what = f"{directive.name} {directive.arguments[0]} comes before the location for {CHALLENGE_PATH}"
    lines = ("location / {", f"    {' '.join((directive.name, *directive.arguments))};", "}")
    cure = "Put it into a location:"
    yield SWALLOWED.at(directive.file, directive.line, server.name, what, cure, *lines)


def _ends(directive: Directive) -> bool:
    """Return whether a directive answers every request."""
    if directive.name == "return":
        return bool(directive.arguments)
    every = directive.arguments[:1] in {("^",), (".*",), ("^(.*)$",), ("^(.*)",), ("^/(.*)$",), ("^/(.*)",)}
    return every and directive.arguments[-1] in {"permanent", "redirect"}
