"""The parts of an nginx configuration that have to do with Matrix: sites, and what they pass on. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from palpo_installer.proxies.found import Listen
from palpo_installer.proxies.nginx.blocks import Block, Location, Server, Target, answering, passing, target
from palpo_installer.proxies.nginx.tree import Directive

PROBES = (
    "/_matrix/client/versions",
    "/_matrix/client/v3/sync",
    "/_matrix/client/v3/login",
    "/_matrix/client/v3/register",
    "/_matrix/client/v3/account/password",
    "/_matrix/client/v3/rooms/!a:example.com/state",
    "/_matrix/client/v1/media/download/example.com/a",
    "/_matrix/media/v3/upload",
    "/_matrix/federation/v1/send/1",
    "/_matrix/federation/v1/media/download/a",
    "/_matrix/key/v2/server",
    "/_palpo/client/a",
    "/_synapse/client/a",
)
"""One path for each part of the Matrix API that somebody may have given a location of its own."""

SPEAKS_OF_MATRIX = re.compile(r"_matrix|_palpo|_synapse", re.IGNORECASE)
WELL_KNOWN = "/.well-known/matrix/"


@dataclass(frozen=True)
class Peer:
    """An address that requests are passed on to."""

    host: str
    port: int
    directive: Directive


@dataclass(frozen=True, eq=False)
class Passage:
    """A block that passes Matrix requests on.

    Attributes:
        block: the location, or the server where it stands there.
        directive: its ``proxy_pass``.
        target: where to; None where that depends on the request.
        peers: the addresses that this stands for, those of an ``upstream`` block.
        probes: which of the ``PROBES`` it answers.
    """

    block: Block
    directive: Directive
    target: Target | None
    peers: tuple[Peer, ...]
    probes: tuple[str, ...]

    @property
    def selector(self) -> str:
        """The location as written."""
        return " ".join(("location", *self.block.directive.arguments)) if isinstance(self.block, Location) else "server"

    def scopes(self) -> Iterator[Block]:
        """Yield the block and the ones around it, up to the server's."""
        block: Block | None = self.block
        while block is not None and block.directive.name != "http":
            yield block
            block = block.outer


@dataclass(frozen=True, eq=False)
class MatrixSite:
    """A server block that has to do with Matrix.

    Attributes:
        server: the block.
        passages: what it passes on to a homeserver or media repository.
    """

    server: Server
    passages: tuple[Passage, ...]

    @property
    def name(self) -> str:
        """Its first name."""
        return self.server.name

    @property
    def block(self) -> Block:
        """What stands in it."""
        return self.server.block

    @cached_property
    def homeserver(self) -> frozenset[tuple[str, int]]:
        """The addresses that it passes Matrix requests to."""
        return frozenset((peer.host, peer.port) for each in self.passages for peer in each.peers)

    def passed(self, path: str) -> Passage | None:
        """Return how a path reaches the homeserver, None where it does not, or not for strangers."""
        if self.block.all("return"):
            return None
        block = answering(self.block, path)
        directive = passing(block)
        if directive is None or block.restricted:
            return None
        found = passage(block, directive, self.upstreams, (path,))
        return found if {(peer.host, peer.port) for peer in found.peers} & self.homeserver else None

    @cached_property
    def upstreams(self) -> tuple[Directive, ...]:
        """The ``upstream`` blocks."""
        return self.block.outer.all("upstream") if self.block.outer else ()


def listen_line(listen: Listen, *options: str) -> str:
    """Return a ``listen`` directive for the same socket with other options."""
    host = f"[{listen.address}]" if ":" in listen.address else listen.address
    where = str(listen.port) if listen.address == "0.0.0.0" else f"{host}:{listen.port}"  # noqa: S104
    return f"{' '.join(('listen', where, *options))};"


def passage(block: Block, directive: Directive, upstreams: Iterable[Directive], probes: tuple[str, ...]) -> Passage:
    """Return what a block passes on, with where to."""
    leads = target(block, directive)
    return Passage(block, directive, leads, tuple(_peers(leads, directive, upstreams)) if leads else (), probes)


def _peers(leads: Target, directive: Directive, upstreams: Iterable[Directive]) -> Iterator[Peer]:
    named = next((each for each in upstreams if each.arguments[:1] == (leads.host,)), None)
    if named is None:
        yield Peer(leads.host, leads.port, directive)
        return
    for server in named.all("server"):
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:]+)(?::(\d+))?", server.arguments[0] if server.arguments else "")
        if match:
            yield Peer(match[1].strip("[]"), int(match[2] or 80), server)


def matrix_sites(
    servers: Iterable[Server], homeserver: frozenset[tuple[str, int]], names: frozenset[str]
) -> tuple[MatrixSite, ...]:
    """Return the server blocks that have to do with Matrix.

    A block that passes on to an address of the homeserver, or whose location speaks of Matrix; one that answers
    well-known documents; one for the server name or the client host. Other sites are nobody's business here.
    """
    everyone = tuple(servers)
    spoken = homeserver | {
        (peer.host, peer.port) for server in everyone for each in _passages(server, frozenset()) for peer in each.peers
    }
    found = (MatrixSite(server, _passages(server, spoken)) for server in everyone)
    return tuple(each for each in found if each.passages or _answers_well_known(each.server) or _is_named(each, names))


def _passages(server: Server, homeserver: frozenset[tuple[str, int]]) -> tuple[Passage, ...]:
    """Return what a server block passes on to the homeserver, or in a location that speaks of Matrix."""
    if server.block.all("return"):
        return ()
    upstreams = server.block.outer.all("upstream") if server.block.outer else ()
    answered = {path: answering(server.block, path) for path in PROBES}
    blocks = dict.fromkeys(
        (*answered.values(), *(each for each in server.block.below if SPEAKS_OF_MATRIX.search(each.path)))
    )
    found = []
    for block in blocks:
        directive = passing(block)
        if directive is not None:
            probes = tuple(path for path, by in answered.items() if by == block)
            found.append(passage(block, directive, upstreams, probes))
    return tuple(each for each in found if _speaks(each.block) or {(p.host, p.port) for p in each.peers} & homeserver)


def _speaks(block: Block) -> bool:
    return isinstance(block, Location) and bool(SPEAKS_OF_MATRIX.search(block.path))


def _answers_well_known(server: Server) -> bool:
    return any(WELL_KNOWN.strip("/") in each.path.replace("\\", "") for each in server.block.below)


def _is_named(site: MatrixSite, names: frozenset[str]) -> bool:
    return bool(names & {name.lower() for name in site.server.said.names})
