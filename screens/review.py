"""The review: what will happen, every change, every difference; and what is done with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from palpo_installer.engine.confirmation import USUAL
from palpo_installer.screens.fields import entry
from palpo_installer.screens.frame import Step
from palpo_installer.screens.prose import Prose


@dataclass(frozen=True)
class Decision:
    """What the person decided.

    Attributes:
        kind: what is to be done.
        path: where a plan is saved to.
        confirm_within: seconds after which what is applied takes itself back unless it is confirmed; None to keep it.
    """

    kind: Literal["apply", "rehearse", "edits", "save", "back", "leave"]
    path: str = ""
    confirm_within: int | None = None


class SaveAs(ModalScreen[str]):
    """Asks for the path of a file."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "Back")]

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def compose(self) -> ComposeResult:
        """Yield the question and the line for its answer."""
        with Vertical(classes="box"):
            yield Static("Save the plan in this file, to be applied later:\n", markup=False)
            yield entry(self._path)
            yield Static("\nEnter saves it and leaves; Escape goes back.", markup=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())


class Review(Step[Decision]):
    """Shows a plan in words; closes with what is to be done with it."""

    STEP = "Review"
    HELP = (
        "This is everything that will be done, in order. Nothing has been changed yet.\n"
        "In the differences, + is a line that will be there and - one that is there now.\n"
        "a applies it, s saves it in a file, b goes back to the questions, q leaves.\n"
        "c lets the changes take themselves back after some minutes unless you confirm them then, in case you are "
        "locked out; over SSH that is so unless c turns it off.\n"
        "t tries the site out first, in a private copy of the proxy on loopback: nothing is changed by that.\n"
        "e, where files of ours were edited by hand, chooses for each edit whether it stays or is given up.\n"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "apply", "Apply"),
        Binding("c", "toggle_confirmation", "Confirm"),
        Binding("t", "decide('rehearse')", "Try out"),
        Binding("e", "edits", "Edits"),
        Binding("s", "save", "Save"),
        Binding("b,escape", "decide('back')", "Back", key_display="b"),
        Binding("q", "decide('leave')", "Leave", show=False),
    ]

    def __init__(
        self,
        text: str,
        *,
        hindrance: str = "",
        complaint: str = "",
        path: str = "palpo-plan.json",
        confirm_within: int | None = None,
        edited: bool = False,
    ) -> None:
        """Show a review.

        Args:
            text: the review in words.
            hindrance: why it cannot be applied, empty when it can.
            complaint: why the last thing that was asked for did not work.
            path: where a plan is saved, as an offer.
            confirm_within: seconds within which it must be confirmed, as an offer; None for not at all.
            edited: whether there are edits to choose about.
        """
        super().__init__()
        self._text = text
        self._hindrance = hindrance
        self._complaint = complaint
        self._path = path
        self._confirm_within = confirm_within
        self._edited = edited

    def content(self) -> Iterable[Widget]:
        """Yield the review."""
        yield Prose(self._text, id="review")

    def below(self) -> Iterable[Widget]:
        """Yield what keeps the person from applying, or how to do it."""
        for line in filter(None, (self._complaint, self._hindrance)):
            yield Prose(f"! {line}", classes="banner")
        if not self._hindrance:
            yield Prose(self._offer(), classes="banner", id="offer")

    def _offer(self) -> str:
        """Return how to apply it, and what becomes of it then."""
        if self._confirm_within is None:
            return "Read it, then press a to apply it."
        return (
            "Read it, then press a to apply it. It takes itself back unless you confirm it within "
            f"{self._confirm_within} seconds; c turns that off."
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out applying where it is not possible; leave out edits where there are none."""
        if action == "edits":
            return self._edited
        return None if action in {"apply", "toggle_confirmation"} and self._hindrance else True

    def action_apply(self) -> None:
        """Apply the plan."""
        self.dismiss(Decision("apply", confirm_within=self._confirm_within))

    def action_toggle_confirmation(self) -> None:
        """Let it take itself back unless it is confirmed, or the other way round."""
        self._confirm_within = USUAL if self._confirm_within is None else None
        self.query_one("#offer", Prose).show(self._offer())

    def action_edits(self) -> None:
        """Choose about the edits."""
        self.dismiss(Decision("edits"))

    def action_decide(self, kind: Literal["rehearse", "back", "leave"]) -> None:
        """Do something that needs no more words."""
        self.dismiss(Decision(kind, confirm_within=self._confirm_within))

    def action_save(self) -> None:
        """Ask where to, then save and leave."""
        self.app.push_screen(SaveAs(str(Path.cwd() / self._path)), self._save)

    def _save(self, path: str | None) -> None:
        if path:
            self.dismiss(Decision("save", path, self._confirm_within))
