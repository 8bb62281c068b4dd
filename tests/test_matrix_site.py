"""What must be served, for every way of delegating and every owner of the base domain."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import pytest

from palpo_installer.answers import (
    MEDIA_UPLOAD_SIZE,
    Address,
    Answers,
    BaseCertificate,
    BaseDomain,
    Delegation,
    Federation,
    Method,
    Registration,
    WellKnown,
)
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import (
    ADMIN_PATHS,
    FEDERATION_PATHS,
    LOGIN,
    MEDIA_ADMIN_PATHS,
    MEDIA_PATHS,
    PASSWORD,
    REGISTER,
    build,
    support,
)
from palpo_installer.site import (
    NOT_FEDERATING,
    NOT_REGISTERING,
    Challenge,
    Closed,
    FixedJson,
    Forward,
    Marker,
    Match,
    Redirect,
    Route,
    Scope,
    Site,
    VirtualHost,
)
from tests.homeserver import made

BASE, CLIENT = "example.com", "matrix.example.com"
OWN_PORT = (Delegation.SRV, Delegation.DIRECT)
EVERYTHING = list(product(Delegation, (BaseDomain.OURS, BaseDomain.ELSEWHERE), (CLIENT, BASE)))
MEDIA = Address("127.0.0.1", 8000)


def answers(
    delegation: Delegation = Delegation.WELL_KNOWN,
    base_domain: BaseDomain = BaseDomain.OURS,
    client: str = CLIENT,
    registration: Registration = Registration.CLOSED,
) -> Answers:
    """Return answers for example.com."""
    whole = made.answers(delegation=delegation, registration=registration)
    return replace(whole, names=replace(whole.names, client_host=client, base_domain=base_domain))


def tls(site: Site) -> dict[tuple[str, int], VirtualHost]:
    """Return the virtual hosts with TLS by name and port."""
    return {(host.name, host.port): host for host in site.virtual_hosts if host.tls}


def first(host: VirtualHost, path: str, method: str = "GET") -> Route | None:
    """Return the route that answers a path, as a proxy would choose it."""
    return next((route for route in host.routes if takes(route, path, method)), None)


def takes(route: Route, path: str, method: str) -> bool:
    """Return whether a route answers a request."""
    match route:
        case FixedJson():
            return route.path == path
        case Forward() | Closed():
            return route.match.method in {"", method} and fits(route.match, path)
        case _:
            return False


def fits(match: Match, path: str) -> bool:
    """Return whether a path is one of a match's, segment by segment."""
    wanted, segments = ([part for part in each.split("/") if part] for each in (match.path, path))
    if match.scope is Scope.EXACT and len(wanted) != len(segments):
        return False
    return len(wanted) <= len(segments) and all(w in {"*", s} for w, s in zip(wanted, segments, strict=False))


def upstream(route: Route | None) -> Address | None:
    """Return where a route passes requests on to."""
    return route.upstream if isinstance(route, Forward) else None


@pytest.mark.parametrize(("delegation", "base_domain", "client"), EVERYTHING)
def test_names_and_ports(delegation: Delegation, base_domain: BaseDomain, client: str) -> None:
    """443 for clients, the base domain where it is ours, its own federation port for srv and direct alone."""
    site = build(answers(delegation, base_domain, client), Layout())
    expected = {(client, 443)}
    if base_domain is BaseDomain.OURS:
        expected.add((BASE, 443))
    if delegation in OWN_PORT:
        expected.add((BASE, 8448))
    assert set(tls(site)) == expected
    assert set(site.certificates) == {name for name, _ in expected}
    assert [(host.name, host.port) for host in site.virtual_hosts if not host.tls] == [
        (name, 80) for name in site.certificates
    ]
    assert site.ports == tuple(dict.fromkeys([(80, False), *((port, True) for _, port in tls(site))]))


def visiting(delegation: Delegation, certificate: BaseCertificate, method: Method = Method.HTTP_01) -> Site:
    """Return the site for a base domain that somebody else's site of the proxy has."""
    whole = answers(delegation, BaseDomain.EXISTING)
    return build(
        replace(whole, certificates=replace(whole.certificates, base_domain=certificate, method=method)), Layout()
    )


@pytest.mark.parametrize("delegation", Delegation)
def test_an_existing_site_takes_discovery_and_keeps_its_ports(delegation: Delegation) -> None:
    """A guest on 443 with marker and documents alone; no virtual host of ours has the name on 80 or 443."""
    found = visiting(delegation, BaseCertificate.SITE)
    (guest,) = found.guests
    assert (guest.name, guest.port, guest.tls) == (BASE, 443, True)
    assert guest.routes[0] == Marker()
    assert {type(route) for route in guest.routes[1:]} <= {FixedJson, Closed}
    assert [(host.name, host.port) for host in found.virtual_hosts if host.name == BASE] == (
        [(BASE, 8448)] if delegation in OWN_PORT else []
    )
    assert found.certificates == (CLIENT,)
    assert found.borrowed == ((BASE,) if delegation in OWN_PORT else ())


@pytest.mark.parametrize("delegation", OWN_PORT)
def test_a_certificate_beside_an_existing_site_needs_its_port_80(delegation: Delegation) -> None:
    """A guest for the challenge, where an authority asks; not for a certificate that is made here."""
    found = visiting(delegation, BaseCertificate.ORDERED)
    assert [(guest.port, guest.tls) for guest in found.guests] == [(80, False), (443, True)]
    assert found.guests[0].routes == (Marker(), Challenge(Layout().webroot))
    assert (found.certificates, found.borrowed) == ((CLIENT, BASE), ())
    local = visiting(delegation, BaseCertificate.ORDERED, Method.SELF_SIGNED)
    assert [guest.port for guest in local.guests] == [443]


@pytest.mark.parametrize(("delegation", "base_domain", "client"), EVERYTHING)
def test_each_name_shows_its_own_certificate(delegation: Delegation, base_domain: BaseDomain, client: str) -> None:
    """The federation port of srv and direct shows the base domain's certificate; without TLS there is none."""
    for host in build(answers(delegation, base_domain, client), Layout()).virtual_hosts:
        assert host.certificate == (host.name if host.tls else "")


@pytest.mark.parametrize(("delegation", "base_domain", "client"), EVERYTHING)
def test_the_homeserver_is_behind_the_client_host_and_the_federation_port(
    delegation: Delegation, base_domain: BaseDomain, client: str
) -> None:
    """A base domain that is ours but not the client host serves well-known documents and nothing of the homeserver."""
    for (name, port), host in tls(build(answers(delegation, base_domain, client), Layout())).items():
        passes = name == client or port == 8448
        assert (upstream(first(host, "/_matrix/client/versions")) == made.LOCAL) is passes
        assert isinstance(first(host, "/anything/else"), Closed)
        assert isinstance(host.routes[0], Marker)


@pytest.mark.parametrize(("delegation", "base_domain", "client"), EVERYTHING)
def test_admin_paths_never_reach_the_homeserver(delegation: Delegation, base_domain: BaseDomain, client: str) -> None:
    """Each is closed on every virtual host, itself and all below it, and nothing forwarded lies above one."""
    for host in tls(build(answers(delegation, base_domain, client), Layout())).values():
        for path, below in product(ADMIN_PATHS, ("", "/", "/v1/users")):
            assert isinstance(first(host, path + below), Closed)
        forwarded = [route.match.path for route in host.routes if isinstance(route, Forward)]
        assert not [path for path in forwarded if not path.startswith(("/_matrix", "/_palpo/client"))]


@pytest.mark.parametrize(("delegation", "base_domain", "client"), EVERYTHING)
def test_the_server_document_is_there_for_well_known_only(
    delegation: Delegation, base_domain: BaseDomain, client: str
) -> None:
    """Elsewhere it is closed, since a valid answer would shadow the SRV records; the client document stays."""
    hosts = tls(build(answers(delegation, base_domain, client), Layout()))
    for host in (host for (_, port), host in hosts.items() if port == 443):
        document = first(host, "/.well-known/matrix/server")
        if delegation is Delegation.WELL_KNOWN:
            assert isinstance(document, FixedJson)
            assert json.loads(document.body) == {"m.server": f"{client}:443"}
        else:
            assert isinstance(document, Closed)
            assert document.refusal.status == 404
        clients = first(host, "/.well-known/matrix/client")
        assert isinstance(clients, FixedJson)
        assert json.loads(clients.body) == {"m.homeserver": {"base_url": f"https://{client}"}}


@pytest.mark.parametrize("delegation", Delegation)
def test_without_federation_its_paths_are_closed(delegation: Delegation) -> None:
    """They are refused as forbidden for the delegation none, and reach the homeserver for every other."""
    host = tls(build(answers(delegation), Layout()))[CLIENT, 443]
    for path in FEDERATION_PATHS:
        route = first(host, f"{path}/v1/version")
        if delegation is Delegation.NONE:
            assert isinstance(route, Closed)
            assert route.refusal == NOT_FEDERATING
        else:
            assert upstream(route) == made.LOCAL


def test_what_is_refused_is_forbidden_in_matrix_words() -> None:
    """Clients and other servers tell a closed door from a missing one by status and error code."""
    assert [(each.status, each.errcode) for each in (NOT_FEDERATING, NOT_REGISTERING)] == [(403, "M_FORBIDDEN")] * 2


@pytest.mark.parametrize("registration", Registration)
def test_closed_registration_is_refused_before_the_homeserver(registration: Registration) -> None:
    """Only POST is refused, so that clients still learn by GET which kinds there are; otherwise it is limited."""
    host = tls(build(answers(registration=registration), Layout()))[CLIENT, 443]
    route = first(host, "/_matrix/client/v3/register", "POST")
    if registration is Registration.CLOSED:
        assert isinstance(route, Closed)
        assert route.refusal == NOT_REGISTERING
    else:
        assert isinstance(route, Forward)
        assert route.limit == REGISTER
    assert upstream(first(host, "/_matrix/client/v3/register", "GET")) == made.LOCAL
    assert upstream(first(host, "/_matrix/client/v3/register/available", "POST")) == made.LOCAL


def test_logins_and_passwords_are_limited() -> None:
    """Each has its own counter in every version of the API; what lies below is not counted with it."""
    host = tls(build(answers(), Layout()))[CLIENT, 443]
    for version, (path, limit) in product(("r0", "v3"), (("login", LOGIN), ("account/password", PASSWORD))):
        route = first(host, f"/_matrix/client/{version}/{path}", "POST")
        assert isinstance(route, Forward)
        assert route.limit == limit
    below = first(host, "/_matrix/client/v3/login/sso/redirect")
    assert isinstance(below, Forward)
    assert below.limit is None


@pytest.mark.parametrize("delegation", Delegation)
def test_media_go_to_their_own_repository(delegation: Delegation) -> None:
    """With the server name as Host, as the repository needs it, and closed to other servers without federation."""
    host = tls(build(replace(answers(delegation), media=MEDIA), Layout()))[CLIENT, 443]
    for path in MEDIA_PATHS:
        route = first(host, f"{path}/download/example.org/abc")
        if path.startswith("/_matrix/federation") and delegation is Delegation.NONE:
            assert isinstance(route, Closed)
        else:
            assert isinstance(route, Forward)
            assert (route.upstream, route.host, route.body_limit) == (MEDIA, BASE, MEDIA_UPLOAD_SIZE)
    assert upstream(first(host, "/_matrix/client/v3/sync")) == made.LOCAL
    for path in ("v3/logout", "v3/logout/all", "v3/admin/quarantine_media/x", "v1/mediafoo", "v3/media/config"):
        assert upstream(first(host, f"/_matrix/client/{path}")) == made.LOCAL
    for path in MEDIA_ADMIN_PATHS:
        assert isinstance(first(host, f"{path}/purge/old"), Closed)
    without = tls(build(answers(), Layout()))[CLIENT, 443]
    assert upstream(first(without, f"{MEDIA_PATHS[0]}/v3/config")) == made.LOCAL


def test_another_https_port_is_named_everywhere() -> None:
    """In the redirect, in both documents and in the sockets; the certificates stay."""
    site = build(answers(), Layout(http_port=8080, https_port=8443))
    assert site.ports == ((8080, False), (8443, True))
    plain, host = site.virtual_hosts[0], tls(site)[BASE, 8443]
    assert plain.routes[-1] == Redirect(f"https://{CLIENT}:8443")
    documents = {route.path: json.loads(route.body) for route in host.routes if isinstance(route, FixedJson)}
    assert documents["/.well-known/matrix/server"] == {"m.server": f"{CLIENT}:8443"}
    assert documents["/.well-known/matrix/client"]["m.homeserver"] == {"base_url": f"https://{CLIENT}:8443"}


def test_a_federation_port_that_is_the_https_port_is_one_virtual_host() -> None:
    """Direct federation on 443 serves documents and homeserver under the server name, once."""
    whole = replace(answers(Delegation.DIRECT), federation=Federation(Delegation.DIRECT, 443))
    hosts = tls(build(whole, Layout()))
    assert set(hosts) == {(CLIENT, 443), (BASE, 443)}
    assert upstream(first(hosts[BASE, 443], "/_matrix/key/v2/server")) == made.LOCAL
    assert isinstance(first(hosts[BASE, 443], "/.well-known/matrix/client"), FixedJson)


@pytest.mark.parametrize("method", [Method.HTTP_01, Method.FILES, Method.SELF_SIGNED])
def test_challenges_are_answered_only_where_they_are_asked(method: Method) -> None:
    """Port 80 shows the marker, then challenges from the webroot for http-01 alone, then sends on."""
    whole = answers()
    whole = replace(whole, certificates=replace(whole.certificates, method=method))
    for host in build(whole, Layout()).virtual_hosts:
        if not host.tls:
            challenge = (Challenge(Layout().webroot),) if method is Method.HTTP_01 else ()
            assert host.routes == (Marker(), *challenge, Redirect(f"https://{host.name}"))


@pytest.mark.parametrize(("size", "limit"), [(1 << 20, 16 << 20), (64 << 20, 64 << 20)])
def test_the_body_limit_is_never_below_palpos_own(size: int, limit: int) -> None:
    """A proxy that refuses less than Palpo allows breaks it; larger uploads raise the limit."""
    whole = answers()
    whole = replace(whole, homeserver=replace(whole.homeserver, max_upload_size=size))
    assert build(whole, Layout()).body_limit == limit


def test_optional_parts_of_the_documents() -> None:
    """Identity server, call backends and support appear when they are answered, and only then."""
    bare = tls(build(answers(), Layout()))[CLIENT, 443]
    assert isinstance(first(bare, "/.well-known/matrix/support"), Closed)
    well_known = WellKnown("https://id.example.com", "admin@example.com", ("https://livekit.example.com",))
    host = tls(build(replace(answers(), well_known=well_known), Layout()))[CLIENT, 443]
    documents = {route.path: json.loads(route.body) for route in host.routes if isinstance(route, FixedJson)}
    assert documents["/.well-known/matrix/client"] == {
        "m.homeserver": {"base_url": f"https://{CLIENT}"},
        "m.identity_server": {"base_url": "https://id.example.com"},
        "org.matrix.msc4143.rtc_foci": [
            {"type": "livekit", "livekit_service_url": "https://livekit.example.com"},
        ],
    }
    assert documents["/.well-known/matrix/support"] == support("admin@example.com")


@pytest.mark.parametrize(
    ("contact", "document"),
    [
        ("@admin:example.com", {"contacts": [{"role": "m.role.admin", "matrix_id": "@admin:example.com"}]}),
        ("admin@example.com", {"contacts": [{"role": "m.role.admin", "email_address": "admin@example.com"}]}),
        ("https://example.com/help", {"support_page": "https://example.com/help"}),
    ],
)
def test_support_contacts(contact: str, document: dict[str, object]) -> None:
    """A Matrix ID, an e-mail address and a page each stand under their own key."""
    assert support(contact) == document
