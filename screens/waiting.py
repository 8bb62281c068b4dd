"""While something is looked at that takes more than a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Generic, TypeVar, cast

from textual import work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

from palpo_installer.errors import InstallerError
from palpo_installer.screens.frame import Step
from palpo_installer.screens.prose import Prose

Found = TypeVar("Found")


class Waiting(Step[Found | InstallerError | None], Generic[Found]):
    """Says what is being done; closes with what came out, with the error, or with None when the person went back."""

    HELP = "The host is being looked at. Nothing is changed.\n"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back")]

    class Ended(Message):
        """The work is done."""

        def __init__(self, outcome: object) -> None:
            super().__init__()
            self.outcome = outcome

    def __init__(self, step: str, what: str, look: Callable[[], Found]) -> None:
        super().__init__()
        self._step = step
        self._what = what
        self._look = look

    @property
    def step(self) -> str:
        """The step that this is done for."""
        return self._step

    def content(self) -> Iterable[Widget]:
        """Yield what is being done."""
        yield Prose(f"{self._what} ...")

    def on_mount(self) -> None:
        """Begin."""
        self._work()

    def action_back(self) -> None:
        """Go back without the outcome."""
        self.dismiss(None)

    @work(thread=True)
    def _work(self) -> None:
        outcome: Found | InstallerError
        try:
            outcome = self._look()
        except InstallerError as error:
            outcome = error
        self.post_message(self.Ended(outcome))

    def on_waiting_ended(self, event: Ended) -> None:
        """Close with what came out."""
        self.dismiss(cast("Found | InstallerError", event.outcome))
