"""The view from outside: the names and ports that are served, the addresses behind them, and what answers there."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from palpo_installer.answers import Answers
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.probe import Answer, Question, proxy_line
from palpo_installer.proxies.sockets import Socket
from palpo_installer.site import MARKER_HEADER, MARKER_PATH, Forward, Site, VirtualHost
from palpo_installer.verify.resolution import Lookup, addresses, is_literal
from palpo_installer.verify.trust import Trust, no_line

TIMEOUT = 5.0
"""Seconds for each connection and each read."""


@dataclass(frozen=True)
class Endpoint:
    """A name on a port.

    Attributes:
        ours: whether a virtual host of the site answers there.
    """

    name: str
    port: int
    tls: bool
    ours: bool

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"

    @property
    def host(self) -> str:
        """The Host header of an ordinary client."""
        return self.name if self.port == (443 if self.tls else 80) else str(self)

    @property
    def sni(self) -> str:
        """The name in the TLS handshake, empty where there is none to send."""
        return self.name if self.tls and not is_literal(self.name) else ""

    def question(
        self, address: str, target: str, *, host: str = "", headers: Mapping[str, str] | None = None
    ) -> Question:
        """Return a question to this name at one address."""
        return Question(
            address,
            self.port,
            self.tls,
            host=host or self.host,
            sni=self.sni,
            target=target,
            headers=headers or {},
            timeout=TIMEOUT,
        )


@dataclass(frozen=True)
class View:
    """What every check works with.

    Attributes:
        lookup: what DNS says of a name; asked once for each.
        ask: asks one socket.
        own: the IP addresses of this machine's interfaces.
        chains: the PEM file that each name's certificate is served from.
        balanced: the sockets of this machine that were found to expect a PROXY line.
    """

    answers: Answers
    site: Site
    host: Host
    lookup: Lookup
    ask: Callable[[Question], Answer]
    trust: Trust
    own: frozenset[str]
    chains: Mapping[str, Path]
    balanced: Set[Socket] = frozenset()

    @property
    def layout(self) -> Layout:
        """Every path and port."""
        return self.host.layout

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Every name and port that clients and other servers use, the base domain's website included."""
        found = [Endpoint(there.name, there.port, there.tls, ours=True) for there in self.site.virtual_hosts]
        website = (self.answers.names.base, self.layout.https_port)
        if website not in {(there.name, there.port) for there in found}:
            found.append(Endpoint(*website, tls=True, ours=False))
        return tuple(found)

    @cached_property
    def forwarding(self) -> tuple[Endpoint, ...]:
        """The endpoints that pass requests on to the homeserver."""
        return tuple(self.endpoint(there.name, there.port) for there in self.site.virtual_hosts if _forwards(there))

    def endpoint(self, name: str, port: int) -> Endpoint:
        """Return the endpoint of a name and port; one that is not ours where the site has none."""
        known = (there for there in self.endpoints if (there.name, there.port) == (name, port))
        return next(known, Endpoint(name, port, tls=True, ours=False))

    @property
    def client(self) -> Endpoint:
        """Where clients go."""
        return self.endpoint(self.answers.names.client_host, self.layout.https_port)

    @property
    def website(self) -> Endpoint:
        """Where the base domain's well-known answers are looked for."""
        return self.endpoint(self.answers.names.base, self.layout.https_port)

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return what a name resolves to, this machine's own addresses first."""
        return tuple(sorted(addresses(name, self.lookup), key=lambda address: not self.is_own(address)))

    def objection(self, endpoint: Endpoint, address: str) -> str:
        """Return why a client would not trust the certificate that an address shows, empty where it would."""
        line = proxy_line if (address, endpoint.port) in self.balanced else no_line
        return self.trust.objection(address, endpoint.port, endpoint.name, TIMEOUT, line)

    def is_own(self, address: str) -> bool:
        """Return whether an address is this machine's."""
        return address in self.own or ipaddress.ip_address(address).is_loopback


@dataclass(frozen=True)
class Contact:
    """What an endpoint's addresses answer when they are asked for the marker.

    Attributes:
        answers: by address, as DNS has them.
        home: the same question to this machine's own addresses, as far as they were needed.
    """

    endpoint: Endpoint
    answers: Mapping[str, Answer]
    home: Mapping[str, Answer]

    @property
    def doors(self) -> tuple[str, ...]:
        """The addresses to ask further: those of DNS that lead here, else this machine's own one."""
        public = tuple(address for address, answer in self.answers.items() if answer.status)
        private = tuple(address for address, answer in self.home.items() if answer.header(MARKER_HEADER))
        if not self.endpoint.ours:
            return public
        marked = tuple(address for address in public if self.answers[address].header(MARKER_HEADER))
        return marked or private or public

    def leaf(self, address: str) -> bytes:
        """Return the certificate that an address showed, in DER form, empty where it showed none."""
        found = self.answers.get(address) or self.home.get(address)
        return found.chain if found else b""

    @property
    def digest(self) -> str:
        """The marker that this machine itself shows, empty where that is not known."""
        return next((shown for answer in self.home.values() if (shown := answer.header(MARKER_HEADER))), "")


def contact(view: View, endpoint: Endpoint) -> Contact:
    """Return what the addresses of an endpoint answer.

    This machine is asked directly too where an address of DNS is not its own: what comes back by another way
    (or does not, behind a router that cannot send a connection back inside) can then be told apart.
    """
    there = view.addresses(endpoint.name)
    answers = {address: view.ask(endpoint.question(address, MARKER_PATH)) for address in there}
    home: dict[str, Answer] = {}
    if endpoint.ours and not (there and all(view.is_own(address) and answers[address].status for address in there)):
        for address in ("127.0.0.1", "::1", *sorted(view.own)):
            home[address] = view.ask(endpoint.question(address, MARKER_PATH))
            if home[address].header(MARKER_HEADER):
                break
    return Contact(endpoint, answers, home)


def _forwards(there: VirtualHost) -> bool:
    return any(isinstance(route, Forward) for route in there.routes)
