"""TOML text as pieces: what may be shown, and what is or may be secret. Also for text that is no TOML.

What is not recognised counts as secret, so a broken file shows less, never more.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Literal

from palpo_installer.homeserver.secrecy import KeyPath, gives_away, is_secret, speaks_of_one

COMMENTS: KeyPath = ("#",)
"""The place of secrets in comments."""

BROKEN: KeyPath = ("secret or not: this part cannot be read",)
"""The place of what is no TOML, and the table after a header that cannot be read."""

_NAME = r"(?:[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\[^\n])*\"|'[^'\n]*')"
_DOTTED = rf"{_NAME}(?:[ \t]*\.[ \t]*{_NAME})*"
_TABLE = re.compile(rf"(\[\[?)[ \t]*(?P<name>{_DOTTED})[ \t]*\]\]?")
_KEY = re.compile(rf"(?P<name>{_DOTTED})[ \t]*=[ \t]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})'
    r'|"(?!"")(?:[^"\\\n]|\\[^\n])*"|\'(?!\'\')[^\'\n]*\'',
    re.DOTALL,
)
_BARE = re.compile(r"true|false|[+-]?(?:inf|nan)|[+-]?[0-9][0-9A-Za-z_.:+-]*(?: [0-9][0-9:.]*[Zz]?)?")
_SPACE = re.compile(r"[ \t]*")
_LAYOUT = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"(?P<sign>(?:#[ \t]*)+)(?P<text>[^\r\n]*)")
_LINE = re.compile(r"[^\n]*")
_NEWLINE = re.compile(r"\r?\n|\Z")
_COMMA = re.compile(",")
_CLOSING = {"[": re.compile(r"\]"), "{": re.compile(r"\}")}
_END = re.compile(r"\Z")
_DEEPEST = 20


@dataclass(frozen=True)
class Piece:
    """A part of a text.

    Attributes:
        kind: ``plain`` (layout, keys, numbers), ``string``, ``comment`` or ``secret``.
        text: as it stands, but a string in ``secret`` is what it stands for, without quotes.
        place: for strings, comments and secrets, where: a secret at the same place of two versions of a file
            is the same one.
        around: the quotes to show a secret in.
    """

    kind: Literal["plain", "string", "comment", "secret"]
    text: str
    place: KeyPath = ()
    around: str = ""


class _NoToml(Exception):
    """The text at this place is no TOML."""


def scan(text: str) -> tuple[Piece, ...]:
    """Return the pieces of a text, in order."""
    scanner = _Scanner(text)
    while scanner.position < len(text):
        scanner.line()
    return tuple(scanner.pieces)


class _Scanner:
    """Reads statements from ``position`` on into ``pieces``."""

    def __init__(self, text: str, table: KeyPath = (), place: KeyPath = ()) -> None:
        self.text = text
        self.position = 0
        self.pieces: list[Piece] = []
        self.table = table  # that of statements
        self.remembered = table  # that of statements in comments, whose header may be in a comment too
        self.place = place  # before the places of values
        self.hiding = False  # comments, to the end of the block

    def line(self) -> None:
        """Read one statement, which may have several lines, or take a line that is none for a secret."""
        start, count = self.position, len(self.pieces)
        try:
            self.statement()
            self.take(_NEWLINE)
        except _NoToml:
            self.position = start
            del self.pieces[count:]
            self.broken()

    def broken(self) -> None:
        """Take the line for a secret; an unclosed multi-line string takes all that follows."""
        line = self.match(_LINE)[0]
        if line.lstrip().startswith("["):
            self.table = self.remembered = BROKEN
        if '"""' in line or "'''" in line:
            line += self.text[self.position :]
            self.position = len(self.text)
        self.pieces.append(Piece("secret", line.strip(), BROKEN))
        self.take(_NEWLINE)

    def statement(self) -> None:
        """Read a header, a key with its value, or nothing, and a comment."""
        self.take(_SPACE)
        if header := _TABLE.match(self.text, self.position):
            self.show(header)
            self.table = self.remembered = _parts(header["name"])
        elif self.text[self.position : self.position + 1] not in {"", "\r", "\n", "#"}:
            path = (*self.table, *self.key())
            self.value(path, 0, is_secret(path))
        self.take(_SPACE)
        if not self.comment():
            self.hiding = False

    def key(self) -> KeyPath:
        """Read a key and its equals sign."""
        return _parts(self.show(_KEY.match(self.text, self.position))["name"])

    def value(self, path: KeyPath, depth: int, hidden: bool) -> None:
        """Read a value of any type; in a secret one, all is secret."""
        if depth > _DEEPEST:
            raise _NoToml
        if string := _STRING.match(self.text, self.position):
            self.position = string.end()
            self.string(string[0], path, hidden)
        elif self.text[self.position : self.position + 1] in _CLOSING:
            self.members(path, depth, hidden)
        else:
            word = self.match(_BARE)[0]
            hidden = hidden and word not in {"true", "false"}
            self.pieces.append(Piece("secret" if hidden else "plain", word, (*self.place, *path), '"'))

    def string(self, literal: str, path: KeyPath, hidden: bool) -> None:
        """Add a string as one that may be shown, or as a secret."""
        meant = _meant(literal)
        place = (*self.place, *path)
        if hidden or gives_away(meant):
            self.pieces.append(Piece("secret", meant, place, '"'))
        else:
            self.pieces.append(Piece("string", literal, place, '"'))

    def members(self, path: KeyPath, depth: int, hidden: bool) -> None:
        """Read an array or an inline table, from its opening bracket to its closing one."""
        opening = self.text[self.position]
        closing = _CLOSING[opening]
        self.pieces.append(Piece("plain", opening))
        self.position += 1
        self.between()
        while not closing.match(self.text, self.position):
            inner = (*path, *self.key()) if opening == "{" else path
            self.value(inner, depth + 1, hidden or is_secret(inner))
            self.between()
            if not closing.match(self.text, self.position):
                self.take(_COMMA)
                self.between()
        self.take(closing)

    def between(self) -> None:
        """Read layout and comments between members."""
        self.take(_LAYOUT)
        while self.comment():
            self.take(_LAYOUT)

    def comment(self) -> bool:
        """Read a comment, if there is one: a statement that is commented out, or words."""
        comment = _COMMENT.match(self.text, self.position)
        if comment is None:
            return False
        self.position = comment.end()
        self.pieces.append(Piece("plain", comment["sign"]))
        if comment["text"] and not self.commented_out(comment["text"]):
            self.words(comment["text"])
        return True

    def commented_out(self, text: str) -> bool:
        """Read the text of a comment as a statement, if it is one."""
        if self.hiding or self.place:
            return False
        inner = _Scanner(text, self.remembered, COMMENTS)
        try:
            inner.statement()
            inner.take(_END)
        except _NoToml:
            return False
        self.pieces += inner.pieces
        self.remembered = inner.table
        return True

    def words(self, words: str) -> None:
        """Add the text of a comment, as a secret where it speaks of one or looks like one."""
        self.hiding = self.hiding or self.begins_secret(words)
        hidden = self.hiding or speaks_of_one(words)
        self.pieces.append(Piece("secret" if hidden else "comment", words, COMMENTS))

    def begins_secret(self, words: str) -> bool:
        """Return whether words begin a secret that may go on in the comments below."""
        try:
            key = _KEY.match(words)
            begun = key is not None and is_secret((*self.remembered, *_parts(key["name"])))
        except _NoToml:
            begun = True
        return begun or '"""' in words or "'''" in words

    def take(self, pattern: re.Pattern[str]) -> None:
        """Read what must be there and may be shown."""
        self.show(pattern.match(self.text, self.position))

    def match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Read what must be there."""
        found = pattern.match(self.text, self.position)
        if found is None:
            raise _NoToml
        self.position = found.end()
        return found

    def show(self, found: re.Match[str] | None) -> re.Match[str]:
        """Add what was found, and go on after it."""
        if found is None:
            raise _NoToml
        self.pieces.append(Piece("plain", found[0]))
        self.position = found.end()
        return found


def _parts(dotted: str) -> KeyPath:
    """Return the parts of a dotted key as TOML reads them."""
    try:
        value: object = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        raise _NoToml from None
    path: list[str] = []
    while isinstance(value, dict):
        name, value = next(iter(value.items()))
        path.append(name)
    return tuple(path)


def _meant(literal: str) -> str:
    """Return what a TOML string stands for."""
    try:
        return str(tomllib.loads(f"x = {literal}")["x"])
    except tomllib.TOMLDecodeError:
        raise _NoToml from None
