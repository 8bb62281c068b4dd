"""nginx's language byte for byte: every word with its place, so that one line can be put in and taken out again.

crossplane tells the lines of directives only. This follows ``ngx_conf_read_token``, on bytes: nginx knows no encoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

SPACE = b" \t\r\n"
LUA = re.compile(rb"\w+_by_lua_block\Z")


class Kind(StrEnum):
    """What a token is."""

    WORD = "word"
    END = ";"
    OPEN = "{"
    CLOSE = "}"


@dataclass(frozen=True)
class Token:
    """A word, or one of the signs between words.

    Attributes:
        kind: what it is.
        start: where its first byte is, a quote included.
        end: where the first byte after it is.
        line: of its first byte, from 1.
        depth: how many blocks are open around it; those of a block's own braces are the same.
        text: its bytes as they stand there.
    """

    kind: Kind
    start: int
    end: int
    line: int
    depth: int
    text: bytes

    @property
    def value(self) -> bytes:
        """A word without its quotes, escapes as they are."""
        return self.text[1:-1] if self.text[:1] in {b'"', b"'"} else self.text


class Unreadable(ValueError):
    """The bytes are not nginx's language as far as it is read here; the message says why, with the line."""


def tokens(data: bytes) -> tuple[Token, ...]:
    """Return the tokens of a file, comments left out.

    Raises:
        Unreadable: quotes or braces do not match, or Lua code stands in it, which has a language of its own.
    """
    found: list[Token] = []
    depth, line, counted = 0, 1, 0
    for kind, start, end in _pieces(data):
        line, counted = line + data.count(b"\n", counted, start), start
        depth -= kind is Kind.CLOSE
        if depth < 0:
            raise Unreadable(f"line {line}: this }} closes nothing")
        if kind is Kind.WORD and LUA.search(data[start:end]) and (not found or found[-1].kind is not Kind.WORD):
            raise Unreadable(f"line {line}: Lua code stands in this file")
        found.append(Token(kind, start, end, line, depth, data[start:end]))
        depth += kind is Kind.OPEN
    if depth:
        raise Unreadable("a block is not closed at the end of the file")
    if found and found[-1].kind is Kind.WORD:
        raise Unreadable("the last directive is not closed at the end of the file")
    return tuple(found)


def _pieces(data: bytes) -> Iterator[tuple[Kind, int, int]]:
    position = 0
    while position < len(data):
        sign = data[position : position + 1]
        if sign in SPACE:
            position += 1
        elif sign == b"#":
            newline = data.find(b"\n", position)
            position = len(data) if newline < 0 else newline
        elif sign in b";{}":
            yield Kind(sign.decode()), position, position + 1
            position += 1
        else:
            end = _quoted(data, position) if sign in b"\"'" else _bare(data, position)
            yield Kind.WORD, position, end
            position = end


def _quoted(data: bytes, start: int) -> int:
    """Return where a quoted word ends; after it nginx wants a space, ``;``, ``{`` or ``)``."""
    position = start + 1
    while position < len(data):
        if data[position] == data[start]:
            return position + 1
        position += 2 if data[position : position + 1] == b"\\" else 1
    line = data.count(b"\n", 0, start) + 1
    raise Unreadable(f"line {line}: a quote is not closed")


def _bare(data: bytes, start: int) -> int:
    """Return where a word without quotes ends: at a space, ``;`` or ``{``, but not at that of ``${name}``."""
    position = start
    while position < len(data):
        sign = data[position : position + 1]
        if sign == b"\\":
            position += 2
        elif sign == b"$":
            position += 1
            while data[position : position + 1] == b"{":
                position += 1
        elif sign in b" \t\r\n;{":
            return position
        else:
            position += 1
    return min(position, len(data))
