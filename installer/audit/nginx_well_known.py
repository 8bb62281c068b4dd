"""Rules about the well-known documents."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.audit.documents import PATHS, Document, document
from palpo_installer.audit.finding import Finding, Severity, Trap
from palpo_installer.audit.known import Known
from palpo_installer.audit.nginx_reading import MatrixSite
from palpo_installer.audit.traps import BOGUS, INVALID, NO_CORS, REDIRECTED, WRONG_TYPE

ORIGIN = "Access-Control-Allow-Origin"

TWO_TYPES = Trap(
    "well-known-two-types",
    Severity.WEAKENS,
    "nginx adds it beside its own: the answer has two Content-Type headers (measured), and a client may believe the "
    "other.",
)
MISPLACED = Trap(
    "well-known-misplaced",
    Severity.BREAKS,
    "Clients and other servers ask the server name itself, at https on port 443, and nobody else.",
)
PORTLESS = Trap(
    "well-known-portless",
    Severity.BREAKS,
    "Without a port other servers ask for SRV records and then connect to port 8448, where nothing listens here.",
)
SHADOWING = Trap(
    "well-known-shadows-srv",
    Severity.BREAKS,
    "A valid document there wins: other servers never ask for the SRV records (server-server API, 3 before 4).",
)


def _documents(site: MatrixSite, known: Known) -> tuple[Document, ...]:
    """Return the documents of a site that others ask: with TLS, on the port of the web."""
    if not site.server.tls or not site.server.listens_on(known.https_port):
        return ()
    found = (document(site.server, kind, known.documents) for kind in PATHS)
    return tuple(each for each in found if each is not None)


def invalid(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """A document that is no JSON, or lacks what it is for.

    Source: client-server API, "Well-known URI" and "Getting well-known" (FAIL_PROMPT, FAIL_ERROR); server-server
    API, "Resolving server names", 3.
    """
    for each in _documents(site, known):
        if each.body is None:
            continue
        cure = '{"m.homeserver":{"base_url":"https://HOST"}}' if each.kind == "client" else '{"m.server":"HOST:443"}'
        if each.values is None:
            what = f"{PATHS[each.kind]} is no valid JSON"
        elif not (each.base_url or each.delegated):
            what = (
                f"{PATHS[each.kind]} has no usable {'m.homeserver.base_url' if each.kind == 'client' else 'm.server'}"
            )
        else:
            continue
        yield _at(INVALID, each, site, what, "Answer, with the host that clients use:", f"return 200 '{cure}';")


def without_cors(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """The client document without ``Access-Control-Allow-Origin``.

    Source: client-server API, "Web Browser Clients"; measured: nginx and Caddy add none.
    """
    for each in _documents(site, known):
        if each.kind == "client" and not each.passed_on and each.block.header("add_header", ORIGIN) is None:
            what = f"{PATHS['client']} has no {ORIGIN}"
            yield _at(NO_CORS, each, site, what, "Add it in that location:", f'add_header {ORIGIN} "*" always;')


def wrong_type(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """A document that comes as something else than JSON, or with two types.

    Source: matrix-docker-ansible-deploy, configuring-well-known.md (Element X); ngx_http_core_module,
    ``default_type``; measured: ``add_header Content-Type`` makes a second header.
    """
    for each in _documents(site, known):
        if each.passed_on or each.redirect:
            continue
        second = each.block.header("add_header", "Content-Type")
        usual = each.block.last("default_type")
        right = usual is not None and usual.arguments[0].startswith("application/json")
        path, cure = PATHS[each.kind], "default_type application/json;"
        if second is not None:
            yield TWO_TYPES.at(
                second.file, second.line, site.name, f"{path} has two Content-Type headers", "Write instead:", cure
            )
        elif not right:
            what = f"{path} comes as {usual.arguments[0] if usual else 'text/plain'}"
            yield _at(WRONG_TYPE, each, site, what, "Say in that location what it is:", cure)


def redirected(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """The client document behind a redirect.

    Source: client-server API (following 30x is unstable, "v1.20"); matrix-docker-ansible-deploy: browsers need the
    CORS header on the redirect too. Other servers do follow.
    """
    for each in _documents(site, known):
        if each.kind == "client" and each.redirect:
            cure = "Answer it here, in a location of its own:"
            lines = (
                f"location = {PATHS['client']} {{",
                "    default_type application/json;",
                f'    add_header {ORIGIN} "*" always;',
                '    return 200 \'{"m.homeserver":{"base_url":"https://HOST"}}\';',
                "}",
            )
            yield _at(REDIRECTED, each, site, f"{PATHS['client']} is redirected to {each.redirect}", cure, *lines)


def misplaced(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """A document on another host than the server name, which has none.

    Source: client-server and server-server API: the document is asked for at the server name.
    """
    asked = known.site_for(known.server_name, known.https_port) if known.server_name else None
    if asked is None or asked is site or known.server_name in site.server.said.names:
        return
    there = {each.kind for each in _documents(asked, known)}
    for each in _documents(site, known):
        if each.kind not in there and not each.passed_on and not each.redirect:
            what = f"{PATHS[each.kind]} is served here, but not for {known.server_name}, where it is asked for"
            place = asked.block.directive
            cure = f"Add this location to the server block in {place.file}:{place.line}."
            yield _at(MISPLACED, each, site, what, cure)


def bogus_server(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """``m.server`` in the client document, as Palpo's own example for Caddy has it.

    Source: palpo-im/palpo, deploy/docker/compose.with-caddy.yml.
    """
    for each in _documents(site, known):
        if each.kind == "client" and "m.server" in (each.values or {}):
            what = f"{PATHS['client']} has m.server, which belongs into {PATHS['server']}"
            yield _at(BOGUS, each, site, what, "Take it out.")


def portless(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """``m.server`` without a port where nothing listens on 8448.

    Source: server-server API, "Resolving server names", 3.3 to 3.5.
    """
    for each in _documents(site, known):
        name = each.delegated
        if not name or ":" in name.rpartition("]")[2] or any(server.listens_on(8448) for server in known.servers):
            continue
        if not any(record for record in known.services.get(name, ())):
            what = f"{PATHS['server']} says {name} without a port"
            yield _at(PORTLESS, each, site, what, "Say the port:", f'return 200 \'{{"m.server":"{name}:443"}}\';')


def shadows_srv(site: MatrixSite, known: Known) -> Iterator[Finding]:
    """A server document, or Palpo's own passed through, where SRV records lead the way.

    Source: server-server API, "Resolving server names"; Palpo, ``routing.rs`` and ``config/server.rs``: it always
    answers, with ``server_name:443`` where nothing is set.
    """
    if known.server_name not in site.server.said.names or not known.services.get(known.server_name):
        return
    for each in _documents(site, known):
        if each.kind == "server" and (each.delegated or each.passed_on):
            source = "Palpo's own answer" if each.passed_on else f"m.server {each.delegated}"
            what = f"{known.server_name} has SRV records, and {PATHS['server']} shadows them ({source})"
            lines = (f"location = {PATHS['server']} {{", "    return 404;", "}")
            yield _at(SHADOWING, each, site, what, "Let there be none, or remove the SRV records:", *lines)


def _at(trap: Trap, each: Document, site: MatrixSite, what: str, cure: str, *lines: str) -> Finding:
    return trap.at(each.directive.file, each.directive.line, site.name, what, cure, *lines)
