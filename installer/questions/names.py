"""The questions about names, federation and the proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from palpo_installer import naming, validation
from palpo_installer.answers import BaseDomain, Delegation
from palpo_installer.errors import AnswersError
from palpo_installer.facts.matrix import Matrix, Told
from palpo_installer.facts.palpo import PalpoConfiguration
from palpo_installer.proxies.answering import Answering, By
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.who_answers import answering
from palpo_installer.questions import readers
from palpo_installer.questions.proxies import is_open, proxies_now, proxy_default
from palpo_installer.questions.question import Choice, Kind, Question, Situation

FEDERATION_PORT = 8448
"""Where servers look when nothing else is said (server-server API, "Resolving server names")."""

PLACEHOLDERS = ("your.server.name", "change.palpo.im")
"""What Palpo's own example files say."""

OWN_PORT = (Delegation.SRV, Delegation.DIRECT)


def configuration(situation: Situation) -> PalpoConfiguration | None:
    """Return the palpo.toml that was chosen, or else that Palpo itself would read; None where there is none."""
    chosen = situation.get("homeserver.config", Path)
    found = situation.facts.palpo.configurations
    return next((one for one in found if chosen in {None, one.path}), None)


def _server_name_default(situation: Situation) -> object:
    found, told = configuration(situation), situation.facts.matrix.server_name
    name = (found.server_name if found else "") or (told.value if told else "")
    if name in PLACEHOLDERS:
        return None
    try:
        return naming.server_name(name)
    except AnswersError:
        return None


def _told(situation: Situation) -> Matrix:
    """Return what the configuration that is there says, nothing where it is for another server name."""
    found = situation.facts.matrix
    named = situation.get("names.server_name", str)
    return found if found.server_name is None or found.server_name.value == named else Matrix()


def _usable(told: Told | None, read: Callable[[object], object]) -> object:
    """Return what was found in its typed form, None where it is no usable answer."""
    try:
        return read(told.value) if told else None
    except AnswersError:
        return None


def _server_name_settled(value: object, _: Situation) -> object:
    if value in PLACEHOLDERS:
        raise AnswersError("it is the placeholder of an example file", next="Type a name of a domain that is yours")
    return value


def _client_host_default(situation: Situation) -> object:
    if naming.is_literal(situation.base):
        return None
    found = _usable(_told(situation).client_host, readers.text(naming.host_name))
    return found or (situation.base if situation.base.startswith("matrix.") else f"matrix.{situation.base}")


def serves_base(situation: Situation) -> bool:
    """Return whether clients use the server name itself, so that its website is this host's in any case."""
    return situation.get("names.client_host", str) == situation.base


def has_existing_site(situation: Situation) -> bool:
    """Return whether the website is, by the answers, a site that the proxy has already."""
    return not serves_base(situation) and situation.get("names.base_domain", BaseDomain) is BaseDomain.EXISTING


def answering_now(situation: Situation) -> tuple[Answering, ...]:
    """Return who answers with TLS for the base domain's website now, our own server blocks left out."""
    port = situation.layout.https_port
    return tuple(found for proxy in _looked_at(situation) for found in answering(proxy, situation.base, port))


def _looked_at(situation: Situation) -> tuple[Proxy, ...]:
    """Return the proxy that was chosen with the sites of others, before that each that is installed.

    Our own files answer for our names too, once they are there.
    """
    chosen = situation.get("proxy.kind", str)
    proxies = (each for each in situation.facts.proxies if chosen in {None, each.kind})
    return tuple(
        replace(each, servers=tuple(block for block in each.servers if "palpo-installer" not in block.file.name))
        for each in proxies
    )


def _base_domain_default(situation: Situation) -> object:
    """Return ``existing`` for a site with exactly this name and TLS, ``elsewhere`` where DNS leads away."""
    if any(found.by is By.NAME and found.tls for found in answering_now(situation)):
        return BaseDomain.EXISTING
    away = naming.is_literal(situation.base) or _leads_away(situation)
    return BaseDomain.ELSEWHERE if away else BaseDomain.OURS


def _base_domain_now(situation: Situation) -> str:
    """Return who answers for the base domain today, empty where no site of the proxy does."""
    told = "; ".join(str(found) for found in answering_now(situation))
    return f"Who answers for {situation.base} today: {told}." if told else ""


def _base_domain_moot(value: object, situation: Situation) -> object:
    """Refuse an existing site for a name that clients connect to."""
    if value is BaseDomain.EXISTING:
        raise AnswersError(
            f"clients connect to {situation.base} itself, which takes the whole host and not single paths of a site",
            where="names.base_domain",
            next=f"Choose another client host, such as matrix.{situation.base}, or base_domain = ours",
        )
    return value


def _base_domain_settled(value: object, situation: Situation) -> object:
    """Refuse to serve an address beside a name: TLS to an address names no server (RFC 6066, section 3)."""
    if value is BaseDomain.OURS and naming.is_literal(situation.base) and not serves_base(situation):
        raise AnswersError(
            "a server name that is an address shares its port with the client host, and only one of them is shown",
            next="Choose elsewhere, or let clients use the address too",
        )
    return value


def _leads_away(situation: Situation) -> bool:
    """Return whether DNS leads the base domain to another host.

    Behind address translation our own addresses are private and say nothing: then only the client host's
    addresses in DNS do.
    """
    known = {name.name: name.addresses for name in situation.facts.names}
    theirs = set(known.get(situation.base, ()))
    client = known.get(situation.answer("names.client_host", str), ())
    ours = {*client, *situation.facts.system.addresses}
    telling = bool(client) or any(ipaddress.ip_address(address).is_global for address in ours)
    return bool(theirs) and telling and not theirs & ours


def _undelegated(situation: Situation) -> bool:
    """Return whether the server name has a port or is an IP address, which rules out delegation."""
    name = situation.answer("names.server_name", str)
    return name != situation.base or naming.is_literal(name)


def _delegation_default(situation: Situation) -> object:
    if _undelegated(situation):
        return Delegation.DIRECT
    records = (name.federation or name.federation_old for name in situation.facts.names if name.name == situation.base)
    found = _usable(_told(situation).delegation, readers.choice(Delegation))
    if found is Delegation.DIRECT and any(records):
        return Delegation.SRV
    return found or Delegation.WELL_KNOWN


def _delegation_settled(value: object, situation: Situation) -> object:
    if _undelegated(situation) and value in {Delegation.WELL_KNOWN, Delegation.SRV}:
        raise AnswersError(
            "other servers connect to a name with a port, or to an IP address, and ask for no delegation",
            next="Choose direct or none",
        )
    return value


def has_own_port(situation: Situation) -> bool:
    """Return whether federation has a port of its own."""
    return situation.get("federation.delegation", Delegation) in OWN_PORT


def _named_port(situation: Situation) -> int:
    """Return the port that the server name says, or leaves to the rule."""
    rest = situation.answer("names.server_name", str).removeprefix(situation.base)
    return int(rest[1:]) if rest else FEDERATION_PORT


def _port_default(situation: Situation) -> object:
    srv = situation.get("federation.delegation", Delegation) is Delegation.SRV
    found = _usable(_told(situation).port, readers.number(validation.port)) if srv else None
    return found or _named_port(situation)


def _port_settled(value: object, situation: Situation) -> object:
    direct = situation.get("federation.delegation", Delegation) is Delegation.DIRECT
    if direct and value != _named_port(situation):
        raise AnswersError(
            f"without delegation other servers connect to port {_named_port(situation)} of this server name",
            next=f"Use {_named_port(situation)}",
        )
    if value == situation.layout.http_port:
        raise AnswersError("this port is for plain HTTP", next=f"Use {FEDERATION_PORT}")
    elsewhere = situation.get("names.base_domain", BaseDomain) is not BaseDomain.OURS and not serves_base(situation)
    if direct and elsewhere and value == situation.layout.https_port:
        raise AnswersError(
            "this port of the server name belongs to the website, which is not served by us",
            next="Set names.base_domain to ours, or use a server name with another port",
        )
    return value


def _sites(situation: Situation) -> dict[str, str]:
    """Return the names of the proxy's sites that have a name of ours on a port of ours, by file and line."""
    layout = situation.layout
    ours = serves_base(situation) or situation.get("names.base_domain", BaseDomain) is BaseDomain.OURS
    names = {situation.answer("names.client_host", str), *([situation.base] if ours else [])}
    wanted = {(name, port) for name in names for port in (layout.http_port, layout.https_port)}
    if has_own_port(situation):
        wanted.add((situation.base, situation.answer("federation.port", int)))
    return {
        f"{block.file}:{block.line}": " ".join(block.names)
        for proxy in _looked_at(situation)
        for block in proxy.servers
        if any((name.lower(), listen.port) in wanted for name in block.names for listen in block.listens)
    }


def _has_site(situation: Situation) -> bool:
    """Return whether the proxy has a site of somebody else with a name and port that will be ours."""
    return bool(_sites(situation))


def _sites_now(situation: Situation) -> str:
    """Return which sites are meant, by name, file and line."""
    places: dict[str, list[str]] = {}
    for place, names in _sites(situation).items():
        places.setdefault(names, []).append(place)
    told = (f"{names} at {' and '.join(there)}" for names, there in places.items())
    return f"In the way: {', '.join(told)}."


NAMES = (
    Question(
        key="names.server_name",
        text="Server name: what stands after the colon in @user:example.com",
        help="It is part of every user and room for ever and cannot be changed later. Most people take their plain "
        "domain; the server itself may run under another name.",
        kind=Kind.NAME,
        read=readers.text(naming.server_name),
        default=_server_name_default,
        found=lambda situation: situation.facts.matrix.server_name,
        settle=_server_name_settled,
        example="example.com",
    ),
    Question(
        key="names.client_host",
        text="Host that clients connect to",
        help="A name in DNS that leads to this host. It may be the server name itself.",
        kind=Kind.HOST,
        read=readers.text(naming.host_name),
        default=_client_host_default,
        found=lambda situation: _told(situation).client_host,
        example="matrix.example.com",
    ),
    Question(
        key="names.base_domain",
        text="Who serves the website of the server name",
        help="Clients and other servers ask that website where the server is, at /.well-known/matrix.",
        kind=Kind.CHOICE,
        read=readers.choice(BaseDomain),
        default=_base_domain_default,
        settle=_base_domain_settled,
        moot=_base_domain_moot,
        now=_base_domain_now,
        applies=lambda situation: not serves_base(situation),
        choices=(
            Choice(BaseDomain.OURS, "this installation", "Nothing else is served under that name."),
            Choice(BaseDomain.EXISTING, "a site of this proxy", "One line is added to that site."),
            Choice(BaseDomain.ELSEWHERE, "another machine", "What to put there is printed at the end."),
        ),
    ),
    Question(
        key="federation.delegation",
        text="How other servers find this one",
        help="With well-known no DNS record and no port beside 443 is needed.",
        kind=Kind.CHOICE,
        read=readers.choice(Delegation),
        default=_delegation_default,
        found=lambda situation: _told(situation).delegation,
        settle=_delegation_settled,
        choices=(
            Choice(Delegation.WELL_KNOWN, "well-known", "The website of the server name says where; port 443."),
            Choice(Delegation.SRV, "SRV records", "DNS says where; needs a certificate for the server name here."),
            Choice(Delegation.DIRECT, "direct", f"They connect to the server name itself, port {FEDERATION_PORT}."),
            Choice(Delegation.NONE, "not at all", "No federation: only accounts of this server see each other."),
        ),
    ),
    Question(
        key="federation.port",
        text="Port that other servers connect to, for srv and direct",
        help=f"{FEDERATION_PORT} is what other servers expect. It must be open in every firewall.",
        kind=Kind.PORT,
        read=readers.number(validation.port),
        default=_port_default,
        found=lambda situation: _told(situation).port,
        settle=_port_settled,
        applies=has_own_port,
        example=str(FEDERATION_PORT),
    ),
    Question(
        key="proxy.kind",
        text="Reverse proxy of this host",
        help="The one that answers on ports 80 and 443 now, or shall.",
        kind=Kind.CHOICE,
        read=readers.one_of(("nginx", "apache", "caddy", "haproxy", "relayd", "traefik", "kubernetes")),
        default=proxy_default,
        now=proxies_now,
        open=is_open,
        choices=(
            Choice("nginx", "nginx"),
            Choice("apache", "Apache HTTP Server"),
            Choice("caddy", "Caddy"),
            Choice("haproxy", "HAProxy"),
            Choice("relayd", "relayd"),
            Choice("traefik", "Traefik"),
            Choice("kubernetes", "Kubernetes (Gateway API)"),
        ),
    ),
    Question(
        key="proxy.take_over",
        text="Whether the proxy's site for one of these names may be switched off",
        help="Ours takes its place in the same moment, and a rollback brings it back; without that no plan can be "
        "made. A file that serves other names too is refused. The answer counts for this time only.",
        kind=Kind.FLAG,
        read=readers.flag,
        default=lambda _: False,
        applies=_has_site,
        now=_sites_now,
        example="true",
    ),
)
