"""Which server block answers for a name, by nginx's own rules, on each socket by itself.

See nginx, "Server names", "How nginx processes a request", and ``ngx_http_find_virtual_server``: the exact name
before the longest wildcard at the beginning, before the longest wildcard at the end, before the first regular
expression that fits, before the default server of the socket.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from palpo_installer.proxies.answering import Answering, By
from palpo_installer.proxies.found import Listen, ServerBlock
from palpo_installer.proxies.nginx.patterns import compiled
from palpo_installer.proxies.sockets import Socket, is_tcp

TERM = "server_name"


def answering(servers: Sequence[ServerBlock], name: str, port: int, *, hostname: str = "") -> tuple[Answering, ...]:
    """Return who answers for a name on a port: one entry for each server block and reason, with its sockets.

    Args:
        servers: the server blocks in the order in which nginx reads them.
        name: the host name of a request, which is also the one in its TLS handshake.
        port: a TCP port.
        hostname: this host's own name, which ``server_name $hostname`` stands for; empty where it is not known.
    """
    sockets = ((listen.address, port) for _, listen in _listening(servers) if listen.port == port)
    found: dict[Answering, tuple[Socket, ...]] = {}
    for socket in dict.fromkeys(sockets):
        answer = _on_socket(servers, socket, name.lower().removesuffix("."), hostname.lower())
        found[answer] = (*found.get(answer, ()), socket)
    return tuple(replace(answer, sockets=sockets) for answer, sockets in found.items())


@dataclass
class _Names:
    """The names of one socket, as nginx keeps them; of two that collide the one that was read first counts.

    Attributes:
        taken: every name that an exact name may not repeat (``ngx_hash_add_key``): ``.example.org`` takes
            ``example.org`` as well, also where it is itself ignored.
        exact: blocks by exact name.
        leading: by what follows ``*.`` or ``.``, with whether the bare name is meant too.
        trailing: by what precedes ``.*``.
        patterns: in the order of reading.
    """

    taken: set[str] = field(default_factory=set)
    exact: dict[str, ServerBlock] = field(default_factory=dict)
    leading: dict[str, tuple[ServerBlock, bool]] = field(default_factory=dict)
    trailing: dict[str, ServerBlock] = field(default_factory=dict)
    patterns: list[tuple[str, ServerBlock]] = field(default_factory=list)

    def add(self, written: str, block: ServerBlock) -> None:
        """Take in one value of ``server_name``."""
        name = written.lower()
        if written.startswith("~"):
            self.patterns.append((written[1:], block))
        elif name.startswith("*."):
            self.leading.setdefault(name[2:], (block, False))
        elif name.startswith("."):
            if name[1:] not in self.taken:
                self.taken.add(name[1:])
                self.leading.setdefault(name[1:], (block, True))
        elif name.endswith(".*"):
            self.trailing.setdefault(name[:-2], block)
        elif name not in self.taken:
            self.taken.add(name)
            self.exact[name] = block

    def wildcard(self, name: str) -> ServerBlock | None:
        """Return the block with the longest wildcard for a name: one at the beginning, else one at the end."""
        labels = name.split(".")
        for count in range(len(labels)):
            block, bare = self.leading.get(".".join(labels[count:]), (None, False))
            if block is not None and (count or bare):
                return block
        beginnings = (".".join(labels[:count]) for count in range(len(labels) - 1, 0, -1))
        return next((self.trailing[start] for start in beginnings if start in self.trailing), None)


def _on_socket(servers: Sequence[ServerBlock], socket: Socket, name: str, hostname: str) -> Answering:
    names = _Names()
    there = [(block, listen) for block, listen in _listening(servers) if (listen.address, listen.port) == socket]
    for block in dict.fromkeys(block for block, _ in there):
        for written in block.names:
            names.add(hostname if written.lower() == "$hostname" else written, block)
    if name in names.exact:
        return Answering(names.exact[name], By.NAME, (), TERM)
    wildcard = names.wildcard(name)
    if wildcard is not None:
        return Answering(wildcard, By.WILDCARD, (), TERM)
    doubts: list[str] = []
    for pattern, block in names.patterns:
        # nginx ignores the case where the pattern has a capital letter; it compares with the name in small ones.
        expression = compiled(pattern, caseless=any("A" <= letter <= "Z" for letter in pattern))
        if expression is None:
            doubts.append(f"~{pattern} ({block.file}:{block.line})")
        elif expression.search(name):
            return Answering(block, By.PATTERN, (), TERM, tuple(doubts))
    chosen = (block for block, listen in there if {"default_server", "default"} & set(listen.options))
    return Answering(next(chosen, there[0][0]), By.DEFAULT, (), TERM, tuple(doubts))


def _listening(servers: Sequence[ServerBlock]) -> Iterator[tuple[ServerBlock, Listen]]:
    """Yield the TCP sockets of the blocks; those of QUIC are others, also where address and port are the same."""
    for block in servers:
        for listen in block.listens:
            if is_tcp(listen, listen.port):
                yield block, listen
