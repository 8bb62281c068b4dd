"""A text to read: what verify says, the history, why something cannot be done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from palpo_installer.screens.frame import Step
from palpo_installer.screens.prose import Prose


class Reading(Step[None]):
    """Shows a text; closes when it was read."""

    HELP = "PageUp and PageDown scroll; Escape goes back.\n"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,b,enter", "dismiss(None)", "Back"),
    ]

    def __init__(self, text: str, step: str = "Found") -> None:
        super().__init__()
        self._text = text
        self._step = step

    @property
    def step(self) -> str:
        """The step it belongs to."""
        return self._step

    def content(self) -> Iterable[Widget]:
        """Yield the text."""
        yield Prose(self._text, id="text")
