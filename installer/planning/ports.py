"""Ports that another program holds: found before anything is written, with what can be done instead."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from palpo_installer.answers import Address, Answers, Delegation, Method
from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.listeners import Listener
from palpo_installer.layout import Layout
from palpo_installer.proxies.base import Expectation, Rendering
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.standing import PROGRAMS, Standing, named
from palpo_installer.questions.support import is_supported

OWN_PORT = (Delegation.SRV, Delegation.DIRECT)


@dataclass(frozen=True)
class Taken:
    """A port that somebody else holds.

    Attributes:
        holder: who.
        families: the address families in which it keeps the proxy from the port, 4 and 6.
    """

    holder: Listener
    families: tuple[int, ...]

    def __str__(self) -> str:
        families = " and ".join(f"IPv{family}" for family in self.families)
        return f"{Address(self.holder.address, self.holder.port)} ({families}) is held by {identity(self.holder)}"


def taken(rendering: Rendering, listeners: Sequence[Listener], own: Collection[int]) -> tuple[Taken, ...]:
    """Return every port that the proxy will need and another program holds; one more of its kind is another program.

    Args:
        rendering: what the proxy will listen on.
        listeners: who listens now.
        own: the processes of the proxy, none where it is stopped.
    """
    needed = (*rendering.plain.expectations, *rendering.secure.expectations)
    found = []
    for listener in listeners:
        # Without root the owner may be hidden; then only the run itself can tell.
        if not listener.process or listener.pid in own:
            continue
        collisions = [expectation for expectation in needed if collides(listener, expectation)]
        collisions = collisions or [each for each in needed if _inside(listener, each, needed)]
        if collisions:
            families = sorted({ipaddress.ip_address(each.address).version for each in collisions})
            found.append(Taken(listener, tuple(families)))
    return tuple(found)


def refuse_taken_ports(
    rendering: Rendering,
    listeners: Sequence[Listener],
    proxy: Proxy,
    answers: Answers,
    layout: Layout,
    others: Collection[int] = (),
    standing: Sequence[Standing] = (),
) -> None:
    """Check that no other program holds a port that the proxy will need.

    Args:
        rendering: what it will listen on.
        listeners: who listens now.
        proxy: as found.
        answers: for what else could be chosen.
        layout: for the ports of the web.
        others: the ports of its other sites.
        standing: all proxies of this host.

    Raises:
        RefusedPlan: one does; all of them are named, and what can be done. Nothing is stopped for us.
    """
    found = taken(rendering, listeners, proxy.pids)
    if found:
        told, one = tuple(in_words(found)), len({each.holder.port for each in found}) == 1
        named_there = told[0].startswith("port")
        raise RefusedPlan(
            f"{'; '.join(told)}. {proxy.title} needs {'it' if one else 'them'}",
            where="" if named_there else "ports" if not one else f"port {found[0].holder.port}",
            next=" ".join((*offers(found, answers, layout, others), *_left(found, standing, proxy), _free(found))),
        )


def in_words(found: Sequence[Taken]) -> Iterator[str]:
    """Yield who holds what, a holder with both families of a port once."""
    whole: dict[str, list[int]] = {}
    for each in found:
        if each.families == (4, 6) or _has_twin(each, found):
            whole.setdefault(identity(each.holder), []).append(each.holder.port)
    for holder, numbers in whole.items():
        ports = tuple(dict.fromkeys(numbers))
        yield f"{named(ports)} {'is' if len(ports) == 1 else 'are'} held by {holder}"
    yield from (str(each) for each in found if each.families != (4, 6) and not _has_twin(each, found))


def _has_twin(taken: Taken, found: Sequence[Taken]) -> bool:
    """Return whether its holder has all addresses of its port, in both families."""
    holder = taken.holder
    alike = [e.holder for e in found if e.holder.port == holder.port and identity(e.holder) == identity(holder)]
    return {each.address for each in alike} >= {"0.0.0.0", "::"}  # noqa: S104


def offers(found: Sequence[Taken], answers: Answers, layout: Layout, others: Collection[int]) -> Iterator[str]:
    """Yield what can be done about taken ports, one sentence each; every setting is an answer that there is."""
    web = [each.holder for each in found if each.holder.port in {layout.http_port, layout.https_port}]
    federation = [each.holder for each in found if each.holder.port == answers.federation.port]
    proxies = [each for each in web if PROGRAMS.get(each.process, answers.proxy) != answers.proxy]
    # Where two share the ports, only that of HTTPS helps: whoever has port 80 alone would meet the other one there.
    tls = [each for each in proxies if each.port == layout.https_port]
    yield from dict.fromkeys(map(_beside, tls or proxies))
    if answers.federation.delegation in OWN_PORT and federation and not web:
        yield "With --set federation.delegation=well-known other servers come on the port of HTTPS, and need no other."
        if answers.federation.delegation is Delegation.SRV:
            yield "Or keep the SRV records and choose another port: --set federation.port=…"
    proof = answers.certificates.method in {Method.HTTP_01, Method.PROXY} and layout.http_port not in others
    if proof and web and all(holder.port == layout.http_port for holder in web):
        yield "Certificates that are there need no plain HTTP: --set certificates.method=files does without this port."


def _left(found: Sequence[Taken], standing: Sequence[Standing], proxy: Proxy) -> Iterator[str]:
    """Yield whose sites would be without a proxy if the ports were freed."""
    kinds = dict.fromkeys(PROGRAMS.get(each.holder.process, "") for each in found if not each.holder.container)
    for each in (each for each in standing if each.kind in kinds and each.kind != proxy.kind and each.sites):
        many = "one other site" if each.sites == 1 else f"{each.sites} other sites"
        them = "it" if each.sites == 1 else "them"
        yield f"{each.title} serves {many}, which nobody would answer for then: move {them} to {proxy.title} first."


def _free(found: Sequence[Taken]) -> str:
    units = " ".join(dict.fromkeys(each.holder.unit for each in found if each.holder.unit))
    how = f" (systemctl disable --now {units})" if units else ""
    it = "port" if len({each.holder.port for each in found}) == 1 else "ports"
    return f"Or free the {it} yourself{how}: palpo-installer stops nothing for it."


def _inside(listener: Listener, expectation: Expectation, needed: Collection[Expectation]) -> bool:
    """Return whether a listener has a loopback address on a port of which the proxy takes every address.

    Who answers on 127.0.0.1 beside other addresses listens on all of them, and 127.0.0.2 is one more.
    """
    bound, wanted = ipaddress.ip_address(listener.address), ipaddress.ip_address(expectation.address)
    if listener.port != expectation.port or not (bound.is_loopback and wanted.is_loopback):
        return False
    there = (ipaddress.ip_address(each.address) for each in needed if each.port == listener.port)
    return bound.version == wanted.version and any(
        each.version == bound.version and not each.is_loopback for each in there
    )


def _beside(holder: Listener) -> str:
    kind = PROGRAMS[holder.process]
    if is_supported("proxy.kind", kind):
        return f"{holder.process} is a proxy that can serve Palpo itself: --set proxy.kind={kind}."
    return f"{holder.process} is a proxy too, but this version cannot set it up."


def identity(listener: Listener) -> str:
    """Return everything that is known of who holds a port."""
    known = {"process": str(listener.pid or ""), "unit": listener.unit, "container": listener.container}
    return f"{listener.process} ({', '.join(f'{what} {name}' for what, name in known.items() if name)})"


def collides(listener: Listener, expectation: Expectation) -> bool:
    """Return whether a listener keeps the proxy from an address: it has it, or all addresses of its family."""
    if listener.port != expectation.port:
        return False
    bound, wanted = ipaddress.ip_address(listener.address), ipaddress.ip_address(expectation.address)
    if bound.is_unspecified:
        return listener.both_families or bound.version == wanted.version
    return bound == wanted
