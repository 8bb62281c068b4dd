"""The words of a Caddyfile with their lines, as Caddy's own lexer finds them.

See caddyserver.com, "Caddyfile Concepts", and caddyconfig/caddyfile/lexer.go: words end at white space; a ``#`` at
the beginning of a word starts a comment; words in quotes or backticks may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

VARIABLE = re.compile(r"\{\$(?P<name>[^}:]+)(?::(?P<default>[^}]*))?\}")
"""A variable of the environment, which Caddy puts in before it reads anything else."""

HEREDOC = re.compile(r"<<(?P<mark>[A-Za-z0-9_-]+)\r?\n(?P<text>.*?)^[ \t]*(?P=mark)(?=\s|\Z)", re.DOTALL | re.MULTILINE)
"""A text of several lines (Caddy 2.7)."""

BYTE_ORDER_MARK = "\ufeff"
"""What some editors put in front of everything; Caddy leaves it out there."""


@dataclass(frozen=True)
class Token:
    """One word.

    Attributes:
        text: without its quotes.
        line: of its first character, from 1.
        quoted: whether it stood in quotes, so that a brace in it is no brace.
    """

    text: str
    line: int
    quoted: bool = False

    @property
    def opens(self) -> bool:
        """Whether it opens a block."""
        return self.text == "{" and not self.quoted

    @property
    def closes(self) -> bool:
        """Whether it closes a block."""
        return self.text == "}" and not self.quoted


class Unreadable(ValueError):
    """The text is no Caddyfile; ``line`` is where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """Return a Caddyfile with the variables of its environment, or their defaults, in place."""
    return VARIABLE.sub(lambda found: environment.get(found["name"]) or found["default"] or "", text)


def lines(text: str) -> tuple[tuple[Token, ...], ...]:
    """Return the words of each line that has some; an escaped end of line does not end it.

    Raises:
        Unreadable: quotes do not match.
    """
    found: list[list[Token]] = []
    end = 0
    for token, line_after in _tokens(text):
        if not found or token.line > end:
            found.append([])
        found[-1].append(token)
        end = line_after
    return tuple(map(tuple, found))


def _tokens(text: str) -> Iterator[tuple[Token, int]]:
    """Yield each word with the line that what follows must stand on to belong to the same line."""
    position, line, carried = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0, 1, 0
    while position < len(text):
        sign = text[position]
        if sign == "\n":
            position, line, carried = position + 1, line + 1, 0
        elif sign.isspace():
            position += 1
        elif sign == "\\" and re.match(r"\\\r?\n", text[position:]):
            # The words of the next line count as words of this one.
            position = text.index("\n", position) + 1
            line, carried = line + 1, carried + 1
        elif sign == "#":
            position = _end(text.find("\n", position), text)
        else:
            word, position, quoted = _word(text, position, line)
            token = Token(word, line - carried, quoted)
            line += word.count("\n") + (1 if quoted and text[position - 1] not in '"`' else 0)
            yield token, line - carried


def _word(text: str, start: int, line: int) -> tuple[str, int, bool]:
    """Return a word, where the text goes on behind it, and whether it was quoted."""
    heredoc = HEREDOC.match(text, start)
    if heredoc is not None:
        return heredoc["text"], heredoc.end(), True
    if text[start] in {'"', "`"}:
        return _quoted(text, start, line)
    match = re.compile(r"\S+").match(text, start)
    assert match is not None  # noqa: S101 - it begins with no space
    word = match[0]
    if word.endswith("\\") and re.match(r"\r?\n", text[match.end() :]):
        word = word[:-1]
    return word, start + len(word), False


def _quoted(text: str, start: int, line: int) -> tuple[str, int, bool]:
    r"""Return a word in quotes: ``\"`` is a quote in ``"…"``, and nothing is escaped in backticks."""
    quote, position, word = text[start], start + 1, ""
    while position < len(text):
        sign = text[position]
        if sign == quote:
            return word, position + 1, True
        if quote == '"' and text.startswith('\\"', position):
            sign, position = '"', position + 1
        word, position = word + sign, position + 1
    raise Unreadable("a quote is not closed", line)


def _end(found: int, text: str) -> int:
    return len(text) if found < 0 else found
