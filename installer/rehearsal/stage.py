"""The rehearsal as it stands ready: the site, served from a private directory, and a recorder behind it."""

from __future__ import annotations

import itertools
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from palpo_installer import matrix_site
from palpo_installer.answers import Answers, CertificateFiles
from palpo_installer.certificates import authority, responder
from palpo_installer.errors import GateFailed
from palpo_installer.facts.system import System
from palpo_installer.gates import markers
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.naming import is_literal
from palpo_installer.probe import Answer, ask
from palpo_installer.proxies.adapters import adapter
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.control import Verdict
from palpo_installer.proxies.found import Proxy
from palpo_installer.rehearsal.doors import Doors, MadeUpNames, PrivateTrust
from palpo_installer.rehearsal.lines import Lines, first_line
from palpo_installer.rehearsal.private_proxies import private
from palpo_installer.rehearsal.private_proxy import PrivateProxy, Surroundings, Visited
from palpo_installer.rehearsal.program import has_ended
from palpo_installer.rehearsal.recorder import NUMBER, Recorder, Request, recording
from palpo_installer.rehearsal.sockets import on_one_port, reserving, usable_addresses
from palpo_installer.site import Site
from palpo_installer.verify.view import Endpoint, View

STRANGER = "somebody-else.invalid"
"""The other site on our sockets."""


class Render(Protocol):
    """Renders a site for a proxy."""

    def __call__(self, proxy: Proxy, assignment: Assignment) -> Rendering:
        """Return both halves of the configuration."""


def as_planned(proxy: Proxy, assignment: Assignment) -> Rendering:
    """Render a site as a plan does."""
    return adapter(proxy).render(assignment)


@dataclass(frozen=True)
class Exchange:
    """A request, the answer to it, and what of it reached the homeserver or the media repository."""

    host: str
    answer: Answer
    arrived: tuple[Request, ...]


@dataclass(frozen=True)
class Stage:
    """A site that is served.

    Attributes:
        view: what the checks of ``verify`` work with; its ports are those of the host, its upstreams ours.
        doors: where those ports are open.
        proxy: as found on this host.
        rendering: what it serves, and what proves it.
        recorders: the homeserver and the media repository.
        lines: the connections that requests are sent over.
        check: is asked before each request whether to go on, and raises where not.
        visited: made-up sites in the place of those of the host.
    """

    view: View
    doors: Doors
    proxy: Proxy
    rendering: Rendering
    recorders: tuple[Recorder, ...]
    lines: Lines
    check: Callable[[], None]
    visited: tuple[Visited, ...] = ()
    numbers: Callable[[], int] = field(default_factory=lambda: itertools.count(1).__next__)

    def send(
        self,
        endpoint: Endpoint,
        target: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        host: str = "",
        address: str = "",
        size: int = 0,
    ) -> Exchange:
        """Send one request to an endpoint, and return what became of it.

        Args:
            endpoint: which name and port.
            target: sent as it stands.
            method: the request method.
            headers: further headers.
            host: the Host header; empty for that of an ordinary client.
            address: one of the doors; empty for the first.
            size: bytes of a body, all of which are sent.
        """
        self.check()
        number = str(self.numbers())
        length = {"Content-Length": str(size)} if size else {}
        numbered = {**(headers or {}), **length, NUMBER: number}
        question = endpoint.question(address or self.doors.addresses[0], target, host=host, headers=numbered)
        answer = self.lines.ask(self.doors.behind(replace(question, method=method)), size)
        arrived = tuple(request for recorder in self.recorders for request in recorder.numbered(number))
        return Exchange(question.host, answer, arrived)

    def first_line(self, endpoint: Endpoint, target: str, headers: Mapping[str, str]) -> str:
        """Send the head of a POST request to an endpoint, and return the first line of what comes, or why none does."""
        question = endpoint.question(self.doors.addresses[0], target, headers=headers)
        return first_line(self.doors.behind(replace(question, method="POST")))


@contextmanager
def staged(
    answers: Answers, proxy: Proxy, layout: Layout, render: Render, check: Callable[[], None] = lambda: None
) -> Iterator[Stage]:
    """Serve the site for these answers; nothing of it is left afterwards.

    Raises:
        GateFailed: the proxy does not take the configuration.
        HostError: the program cannot be started, or there is no free port.
        RefusedPlan: the site cannot be rendered, or this version cannot rehearse this proxy.
    """
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="palpo-installer-rehearsal-")))
        recorders = tuple(stack.enter_context(recording(answers.names.server_name)) for _ in range(2))
        acted, addresses = _behind(answers, *recorders), usable_addresses()
        private_layout = Layout(root, layout.http_port, layout.https_port, addresses)
        # A proxy that orders certificates itself has the local authority's here: nobody is asked for one.
        wanted = replace(matrix_site.build(acted, private_layout), managed=(), issuer=None)
        prepared = private(proxy, root / proxy.kind)
        ports = dict.fromkeys((*(port for port, _ in wanted.ports), *(guest.port for guest in wanted.guests)))
        sockets = {port: on_one_port(addresses, prepared.opens) for port in ports}
        opened = [stack.enter_context(each) for each in itertools.chain(*sockets.values())]
        doors = Doors(addresses, {port: there[0].getsockname()[1] for port, there in sockets.items()})
        shown = (*wanted.certificates, *wanted.borrowed, *(guest.name for guest in wanted.guests), STRANGER)
        files = {name: authority.issue(name, private_layout) for name in dict.fromkeys(shown)}
        responding = stack.enter_context(_responding(proxy.kind, private_layout))
        rendering = render(prepared.facts, Assignment(_moved(wanted, doors), _system(addresses), responding, files))
        visited = tuple(_visited(prepared, wanted, doors, files))
        prepared.write(rendering, Surroundings(addresses, _strangers(wanted, doors), files[STRANGER], visited))
        process = stack.enter_context(prepared.running(opened))
        if ask(markers.questions(rendering.plain.expectations)[0]).problem and has_ended(process):
            raise _refused(proxy, prepared.verdict())
        trust = PrivateTrust(ssl.create_default_context(cafile=authority.authority_files(private_layout).chain), doors)
        chains = {name: files[name].chain for name in (*wanted.certificates, *wanted.borrowed)}
        names = MadeUpNames(acted, addresses)
        view = View(acted, wanted, Host(private_layout), names, doors.ask, trust, frozenset(addresses), chains)
        lines = stack.enter_context(closing(Lines()))
        yield Stage(view, doors, proxy, rendering, recorders, lines, check, visited)


@contextmanager
def _responding(kind: str, layout: Layout) -> Iterator[Layout]:
    """Answer challenges for a proxy that serves no files, on a port of our own; return the layout that leads there."""
    with reserving("127.0.0.1", 0) as kept:
        # In the layout of a private host, the port of plain HTTP decides over that one, and over nothing else here.
        there = replace(layout, http_port=kept.getsockname()[1] - responder.ABOVE, private=True)
        with responder.answering(responder.needed(kind, there), layout.webroot):
            yield there


def _visited(
    prepared: PrivateProxy, wanted: Site, doors: Doors, files: Mapping[str, CertificateFiles]
) -> Iterator[Visited]:
    """Yield the made-up sites that stand for those of the host, as far as a site takes something of ours by itself."""
    for guest in wanted.guests:
        if (leaflet := prepared.leaflet(guest)) is not None:
            yield Visited(guest.name, doors.ports[guest.port], guest.tls, files[guest.name], leaflet)


def _behind(answers: Answers, homeserver: Recorder, media: Recorder) -> Answers:
    """Return the answers with the recorders as what the proxy connects to."""
    return replace(
        answers,
        homeserver=replace(answers.homeserver, upstream=homeserver.address),
        media=media.address if answers.media else None,
    )


def _moved(wanted: Site, doors: Doors) -> Site:
    """Return the site on the ports that are open here; all that it says of itself stays as it is."""
    return replace(
        wanted, virtual_hosts=tuple(replace(there, port=doors.ports[there.port]) for there in wanted.virtual_hosts)
    )


def _strangers(wanted: Site, doors: Doors) -> Mapping[tuple[str, int], bool]:
    """Return where another site is the default: not where we must be, as TLS to an IP address names no server."""
    literal = {there.port for there in wanted.virtual_hosts if is_literal(there.name)}
    return {
        (address, doors.ports[port]): tls
        for port, tls in wanted.ports
        for address in doors.addresses
        if port not in literal
    }


def _system(addresses: tuple[str, ...]) -> System:
    return System("", "", "", "none", "disabled", (), addresses, ipv6="::1" in addresses, root=False)


def _refused(proxy: Proxy, verdict: Verdict) -> GateFailed:
    where = f"{verdict.file.name}:{verdict.line}" if verdict.file else ""
    return GateFailed(verdict.error or f"{proxy.title} ended without a word", where=where)
