"""What the demonstration says: numbered steps, and for each claim what was seen and how to see it by hand."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from palpo_installer.errors import GateFailed

NAME = "DEMO"
WIDTH = 80
INDENT = "   "
HANGING = " " * 10


class Story:
    """Tells it.

    Attributes:
        number: of the step that is being told.
        title: its heading.
        place: the directory of the made-up host; ``$DEMO`` stands for it, also in commands to copy.
    """

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._echo = echo
        self.number = 0
        self.title = ""
        self.place = ""

    def begin(self, place: str) -> None:
        """Say where the made-up host is."""
        self._echo("")
        self._echo(f"{INDENT}{NAME}={place}")
        self.place = place

    def step(self, title: str) -> None:
        """Begin a step."""
        self.number += 1
        self.title = title
        self._echo("")
        self._echo(f"{self.number}. {title}")

    def say(self, text: str) -> None:
        """Say a sentence or a few."""
        indent = INDENT if self.number else ""
        self._wrapped(text, indent, indent)

    def end(self) -> None:
        """Begin what stands behind the last step."""
        self.number, self.place = 0, ""
        self._echo("")

    def line(self, text: str) -> None:
        """Print a line of the tool itself."""
        for part in text.splitlines():
            self._wrapped(part, INDENT, HANGING)

    def proof(self, seen: str, *, holds: bool) -> None:
        """Say what was seen, and go on only if it proves the claim.

        Raises:
            GateFailed: it does not.
        """
        self._wrapped(seen, f"{INDENT}proof  " if holds else f"{INDENT}FAIL   ", HANGING)
        if not holds:
            raise GateFailed("the demonstration did not show what it should", where=f"step {self.number}, {self.title}")

    def by_hand(self, command: str) -> None:
        """Say which command shows the same; it stays on one line, to be copied."""
        self._echo(f"{INDENT}try    {self._short(command)}")

    def _short(self, text: str) -> str:
        return text.replace(self.place, f"${NAME}") if self.place else text

    def _wrapped(self, text: str, first: str, others: str) -> None:
        """Print lines that fit; addresses, paths and URLs stay whole."""
        lines = textwrap.wrap(
            self._short(text),
            WIDTH,
            initial_indent=first,
            subsequent_indent=others,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines:
            self._echo(line)
