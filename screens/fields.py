"""One question on a screen: its text, the widget for its answer, its problem, its help."""

from __future__ import annotations

from collections.abc import Mapping

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Static

from palpo_installer.conversation import Field
from palpo_installer.questions import Kind, Question
from palpo_installer.screens.choices import Choices, Tick

GIVEN = "given, and not shown; typing replaces it"


class Answered(Message):
    """Something was typed or chosen.

    Attributes:
        key: of the question.
        value: text, or for a table its rows.
    """

    def __init__(self, key: str, value: object) -> None:
        super().__init__()
        self.key = key
        self.value = value


class Accepted(Message):
    """The person goes on from a question."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


def entry(
    value: str = "",
    placeholder: str = "",
    *,
    password: bool = False,
    offered: tuple[str, ...] = (),
    name: str | None = None,
) -> Input:
    """Return a field of one line that does not blink."""
    suggester = SuggestFromList(offered) if offered else None
    field = Input(value, placeholder, password=password, suggester=suggester, name=name, compact=True)
    field.cursor_blink = False
    return field


class QuestionRow(Vertical):
    """A question that is answered by a line of text, a choice or a tick."""

    def __init__(self, question: Question) -> None:
        super().__init__(classes="question")
        self.question = question
        self._problem = ""
        self._advice = ""
        self._pressed = False

    def compose(self) -> ComposeResult:
        """Yield label, control, problem and help."""
        with Horizontal(classes="heading"):
            yield Static(">", classes="gutter")
            yield Static(self.question.text, markup=False, classes="text")
        yield self.control_for()
        yield Static("", markup=False, classes="problem")
        yield Static(self.question.help, markup=False, classes="advice")
        yield Static("", markup=False, classes="note")

    def control_for(self) -> Widget:
        """Return the widget for the answer."""
        question = self.question
        if question.kind is Kind.CHOICE:
            return Choices(question.available)
        if question.kind is Kind.FLAG:
            return Tick(f"{'yes, I agree' if question.required else 'yes'} (Space ticks it)")
        offered = tuple(choice.value for choice in question.choices)
        return entry(password=question.secret, offered=offered)

    def on_descendant_focus(self) -> None:
        """Point at the question that is being answered, and show all of it."""
        self.add_class("current")
        self.call_after_refresh(self.scroll_visible, animate=False)

    def on_descendant_blur(self) -> None:
        """Point at another one."""
        self.remove_class("current")

    @property
    def answer(self) -> Widget:
        """The widget that takes the answer."""
        return self.query_one("Choices, Tick, Input", Widget)

    def show(self, field: Field, note: str = "") -> None:
        """Show the question as the conversation has it; what is being typed right now stays."""
        self._problem = field.problem
        self.query_one(".text", Static).update(f"{self.question.text}{_mark(field)}")
        self.query_one(".note", Static).update(note)
        self.query_one(".note", Static).display = bool(note)
        if field.help != self._advice and self.has_class("current"):
            # What the answer entails may be longer than what stood there: all of it is to be seen.
            self.call_after_refresh(self.scroll_visible, animate=False)
        self._advice = field.help
        self.query_one(".advice", Static).update(field.help)
        self.query_one(".advice", Static).display = not note
        self._show_answer(field)
        self._show_problem(asked=field.chosen or self._pressed)

    def _show_answer(self, field: Field) -> None:
        match self.answer:
            case Choices() as choices:
                choices.tell({each.value: each.help for each in field.choices})
                choices.hide(field.hidden)
                choices.show(field.shown)
            case Tick() as tick:
                tick.show(ticked=field.shown in {"yes", "true"})
            case Input() as line:
                example = f"for example {self.question.example}" if self.question.example else ""
                line.placeholder = GIVEN if self.question.secret and field.chosen else field.shown or example
                # What was typed stands there already; only a default follows the answers before it.
                fresh = not field.chosen or not line.value
                if fresh and not line.has_focus and not self.question.secret and line.value != field.shown:
                    with line.prevent(Input.Changed):
                        line.value = field.shown

    def press(self) -> bool:
        """Show the problem also where nobody typed anything yet; return whether there is one."""
        self._pressed = True
        self._show_problem(asked=True)
        return bool(self._problem)

    def _show_problem(self, *, asked: bool) -> None:
        line = self.query_one(".problem", Static)
        line.update(f"! {self._problem}")
        line.display = asked and bool(self._problem)

    def value_of(self, line: Input) -> object:
        """Return the answer after something was typed in a line."""
        return line.value.strip()

    def after(self, line: Input) -> Input | None:
        """Return the line that follows another one in the same answer."""
        return None

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(Answered(self.question.key, self.value_of(event.input)))

    @on(Choices.Changed)
    def _chose(self, event: Choices.Changed) -> None:
        event.stop()
        self.post_message(Answered(self.question.key, event.value))

    @on(Tick.Changed)
    def _ticked(self, event: Tick.Changed) -> None:
        event.stop()
        self.post_message(Answered(self.question.key, "yes" if event.ticked else "no"))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        following = self.after(event.input)
        if following is not None:
            self.screen.set_focus(following)
        else:
            self.post_message(Accepted(self.question.key))

    @on(Choices.Accepted)
    @on(Tick.Accepted)
    def _accepted(self, event: Message) -> None:
        event.stop()
        self.post_message(Accepted(self.question.key))


class TableRow(QuestionRow):
    """The question for certificates that are there: two paths for each name."""

    def control_for(self) -> Widget:
        """Return the place for the rows."""
        return Vertical(classes="table")

    @property
    def answer(self) -> Widget:
        """The first line that takes a path."""
        return next(iter(self.query(Input)), self)

    def show_rows(self, rows: Mapping[str, tuple[str, str]]) -> None:
        """Show a pair of lines for each name, as they stand; what is being typed stays."""
        table = self.query_one(".table", Vertical)
        shown = [line.name for line in self.query(Input)]
        wanted = [f"{part} {name}" for name in rows for part in ("chain", "key")]
        if shown != wanted:
            table.remove_children()
            table.mount(*(self._line(name, part, path) for name, pair in rows.items() for part, path in _parts(pair)))
            return
        for name, pair in rows.items():
            for part, path in _parts(pair):
                line = next(line for line in self.query(Input) if line.name == f"{part} {name}")
                if not line.has_focus and not line.value and path:
                    with line.prevent(Input.Changed):
                        line.value = path

    def _line(self, name: str, part: str, path: str) -> Horizontal:
        field = entry(path, f"path of the PEM file with the {part}", name=f"{part} {name}")
        return Horizontal(Static(f"{name}, {part}", markup=False, classes="label"), field, classes="line")

    def _show_answer(self, field: Field) -> None:
        """Leave the rows to ``show_rows``."""

    def value_of(self, line: Input) -> object:
        """Return all rows as they stand now."""
        rows: dict[str, dict[str, str]] = {}
        for each in self.query(Input):
            part, _, name = (each.name or "").partition(" ")
            if each.value.strip():
                rows.setdefault(name, {})[part] = each.value.strip()
        return rows

    def after(self, line: Input) -> Input | None:
        """Return the next path."""
        lines = list(self.query(Input))
        return next(iter(lines[lines.index(line) + 1 :]), None)


def _parts(pair: tuple[str, str]) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("chain", pair[0]), ("key", pair[1])


def _mark(field: Field) -> str:
    """Return what is said behind a question: where its answer is from, or whether there must be one."""
    if field.chosen:
        return ""
    if field.shown:
        return "  (found)" if field.source else "  (default)"
    return "  (required)" if field.question.required else "  (optional)"
