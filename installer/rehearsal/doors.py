"""Where a rehearsal finds names and ports: all on loopback, and each port as another, free one.

What is rehearsed names the real ports, as clients and other servers do. So the checks of ``verify`` can ask as
they always do, and nothing they ask leaves this machine or reaches what really listens there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from palpo_installer.answers import Answers, Delegation
from palpo_installer.facts.names import Name, ServiceRecord
from palpo_installer.probe import Answer, Question, ask
from palpo_installer.verify.trust import Line, Trust, no_line


@dataclass(frozen=True)
class Doors:
    """The ports of a site as they are open on loopback.

    Attributes:
        addresses: what is open, ``127.0.0.1`` first.
        ports: the open port for each port of the site.
    """

    addresses: tuple[str, ...]
    ports: Mapping[int, int]

    def ask(self, question: Question) -> Answer:
        """Ask behind the doors, over a connection of its own; a port that the site does not have is refused."""
        return ask(self.behind(question)) if question.port in self.ports else Answer(problem="refused")

    def behind(self, question: Question) -> Question:
        """Return a question to an address and port as one to the door that stands for them."""
        return replace(question, address=self.here(question.address), port=self.ports[question.port])

    def here(self, address: str) -> str:
        """Return the loopback address that stands for an address."""
        return address if address in self.addresses else self.addresses[0]

    def real(self, port: int) -> int:
        """Return the port of the site that an open one stands for."""
        return next(real for real, there in self.ports.items() if there == port)


@dataclass(frozen=True)
class PrivateTrust(Trust):
    """Trust in the throw-away authority alone, for what the doors show."""

    doors: Doors

    def objection(self, address: str, port: int, name: str, timeout: float, line: Line = no_line) -> str:
        """Return why a client would not trust what is shown for a name, empty where it would."""
        if port not in self.doors.ports:
            return "no TLS connection comes about (refused)"
        return super().objection(self.doors.here(address), self.doors.ports[port], name, timeout, line)


@dataclass(frozen=True)
class MadeUpNames:
    """DNS as the answers ask for it: every name leads here, SRV records only where the delegation is by them."""

    answers: Answers
    addresses: tuple[str, ...]

    def __call__(self, name: str) -> Name:
        """Return what there is."""
        names, federation = self.answers.names, self.answers.federation
        delegating = federation.delegation is Delegation.SRV and name == names.base
        records = (ServiceRecord(10, 0, federation.port, names.client_host),) if delegating else ()
        return Name(name, self.addresses, "", records, records, (), "")
