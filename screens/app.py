"""The wizard. It loads Textual and little else: its first frame is there before anything is looked at."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from palpo_installer.host import Host
from palpo_installer.screens import lost_terminal
from palpo_installer.screens.found import Found
from palpo_installer.screens.frame import Help, Step

if TYPE_CHECKING:
    from palpo_installer.audit.finding import Audit
    from palpo_installer.facts import Facts
    from palpo_installer.facts.names import Name
    from palpo_installer.screens.conversing import Asked
    from palpo_installer.screens.fields import Accepted, Answered
    from palpo_installer.screens.overview import Past

Value = TypeVar("Value")

NOTHING_CHANGED = "Nothing was changed."

NO_STREAMS: Mapping[int, int] = {}


class Looked(Message):
    """The host was looked at."""

    def __init__(self, facts: Facts, past: Past, audited: Audit) -> None:
        super().__init__()
        self.facts = facts
        self.past = past
        self.audited = audited


class Heard(Message):
    """DNS has answered."""

    def __init__(self, names: tuple[Name, ...]) -> None:
        super().__init__()
        self.names = names


class TermsRead(Message):
    """An authority has said where its terms are, or cannot be asked."""

    def __init__(self, asked: Asked, terms: str) -> None:
        super().__init__()
        self.asked = asked
        self.terms = terms


class Wizard(App[int]):
    """Owns the answers and the facts; screens get values from it and give values back.

    Attributes:
        host: the machine.
        given: the answers given so far, as typed, by key.
        facts: what is on the host, None until it was looked at.
        past: what earlier runs left.
        audited: the Matrix configuration that is there, as judged.
        terms: by directory of an authority, what there is to say of its terms of service.
        overwrite: the subjects of the edits that are given up.
        agreed_name: the server name that was typed again, to give up the one in force for it; empty for none.
        code: the exit code, if the person leaves now.
        farewell: what stays in the scrollback, if the person leaves now.
    """

    TITLE = "palpo-installer"
    CSS_PATH = "wizard.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "stop", "Stop", show=False, priority=True),
        Binding("ctrl+q", "leave", "Leave", priority=True),
        Binding("f1", "help", "Help", priority=True),
    ]

    def __init__(self, host: Host, raw: dict[str, object], before: Mapping[int, int] = NO_STREAMS) -> None:
        super().__init__()
        self.host = host
        self.given: dict[str, object] = dict(raw)
        self.facts: Facts | None = None
        self.past: Past | None = None
        self.audited: Audit | None = None
        self.terms: dict[str, str] = {}
        self.overwrite: frozenset[str] = frozenset()
        self.agreed_name = ""
        self.code = 0
        self.farewell = NOTHING_CHANGED
        self.animation_level = "none"
        self._curtain = ExitStack()
        self._before = before

    def on_mount(self) -> None:
        """Begin."""
        if not self.is_headless:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.action_leave)
            lost_terminal.take_up_once()
            lost_terminal.watch(self._lose)
        self._walk()

    def _lose(self) -> None:
        """Leave, told from a thread that the terminal is gone; what is at work goes on."""
        lost_terminal.let_go(self._before)
        lost_terminal.note(f"The terminal is gone, so the screens end. {self.farewell}", self._before)
        # While it ends by itself there is nobody to be told.
        with suppress(RuntimeError):
            self.call_from_thread(self.action_leave)

    async def ask(self, screen: Screen[Value]) -> Value:
        """Show a screen and return what it closes with; it stays in sight until the next one is there."""
        closed: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()

        def close(value: Value | None) -> None:
            self._curtain.enter_context(self.batch_update())
            closed.set_result(value)

        await self.push_screen(screen, close)
        self._curtain.close()
        return cast("Value", await closed)

    @work
    async def _walk(self) -> None:
        chosen = await self.ask(Found(None))
        from palpo_installer.screens import way  # noqa: PLC0415  # the first frame does not wait for it

        await way.walk(self, chosen)
        self.action_leave()

    def on_found_shown(self) -> None:
        """Look at the host, once the first frame is there."""
        self._look()

    @work(thread=True)
    def _look(self) -> None:
        from palpo_installer.screens import conversing  # noqa: PLC0415  # nor for this

        conversing.look_around(self)

    def on_looked(self, event: Looked) -> None:
        """Show what was found on the host."""
        from palpo_installer.screens import conversing  # noqa: PLC0415

        self.facts, self.past, self.audited = event.facts, event.past, event.audited
        self.given = conversing.concealed(self.given)
        conversing.show(self)

    def on_heard(self, event: Heard) -> None:
        """Show what DNS says of names."""
        from palpo_installer.screens import conversing  # noqa: PLC0415

        conversing.learn(self, event.names)

    def on_terms_read(self, event: TermsRead) -> None:
        """Show what an authority says of its terms."""
        from palpo_installer.screens import conversing  # noqa: PLC0415

        conversing.hear_terms(self, event.asked, event.terms)

    def on_form_opened(self) -> None:
        """Show what came while the page was being opened."""
        from palpo_installer.screens import conversing  # noqa: PLC0415

        conversing.show(self)

    def on_answered(self, event: Answered) -> None:
        """Take an answer and show what follows from it."""
        from palpo_installer.screens import conversing  # noqa: PLC0415

        conversing.take(self, event.key, event.value)

    def on_accepted(self, event: Accepted) -> None:
        """Go on from a question."""
        from palpo_installer.screens.form import Form  # noqa: PLC0415

        if isinstance(self.screen, Form):
            self.screen.go_on(event.key)

    def action_leave(self) -> None:
        """Leave; what the engine does goes on without us."""
        self.exit(self.code)

    def action_stop(self) -> None:
        """Ask the engine to take back while it is at work; leave otherwise."""
        if not any(isinstance(screen, Step) and screen.stop() for screen in reversed(self.screen_stack)):
            self.action_leave()

    def action_help(self) -> None:
        """Show what there is to know on this screen."""
        if isinstance(self.screen, Step):
            self.push_screen(Help(self.screen.HELP))


def run(host: Host, raw: dict[str, object], before: Mapping[int, int] = NO_STREAMS) -> int:
    """Run the wizard to its end and return the exit code.

    Args:
        host: the machine.
        raw: the answers given so far, by key, such as those of the last run.
        before: copies of the streams that the terminal took the place of.
    """
    # Textual's driver draws on this one.
    sys.__stderr__ = lost_terminal.lasting()  # type: ignore[misc]
    wizard = Wizard(host, raw, before)
    code = wizard.run()
    if code is None:
        return wizard.return_code or 1
    sys.stdout.write(f"{wizard.farewell}\n")
    return code
