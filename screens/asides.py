"""What is said beside the questions of each page. Pure: from the conversation, the facts and what a CA says."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from palpo_installer import naming
from palpo_installer.answers import Address, BaseDomain, CertificateFiles, Delegation, Method
from palpo_installer.conversation import Given, Page, Talk
from palpo_installer.facts import Facts
from palpo_installer.facts.listeners import Listener
from palpo_installer.facts.names import Name
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import SERVICES, service_record
from palpo_installer.planning.ports import identity
from palpo_installer.proxies.kinds import title
from palpo_installer.proxies.standing import leaving
from palpo_installer.questions import Situation
from palpo_installer.questions.certificates import brought_names, certificate_names
from palpo_installer.questions.federation import has_own_port
from palpo_installer.screens.form import Aside


@dataclass(frozen=True)
class Seen:
    """What an aside is made from, beside the page.

    Attributes:
        given: the answers given.
        talk: the conversation that follows from them.
        facts: what is on the host, with the names that were asked so far.
        layout: where things are.
        terms: by directory, what it says of its terms of service.
    """

    given: Given
    talk: Talk
    facts: Facts
    layout: Layout
    terms: Mapping[str, str]

    @property
    def situation(self) -> Situation:
        """The situation that all usable answers make."""
        return Situation(self.facts, self.layout, self.talk.answers)


def aside(page: Page, seen: Seen) -> Aside:
    """Return what a page says beside its questions."""
    match page.name:
        case "names":
            return Aside(above=account(seen.situation))
        case "delegation":
            return Aside(below="\n".join(consequences(seen.situation)))
        case "certificates":
            directory = seen.situation.get("certificates.directory", str) or ""
            note = seen.terms.get(directory, f"asking {directory} for its terms ..." if directory else "")
            proof = (
                [seen.layout.http_port] if seen.situation.get("certificates.method", Method) is Method.HTTP_01 else []
            )
            below = "\n".join(held(seen.situation, proof))
            return Aside(below=below, notes={"certificates.agree_terms": note}, rows=rows(seen))
        case _:
            return Aside()


def account(situation: Situation) -> str:
    """Return how accounts will be named, for ever."""
    name = situation.get("names.server_name", str)
    return f"@you:{name}  for ever" if name else "@you:?  for ever"


def named(situation: Situation) -> tuple[str, ...]:
    """Return the names that DNS must know, as far as they are known themselves."""
    if situation.get("names.client_host", str) is None:
        return ()
    names = (*certificate_names(situation), situation.base)
    return tuple(name for name in dict.fromkeys(names) if not naming.is_literal(name))


def consequences(situation: Situation) -> Iterator[str]:
    """Yield what the choice of delegation asks for: ports, certificates, DNS."""
    if situation.get("names.client_host", str) is None:
        return
    layout = situation.layout
    port = situation.get("federation.port", int)
    ports = [layout.http_port, layout.https_port, *([port] if port and has_own_port(situation) else [])]
    yield "What this choice asks for"
    yield f"  Ports open from outside: {', '.join(map(str, dict.fromkeys(ports)))}"
    yield from (f"  {line}" for line in held(situation, ports))
    yield f"  Certificates on this host for: {', '.join(certificate_names(situation))}"
    if situation.get("names.base_domain", BaseDomain) is BaseDomain.ELSEWHERE:
        yield f"  What the website of {situation.base} must answer is printed at the end."
    yield ""
    yield "DNS now"
    known = {name.name: name for name in situation.facts.names}
    for name in named(situation):
        yield from (f"  {line}" for line in _addresses(name, known.get(name), situation))
    if situation.get("federation.delegation", Delegation) is Delegation.SRV and port:
        yield from (f"  {line}" for line in _services(known.get(situation.base), port, situation))


def held(situation: Situation, ports: Collection[int]) -> Iterator[str]:
    """Yield who holds these ports, if it is not the proxy of the answers: a port of both families once."""
    kind = situation.get("proxy.kind", str) or ""
    proxy, new = situation.facts.proxy(kind), title(kind) or "the proxy"
    own = proxy.pids if proxy else ()
    found: dict[tuple[int, str], list[Listener]] = {}
    for each in situation.facts.listeners:
        if each.port in ports and each.process and each.pid not in own:
            found.setdefault((each.port, identity(each)), []).append(each)
    for (port, holder), sockets in found.items():
        if leaver := leaving(situation.facts, port, {each.pid for each in sockets}):
            yield f"port {port}: {leaver.title} leaves it to {new}"
        elif {"0.0.0.0", "::"} <= {each.address for each in sockets}:  # noqa: S104
            yield f"! port {port} is held by {holder}; {new} needs it"
        else:
            yield from (f"! {Address(each.address, port)} is held by {holder}; {new} needs it" for each in sockets)


def _addresses(text: str, name: Name | None, situation: Situation) -> Iterator[str]:
    if name is None:
        yield f"{text}: asking ..."
        return
    if name.problem:
        yield f"! {text}: {name.problem}"
        return
    if name.addresses:
        own = set(situation.facts.system.addresses)
        here = any(address in own for address in name.addresses)
        where = "this host" if here else "another machine, or a router in front of this one"
        yield f"{text}: {', '.join(name.addresses)} ({where})"
        return
    yield f"! {text}: no address yet. Add, at whoever runs the domain:"
    ours = [ipaddress.ip_address(address) for address in situation.facts.system.addresses]
    public = [address for address in ours if address.is_global]
    for address in public:
        yield f"    {text}. IN {'A' if address.version == 4 else 'AAAA'} {address}"
    if not public:
        yield f"    {text}. IN A <the public address of this host>"


def _services(name: Name | None, port: int, situation: Situation) -> Iterator[str]:
    host = situation.answer("names.client_host", str)
    found = {"_matrix-fed": name.federation, "_matrix": name.federation_old} if name else {}
    there = {service for service, records in found.items() if any((r.target, r.port) == (host, port) for r in records)}
    groups = {
        "these records are there": [service for service in SERVICES if service in there],
        "! records to add" if name else "records that are needed": [each for each in SERVICES if each not in there],
    }
    for heading, services in groups.items():
        if services:
            yield f"{heading}:"
            yield from (f"  {service_record(service, situation.base, host, port)}" for service in services)


def rows(seen: Seen) -> Mapping[str, tuple[str, str]]:
    """Return chain and key for each name that needs a certificate, as they were typed or found."""
    situation = seen.situation
    if situation.get("names.client_host", str) is None:
        return {}
    typed = seen.given.get("certificates.files") or situation.get("certificates.files", dict) or {}
    table = typed if isinstance(typed, Mapping) else {}
    return {name: _pair(table.get(name)) for name in brought_names(situation)}


def _pair(row: object) -> tuple[str, str]:
    if isinstance(row, CertificateFiles):
        return str(row.chain), str(row.key)
    if isinstance(row, Mapping):
        return str(row.get("chain", "")), str(row.get("key", ""))
    return "", ""
