"""This machine's own sockets that expect the PROXY line of a load balancer, which comes before everything else.

See the PROXY protocol (haproxy.org, ``proxy-protocol.txt``). Whether a socket expects one shows in its answer alone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from palpo_installer.probe import Answer, Question, ask
from palpo_installer.proxies.sockets import Socket
from palpo_installer.site import MARKER_HEADER

ABSENT = frozenset({"refused", "timed out"})
"""Problems of a socket that never came to reading a line."""


@dataclass(frozen=True)
class Balanced:
    """Asks sockets, with a PROXY line where this machine's own ones turn out to expect it.

    Attributes:
        own: the addresses of this machine.
        found: the sockets that expect a line.
        ask: asks one socket.
    """

    own: frozenset[str]
    found: set[Socket] = field(default_factory=set)
    ask: Callable[[Question], Answer] = ask

    def __call__(self, question: Question) -> Answer:
        """Return the answer to a question."""
        socket, line = (question.address, question.port), replace(question, proxy_protocol=True)
        if socket in self.found:
            return self.ask(line)
        answer = self.ask(question)
        own = question.address in self.own or ipaddress.ip_address(question.address).is_loopback
        if not own or not answer.problem or answer.problem in ABSENT:
            return answer
        again = self.ask(line)
        if not again.header(MARKER_HEADER):
            return answer
        self.found.add(socket)
        return again
