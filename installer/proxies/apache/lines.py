"""Apache's configuration language: logical lines, and the words of a line. Pure. See httpd, "Syntax of the files"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

VARIABLE = re.compile(r"\$\{(?P<name>[^}:]+)\}")
"""``${NAME}``; what has a colon in its braces is for mod_rewrite (util.c, ``ap_resolve_env``)."""

WORD = re.compile(r'"(?P<double>(?:\\.|[^"\\])*)"?|\'(?P<single>(?:\\.|[^\'\\])*)\'?|(?P<plain>\S+)')


@dataclass(frozen=True)
class Line:
    """A directive, or the begin or end of a section, as written.

    Attributes:
        number: of its first line in the file, from 1.
        name: lower case; that of a section with its ``<`` or ``</``.
        rest: what follows the name, without the ``>`` of a section.
    """

    number: int
    name: str
    rest: str

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments, without quotes."""
        return words(self.rest)


def lines(text: str) -> Iterator[Line]:
    """Yield the lines of a file: those that end in a backslash go on in the next; a ``#`` begins a comment."""
    begin, parts = 0, ""
    for number, each in enumerate(text.split("\n"), start=1):
        begin = begin or number
        if each.endswith("\\"):
            parts += each[:-1]
            continue
        line = _line(begin, (parts + each).strip())
        begin, parts = 0, ""
        if line is not None:
            yield line
    if parts and (line := _line(begin, parts.strip())) is not None:
        yield line


def _line(number: int, text: str) -> Line | None:
    if not text or text.startswith("#"):
        return None
    if not text.startswith("<"):
        name, *rest = text.split(maxsplit=1)
        return Line(number, name.lower(), "".join(rest))
    inner = text[1:].rpartition(">")[0] or text[1:]
    match = re.match(r"\s*(/?[^\s>]*)\s*(.*)", inner, re.DOTALL)
    return Line(number, f"<{match[1].lower()}", match[2].strip()) if match else None


def words(text: str) -> tuple[str, ...]:
    r"""Return the words of a text (util.c, ``ap_getword_conf``): in quotes, ``\`` only escapes itself and the quote."""
    found = []
    for match in WORD.finditer(text):
        quoted = match["double"] if match["double"] is not None else match["single"]
        found.append(match["plain"] if quoted is None else re.sub(r"\\([\\\"'])", r"\1", quoted))
    return tuple(found)


def substituted(text: str, variables: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return a text with the values of its variables, and the names of those that have none; they stay as written."""
    missing = tuple(match["name"] for match in VARIABLE.finditer(text) if match["name"] not in variables)
    return VARIABLE.sub(lambda match: variables.get(match["name"], match[0]), text), missing


def environment(text: str) -> dict[str, str]:
    """Return what Debian's ``envvars`` sets; of a name that is set twice, the last value.

    Its shell is not run. The words before the last assignment of ``SUFFIX`` are for further instances of Apache.
    """
    found: dict[str, str] = {}
    assignment = re.compile(r"^\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)=(?P<value>.*?)\s*$", re.MULTILINE)
    for match in assignment.finditer(text):
        quote = match["value"][:1] if match["value"][:1] in {'"', "'"} else ""
        value = match["value"].strip(quote) if quote else match["value"].split(" #")[0].strip()
        if quote != "'":
            value = re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found_: found.get(found_[1] or found_[2], ""), value)
        found[match["name"]] = value
    return found
