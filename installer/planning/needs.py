"""What the proxy needs of the host to serve."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Needs:
    """The ports of the proxy: those for plain HTTP, those for TLS, and those that it connects to.

    Attributes:
        readable: the files and directories of ours that its account must get through.
    """

    plain: tuple[int, ...]
    secure: tuple[int, ...]
    upstream: tuple[int, ...]
    readable: tuple[Path, ...] = ()

    @property
    def listening(self) -> tuple[int, ...]:
        """Every port to listen on."""
        return tuple(dict.fromkeys((*self.plain, *self.secure)))
