"""Who answers for a name, whatever the proxy: what its own rules for that give."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.sockets import Socket, in_words


class By(StrEnum):
    """What makes a site the one that answers."""

    NAME = "name"
    WILDCARD = "wildcard"
    PATTERN = "pattern"
    ANY = "any"
    DEFAULT = "default"


REASONS = {
    By.NAME: "{term} {names}",
    By.WILDCARD: "by a wildcard, {term} {names}",
    By.PATTERN: "by a regular expression, {term} {names}",
    By.ANY: "whatever the name; {term} {names}",
    By.DEFAULT: "only as the default there: {term} {names}",
}
"""In words."""


@dataclass(frozen=True)
class Answering:
    """A site that answers for a name.

    Attributes:
        block: the site.
        by: why it is this one.
        sockets: the addresses and ports, as bound, on which it is.
        term: what the proxy calls the names of a site, e.g. ``server_name``.
        doubts: rules that come first and cannot be judged here; where one of them fits, its own site answers instead.
    """

    block: ServerBlock
    by: By
    sockets: tuple[Socket, ...]
    term: str
    doubts: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in a line, as for "who answers for example.com today"."""
        sockets = ", ".join(map(in_words, self.sockets))
        reason = REASONS[self.by].format(term=self.term, names=" ".join(self.block.names) or "no name")
        doubt = f"; unless {' or '.join(self.doubts)} fits, which cannot be judged here" if self.doubts else ""
        return f"{sockets}: {self.block.file}:{self.block.line} ({reason}){doubt}"

    @property
    def tls(self) -> bool:
        """Whether the site answers with TLS on one of these sockets."""
        return any("ssl" in each.options for each in self.block.listens if (each.address, each.port) in self.sockets)
