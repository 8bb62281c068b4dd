"""One line in somebody else's virtual host: the first in it, so that it comes before every rule of the site."""

from __future__ import annotations

import re
from collections.abc import Sequence

from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.apache.lines import Line, lines
from palpo_installer.proxies.virtual_hosts import Impossible

OPENING = re.compile(r"\s*<VirtualHost\s[^<>]*>\s*", re.IGNORECASE)
DEFAULT_INDENT = "    "


def place(data: bytes, number: int, text: str) -> AddedLine | Impossible:
    """Return where a line goes in a file: below the one with which the virtual host begins.

    Args:
        data: the file.
        number: of the line with which the virtual host begins, from 1.
        text: the line, without indentation.
    """
    written = data.decode(errors="replace").split("\n")
    if number > len(written) or not OPENING.fullmatch(written[number - 1]):
        return Impossible(f"line {number}: no virtual host begins here on a line of its own")
    if number == len(written):
        return Impossible(f"line {number}: the file ends here, without the end of the line")
    indent = next((each for each in map(_indent, written[number:]) if each is not None), DEFAULT_INDENT)
    added = AddedLine(indent + text, number + 1)
    if _with(written, added) != _expected(written, added):
        return Impossible("a line cannot be added without changing what is there")
    return added


def _indent(line: str) -> str | None:
    """Return the white space before a directive, None where there is none on a line."""
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    return DEFAULT_INDENT if text.startswith("</") else line[: len(line) - len(line.lstrip())]


def _with(written: Sequence[str], added: AddedLine) -> list[tuple[str, str]]:
    """Return what Apache reads once the line is there."""
    at = added.before - 1
    return _read([*written[:at], added.text, *written[at:]])


def _expected(written: Sequence[str], added: AddedLine) -> list[tuple[str, str]]:
    """Return what it reads now, and the one line where it is to be."""
    before = _read(written[: added.before - 1])
    return [*before, *_read([added.text]), *_read(written)[len(before) :]]


def _read(written: Sequence[str]) -> list[tuple[str, str]]:
    return [_words(each) for each in lines("\n".join(written))]


def _words(line: Line) -> tuple[str, str]:
    return line.name, line.rest
