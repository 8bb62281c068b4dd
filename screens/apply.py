"""While the engine works: each operation with its state and time, what is waited for, the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from palpo_installer.engine.confirmation import in_time
from palpo_installer.engine.events import Event
from palpo_installer.errors import InstallerError
from palpo_installer.screens.following import Show, Watched
from palpo_installer.screens.frame import Body, Step
from palpo_installer.screens.progress import INDENT, Progress, after, in_words, seen_in_words
from palpo_installer.screens.prose import Prose

STOPPING = "Asked to stop; the engine takes back what it began."
KEEPING = "Keeping the change."
HINT = "^c takes everything back; ^q leaves this screen, and the run goes on."


Follow = Callable[[Show, Watched], int | None]
"""Starts and follows an engine; returns its exit code, None when nobody watches any more."""


@dataclass(frozen=True)
class Ended:
    """How the engine ended: its exit code and its last words."""

    code: int
    text: str


class Apply(Step[Ended]):
    """Follows the engine; closes with how it ended. Closing the screen before that changes nothing."""

    STEP = "Apply"
    HELP = (
        "The engine works by itself; this screen only watches. If the connection is lost, it goes on, and "
        "'palpo-installer attach' shows it again.\n"
        "Ctrl+C asks the engine to take back everything it did in this run. l shows the log.\n"
        "A change that waits to be confirmed takes itself back at the time shown: k keeps it. Leaving this screen "
        "does not.\n"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "keep", "Keep"),
        Binding("l", "log", "Log"),
    ]

    class Happened(Message):
        """The engine said something."""

        def __init__(self, event: Event) -> None:
            super().__init__()
            self.event = event

    class Over(Message):
        """The engine has ended."""

        def __init__(self, code: int, text: str = "") -> None:
            super().__init__()
            self.code = code
            self.text = text

    def __init__(
        self,
        title: str,
        progress: Progress,
        follow: Follow,
        ask_to_stop: Callable[[], None] | None,
        confirm: Callable[[], object] | None = None,
    ) -> None:
        """Watch a run.

        Args:
            title: what is being done.
            progress: as it stands.
            follow: starts and follows the engine.
            ask_to_stop: asks the engine to take back; None where it is taking back already.
            confirm: keeps a change that waits; None where none can.
        """
        super().__init__()
        self._title = title
        self._progress = progress
        self._follow = follow
        self._ask_to_stop = ask_to_stop
        self._confirm = confirm
        self._stopping = False
        self._keeping = False
        self._last = ""

    def content(self) -> Iterable[Widget]:
        """Yield the operations."""
        yield Prose(self._title, id="heading")
        yield Prose(hang=INDENT, id="operations")
        yield Prose(id="seen")
        yield Prose(id="log")

    def below(self) -> Iterable[Widget]:
        """Yield what is waited for."""
        yield Prose(id="waiting", classes="banner")

    def on_mount(self) -> None:
        """Start following."""
        self.query_one("#log").display = False
        self._show()
        self.set_interval(1.0, self._show)
        self._watch()

    def stop(self) -> bool:
        """Ask the engine to take back; return whether that is so."""
        if self._ask_to_stop is None or self._progress.ended is not None:
            return self._progress.ended is None
        if not self._stopping:
            self._stopping = True
            self._ask_to_stop()
            self._show()
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to keep the change only while it waits for that."""
        return action != "keep" or (self._confirm is not None and bool(self._progress.until) and not self._keeping)

    def action_keep(self) -> None:
        """Keep the change that waits."""
        if self._confirm is not None:
            self._keeping = True
            self._confirm()
            self.refresh_bindings()
            self._show()

    def action_log(self) -> None:
        """Show the log instead of the operations, or the other way round."""
        for part in ("#log", "#operations", "#seen"):
            shown = self.query_one(part)
            shown.display = not shown.display
        self._show()
        self._keep_in_sight()

    @work(thread=True)
    def _watch(self) -> None:
        worker = get_current_worker()
        try:
            code = self._follow(self._tell, lambda: not worker.is_cancelled)
        except InstallerError as error:
            self.post_message(self.Over(error.exit_code, str(error)))
            return
        if code is not None:
            self.post_message(self.Over(code))

    def _tell(self, event: Event) -> None:
        self.post_message(self.Happened(event))

    def on_apply_happened(self, message: Happened) -> None:
        """Show what happened."""
        self._progress = after(self._progress, message.event)
        self.refresh_bindings()
        if message.event.kind == "ended":
            self._last = message.event.text
        self._show()
        if message.event.kind == "unconfirmed":
            self._keep_in_sight()

    def on_apply_over(self, message: Over) -> None:
        """Close with how it ended."""
        self.dismiss(Ended(message.code, message.text or self._last))

    def _show(self) -> None:
        progress, now = self._progress, datetime.now(UTC).isoformat()
        self.query_one("#operations", Prose).show(in_words(progress, now))
        self.query_one("#seen", Prose).show(seen_in_words(progress))
        self.query_one("#log", Prose).show("\n".join(f"  {line}" for line in progress.log))
        lines = [STOPPING] if self._stopping else ["Taking back."] if progress.backwards else []
        lines += [f"Waiting for: {progress.waiting}"] if progress.waiting else []
        lines = lines or self._undecided()
        self.query_one("#waiting", Prose).show("\n".join(lines or [HINT if self._ask_to_stop else "At work."]))
        if not progress.until:
            # Who decides reads, and scrolls by hand.
            self._keep_in_sight()

    def _undecided(self) -> list[str]:
        """Return the question about a change that waits to be confirmed, none while nothing waits."""
        if not self._progress.until:
            return []
        if self._keeping:
            return [KEEPING]
        return [
            f"Keep this change? {in_time(datetime.fromisoformat(self._progress.until))}",
            "k keeps it, ^c takes it back now. From elsewhere: palpo-installer confirm",
        ]

    def _keep_in_sight(self) -> None:
        body = self.query_one(Body)
        if self.query_one("#log").display or self._progress.until:
            self.call_after_refresh(body.scroll_end, animate=False)
        else:
            body.scroll_to(y=max(0, self._progress.current - body.size.height // 2), animate=False)
