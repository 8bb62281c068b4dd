"""What a file of somebody else's has for one port: the lines of its virtual hosts, or an address of theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from palpo_installer.operations.rests import Cut, without
from palpo_installer.proxies.apache.lines import Line, lines
from palpo_installer.proxies.apache.reading import ANY_PORT
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.virtual_hosts import Impossible

OPENING = re.compile(rb"\s*<VirtualHost\s+(?P<addresses>[^<>\\]*)>\s*", re.IGNORECASE)


def cuts(data: bytes, blocks: Sequence[ServerBlock], port: int) -> tuple[Cut, ...] | Impossible:
    """Return what to leave out of a file so that no virtual host in it has a port.

    Args:
        data: the file.
        blocks: all virtual hosts that begin in it.
        port: a TCP port; a virtual host that has others too keeps those.
    """
    read = _read(data)
    for each in read:
        if each.name == "listen":
            return Impossible(f"line {each.number}: it says what Apache listens on, which belongs into ports.conf")
    wanted: list[Cut] = []
    for block in blocks:
        there = [listen for listen in block.listens if listen.port == port]
        if any(ANY_PORT in listen.options for listen in there):
            return Impossible(f"line {block.line}: this virtual host names no port")
        if len(there) == len(block.listens):
            found = _section(data, read, block.line)
        else:
            found = tuple(_addresses(data, block.line, port)) if there else ()
        if found is None:
            return Impossible(f"line {block.line}: no virtual host begins here on a line of its own")
        wanted += found
    return tuple(wanted) if _is_clean(data, wanted) else Impossible("a part of it cannot be left out by itself")


def _section(data: bytes, read: Sequence[Line], line: int) -> tuple[Cut, ...] | None:
    """Return the lines of a virtual host from its first to its last, None where they cannot be told."""
    ends = (each.number for each in read if each.name == "</virtualhost" and each.number > line)
    last = next(ends, 0)
    begins = any(each.number == line and each.name == "<virtualhost" for each in read)
    return (Cut(_start(data, line), _start(data, last + 1)),) if begins and last else None


def _addresses(data: bytes, line: int, port: int) -> Iterator[Cut]:
    start = _start(data, line)
    opening = OPENING.fullmatch(data, start, _start(data, line + 1))
    if opening is not None:
        for word in re.finditer(rb"\S+", opening["addresses"]):
            if word[0].endswith(b":%d" % port):
                begin = opening.start("addresses") + word.start()
                yield Cut(begin, begin + len(word[0]))


def _start(data: bytes, line: int) -> int:
    """Return where a line begins, by its number from 1; the end of the file behind the last one."""
    position = 0
    for _ in range(line - 1):
        newline = data.find(b"\n", position)
        if newline < 0:
            return len(data)
        position = newline + 1
    return position


def _is_clean(data: bytes, wanted: Sequence[Cut]) -> bool:
    """Return whether the rest says what the file says, but for what is left out."""
    old = [(each.name, each.rest) for each in _read(data)]
    new = [(each.name, each.rest) for each in _read(without(data, wanted)) if each.name != "<virtualhost"]
    left = iter(old)
    return all(each in left for each in new)


def _read(data: bytes) -> tuple[Line, ...]:
    return tuple(lines(data.decode(errors="replace")))
