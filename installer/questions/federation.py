"""The questions about federation: how other servers find this one, and at which port."""

from __future__ import annotations

from palpo_installer import naming, validation
from palpo_installer.answers import BaseDomain, Delegation
from palpo_installer.errors import AnswersError
from palpo_installer.questions import readers
from palpo_installer.questions.names import has_existing_site, serves_base, told, usable
from palpo_installer.questions.question import Choice, Kind, Question, Situation

FEDERATION_PORT = 8448
"""Where servers look when nothing else is said (server-server API, "Resolving server names")."""

OWN_PORT = (Delegation.SRV, Delegation.DIRECT)


def _undelegated(situation: Situation) -> bool:
    """Return whether the server name has a port or is an IP address, which rules out delegation."""
    name = situation.answer("names.server_name", str)
    return name != situation.base or naming.is_literal(name)


def _delegation_default(situation: Situation) -> object:
    if _undelegated(situation):
        return Delegation.DIRECT
    records = (name.federation or name.federation_old for name in situation.facts.names if name.name == situation.base)
    found = usable(told(situation).delegation, readers.choice(Delegation))
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
    found = usable(told(situation).port, readers.number(validation.port)) if srv else None
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
    if not direct and has_existing_site(situation) and value == situation.layout.https_port:
        raise AnswersError(
            f"on this port {situation.base} is a website already, and a name has one site on a port",
            next=f"Use another one, as {FEDERATION_PORT}, or choose the delegation well-known",
        )
    return value


FEDERATION = (
    Question(
        key="federation.delegation",
        text="How other servers find this one",
        help="With well-known no DNS record and no port beside 443 is needed.",
        kind=Kind.CHOICE,
        read=readers.choice(Delegation),
        default=_delegation_default,
        found=lambda situation: told(situation).delegation,
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
        found=lambda situation: told(situation).port,
        settle=_port_settled,
        applies=has_own_port,
        example=str(FEDERATION_PORT),
    ),
)
