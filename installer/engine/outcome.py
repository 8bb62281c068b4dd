"""How a run ended, as the engine says it."""

from __future__ import annotations

from dataclasses import dataclass

from palpo_installer.errors import InstallerError


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        result: ``applied``, ``uninstalled``, ``taken-back`` (as before), ``rolled-back`` (later, on request),
            ``not-put-back``, or ``files-back``: the host goes down or is not up yet, and the run stays open for the
            services.
        cause: why it was taken back, empty for ``applied``.
        problems: what could not be put back, one sentence each.
    """

    result: str
    cause: str = ""
    problems: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """The exit code of the command that made the run."""
        codes = {"applied": 0, "uninstalled": 0, "rolled-back": 0, "taken-back": 1, "files-back": 1}
        return codes.get(self.result, 5)


def sentence(error: InstallerError | OSError) -> str:
    """Return an error as one sentence for people."""
    if isinstance(error, InstallerError):
        return str(error)
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what
