"""Rules about the request target, and about where requests are passed on to."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.audit.finding import Finding, Severity, Trap
from palpo_installer.audit.known import Known
from palpo_installer.audit.nginx_reading import MatrixSite, Passage
from palpo_installer.audit.traps import BOUNDARY
from palpo_installer.proxies.nginx.blocks import Block, Location, compiled
from palpo_installer.proxies.nginx.tree import Directive

DECODED = Trap(
    "decoded-target",
    Severity.BREAKS,
    "nginx then passes the target on decoded, with .. and // resolved: /versions still answers 200, but the signatures "
    "of other servers do not fit any more (403), and rooms, aliases and keys with %2F or %23 are not found.",
)
REWRITTEN = Trap(
    "rewritten-target",
    Severity.BREAKS,
    "After a rewrite nginx passes the target on decoded: the signatures of other servers do not fit any more (403), "
    "and paths with %2F or %23 lead elsewhere.",
)
PEERS = Trap(
    "several-peers",
    Severity.BREAKS,
    "Palpo answers on one of them only. nginx takes them for two servers: after one request that takes too long it "
    "leaves the good one out for ten seconds, the other refuses, and every request gets 502 (measured).",
)
LOCALHOST = Trap(
    "localhost",
    Severity.WEAKENS,
    "It has one address now. With IPv6 it has two, of which Palpo answers on one: after one slow request nginx then "
    "answers every request with 502 for ten seconds (measured).",
)
SOCKET = Trap("unix-socket", Severity.BREAKS, "Palpo listens on TCP only; nothing answers at a unix socket.")


def decoded_target(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """``proxy_pass`` with a path, or just a slash, behind the name.

    Source: nginx, ngx_http_proxy_module, ``proxy_pass``: with a URI the normalised one is passed on; server-server
    API, "Request Authentication": the target is signed as sent. Measured: 20 of 24 targets change.
    """
    for passage in site.passages:
        leads = passage.target
        if leads is not None and leads.uri not in {"", "$request_uri"}:
            yield _at(
                DECODED,
                passage.directive,
                site,
                f"proxy_pass has {leads.uri} behind the name",
                "Let nothing follow the name and port, not even a slash.",
                f"proxy_pass {leads.origin};",
            )


def rewritten_target(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """A ``rewrite`` on the way to the homeserver.

    Source: nginx, ngx_http_rewrite_module: the changed URI is what ``proxy_pass`` sends, decoded. Measured: any
    ``rewrite … break`` changes 20 of 24 targets.
    """
    seen = set()
    for passage in site.passages:
        for scope in passage.scopes():
            for rewrite in scope.all("rewrite"):
                if (rewrite.file, rewrite.line) not in seen and _changes(rewrite, passage, scope):
                    seen.add((rewrite.file, rewrite.line))
                    yield _at(
                        REWRITTEN,
                        rewrite,
                        site,
                        "a rewrite changes Matrix requests before they are passed on",
                        "Remove it here, or move it to a location that no path of Matrix reaches.",
                    )


def _changes(rewrite: Directive, passage: Passage, scope: Block) -> bool:
    if len(rewrite.arguments) < 2 or rewrite.arguments[-1] in {"redirect", "permanent"}:
        return False
    if rewrite.arguments[1].startswith(("http://", "https://", "$scheme")):
        return False
    pattern = compiled(rewrite.arguments[0])
    own = scope is passage.block and isinstance(scope, Location) and not passage.probes
    return own or pattern is None or any(pattern.search(path) for path in passage.probes)


def several_peers(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """A name with several addresses, such as ``localhost``, or several servers in the ``upstream`` block.

    Source: nginx, ngx_http_upstream_module, ``max_fails`` and ``fail_timeout``. Measured: after one request over
    60 seconds, 11 of 11 following requests got 502; with one address none.
    """
    for passage in site.passages:
        if not passage.peers:
            continue
        first = passage.peers[0]
        addresses = {
            address: None for peer in passage.peers for address in known.addresses.get(peer.host, (peer.host,))
        }
        listed = len({peer.directive.line for peer in passage.peers}) > 1
        lines = (f"server 127.0.0.1:{first.port};",) if first.directive.name == "server" else ()
        lines = lines or (f"proxy_pass http://127.0.0.1:{first.port};",)
        cure = "Name the one address that Palpo listens on."
        if listed:
            cure = "Keep one server in the upstream block: the address that Palpo listens on."
        if len(addresses) > 1 or listed:
            what = f"{passage.selector} passes on to {' and '.join(addresses)}"
            yield _at(PEERS, first.directive, site, what, cure, *lines)
        elif first.host == "localhost":
            yield _at(LOCALHOST, first.directive, site, f"{passage.selector} passes on to localhost", cure, *lines)


def unix_socket(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """``proxy_pass`` to a unix socket.

    Source: Palpo, ``main.rs``: a TcpListener for each of ``[[listeners]]``; unix sockets are commented out.
    """
    for passage in site.passages:
        if passage.target is not None and passage.target.host.startswith("unix:"):
            yield _at(
                SOCKET,
                passage.directive,
                site,
                "requests are passed on to a unix socket",
                "Pass them to the address in Palpo's [[listeners]].",
                "proxy_pass http://127.0.0.1:8008;",
            )


def segment_boundary(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """A location that takes ``/_matrixfoo`` or ``/_palpo/clientfoo`` too.

    Source: measured: ``^(/_matrix|/_palpo/client)`` passes both on; ``^/(_matrix|_palpo/client)(/|$)`` neither.
    """
    for path in ("/_matrixfoo", "/_palpo/clientfoo"):
        passage = site.passed(path)
        block = passage.block if passage else None
        if isinstance(block, Location) and "_matrix" in block.path:
            cure = ("location /_matrix/ {",)
            if block.modifier in {"~", "~*"}:
                cure = ("location ~ ^/(_matrix|_palpo/client)(/|$) {",)
            text = f"{' '.join(('location', *block.directive.arguments))} takes {path} too"
            yield _at(BOUNDARY, block.directive, site, text, "End it at a slash.", *cure)
            return


def _at(trap: Trap, directive: Directive, site: MatrixSite, what: str, cure: str, *lines: str) -> Finding:
    return trap.at(directive.file, directive.line, site.name, what, cure, *lines)
