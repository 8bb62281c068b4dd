"""The part of a plan that goes into sites of somebody else's: who answers there now, and where a line goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.system import System
from palpo_installer.host import Host
from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.base import Expectation, Part
from palpo_installer.proxies.editability import uneditable
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.nginx.answering import Answering, By, answering
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.conflicts import Conflict, conflicts
from palpo_installer.proxies.nginx.guests import Leaflet
from palpo_installer.proxies.nginx.insertion import Impossible, place, refuse_misreading
from palpo_installer.proxies.nginx.listens import Listening, reached
from palpo_installer.proxies.nginx.tree import Directive
from palpo_installer.proxies.sockets import Socket, is_tcp
from palpo_installer.site import Guest


@dataclass(frozen=True)
class Place:
    """A server block that a guest belongs into.

    Attributes:
        answering: the block, why it answers, and where.
        present: whether it includes the guest's file already.
        add: the line and where in the block's file it goes; None where it is there, or nobody but a person may add it.
        reason: why only a person may add it, empty where that is not so.
    """

    answering: Answering
    present: bool
    add: AddedLine | None
    reason: str

    @property
    def block(self) -> ServerBlock:
        """The server block."""
        return self.answering.block


@dataclass(frozen=True)
class Hosting:
    """How one guest gets into the server blocks that answer for its name.

    Attributes:
        host: for looks at the files of the blocks.
        nginx: as found, without our own server blocks.
        top: its whole configuration.
        system: for the addresses of this host.
        leaflet: the guest's file.
    """

    host: Host
    nginx: Nginx
    top: Directive
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
        found = answering(self.nginx.servers, self.guest.name, self.guest.port)
        refuse_chance(self.guest, found)
        for each in found:
            for socket in each.sockets:
                if each.by is not By.DEFAULT and ("ssl" in self._options(socket)) != self.guest.tls:
                    raise _other_protocol(self.guest, each)
        return found

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Where the guest belongs."""
        return tuple(self._place(each) for each in self.found if each.by is not By.DEFAULT)

    def refuse(self) -> None:
        """Check that the site takes the guest.

        Raises:
            RefusedPlan: by ``found``, or a block keeps our answers out; each reason has its line and its cure.
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
        every = (listen for block in self.nginx.servers for listen in block.listens if is_tcp(listen, self.guest.port))
        sockets = {
            Listening(
                address,
                self.guest.port,
                proxy_protocol="proxy_protocol" in self._options((address, self.guest.port)),
                both_families="ipv6only=off" in self._options((address, self.guest.port)),
            )
            for address in {listen.address for listen in every}
        }
        guest, marker = self.guest, self.leaflet.marker
        for address, socket in sorted(reached(sockets, self.system).items()):
            if (socket.address, guest.port) in mine:
                yield Expectation(address, guest.port, guest.tls, guest.name, marker, None, socket.proxy_protocol)

    def _options(self, socket: Socket) -> frozenset[str]:
        """Return the options of a socket: nginx takes them from whichever ``listen`` of it names them."""
        listens = (listen for block in self.nginx.servers for listen in block.listens)
        return frozenset(word for each in listens if (each.address, each.port) == socket for word in each.options)

    @property
    def standing(self) -> tuple[Directive, ...]:
        """The lines that include the guest's file where it belongs."""
        return tuple(each for place in self.places for each in self.includes(place.block))

    def includes(self, block: ServerBlock) -> tuple[Directive, ...]:
        """Return the directives of a block that include the guest's file."""
        found = (
            include
            for http in self.top.all("http")
            for server in http.all("server")
            if (server.file, server.line) == (block.file, block.line)
            for include in server.all("include")
        )
        return tuple(each for each in found if self.leaflet.is_included_by(each, self.top.file.parent))

    def _place(self, answer: Answering) -> Place:
        block = answer.block
        if self.includes(block):
            return Place(answer, True, None, "")
        reason = self._reserved(answer)
        if reason:
            return Place(answer, False, None, reason)
        data = self.host.read(block.file) or b""
        where = place(data, block.line)
        if isinstance(where, Impossible):
            return Place(answer, False, None, where.reason)
        try:
            refuse_misreading(data, where, self.leaflet.included)
        except RefusedPlan as error:
            return Place(answer, False, None, error.what)
        text = where.indent.decode(errors="replace") + self.leaflet.line
        return Place(answer, False, AddedLine(text, where.line), "")

    def _reserved(self, answer: Answering) -> str:
        """Return why a line in this block is for a person to add, empty where it is not."""
        name = self.guest.name
        if answer.by is not By.NAME:
            pattern = ", ".join(answer.block.names)
            return f"it answers for every name that fits {pattern}, and all of them would answer so"
        others = [each for each in answer.block.names if each.lower() not in {name, f"www.{name}"}]
        if others:
            return f"it answers for {', '.join(others)} too, and they would answer so as well"
        return uneditable(self.host, answer.block.file)

    def conflicts(self, there: Place) -> tuple[Conflict, ...]:
        """Return what in a block keeps our answers out, what we included there ourselves left out."""
        block = there.block
        theirs = tuple(each for each in block.locations if each.file != self.leaflet.file.path)
        return conflicts(self.guest, replace(block, locations=theirs))


def in_words(conflict: Conflict) -> str:
    """Return a conflict with the paths it is about and its cure."""
    return f"{conflict.what}, at {', '.join(conflict.paths)}: {conflict.next}"


def refuse_chance(guest: Guest, found: Sequence[Answering]) -> None:
    """Refuse a name that no server block has: whoever answers for it does so by chance.

    Raises:
        RefusedPlan: nobody answers on that port, or a default server does.
    """
    if any(each.by is not By.DEFAULT for each in found):
        return
    cure = (
        "Choose base_domain = ours, or give a site of yours this name"
        if guest.tls
        else "Give a site of yours this name on that port, or choose certificates.base_domain = site"
    )
    if not found:
        raise RefusedPlan(f"no site of nginx answers for {guest.name} on port {guest.port}", next=cure)
    by = "; ".join(
        f"{each.block.file}:{each.block.line} ({', '.join(each.block.names) or 'no name'})" for each in found
    )
    raise RefusedPlan(
        f"no site of nginx has the name {guest.name} on port {guest.port}; who answers does so by chance: {by}",
        where=f"{found[0].block.file}:{found[0].block.line}",
        next=cure,
    )


def _other_protocol(guest: Guest, found: Answering) -> RefusedPlan:
    where = f"{found.block.file}:{found.block.line}"
    if guest.tls:
        return RefusedPlan(
            f"the site of {guest.name} answers on port {guest.port} without TLS, and discovery is over HTTPS only",
            where=where,
            next="Give the site a certificate and add ssl to its listen directives, then plan again",
        )
    return RefusedPlan(
        f"the site of {guest.name} answers on port {guest.port} with TLS, and authorities ask there without",
        where=where,
        next="Choose certificates.base_domain = site",
    )
