"""What every screen shares: where we are, a body that scrolls, the keys, help."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Footer, Static

from palpo_installer.screens.prose import Prose

Value = TypeVar("Value")

STEPS = ("Found", "Names", "Federation", "Certificates", "Homeserver", "Review", "Apply")
KEYS = """\
Keys that are the same everywhere
  Enter           goes on, to the next question or the next page
  Tab, Shift+Tab  to the next question, or back to the one before
  Arrows          choose, or scroll
  PgUp, PgDn      scroll; so do Home and End
  Escape          one page back; nothing that you typed is lost
  Ctrl+Q, Ctrl+C  leave; before you apply, nothing is changed
"""


class Body(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The middle of a screen; the screen itself scrolls it, whatever has the keys."""


class Step(Screen[Value]):
    """A screen of the wizard.

    Attributes:
        STEP: which of the steps it belongs to.
        HELP: what there is to know on it.
    """

    STEP: ClassVar[str] = STEPS[0]
    HELP: ClassVar[str] = ""
    AUTO_FOCUS: ClassVar[str | None] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "app.help", "Help", show=False),
        Binding("up", "scroll_body(-1)", "Up", show=False),
        Binding("down", "scroll_body(1)", "Down", show=False),
        Binding("pageup", "page_body(-1)", "Up", show=False),
        Binding("home", "page_body(-1000)", "To the top", show=False),
        Binding("end", "page_body(1000)", "To the end", show=False),
        Binding("pagedown", "page_body(1)", "Scroll", key_display="PgDn"),
    ]

    @property
    def step(self) -> str:
        """Which of the steps this is."""
        return self.STEP

    def compose(self) -> ComposeResult:
        """Yield the steps, what this screen shows, and the keys."""
        yield Static(trail(self.step), markup=False, id="trail")
        with Body(id="body"):
            yield from self.content()
        yield from self.below()
        yield Footer(show_command_palette=False, compact=True)

    def content(self) -> Iterable[Widget]:
        """Yield what this screen shows."""
        return ()

    def below(self) -> Iterable[Widget]:
        """Yield what stays in sight below the part that scrolls."""
        return ()

    def stop(self) -> bool:
        """Ask what is at work here to stop; return whether there is anything."""
        return False

    def dismiss(self, result: Value | None = None) -> AwaitComplete:
        """Close with a value, and with it what lies above: help may be open when what was waited for has come."""
        while self in self.app.screen_stack and not self.is_active:
            self.app.pop_screen()
        return super().dismiss(result)

    def action_scroll_body(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(Body).scroll_relative(y=lines, animate=False)

    def action_page_body(self, pages: int) -> None:
        """Scroll by pages."""
        body = self.query_one(Body)
        body.scroll_relative(y=pages * max(1, body.size.height - 2), animate=False)


def trail(step: str) -> str:
    """Return all steps in one line, the current one in brackets."""
    return "  ".join(f"[{each}]" if each == step else each for each in STEPS)


class Help(ModalScreen[None]):
    """What there is to know on a screen, and the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,f1,q,question_mark", "dismiss", "Close")]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """Yield the text in a box."""
        with VerticalScroll(classes="box"):
            yield Prose(f"{self._text}\n{KEYS}\nEscape closes this.")


class Sure(ModalScreen[bool]):
    """A question that is answered with yes or no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape", "dismiss(False)", "No"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Yield the question."""
        with VerticalScroll(classes="box"):
            yield Prose(f"{self._question}\n\n  y  yes\n  n  no")
