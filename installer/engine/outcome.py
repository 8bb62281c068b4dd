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


def in_words(outcome: Outcome) -> str:
    """Return how a run ended in one or a few sentences."""
    match outcome.result:
        case "applied":
            return "Done."
        case "rolled-back":
            return "Rolled back."
        case "uninstalled":
            return "Uninstalled: all is as it was before the first run, but for what the review said stays."
        case "taken-back":
            return "Not done, and everything is as it was before."
        case "files-back":
            return "The files are as they were before; services take them up when this host has started again."
        case _:
            left = "\n".join(f"  {problem}" for problem in outcome.problems)
            return f"Not everything could be put back:\n{left}"
