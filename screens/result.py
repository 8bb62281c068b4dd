"""The last screen: how it ended, what the outside sees, what is left to do, how to go back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.widget import Widget

from palpo_installer.screens.frame import Step, Sure
from palpo_installer.screens.prose import Prose

Next = Literal["roll-back", "start", "leave"]


class Outcome(Step[Next]):
    """Shows how a run ended; closes with what comes next."""

    STEP = "Apply"
    HELP = (
        "What the outside sees was asked from this host; each failure has its cure below it.\n"
        "r takes everything back, after asking. Enter goes to the first screen, q leaves.\n"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "roll_back", "Roll back"),
        Binding("enter", "go('start')", "First screen"),
        Binding("q,escape", "go('leave')", "Leave", show=False),
    ]

    def __init__(self, text: str, *, run: str) -> None:
        """Show a result; ``run`` is the run that can be taken back, empty for none."""
        super().__init__()
        self._text = text
        self._run = run

    def content(self) -> Iterable[Widget]:
        """Yield the result."""
        yield Prose(self._text, id="result")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out going back where there is nothing to go back to."""
        return action != "roll_back" or bool(self._run)

    def action_go(self, following: Next) -> None:
        """Go to what comes next."""
        self.dismiss(following)

    def action_roll_back(self) -> None:
        """Ask, then roll back."""
        self.app.push_screen(Sure(f"Take back run {self._run}? Everything will be as it was before it."), self._sure)

    def _sure(self, sure: bool | None) -> None:
        if sure:
            self.dismiss("roll-back")
