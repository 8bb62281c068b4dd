"""What a file of somebody else's has for one port: the bytes of its server blocks, or of their ``listen`` lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from palpo_installer.operations.rests import Cut, without
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.nginx.insertion import begins_server, block_at
from palpo_installer.proxies.nginx.reading import address_and_ports
from palpo_installer.proxies.nginx.tokens import Kind, Token, Unreadable, tokens
from palpo_installer.proxies.virtual_hosts import Impossible


def cuts(data: bytes, blocks: Sequence[ServerBlock], port: int) -> tuple[Cut, ...] | Impossible:
    """Return what to leave out of a file so that nothing in it listens on a port.

    Args:
        data: the file.
        blocks: all server blocks that begin in it.
        port: a TCP port; a block that listens on other sockets too keeps those.
    """
    try:
        found = tokens(data)
        wanted = tuple(cut for block in blocks for cut in _of_block(data, found, block, port))
        if _words(tokens(without(data, wanted))) != _words(found, wanted):
            return Impossible("what it has for one port cannot be left out without changing the rest")
    except Unreadable as error:
        return Impossible(str(error))
    return wanted


def _of_block(data: bytes, found: Sequence[Token], block: ServerBlock, port: int) -> Iterator[Cut]:
    there = [listen for listen in block.listens if listen.port == port]
    if not there:
        return
    begins = [at for at, token in enumerate(found) if token.line == block.line and begins_server(found, at)]
    if len(begins) != 1:
        raise Unreadable(f"line {block.line}: {'more than one' if begins else 'no'} server block begins here")
    inside = block_at(found, begins[0])
    if len(there) == len(block.listens):
        yield _widened(data, found[begins[0]].start, inside[-1].end)
        return
    listens = [each for each in _directives(inside) if each[0].value == b"listen" and _ports(each) == {port}]
    if len(listens) != len(dict.fromkeys((each.file, each.line, each.address) for each in there)):
        raise Unreadable(f"line {block.line}: what this block listens on stands elsewhere, or names several ports")
    for words in listens:
        yield _widened(data, words[0].start, words[-1].end)


def _directives(block: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """Yield the simple directives directly in a block, each with its semicolon."""
    words: list[Token] = []
    for token in block[1:-1]:
        if token.depth != block[0].depth + 1 or token.kind in {Kind.OPEN, Kind.CLOSE}:
            words = []
            continue
        words.append(token)
        if token.kind is Kind.END:
            yield tuple(words)
            words = []


def _ports(words: Sequence[Token]) -> set[int]:
    where = words[1].value.decode(errors="replace")
    return set() if where.startswith("unix:") else set(address_and_ports(where)[1])


def _widened(data: bytes, start: int, end: int) -> Cut:
    """Return a cut with the line feed and the indentation of what has lines of its own."""
    begin, after = data.rfind(b"\n", 0, start) + 1, data.find(b"\n", end)
    if data[begin:start].strip() or after < 0 or data[end:after].strip():
        return Cut(start, end)
    return Cut(begin, after + 1)


def _words(found: Sequence[Token], left_out: Sequence[Cut] = ()) -> list[tuple[Kind, int, bytes]]:
    return [
        (token.kind, token.depth, token.text)
        for token in found
        if not any(cut.start <= token.start < cut.end for cut in left_out)
    ]
