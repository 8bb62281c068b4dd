"""The part of a plan that goes into sites of somebody else's: who answers there now, and where a line goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.system import System
from palpo_installer.host import Host
from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.answering import Answering, By
from palpo_installer.proxies.base import Expectation, Part
from palpo_installer.proxies.editability import uneditable
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.sockets import Socket, is_tcp, reached
from palpo_installer.proxies.virtual_hosts import Conflict, Impossible, Inclusion, Leaflet, VirtualHosts
from palpo_installer.proxies.who_answers import answering
from palpo_installer.site import Guest


@dataclass(frozen=True)
class Place:
    """A site that a guest belongs into.

    Attributes:
        answering: the site, why it answers, and where.
        present: whether a line in it leads to the guest's file already.
        add: the line and where in the site's file it goes; None where it is there, or nobody but a person may add it.
        reason: why only a person may add it, empty where that is not so.
    """

    answering: Answering
    present: bool
    add: AddedLine | None
    reason: str

    @property
    def block(self) -> ServerBlock:
        """The site."""
        return self.answering.block


@dataclass(frozen=True)
class Hosting:
    """How one guest gets into the sites that answer for its name.

    Attributes:
        host: for looks at the files of the sites.
        virtual_hosts: the sites of the proxy.
        servers: those of them that are somebody else's.
        system: for the addresses of this host.
        leaflet: the guest's file.
    """

    host: Host
    virtual_hosts: VirtualHosts
    servers: tuple[ServerBlock, ...]
    system: System
    leaflet: Leaflet

    @property
    def guest(self) -> Guest:
        """What is to be answered."""
        return self.leaflet.guest

    @cached_property
    def found(self) -> tuple[Answering, ...]:
        """Who answers for the name now.

        Raises:
            RefusedPlan: nobody does by the name, or somebody without TLS.
        """
        proxy = self.virtual_hosts.proxy
        found = answering(replace(proxy, servers=self.servers), self.guest.name, self.guest.port)
        refuse_chance(self.guest, proxy.title, found)
        for each in found:
            for socket in each.sockets:
                if each.by is not By.DEFAULT and ("ssl" in self._sockets.get(socket, ())) != self.guest.tls:
                    raise _other_protocol(self.guest, each)
        return found

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Where the guest belongs."""
        return tuple(self._place(each) for each in self.found if each.by is not By.DEFAULT)

    def refuse(self) -> None:
        """Check that the site takes the guest.

        Raises:
            RefusedPlan: by ``found``, or a site keeps our answers out; each reason has its line and its cure.
        """
        found = [one for each in self.places if not each.reason for one in self.conflicts(each) if one.certain]
        if found:
            told = "; ".join(f"{in_words(one)} ({one.where})" for one in dict.fromkeys(found))
            raise RefusedPlan(
                f"the site of {self.guest.name} keeps our answers out: {told}",
                where=found[0].where,
                next="Change these lines, then plan again",
            )

    @property
    def part(self) -> Part:
        """The guest's file, and what proves it wherever its line is or will be."""
        title = f"{self.leaflet.title} in the site of {self.guest.name}"
        return Part(title, (self.leaflet.file,), (), tuple(self._expectations()))

    def _expectations(self) -> Iterator[Expectation]:
        mine = {socket for each in self.places if each.present or each.add for socket in each.answering.sockets}
        guest, marker = self.guest, self.leaflet.marker
        for address, socket in sorted(reached(self._sockets, self.system.addresses).items()):
            if socket in mine:
                line = "proxy_protocol" in self._sockets[socket]
                yield Expectation(address, guest.port, guest.tls, guest.name, marker, None, line)

    @cached_property
    def _sockets(self) -> Mapping[Socket, frozenset[str]]:
        """The sockets of the guest's port, with their options: some proxies take those from whichever site has them."""
        found: dict[Socket, frozenset[str]] = {}
        for listen in (listen for block in self.servers for listen in block.listens):
            if is_tcp(listen, self.guest.port):
                socket = (listen.address, listen.port)
                found[socket] = found.get(socket, frozenset()) | frozenset(listen.options)
        return found

    @property
    def standing(self) -> tuple[Inclusion, ...]:
        """The lines that lead to the guest's file where it belongs."""
        return tuple(each for place in self.places for each in self._inclusions(place.block))

    def _inclusions(self, block: ServerBlock) -> tuple[Inclusion, ...]:
        return self.virtual_hosts.inclusions(self.leaflet, block)

    def _place(self, answer: Answering) -> Place:
        if self._inclusions(answer.block):
            return Place(answer, True, None, "")
        reason = self._reserved(answer)
        if reason:
            return Place(answer, False, None, reason)
        found = self.virtual_hosts.place(self.leaflet, answer.block)
        if isinstance(found, Impossible):
            return Place(answer, False, None, found.reason)
        return Place(answer, False, found, "")

    def _reserved(self, answer: Answering) -> str:
        """Return why a line in this site is for a person to add, empty where it is not."""
        name = self.guest.name
        if self.virtual_hosts.tells_names_apart:
            return uneditable(self.host, answer.block.file)
        if answer.by is not By.NAME:
            pattern = ", ".join(answer.block.names)
            return f"it answers for every name that fits {pattern}, and all of them would answer so"
        others = [each for each in answer.block.names if each.lower() not in {name, f"www.{name}"}]
        if others:
            return f"it answers for {', '.join(others)} too, and they would answer so as well"
        return uneditable(self.host, answer.block.file)

    def conflicts(self, there: Place) -> tuple[Conflict, ...]:
        """Return what in a site keeps our answers out."""
        return self.virtual_hosts.conflicts(self.leaflet, there.block)


def in_words(conflict: Conflict) -> str:
    """Return a conflict with the paths it is about and its cure."""
    return f"{conflict.what}, at {', '.join(conflict.paths)}: {conflict.next}"


def refuse_chance(guest: Guest, title: str, found: Sequence[Answering]) -> None:
    """Refuse a name that no site has: whoever answers for it does so by chance.

    Args:
        guest: whose name it is.
        title: what people call the proxy.
        found: who answers.

    Raises:
        RefusedPlan: nobody answers on that port, or a default site does.
    """
    if any(each.by is not By.DEFAULT for each in found):
        return
    cure = (
        "Choose base_domain = ours, or give a site of yours this name"
        if guest.tls
        else "Give a site of yours this name on that port, or choose certificates.base_domain = site"
    )
    if not found:
        raise RefusedPlan(f"no site of {title} answers for {guest.name} on port {guest.port}", next=cure)
    by = "; ".join(
        f"{each.block.file}:{each.block.line} ({', '.join(each.block.names) or 'no name'})" for each in found
    )
    raise RefusedPlan(
        f"no site of {title} has the name {guest.name} on port {guest.port}; who answers does so by chance: {by}",
        where=f"{found[0].block.file}:{found[0].block.line}",
        next=cure,
    )


def _other_protocol(guest: Guest, found: Answering) -> RefusedPlan:
    where = f"{found.block.file}:{found.block.line}"
    if guest.tls:
        return RefusedPlan(
            f"the site of {guest.name} answers on port {guest.port} without TLS, and discovery is over HTTPS only",
            where=where,
            next="Give the site a certificate and let it answer with TLS there, then plan again",
        )
    return RefusedPlan(
        f"the site of {guest.name} answers on port {guest.port} with TLS, and authorities ask there without",
        where=where,
        next="Choose certificates.base_domain = site",
    )
