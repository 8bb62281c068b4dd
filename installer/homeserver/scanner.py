"""TOML text as pieces: what may be shown, and what is or may be secret. Also for text that is no TOML.

What is not recognised counts as secret, so a broken file shows less, never more.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from palpo_installer.homeserver.grammar import (
    BARE,
    CLOSING,
    COMMA,
    COMMENT,
    END,
    KEY,
    LAYOUT,
    LINE,
    NEWLINE,
    SPACE,
    STRING,
    TABLE,
    NoToml,
    meant,
    parts,
)
from palpo_installer.homeserver.secrecy import KeyPath, gives_away, is_secret, speaks_of_one

COMMENTS: KeyPath = ("#",)
"""The place of secrets in comments."""

BROKEN: KeyPath = ("secret or not: this part cannot be read",)
"""The place of what is no TOML, and the table after a header that cannot be read."""

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


def scan(text: str, open_comments: Collection[str] = ()) -> tuple[Piece, ...]:
    """Return the pieces of a text, in order; ``open_comments`` may be shown whatever they speak of."""
    return tuple(_scanned(text, open_comments).pieces)


def comments(text: str) -> frozenset[str]:
    """Return the texts of all comments, without their signs."""
    return frozenset(_scanned(text).comments)


def _scanned(text: str, open_comments: Collection[str] = ()) -> _Scanner:
    scanner = _Scanner(text, open_comments=open_comments)
    while scanner.position < len(text):
        scanner.line()
    return scanner


class _Scanner:
    """Reads statements from ``position`` on into ``pieces``."""

    def __init__(
        self, text: str, table: KeyPath = (), place: KeyPath = (), open_comments: Collection[str] = ()
    ) -> None:
        self.text = text
        self.position = 0
        self.pieces: list[Piece] = []
        self.table = table  # that of statements
        self.remembered = table  # that of statements in comments, whose header may be in a comment too
        self.place = place  # before the places of values
        self.hiding = False  # comments, to the end of the block
        self.open_comments = open_comments
        self.comments: list[str] = []

    def line(self) -> None:
        """Read one statement, which may have several lines, or take a line that is none for a secret."""
        start, count = self.position, len(self.pieces)
        try:
            self.statement()
            self.take(NEWLINE)
        except NoToml:
            self.position = start
            del self.pieces[count:]
            self.broken()

    def broken(self) -> None:
        """Take the line for a secret; an unclosed multi-line string takes all that follows."""
        line = self.match(LINE)[0]
        if line.lstrip().startswith("["):
            self.table = self.remembered = BROKEN
        if '"""' in line or "'''" in line:
            line += self.text[self.position :]
            self.position = len(self.text)
        self.pieces.append(Piece("secret", line.strip(), BROKEN))
        self.take(NEWLINE)

    def statement(self) -> None:
        """Read a header, a key with its value, or nothing, and a comment."""
        self.take(SPACE)
        if header := TABLE.match(self.text, self.position):
            self.show(header)
            self.table = self.remembered = parts(header["name"])
        elif self.text[self.position : self.position + 1] not in {"", "\r", "\n", "#"}:
            path = (*self.table, *self.key())
            self.value(path, 0, is_secret(path))
        self.take(SPACE)
        if not self.comment():
            self.hiding = False

    def key(self) -> KeyPath:
        """Read a key and its equals sign."""
        return parts(self.show(KEY.match(self.text, self.position))["name"])

    def value(self, path: KeyPath, depth: int, hidden: bool) -> None:
        """Read a value of any type; in a secret one, all is secret."""
        if depth > _DEEPEST:
            raise NoToml
        if string := STRING.match(self.text, self.position):
            self.position = string.end()
            self.string(string[0], path, hidden)
        elif self.text[self.position : self.position + 1] in CLOSING:
            self.members(path, depth, hidden)
        else:
            word = self.match(BARE)[0]
            hidden = hidden and word not in {"true", "false"}
            self.pieces.append(Piece("secret" if hidden else "plain", word, (*self.place, *path), '"'))

    def string(self, literal: str, path: KeyPath, hidden: bool) -> None:
        """Add a string as one that may be shown, or as a secret."""
        said = meant(literal)
        place = (*self.place, *path)
        if hidden or gives_away(said):
            self.pieces.append(Piece("secret", said, place, '"'))
        else:
            self.pieces.append(Piece("string", literal, place, '"'))

    def members(self, path: KeyPath, depth: int, hidden: bool) -> None:
        """Read an array or an inline table, from its opening bracket to its closing one."""
        opening = self.text[self.position]
        closing = CLOSING[opening]
        self.pieces.append(Piece("plain", opening))
        self.position += 1
        self.between()
        while not closing.match(self.text, self.position):
            inner = (*path, *self.key()) if opening == "{" else path
            self.value(inner, depth + 1, hidden or is_secret(inner))
            self.between()
            if not closing.match(self.text, self.position):
                self.take(COMMA)
                self.between()
        self.take(closing)

    def between(self) -> None:
        """Read layout and comments between members."""
        self.take(LAYOUT)
        while self.comment():
            self.take(LAYOUT)

    def comment(self) -> bool:
        """Read a comment, if there is one: a statement that is commented out, or words."""
        comment = COMMENT.match(self.text, self.position)
        if comment is None:
            return False
        self.position = comment.end()
        self.pieces.append(Piece("plain", comment["sign"]))
        text, count = comment["text"], len(self.pieces)
        self.comments.append(text)
        if text and not self.commented_out(text):
            self.words(text)
        if text in self.open_comments:
            self.pieces[count:] = [Piece("comment", text, COMMENTS)]
        return True

    def commented_out(self, text: str) -> bool:
        """Read the text of a comment as a statement, if it is one."""
        if self.hiding or self.place:
            return False
        inner = _Scanner(text, self.remembered, COMMENTS)
        try:
            inner.statement()
            inner.take(END)
        except NoToml:
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
            key = KEY.match(words)
            begun = key is not None and is_secret((*self.remembered, *parts(key["name"])))
        except NoToml:
            begun = True
        return begun or '"""' in words or "'''" in words

    def take(self, pattern: re.Pattern[str]) -> None:
        """Read what must be there and may be shown."""
        self.show(pattern.match(self.text, self.position))

    def match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Read what must be there."""
        found = pattern.match(self.text, self.position)
        if found is None:
            raise NoToml
        self.position = found.end()
        return found

    def show(self, found: re.Match[str] | None) -> re.Match[str]:
        """Add what was found, and go on after it."""
        if found is None:
            raise NoToml
        self.pieces.append(Piece("plain", found[0]))
        self.position = found.end()
        return found
