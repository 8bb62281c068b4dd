"""One ``include`` line in somebody else's server block: where it can stand, put in, found again, taken out.

Everything else stays as it is to the last byte: line ends, encoding, a missing last newline.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.nginx.tokens import Kind, Token, Unreadable, tokens

BY_HAND = "Add the line by hand"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
INCLUDED = re.compile(r"/[A-Za-z0-9._/+=@*\[\]-]+")
"""Paths that nginx reads as one word. With a ``*`` it may be that there is no such file (yet)."""

NOTE = b"# added by palpo-installer, which removes it again on uninstall"


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


@dataclass(frozen=True)
class Impossible:
    """Why there is no place for a line; the person puts it in by hand."""

    reason: str


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
    blocks = [at for at, token in enumerate(found) if token.line == line and _begins_server(found, at)]
    if len(blocks) != 1:
        return Impossible(f"line {line}: {'more than one' if blocks else 'no'} server block begins here")
    block = _block(found, blocks[0])
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


def _begins_server(found: tuple[Token, ...], at: int) -> bool:
    """Return whether a token is the word ``server`` that begins a block."""
    begins = at == 0 or found[at - 1].kind is not Kind.WORD
    opens = found[at + 1].kind if at + 1 < len(found) else Kind.END
    return begins and opens is Kind.OPEN and found[at].value == b"server"


def _block(found: tuple[Token, ...], at: int) -> tuple[Token, ...]:
    """Return the tokens of the block that a word begins, from its opening brace to its closing one."""
    depth = found[at].depth
    end = next(n for n in range(at + 2, len(found)) if found[n].kind is Kind.CLOSE and found[n].depth == depth)
    return found[at + 1 : end + 1]


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


def insert(data: bytes, where: Insertion, path: Path) -> bytes:
    """Return a file with a line at a place that includes ours.

    Raises:
        RefusedPlan: the path cannot be written without quotes, or anything but the one directive would change.
    """
    directive = line_of(path).encode()
    line = b"".join((where.indent, directive, b" ", NOTE, where.newline))
    after = data[: where.offset] + line + data[where.offset :]
    _require_one_more(data, after, where, path)
    return after


def _require_one_more(before: bytes, after: bytes, where: Insertion, path: Path) -> None:
    """Check by reading again that exactly our directive came in, directly in a block, and nothing else changed."""
    found = tokens(before)
    old, new = ([(token.kind, token.depth, token.text) for token in read] for read in (found, tokens(after)))
    at = sum(token.end <= where.offset for token in found)
    depth = new[at][1] if at < len(new) else 0
    words = [(Kind.WORD, depth, b"include"), (Kind.WORD, depth, str(path).encode()), (Kind.END, depth, b";")]
    amid = at > 0 and old[at - 1][0] is Kind.WORD
    if depth < 1 or amid or new != old[:at] + words + old[at:]:
        raise RefusedPlan("a line cannot be added without changing what is there", where=str(path), next=BY_HAND)


def present(data: bytes, path: Path) -> tuple[int, ...]:
    """Return the lines with a directive that includes exactly this path, whoever wrote it.

    None where the file cannot be read as nginx's language.
    """
    try:
        return tuple(each[0].line for each in _includes(tokens(data), path))
    except Unreadable:
        return ()


def includes(data: bytes, line: int, path: Path) -> bool:
    """Return whether the server block that begins at a line has a directive, directly in it, that includes a path.

    False also where no such block can be read.
    """
    try:
        found = tokens(data)
    except Unreadable:
        return False
    inside = [_block(found, at) for at, token in enumerate(found) if token.line == line and _begins_server(found, at)]
    return any(first.depth == block[0].depth + 1 for block in inside for first, _ in _includes(block, path))


def _includes(found: tuple[Token, ...], path: Path) -> list[tuple[Token, Token]]:
    """Return the first and the last token of each directive that includes a path."""
    wanted = str(path).encode()
    return [
        (first, last)
        for at, (first, word, last) in enumerate(zip(found, found[1:], found[2:], strict=False))
        if (first.kind, first.value, last.kind) == (Kind.WORD, b"include", Kind.END)
        and (word.kind, word.value) == (Kind.WORD, wanted)
        and (at == 0 or found[at - 1].kind is not Kind.WORD)
    ]


def remove(data: bytes, path: Path) -> bytes:
    """Return a file without the directives that include our path; as it is where there is none.

    A line that holds nothing else goes as a whole, with our note and its end. What somebody else wrote on the same
    line stays.

    Raises:
        RefusedPlan: the file cannot be read as nginx's language, so the line cannot be told from others.
    """
    try:
        found = _includes(tokens(data), path)
    except Unreadable as error:
        raise RefusedPlan(
            f"the include line cannot be found: {error}", next=f"Remove by hand: {line_of(path)}"
        ) from error
    for first, last in reversed(found):
        begin, end = _extent(data, first.start, last.end)
        data = data[:begin] + data[end:]
    return data


def _extent(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return what goes with a directive: our note, and the line where nothing else stands on it."""
    noted = re.compile(rb"[ \t]*" + re.escape(NOTE)).match(data, end)
    end = noted.end() if noted else end
    rest = re.compile(rb"[ \t\r]*(?:\n|\Z)").match(data, end)
    begin = data.rfind(b"\n", 0, start) + 1
    if rest and not data[begin:start].strip(b" \t"):
        return begin, rest.end()
    return start, end
