"""Choosing one of a few, and saying yes: what is chosen is a sign, not a colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

if TYPE_CHECKING:
    # The first frame is there before the questions, and all that they know of, are loaded.
    from palpo_installer.questions.question import Choice

LABEL_WIDTH = 36
"""Columns of the widest label that still leaves room for a sentence beside it."""


class Row(Horizontal):
    """One choice: sign and label, and beside them what it means."""

    def __init__(self, choice: Choice, width: int) -> None:
        super().__init__(classes="choice")
        self.choice = choice
        self._width = width

    def compose(self) -> ComposeResult:
        """Yield label and help."""
        label = Static(self.choice.label, markup=False, classes="label")
        label.styles.width = self._width
        yield label
        yield Static(self.choice.help, markup=False, classes="help")

    def tell(self, help: str) -> None:  # noqa: A002 - what a choice has too
        """Show what it means."""
        self.query_one(".help", Static).update(help)

    def mark(self, sign: str) -> None:
        """Show a sign before the label."""
        self.query_one(".label", Static).update(f"{sign} {self.choice.label}")


class Choices(Vertical, can_focus=True):
    """A few choices below each other; the arrow keys choose, Enter goes on."""

    CHOSEN: ClassVar[str] = "(*)"
    OTHER: ClassVar[str] = "( )"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("enter", "accept", "Next", show=False),
    ]

    class Changed(Message):
        """Another choice was made."""

        def __init__(self, control: Choices, value: str) -> None:
            super().__init__()
            self.value = value
            self._control = control

        @property
        def control(self) -> Choices:
            """Where."""
            return self._control

    class Accepted(Message):
        """The choice stands."""

        def __init__(self, value: str) -> None:
            super().__init__()
            self.value = value

    def __init__(self, choices: tuple[Choice, ...], value: str = "", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes="choices")
        self._choices = choices
        self._value = value
        self._hidden: frozenset[str] = frozenset()

    @property
    def value(self) -> str:
        """The value chosen, empty for none."""
        return self._value

    def compose(self) -> ComposeResult:
        """Yield a row for each choice."""
        longest = max((len(choice.label) for choice in self._choices), default=0)
        width = min(longest, LABEL_WIDTH) + len(self.CHOSEN) + 3
        yield from (Row(choice, width) for choice in self._choices)

    def on_mount(self) -> None:
        """Mark what is chosen, and show no row that is hidden."""
        self.hide(self._hidden)
        self.show(self._value)

    def show(self, value: str) -> None:
        """Mark a value as chosen, without a message."""
        self._value = value
        for row in self.query(Row):
            chosen = row.choice.value == value
            row.mark(self.CHOSEN if chosen else self.OTHER)
            row.set_class(chosen, "chosen")

    def tell(self, helps: Mapping[str, str]) -> None:
        """Show beside each choice what is the case with it."""
        for row in self.query(Row):
            row.tell(helps.get(row.choice.value, row.choice.help))

    def hide(self, values: frozenset[str]) -> None:
        """Show no row for these values."""
        self._hidden = values
        for row in self.query(Row):
            row.display = row.choice.value not in values

    def action_move(self, by: int) -> None:
        """Choose the next or the one before."""
        values = [choice.value for choice in self._choices if choice.value not in self._hidden]
        place = values.index(self._value) + by if self._value in values else 0
        self._choose(values[max(0, min(place, len(values) - 1))])

    def action_accept(self) -> None:
        """Say that the choice stands."""
        self.post_message(self.Accepted(self._value))

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        row = next((row for row in self.query(Row) if row.region.contains(event.screen_x, event.screen_y)), None)
        if row is not None:
            self._choose(row.choice.value)

    def _choose(self, value: str) -> None:
        if value != self._value:
            self.show(value)
            self.post_message(self.Changed(self, value))


class Menu(Choices):
    """What can be done next; Enter does it."""

    CHOSEN: ClassVar[str] = ">"
    OTHER: ClassVar[str] = " "


class Tick(Static, can_focus=True):
    """A box that is ticked or not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", "Tick", show=True),
        Binding("enter", "accept", "Next", show=False),
    ]

    class Changed(Message):
        """It was ticked, or unticked."""

        def __init__(self, ticked: bool) -> None:
            super().__init__()
            self.ticked = ticked

    class Accepted(Message):
        """It stands as it is."""

    def __init__(self, label: str) -> None:
        super().__init__(markup=False)
        self._label = label
        self.show(ticked=False)

    @property
    def ticked(self) -> bool:
        """Whether it is ticked."""
        return self._ticked

    def show(self, *, ticked: bool) -> None:
        """Show it ticked or not, without a message."""
        self._ticked = ticked
        self.update(f"[{'x' if ticked else ' '}] {self._label}")

    def action_tick(self) -> None:
        """Tick or untick it."""
        self.show(ticked=not self._ticked)
        self.post_message(self.Changed(self._ticked))

    def action_accept(self) -> None:
        """Say that it stands."""
        self.post_message(self.Accepted())

    def on_click(self) -> None:
        """Do what space does."""
        self.action_tick()
