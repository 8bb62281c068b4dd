"""One ``include`` line in somebody else's server block: where it can stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.nginx.tokens import Kind, Token, Unreadable, tokens
from palpo_installer.proxies.virtual_hosts import Impossible

BY_HAND = "Add the line by hand"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
INCLUDED = re.compile(r"/[A-Za-z0-9._/+=@*\[\]-]+")
"""Paths that nginx reads as one word. With a ``*`` it may be that there is no such file (yet)."""


@dataclass(frozen=True)
class Insertion:
    """A place for one line.

    Attributes:
        offset: of the byte that the line will begin at.
        line: the number that it will have, from 1.
        indent: what it begins with.
        newline: what it ends with.
    """

    offset: int
    line: int
    indent: bytes
    newline: bytes


def place(data: bytes, line: int) -> Insertion | Impossible:
    """Return where one line can go in a file: into the server block that begins at a line.

    It goes below ``server_name`` where that ends a line, else to the first line below the opening brace: a line of
    its own, directly in the block, between two directives.
    """
    if data.startswith(BYTE_ORDER_MARK):
        return Impossible("the file begins with a byte order mark, which nginx takes for a part of the first word")
    try:
        found = tokens(data)
    except Unreadable as error:
        return Impossible(str(error))
    blocks = [at for at, token in enumerate(found) if token.line == line and begins_server(found, at)]
    if len(blocks) != 1:
        return Impossible(f"line {line}: {'more than one' if blocks else 'no'} server block begins here")
    block = block_at(found, blocks[0])
    boundaries = [number for number in range(1, len(block)) if _between(data, block, number) >= 0]
    if not boundaries:
        return Impossible(f"line {line}: no line ends between two directives of this server block")
    named = [number for number in boundaries if _directive_before(block, number) == b"server_name"]
    number = named[0] if named else boundaries[0]
    offset = _between(data, block, number) + 1
    return Insertion(
        offset,
        data.count(b"\n", 0, offset) + 1,
        _indent(data, block),
        b"\r\n" if data[:offset].endswith(b"\r\n") else b"\n",
    )


def begins_server(found: Sequence[Token], at: int) -> bool:
    """Return whether a token is the word ``server`` that begins a block."""
    begins = at == 0 or found[at - 1].kind is not Kind.WORD
    opens = found[at + 1].kind if at + 1 < len(found) else Kind.END
    return begins and opens is Kind.OPEN and found[at].value == b"server"


def block_at(found: Sequence[Token], at: int) -> tuple[Token, ...]:
    """Return the tokens of the block that a word begins, from its opening brace to its closing one."""
    depth = found[at].depth
    end = next(n for n in range(at + 2, len(found)) if found[n].kind is Kind.CLOSE and found[n].depth == depth)
    return tuple(found[at + 1 : end + 1])


def _between(data: bytes, block: tuple[Token, ...], number: int) -> int:
    """Return where a line ends between a token and the one before, -1 where none does or a directive is open."""
    before, after = block[number - 1], block[number]
    inside = block[0].depth + 1
    directly = before.depth == inside if before.kind is not Kind.OPEN else before is block[0]
    if before.kind is Kind.WORD or not directly:
        return -1
    return data.find(b"\n", before.end, after.start)


def _directive_before(block: tuple[Token, ...], number: int) -> bytes:
    """Return the name of the simple directive that ends before a token, empty where a block ends there."""
    words = number - 2
    while words >= 0 and block[words].kind is Kind.WORD:
        words -= 1
    return block[words + 1].value if block[number - 1].kind is Kind.END else b""


def _indent(data: bytes, block: tuple[Token, ...]) -> bytes:
    """Return the white space before the first directive of a block that begins a line."""
    for token in block[1:-1]:
        begin = data.rfind(b"\n", 0, token.start) + 1
        before = data[begin : token.start]
        if token.depth == block[0].depth + 1 and not before.strip(b" \t"):
            return before
    return b"    "


def line_of(path: Path) -> str:
    """Return the line for a person to add: the directive alone.

    Raises:
        RefusedPlan: the path has a character that means something to nginx.
    """
    if not INCLUDED.fullmatch(str(path)):
        raise RefusedPlan("this path cannot stand in an nginx configuration", where=str(path))
    return f"include {path};"


def refuse_misreading(data: bytes, where: Insertion, path: Path) -> None:
    """Check by reading again that a line at a place brings exactly one directive, directly in a block.

    Raises:
        RefusedPlan: the path cannot be written without quotes, or anything else would change.
    """
    line = where.indent + line_of(path).encode() + where.newline
    after = data[: where.offset] + line + data[where.offset :]
    found = tokens(data)
    old, new = ([(token.kind, token.depth, token.text) for token in read] for read in (found, tokens(after)))
    at = sum(token.end <= where.offset for token in found)
    depth = new[at][1] if at < len(new) else 0
    words = [(Kind.WORD, depth, b"include"), (Kind.WORD, depth, str(path).encode()), (Kind.END, depth, b";")]
    amid = at > 0 and old[at - 1][0] is Kind.WORD
    if depth < 1 or amid or new != old[:at] + words + old[at:]:
        raise RefusedPlan("a line cannot be added without changing what is there", where=str(path), next=BY_HAND)
