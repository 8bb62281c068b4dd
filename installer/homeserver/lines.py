"""On which line of a palpo.toml each key stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping


class Lines:
    """The lines of a TOML text by key, in the form of ``Problem.key``: ``db.url``, ``listeners 2.address``."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        table = ""
        for number, values in _statements(text):
            header = _is_header(text, number)
            path = tuple(_path(values))
            if header:
                table = self._table(path, values, number)
            names = [table] if header else [_join(table, ".".join(path[:depth])) for depth in range(1, len(path) + 1)]
            for name in names:
                self._lines.setdefault(name, number)

    def _table(self, path: tuple[str, ...], values: Mapping[str, object], number: int) -> str:
        """Return the name of a table whose header was read, counting those of a list."""
        name = ""
        for part in path:
            name = _join(name, part)
            name = f"{name} {self._counts[name]}" if name in self._counts else name
        inner: object = values
        for part in path:
            inner = inner.get(part) if isinstance(inner, Mapping) else None
        if isinstance(inner, list):
            plain = name.rpartition(" ")[0] if name.rpartition(" ")[2].isdigit() else name
            self._counts[plain] = self._counts.get(plain, 0) + 1
            self._lines.setdefault(plain, number)
            name = f"{plain} {self._counts[plain]}"
        return name

    def of(self, key: str) -> int:
        """Return the line of a key; of the nearest table or list around it where it is not there; else the first."""
        while key:
            if key in self._lines:
                return self._lines[key]
            key = key[: max(key.rfind("."), key.rfind(" "), 0)]
        return 1


def _statements(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield each statement with the line it begins on, read alone: as many lines as make it whole."""
    lines = text.splitlines()
    start = 0
    while start < len(lines):
        for end in range(start + 1, len(lines) + 1):
            try:
                values = tomllib.loads("\n".join(lines[start:end]))
            except tomllib.TOMLDecodeError:
                continue
            if values:
                yield start + 1, values
            start = end
            break
        else:
            start += 1


def _is_header(text: str, number: int) -> bool:
    return text.splitlines()[number - 1].lstrip().startswith("[")


def _path(values: Mapping[str, object]) -> Iterator[str]:
    """Yield the keys of a statement from the outermost on."""
    inner: object = values
    while isinstance(inner, Mapping) and len(inner) == 1:
        name = next(iter(inner))
        yield name
        inner = inner[name]


def _join(table: str, name: str) -> str:
    return f"{table}.{name}" if table else name
