"""The screen for any page of the conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from palpo_installer.conversation import Page, Talk
from palpo_installer.questions import Kind, question_for
from palpo_installer.screens.fields import QuestionRow, TableRow
from palpo_installer.screens.frame import STEPS, Step
from palpo_installer.screens.prose import Prose

NAMED = {"names": "Names", "delegation": "Federation", "certificates": "Certificates", "homeserver": "Homeserver"}
"""The step of each page."""


@dataclass(frozen=True)
class Aside:
    """What a page says beside its questions.

    Attributes:
        above: before them, large.
        below: after them.
        notes: by key, right below a question.
        rows: chain and key by name, for a table of certificates.
    """

    above: str = ""
    below: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Fold(Static, can_focus=True):
    """A line that opens and closes what is below it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "fold", "Open or close", show=False)]

    class Toggled(Message):
        """It shall open, or close."""

    def show(self, *, opened: bool, count: int) -> None:
        """Show whether it is open."""
        sign = "-" if opened else "+"
        self.update(f"[{sign}] More settings ({count}); their defaults are fine for most")

    def action_fold(self) -> None:
        """Open or close it."""
        self.post_message(self.Toggled())

    def on_click(self) -> None:
        """Do what Enter does."""
        self.action_fold()


class Form(Step[int]):
    """The questions of one page; closes with 1 to go on and -1 to go back.

    What is typed goes to the app as ``Answered``; the app shows the conversation that follows from it. So does
    ``Accepted``, which must find what the answer before it has changed.
    """

    class Opened(Message):
        """The page is there."""

    HELP = (
        "Every question has its help below it. What stands in a field with (default) is what will be used if you "
        "just press Enter. A line that begins with ! says why an answer cannot be used.\n"
        "F2 opens the settings that most people leave as they are. F10 goes to the next page.\n"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("f10", "next", "Next page"),
        Binding("f2", "fold", "More settings", priority=True),
        # With priority they take effect before the next key goes to anybody: who types ahead hits the right field.
        Binding("tab", "move(1)", "Next question", show=False, priority=True),
        Binding("shift+tab", "move(-1)", "Question before", show=False, priority=True),
        Binding("up", "move(-1)", "Question before", show=False),
        Binding("down", "move(1)", "Next question", show=False),
    ]

    def __init__(self, page: Page, talk: Talk, aside: Aside, *, pressing: bool = False) -> None:
        super().__init__()
        self.page = page
        self._talk = talk
        self._aside = aside
        self._pressing = pressing

    @property
    def step(self) -> str:
        """The step of the page."""
        return NAMED.get(self.page.name, STEPS[1])

    def content(self) -> Iterable[Widget]:
        """Yield heading, questions, and what is said beside them."""
        yield Static(self.page.title, markup=False, classes="title")
        yield Prose(self.page.intro, classes="intro")
        yield Static("", markup=False, id="above")
        yield from map(_row, self.page.keys)
        if self.page.more:
            yield Fold(markup=False, id="fold")
            yield from map(_row, self.page.more)
        yield Prose(id="below")

    def on_mount(self) -> None:
        """Show the conversation as it stands, and begin at the first question that needs somebody."""
        opened = any(each.chosen or each.problem for each in self._talk.on(self.page.more)) and self._pressing
        if opened:
            self.add_class("opened")
        self.show(self._talk, self._aside)
        rows = self._visible()
        if self._pressing:
            troubled = [row for row in rows if row.press()]
            rows = troubled or rows
        if rows:
            self.set_focus(rows[0].answer)
        self.post_message(self.Opened())

    def show(self, talk: Talk, aside: Aside) -> None:
        """Show the conversation after an answer."""
        self._talk, self._aside = talk, aside
        fields = {each.question.key: each for each in talk.visible}
        opened = self.has_class("opened")
        for row in self.query(QuestionRow):
            key = row.question.key
            row.display = key in fields and (opened or key in self.page.keys)
            if key in fields:
                row.show(fields[key], aside.notes.get(key, ""))
            if isinstance(row, TableRow) and key in fields:
                row.show_rows(aside.rows)
        for fold in self.query(Fold):
            count = len(talk.on(self.page.more))
            fold.display = count > 0
            fold.show(opened=opened, count=count)
        above = self.query_one("#above", Static)
        above.update(aside.above)
        above.display = bool(aside.above)
        self.query_one("#below", Prose).show(aside.below)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out opening where there is nothing more."""
        return action != "fold" or bool(self.page.more)

    def action_back(self) -> None:
        """Go to the page before."""
        self.dismiss(-1)

    def action_next(self) -> None:
        """Go to the next page, if everything here can be used."""
        troubled = [row for row in self.query(QuestionRow) if self._applies(row) and row.press()]
        if not troubled:
            self.dismiss(1)
            return
        if not troubled[0].display:
            self.action_fold()
        self.set_focus(troubled[0].answer)

    def action_fold(self) -> None:
        """Open or close the further settings."""
        if not self.page.more or not self.is_mounted:
            return
        self.toggle_class("opened")
        self.show(self._talk, self._aside)
        further = [row for row in self._visible() if row.question.key in self.page.more]
        self.set_focus(further[0].answer if further else self.query_one(Fold))

    def action_move(self, by: int) -> None:
        """Go to the next question or the one before."""
        if by > 0:
            self.focus_next()
        else:
            self.focus_previous()

    @on(Fold.Toggled)
    def _toggled(self) -> None:
        self.action_fold()

    def go_on(self, key: str) -> None:
        """Go on from a question to the next one, or to the next page."""
        rows = self._visible()
        # Somebody who types ahead presses Enter again before the next question has the keys.
        current = [place for place, row in enumerate(rows) if row.has_focus_within]
        here = [*current, *(place for place, row in enumerate(rows) if row.question.key == key)][0]
        if not self.is_current or rows[here].press():
            return
        if here + 1 < len(rows):
            self.set_focus(rows[here + 1].answer)
        else:
            self.action_next()

    def _applies(self, row: QuestionRow) -> bool:
        return any(each.question.key == row.question.key for each in self._talk.visible)

    def _visible(self) -> list[QuestionRow]:
        return [row for row in self.query(QuestionRow) if row.display]


def _row(key: str) -> QuestionRow:
    question = question_for(key)
    return TableRow(question) if question.kind is Kind.TABLE else QuestionRow(question)
