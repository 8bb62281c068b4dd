"""What a person chose for one run alone, beside the answers."""

from __future__ import annotations

from dataclasses import dataclass

ALL_EDITS = frozenset({"*"})
"""As what is overwritten: every edit, whatever it is of."""


@dataclass(frozen=True)
class Choices:
    """What goes beyond the answers; nothing of it is remembered for the next run.

    Attributes:
        overwrite: the subjects of the edits to give up, or ``ALL_EDITS``.
        renaming: whether the server name may be given up for another one.
    """

    overwrite: frozenset[str] = frozenset()
    renaming: bool = False


AS_USUAL = Choices()
"""Every edit and the server name stay."""
