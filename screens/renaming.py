"""Another server name than the one in force: what is lost, and the new name once more, typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from palpo_installer.screens.fields import entry
from palpo_installer.screens.frame import Step
from palpo_installer.screens.prose import Prose


class NewName(Step[bool]):
    """Closes with whether the new name was typed again."""

    STEP = "Names"
    HELP = "Type the new server name to give up the old one for it. Escape goes back to the names.\n"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(False)", "Keep the old name")]

    def __init__(self, wanted: str, lost: Sequence[str]) -> None:
        super().__init__()
        self._wanted = wanted
        self._lost = lost

    def content(self) -> Iterable[Widget]:
        """Yield what is lost, and the line for the name."""
        sentences = "\n".join(f"  {sentence}" for sentence in self._lost)
        yield Prose(f"Another server name\n{sentences}\n\nTo go on, type the new server name once more:")
        yield entry("")
        yield Prose(id="wrong")

    def on_mount(self) -> None:
        """Begin in the line."""
        self.set_focus(self.query_one(Input))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value.strip().lower() == self._wanted:
            self.dismiss(True)
        else:
            self.query_one("#wrong", Prose).show(f"! This is not {self._wanted}.")
