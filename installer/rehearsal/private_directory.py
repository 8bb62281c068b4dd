"""The directory of a proxy in a rehearsal: where its configuration lies, ours in it, and what it said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PrivateDirectory:
    """A directory that nobody else reads or writes.

    Attributes:
        path: itself, for everything that the proxy reads and writes.
        main: how the main file is called, as administrators of this proxy know it.
    """

    path: Path
    main: str

    @property
    def configuration(self) -> Path:
        """The main file."""
        return self.path / self.main

    @property
    def sites(self) -> Path:
        """Where the files of our site go."""
        return self.path / "sites"

    @property
    def guests(self) -> Path:
        """Where the files go that sites of others include."""
        return self.path / "guests"

    @property
    def errors(self) -> Path:
        """The file for what the proxy says."""
        return self.path / "errors"

    @property
    def said(self) -> str:
        """What the proxy has said so far."""
        return self.errors.read_text(errors="replace")
