"""A palpo.toml as the rules look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.audit.finding import Finding, Trap
from palpo_installer.homeserver.lines import Lines
from palpo_installer.homeserver.reading import look_up


@dataclass(frozen=True, eq=False)
class PalpoFile:
    """A palpo.toml that could be read.

    Attributes:
        path: where.
        values: what it says.
        lines: where it says it.
        mode: its permission bits.
        contained: whether Palpo runs in a container: its addresses are not the host's.
        answered: which well-known documents the proxy passes on to Palpo, ``client`` and ``server``.
    """

    path: Path
    values: Mapping[str, object]
    lines: Lines
    mode: int
    contained: bool
    answered: frozenset[str] = frozenset()

    def said(self, *key: str) -> object:
        """Return what stands at a key, None where nothing does."""
        return look_up(dict(self.values), key)

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """The addresses of ``[[listeners]]`` that are plain HTTP, each with its key."""
        entries = self.said("listeners")
        tables = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
        return tuple(
            (str(table.get("address", "0.0.0.0:8008")), f"listeners {number}.address")
            for number, table in enumerate(tables, 1)
            if not _has_tls(table)
        )

    def finding(self, trap: Trap, key: str, what: str, cure: str, *lines: str) -> Finding:
        """Return a finding at a key."""
        return trap.at(self.path, self.lines.of(key), "Palpo", what, cure, *lines)


def _has_tls(table: Mapping[str, object]) -> bool:
    tls = table.get("tls")
    return isinstance(tls, dict) and tls.get("enable", True) is True
