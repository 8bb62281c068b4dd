"""A whole site in a real nginx beside its neighbours, with recording upstreams behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.answers import (
    Address,
    Answers,
    BaseDomain,
    CertificateFiles,
    Certificates,
    Delegation,
    Federation,
    Homeserver,
    Method,
    Names,
    Registration,
    WellKnown,
)
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.probe import Answer
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.nginx.rendering import render
from palpo_installer.site import Site
from tests.facts.made import certificate
from tests.lab.neighboured_nginx import NeighbouredNginx, Ports
from tests.lab.running import require_programs
from tests.lab.upstream import Upstream, upstream
from tests.lab.wire import Wire
from tests.ports import free_ports

CLIENT, BASE, NEIGHBOUR = "matrix.example.com", "example.com", "neighbour.example"


@dataclass(frozen=True)
class Running:
    """The site as it is served, and what is behind it."""

    nginx: NeighbouredNginx
    rendering: Rendering
    homeserver: Upstream
    media: Upstream

    @property
    def wire(self) -> Wire:
        """To the client host."""
        return Wire("127.0.0.1", self.nginx.ports.https, CLIENT)


def site(layout: Layout, ports: Ports, homeserver: Address, media: Address, dead: Address, client: str) -> Site:
    """Return a whole site on every port of the neighbours, and federation with a dead homeserver on a new port."""
    answers = Answers(
        names=Names(BASE, client, BaseDomain.OURS),
        federation=Federation(Delegation.WELL_KNOWN, ports.federation),
        proxy="nginx",
        homeserver=Homeserver(
            Path("/etc/palpo/palpo.toml"), homeserver, homeserver, None, Registration.CLOSED, None, 1, Path("/x")
        ),
        media=media,
        well_known=WellKnown("https://id.example.com", "it's $@example.com", ("https://rtc.example.com",)),
        certificates=Certificates(Method.HTTP_01, "", True, "https://acme.invalid/", None, None, ""),
    )
    direct = replace(answers, federation=Federation(Delegation.DIRECT, ports.federation))
    direct = replace(direct, homeserver=replace(answers.homeserver, upstream=dead), media=None)
    whole = build(answers, layout)
    balanced = [replace(host, port=ports.balanced) for host in whole.virtual_hosts if host.port == ports.https]
    federation = [host for host in build(direct, layout).virtual_hosts if host.port == ports.federation]
    return replace(whole, virtual_hosts=(*whole.virtual_hosts, *balanced, *federation))


def neighboured(root: Path) -> NeighbouredNginx:
    """Return an nginx with its neighbours, not started."""
    chain = CertificateFiles(root / "neighbour.pem", root / "neighbour.key")
    certificate(NEIGHBOUR).write(chain.chain, chain.key)
    nginx = NeighbouredNginx(root / "nginx", Ports(*free_ports(4)), chain)
    nginx.write()
    return nginx


def installed(
    root: Path, nginx: NeighbouredNginx, homeserver: Address, media: Address, timeout: int, client: str = CLIENT
) -> Rendering:
    """Render the site for an nginx, and write its files and certificates."""
    ports = nginx.ports
    layout = Layout(root, ports.http, ports.https, ("127.0.0.1", "::1"))
    nowhere = Address("127.0.0.1", free_ports(1)[0])
    wanted = replace(site(layout, ports, homeserver, media, nowhere, client), read_timeout=timeout)
    files = {name: CertificateFiles(root / f"{name}.pem", root / f"{name}.key") for name in wanted.certificates}
    for name, pair in files.items():
        certificate(name).write(pair.chain, pair.key)
    system = System("debian", "12", "", "none", "disabled", (), ("127.0.0.1", "::1"), ipv6=True, root=True)
    rendering = render(nginx.facts, Assignment(wanted, system, layout, files))
    nginx.install(rendering.plain)
    nginx.install(rendering.secure)
    challenges = layout.webroot / ".well-known/acme-challenge"
    challenges.mkdir(parents=True)
    (challenges / "token").write_text("answer")
    return rendering


@contextmanager
def served(root: Path) -> Iterator[Running]:
    """Serve the site; nginx waits three seconds for the homeserver."""
    require_programs("nginx")
    with ExitStack() as stack:
        homeserver, media = stack.enter_context(upstream()), stack.enter_context(upstream())
        nginx = neighboured(root)
        rendering = installed(root, nginx, homeserver.address, media.address, timeout=3)
        stack.enter_context(nginx.running())
        yield Running(nginx, rendering, homeserver, media)


def refused(answer: Answer, status: int, errcode: str) -> None:
    """Assert that an answer is nginx's own: this status, JSON with this code, readable by scripts."""
    assert (answer.status, answer.all("content-type")) == (status, ("application/json",))
    assert json.loads(answer.body)["errcode"] == errcode
    assert answer.all("access-control-allow-origin") == ("*",)
