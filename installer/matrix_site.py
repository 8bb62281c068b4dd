"""What of a homeserver must be served. Every Matrix rule about paths, names and ports is here."""

from __future__ import annotations

from collections.abc import Iterable

from palpo_installer.answers import (
    Address,
    Answers,
    BaseCertificate,
    BaseDomain,
    Certificates,
    Delegation,
    Method,
    Registration,
)
from palpo_installer.layout import Layout
from palpo_installer.site import (
    NOT_FEDERATING,
    NOT_REGISTERING,
    Challenge,
    Closed,
    FixedJson,
    Forward,
    Guest,
    Issuer,
    Limit,
    Marker,
    Match,
    Redirect,
    Route,
    Scope,
    Site,
    VirtualHost,
    compact,
)

PALPO_BODY_LIMIT = 16 * 1024 * 1024
"""Palpo refuses larger bodies itself; a proxy that refuses smaller ones breaks what Palpo allows."""

LOGIN = Limit("login", per_minute=10, burst=10)
REGISTER = Limit("register", per_minute=10, burst=10)
PASSWORD = Limit("password", per_minute=5, burst=5)

ADMIN_PATHS = ("/_palpo/admin", "/_synapse/admin", "/_palpo/mas", "/_synapse/mas")
SERVICES = ("_matrix-fed", "_matrix")
"""The service names that other servers ask for, the deprecated one last: older servers know only that."""

FEDERATION_PATHS = ("/_matrix/federation", "/_matrix/key", "/_matrix/policy")
MEDIA_PATHS = ("/_matrix/media", "/_matrix/client/v1/media", "/_matrix/federation/v1/media")
"""What a media repository answers instead of the homeserver, all of it and nothing else: uploads, downloads, previews
and their limits from before and after media needed a login, and downloads by other servers (matrix-media-repo,
CHANGELOG 1.3.5). Its logout and Synapse-like administration below ``/_matrix/client`` stay the homeserver's."""

MEDIA_ADMIN_PATHS = ("/_matrix/media/unstable/admin", "/_matrix/media/unstable/io.t2bot.media/admin")
"""Where matrix-media-repo purges, quarantines and exports (``api/routes.go``)."""


def build(answers: Answers, layout: Layout) -> Site:
    """Return what must be served for these answers."""
    names, federation = answers.names, answers.federation
    base, client = names.base, names.client_host
    ours, existing = names.base_domain is BaseDomain.OURS, base != client and names.base_domain is BaseDomain.EXISTING
    own_port = federation.delegation in {Delegation.SRV, Delegation.DIRECT}
    borrowed = existing and own_port and answers.certificates.base_domain is BaseCertificate.SITE
    certificates = dict.fromkeys((client, *([base] if (ours or own_port) and not borrowed else [])))
    challenge = (Challenge(layout.webroot),) if answers.certificates.method is Method.HTTP_01 else ()

    api, discovery = homeserver_routes(answers), discovery_routes(answers, layout)
    closing = (Closed(Match("/")),)
    tls: dict[tuple[str, int], tuple[Route, ...]] = {(client, layout.https_port): (*discovery, *api)}
    if ours:
        tls.setdefault((base, layout.https_port), discovery)
    if own_port:
        key = (base, federation.port)
        tls[key] = (*(discovery if key in tls else ()), *api)
    plain = tuple(_plain(name, layout, challenge) for name in certificates if name != base or not existing)
    secure = tuple(
        VirtualHost(name, port, tls=True, certificate=name, routes=(Marker(), *routes, *closing))
        for (name, port), routes in tls.items()
    )
    guests = []
    if existing and base in certificates and challenge:
        guests.append(Guest(base, layout.http_port, tls=False, routes=(Marker(), *challenge)))
    if existing:
        guests.append(Guest(base, layout.https_port, tls=True, routes=(Marker(), *discovery)))
    return Site(
        (*plain, *secure),
        tuple(certificates),
        body_limit=max(PALPO_BODY_LIMIT, answers.homeserver.max_upload_size),
        guests=tuple(guests),
        borrowed=(base,) if borrowed else (),
        managed=managed(answers.certificates, certificates),
        issuer=issuer(answers.certificates),
    )


def _plain(name: str, layout: Layout, challenge: tuple[Challenge, ...]) -> VirtualHost:
    routes: tuple[Route, ...] = (Marker(), *challenge, Redirect(origin(name, layout)))
    return VirtualHost(name, layout.http_port, tls=False, certificate="", routes=routes)


def proving(names: Iterable[str], layout: Layout) -> Site:
    """Return what answers authorities for these names on the port of plain HTTP, and nothing else."""
    hosts = tuple(_plain(name, layout, (Challenge(layout.webroot),)) for name in names)
    return Site(hosts, (), body_limit=PALPO_BODY_LIMIT)


def managed(certificates: Certificates, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names whose certificate the proxy orders itself: all that have no files of their own."""
    if certificates.method is not Method.PROXY:
        return ()
    return tuple(name for name in names if name not in certificates.files)


def issuer(certificates: Certificates) -> Issuer | None:
    """Return from whom the proxy orders, None where it does not."""
    if certificates.method is not Method.PROXY:
        return None
    return Issuer(certificates.directory, certificates.email, certificates.ca_file)


def origin(name: str, layout: Layout) -> str:
    """Return the HTTPS origin of a name, without the port where it is the usual one."""
    return f"https://{name}" if layout.https_port == 443 else f"https://{name}:{layout.https_port}"


def homeserver_routes(answers: Answers) -> tuple[Route, ...]:
    """Return what is passed to the homeserver and what is kept from it, in order."""
    upstream = answers.homeserver.upstream
    routes: list[Route] = []
    if answers.federation.delegation is Delegation.NONE:
        routes += [Closed(Match(path), NOT_FEDERATING) for path in FEDERATION_PATHS]
    if answers.media is not None:
        routes += media_routes(answers, answers.media)
    register = Match("/_matrix/client/*/register", Scope.EXACT)
    if answers.homeserver.registration is Registration.CLOSED:
        routes.append(Closed(Match(register.path, Scope.EXACT, method="POST"), NOT_REGISTERING))
    routes += [
        Forward(Match("/_matrix/client/*/login", Scope.EXACT), upstream, limit=LOGIN),
        Forward(register, upstream, limit=REGISTER),
        Forward(Match("/_matrix/client/*/account/password", Scope.EXACT), upstream, limit=PASSWORD),
        Forward(Match("/_matrix"), upstream),
        Forward(Match("/_palpo/client"), upstream),
    ]
    routes += [Closed(Match(path)) for path in ADMIN_PATHS]
    return tuple(routes)


def media_routes(answers: Answers, upstream: Address) -> tuple[Route, ...]:
    """Return what goes to a media repository, in order.

    It knows servers by their name, which it takes from X-Forwarded-Host or else from Host, and refuses the public
    name of the client host (matrix-media-repo, ``api/_routers/03-host_detection.go``).
    """
    federates = answers.federation.delegation is not Delegation.NONE
    paths = (path for path in MEDIA_PATHS if federates or not path.startswith(FEDERATION_PATHS))
    forwards = (
        Forward(Match(path), upstream, host=answers.names.server_name, body_limit=answers.media_upload_size)
        for path in paths
    )
    return (*(Closed(Match(path)) for path in MEDIA_ADMIN_PATHS), *forwards)


def discovery_routes(answers: Answers, layout: Layout) -> tuple[Route, ...]:
    """Return the well-known answers (Matrix spec, client-server and server-server API, "Well-known URI").

    ``/.well-known/matrix/server`` is there for the delegation ``well-known`` only: a valid answer would
    keep other servers from asking for SRV records.
    """
    client = origin(answers.names.client_host, layout)
    document: dict[str, object] = {"m.homeserver": {"base_url": client}}
    if answers.well_known.identity_server:
        document["m.identity_server"] = {"base_url": answers.well_known.identity_server}
    if answers.well_known.rtc_foci:
        document["org.matrix.msc4143.rtc_foci"] = [
            {"type": "livekit", "livekit_service_url": url} for url in answers.well_known.rtc_foci
        ]
    routes: list[Route] = [FixedJson("/.well-known/matrix/client", compact(document), max_age=3600)]
    if answers.federation.delegation is Delegation.WELL_KNOWN:
        routes.append(FixedJson("/.well-known/matrix/server", compact(delegated(answers, layout)), max_age=3600))
    else:
        routes.append(Closed(Match("/.well-known/matrix/server", Scope.EXACT)))
    if answers.well_known.support:
        routes.append(FixedJson("/.well-known/matrix/support", compact(support(answers.well_known.support)), 86400))
    return tuple(routes)


def service_record(service: str, base: str, host: str, port: int) -> str:
    """Return the line of a zone that leads other servers from a base domain to a host and port (RFC 2782)."""
    return f"{service}._tcp.{base}. IN SRV 10 0 {port} {host}."


def delegated(answers: Answers, layout: Layout) -> dict[str, object]:
    """Return the server well-known document: where other servers connect to."""
    return {"m.server": f"{answers.names.client_host}:{layout.https_port}"}


def support(contact: str) -> dict[str, object]:
    """Return the support document for an e-mail address, a Matrix ID or a page."""
    if contact.startswith("@"):
        return {"contacts": [{"role": "m.role.admin", "matrix_id": contact}]}
    if contact.startswith(("https://", "http://")):
        return {"support_page": contact}
    return {"contacts": [{"role": "m.role.admin", "email_address": contact}]}
