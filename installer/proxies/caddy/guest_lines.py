"""One line in somebody else's site: the first in it. Caddy sorts the directives of a site, so any place is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.caddy.tokens import Token, Unreadable, lines
from palpo_installer.proxies.virtual_hosts import Impossible

DEFAULT_INDENT = "\t"


def place(data: bytes, number: int, text: str) -> AddedLine | Impossible:
    """Return where a line goes in a file: below the brace of the site, or its address where it has no braces.

    Args:
        data: the file.
        number: of the line with which the site begins, from 1.
        text: the line, without indentation.
    """
    written = data.decode(errors="replace")
    try:
        found = lines(written)
        last = _last_of_head(found, number)
        if last is None:
            return Impossible(f"line {number}: no site begins here on a line of its own")
        if last.line > written.count("\n"):
            return Impossible(f"line {last.line}: the file ends here, without the end of the line")
        indent = _indent(written, last, braced=last.opens)
        added = AddedLine(indent + text, last.line + 1)
        if _words(lines(_with(written, added))) != _expected(found, added):
            return Impossible("a line cannot be added without changing what is there")
    except Unreadable as error:
        return Impossible(f"line {error.line}: {error}")
    return added


def directives(data: bytes, number: int) -> Iterator[Sequence[Token]]:
    """Yield the lines directly in the site that begins at a line of a file; none of a file that cannot be read."""
    try:
        found = lines(data.decode(errors="replace"))
    except Unreadable:
        return
    head = _last_of_head(found, number)
    depth = 0
    for line in (each for each in found if head is not None and each[0].line > head.line):
        if line[0].closes:
            depth -= 1
        if depth < 0:
            return
        if depth == 0 and not line[0].closes:
            yield line
        depth += line[-1].opens


def _last_of_head(found: Sequence[Sequence[Token]], number: int) -> Token | None:
    """Return the last word before the directives of a site: its brace, or its last address."""
    at = next((at for at, line in enumerate(found) if line[0].line == number), None)
    while at is not None and at < len(found):
        last = found[at][-1]
        if last.opens or not last.text.endswith(","):
            return None if last.closes else last
        at += 1
    return None


def _indent(written: str, last: Token, *, braced: bool) -> str:
    """Return the white space before the next directive."""
    for line in written.split("\n")[last.line :]:
        text = line.strip()
        if text and not text.startswith("#"):
            own = line[: len(line) - len(line.lstrip())]
            return DEFAULT_INDENT if text.startswith("}") and braced else own
    return DEFAULT_INDENT if braced else ""


def _with(written: str, added: AddedLine) -> str:
    there = written.split("\n")
    return "\n".join([*there[: added.before - 1], added.text, *there[added.before - 1 :]])


def _expected(found: Sequence[Sequence[Token]], added: AddedLine) -> list[list[tuple[str, bool]]]:
    """Return what Caddy reads now, and the one line where it is to be."""
    before = [line for line in found if line[0].line < added.before]
    rest = [line for line in found if line[0].line >= added.before]
    return _words([*before, *lines(added.text), *rest])


def _words(found: Sequence[Sequence[Token]]) -> list[list[tuple[str, bool]]]:
    return [[(token.text, token.quoted) for token in line] for line in found]
