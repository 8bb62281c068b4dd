"""The questions about names: of the server, of its host for clients, and who serves the website."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from palpo_installer import naming
from palpo_installer.answers import BaseDomain
from palpo_installer.errors import AnswersError
from palpo_installer.facts.matrix import Matrix, Told
from palpo_installer.facts.palpo import PalpoConfiguration
from palpo_installer.proxies.answering import Answering, By
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.who_answers import answering
from palpo_installer.questions import readers
from palpo_installer.questions.question import Choice, Kind, Question, Situation

PLACEHOLDERS = ("your.server.name", "change.palpo.im")
"""What Palpo's own example files say."""


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


def told(situation: Situation) -> Matrix:
    """Return what the configuration that is there says, nothing where it is for another server name."""
    found = situation.facts.matrix
    named = situation.get("names.server_name", str)
    return found if found.server_name is None or found.server_name.value == named else Matrix()


def usable(said: Told | None, read: Callable[[object], object]) -> object:
    """Return what was found in its typed form, None where it is no usable answer."""
    try:
        return read(said.value) if said else None
    except AnswersError:
        return None


def _server_name_settled(value: object, _: Situation) -> object:
    if value in PLACEHOLDERS:
        raise AnswersError("it is the placeholder of an example file", next="Type a name of a domain that is yours")
    return value


def _client_host_default(situation: Situation) -> object:
    if naming.is_literal(situation.base):
        return None
    found = usable(told(situation).client_host, readers.text(naming.host_name))
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
    return tuple(found for proxy in looked_at(situation) for found in answering(proxy, situation.base, port))


def looked_at(situation: Situation) -> tuple[Proxy, ...]:
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
    found = "; ".join(str(each) for each in answering_now(situation))
    return f"Who answers for {situation.base} today: {found}." if found else ""


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
        found=lambda situation: told(situation).client_host,
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
)
