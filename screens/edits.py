"""What somebody changed by hand: shown with both differences, and for each file the choice to keep or to give it up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from palpo_installer.screens.choices import Tick
from palpo_installer.screens.frame import Step
from palpo_installer.screens.prose import DIFFERENCES, Prose

if TYPE_CHECKING:
    from palpo_installer.changes import Edit

INTRO = (
    "Somebody changed these files of ours since the last run. What was changed stays, unless you tick it with Space: "
    "then the file is written as if nobody had, and as it is now it is kept in the run's directory. Enter makes the "
    "review again. Below each file: what was changed by hand, then what this run changes of its own."
)


class Edits(Step[frozenset[str] | None]):
    """Closes with the subjects of the edits to give up, or with None when nothing was chosen."""

    STEP = "Review"
    HELP = (
        "Space ticks an edit that is given up, or takes the tick away; the arrows go to the next one.\n"
        "Enter makes the review again with what was chosen. Escape goes back to the review as it was.\n"
        "Below each file: what was changed by hand, and what this run changes of its own.\n"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Make the review again"),
        Binding("escape,b", "dismiss(None)", "Back"),
        Binding("up", "app.focus_previous", "Edit before", show=False),
        Binding("down", "app.focus_next", "Next edit", show=False),
    ]

    def __init__(self, edits: tuple[Edit, ...]) -> None:
        super().__init__()
        self._edits = edits

    def content(self) -> Iterable[Widget]:
        """Yield each edit with its box and its differences."""
        yield Static("Edited by hand", markup=False, classes="title")
        yield Prose(INTRO, classes="intro")
        for edit in self._edits:
            yield Tick(f"give up the edit of {edit.subject}")
            yield Prose("\n".join(_lines(edit)))

    def on_mount(self) -> None:
        """Show what is chosen now, and begin at the first."""
        boxes = list(self.query(Tick))
        for box, edit in zip(boxes, self._edits, strict=True):
            box.show(ticked=edit.overwritten)
        self.set_focus(boxes[0])

    def action_take(self) -> None:
        """Close with what is ticked."""
        pairs = zip(self.query(Tick), self._edits, strict=True)
        self.dismiss(frozenset(edit.subject for box, edit in pairs if box.ticked))

    @on(Tick.Accepted)
    def _accepted(self) -> None:
        self.action_take()


def _lines(edit: Edit) -> Iterator[str]:
    yield from (f"    {sentence}" for sentence in edit.kept)
    yield DIFFERENCES
    yield edit.theirs or "    What was changed is not known, or a secret."
    if edit.ours:
        yield edit.ours
    yield ""
