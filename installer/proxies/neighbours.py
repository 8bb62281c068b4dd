"""The neighbours: the other sites of a proxy by name, and on every socket the requests without a known name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from palpo_installer.facts.system import System
from palpo_installer.gates.neighbours import Neighbour
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.sockets import Socket

MADE_UP = "palpo-installer-probe"
UNKNOWN = f"{MADE_UP}.invalid"
"""A name that no site has (RFC 2606, section 2)."""

TARGETS = ("/", f"/{MADE_UP}", "/.well-known/", "/.well-known/security.txt", f"/.well-known/matrix/{MADE_UP}")
"""What a site is asked for where a few paths of it become ours: the nearest to those, and others."""

HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.IGNORECASE)

Sockets = Mapping[Socket, frozenset[str]]
"""The options of each socket; a proxy takes them from whichever of its lines opens that socket."""


def neighbours(
    servers: Sequence[ServerBlock],
    system: System,
    expectations: Sequence[Expectation],
    own: Sequence[Path],
    hosts: Collection[str] = (),
) -> tuple[Neighbour, ...]:
    """Return every request that must be answered the same before and after a change.

    Args:
        servers: the server blocks before the change.
        system: for the addresses of this host.
        expectations: what the change will serve, on sockets that may be new.
        own: our files, those of earlier runs among them; their server blocks are no neighbours.
        hosts: the names whose sites take a line of ours; they are asked for several paths.
    """
    sockets = _sockets(servers)
    found: dict[tuple[str, int, str, str, str], Neighbour] = {}
    named = (neighbour for block in servers if block.file not in own for neighbour in _named(block, sockets, system))
    for neighbour in (
        *named,
        *_nameless(servers, sockets, system, own),
        *_new(expectations, sockets, system),
    ):
        for target in TARGETS if neighbour.host in hosts else ("/",):
            key = (neighbour.address, neighbour.port, neighbour.host, neighbour.sni, target)
            found.setdefault(key, replace(neighbour, target=target))
    return tuple(found.values())


def examples(name: str) -> tuple[str, ...]:
    """Return host names that a ``server_name`` takes, for asking; none for patterns and for names like ``_``.

    See nginx, "Server names": ``.example.org`` is the name and all below it, ``*`` stands at either end.
    """
    if name.startswith("."):
        candidates: tuple[str, ...] = (name[1:], f"{MADE_UP}{name}")
    elif name.startswith("*."):
        candidates = (f"{MADE_UP}{name[1:]}",)
    elif name.endswith(".*"):
        candidates = (f"{name[:-1]}{MADE_UP}",)
    else:
        candidates = (name,)
    return tuple(candidate for candidate in candidates if candidate != "_" and HOST_NAME.fullmatch(candidate))


def _sockets(servers: Sequence[ServerBlock]) -> Sockets:
    """Return the TCP sockets; those of QUIC are UDP."""
    sockets: dict[Socket, frozenset[str]] = {}
    for listen in (listen for block in servers for listen in block.listens):
        if listen.port and "quic" not in listen.options:
            socket = (listen.address, listen.port)
            sockets[socket] = sockets.get(socket, frozenset()) | frozenset(listen.options)
    return sockets


def _reached_at(socket: Socket, sockets: Sockets, system: System) -> tuple[str, ...]:
    """Return the addresses at which a socket itself takes requests: a wildcard has what no specific socket has."""
    address, port = socket
    if address not in {"0.0.0.0", "::"}:  # noqa: S104
        return (address,)
    both = "ipv6only=off" in sockets[socket] and ("0.0.0.0", port) not in sockets  # noqa: S104
    families = {":"} | ({"."} if both else set()) if address == "::" else {"."}
    local = (*system.addresses, "127.0.0.1", "::1")
    mine = (other for other in local if (":" if ":" in other else ".") in families and (other, port) not in sockets)
    return tuple(dict.fromkeys(mine))


def served(servers: Sequence[ServerBlock], system: System) -> frozenset[Socket]:
    """Return every address and port of this host at which these server blocks take requests."""
    sockets = _sockets(servers)
    return frozenset((address, socket[1]) for socket in sockets for address in _reached_at(socket, sockets, system))


def _named(block: ServerBlock, sockets: Sockets, system: System) -> Iterator[Neighbour]:
    for listen in block.listens:
        socket = (listen.address, listen.port)
        if socket not in sockets:
            continue
        for name in (example for written in block.names for example in examples(written)):
            for address in _reached_at(socket, sockets, system)[:1]:
                yield _neighbour(name, block, (address, listen.port), sockets[socket], host=name, sni=name)


def _nameless(
    servers: Sequence[ServerBlock], sockets: Sockets, system: System, own: Sequence[Path]
) -> Iterator[Neighbour]:
    """Yield the requests that the default server of each socket answers, where that is not ours."""
    for socket, options in sockets.items():
        block = default_server(servers, socket)
        if block.file in own:
            continue
        for address in _reached_at(socket, sockets, system):
            for host, sni in (("", ""), (UNKNOWN, ""), (UNKNOWN, UNKNOWN)):
                yield _neighbour(
                    "a request without a known name", block, (address, socket[1]), options, host=host, sni=sni
                )


def _new(expectations: Sequence[Expectation], sockets: Sockets, system: System) -> Iterator[Neighbour]:
    """Yield a request for each socket that only the change will open: another program may hold it now."""
    taken = {(address, socket[1]) for socket in sockets for address in _reached_at(socket, sockets, system)}
    for e in expectations:
        if (e.address, e.port) not in taken:
            site = "a request without a known name"
            yield Neighbour(site, e.address, e.port, e.tls, "", "", e.proxy_protocol, ())


def _neighbour(
    site: str, block: ServerBlock, socket: Socket, options: frozenset[str], *, host: str, sni: str
) -> Neighbour:
    address, port = socket
    tls = "ssl" in options
    return Neighbour(
        site=f"{site} ({block.file}:{block.line})",
        address=address,
        port=port,
        tls=tls,
        host=host,
        sni=sni if tls else "",
        proxy_protocol="proxy_protocol" in options,
        certificates=block.certificates,
    )


def default_server(servers: Sequence[ServerBlock], socket: Socket) -> ServerBlock:
    """Return the block that answers requests without a known name: the one that says so, else the first."""
    listening = [
        (block, listen) for block in servers for listen in block.listens if (listen.address, listen.port) == socket
    ]
    chosen = (block for block, listen in listening if {"default_server", "default"} & set(listen.options))
    return next(chosen, listening[0][0])
