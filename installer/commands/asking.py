"""Whether a change that waits shall stay, asked on a terminal in lines, while its run is followed."""

from __future__ import annotations

import os
import select
import termios
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import click

from palpo_installer.engine.confirmation import confirm, in_time
from palpo_installer.engine.events import Event
from palpo_installer.engine.launch import ask_to_stop
from palpo_installer.layout import Layout

REMINDERS = (3600, 600, 120, 60, 30, 10)
"""Seconds before the deadline at which the question is asked again."""

PROMPT = "Keep this change? [y/N]: "
ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


class Question:
    """Hears what a run says and, when it waits to be confirmed, asks; it never waits for an answer.

    Without a terminal it only says how to confirm.
    """

    def __init__(
        self, layout: Layout, identity: str, show: Callable[[Event], None], say: Callable[[str], None]
    ) -> None:
        """Ask about a run.

        Args:
            layout: the host's.
            identity: the run.
            show: shows every other event.
            say: prints a line.
        """
        self._layout = layout
        self._identity = identity
        self._show = show
        self._say = say
        self._findings: list[str] = []
        self._until: datetime | None = None
        self._reminded = 0.0
        self._asks = False

    def hear(self, event: Event) -> None:
        """Show an event; the one that says that the run waits brings what was seen, and the question."""
        if event.kind == "finding":
            self._findings.append(event.text)
        if event.kind == "unconfirmed":
            self._wait(event)
            return
        if self._until and event.kind in {"problem", "undoing", "ended"}:
            if self._asks:
                click.echo()
            self._until, self._asks = None, False
        self._show(event)

    def ask(self) -> bool:
        """Take an answer that was typed, and ask again when the deadline comes near; somebody still looks: True."""
        if self._asks and self._until:
            self._answer()
        if self._asks and self._until:
            left = (self._until - datetime.now(UTC)).total_seconds()
            if any(left <= mark < self._reminded for mark in REMINDERS):
                self._reminded = left
                click.echo()
                self._prompt()
        return True

    def _wait(self, event: Event) -> None:
        if self._until is None:
            self._say("")
            self._say("What the outside sees")
            for line in (event.text, *self._findings):
                if line:
                    self._say(f"  {line}")
            self._say("")
            self._asks = _is_terminal()
        else:
            self._say("The clock was set.")
        self._until = datetime.fromisoformat(event.until)
        self._reminded = (self._until - datetime.now(UTC)).total_seconds()
        command = " ".join(("palpo-installer", *self._layout.arguments(), "confirm"))
        self._say(f"To keep this change, here or from elsewhere: {command}")
        if self._asks:
            # What was typed before could not be about this.
            termios.tcflush(0, termios.TCIFLUSH)
            self._prompt()
        else:
            self._say(in_time(self._until))

    def _prompt(self) -> None:
        if self._until:
            self._say(in_time(self._until))
            click.echo(PROMPT, nl=False)

    def _answer(self) -> None:
        ready, _, _ = select.select([0], [], [], 0)
        if not ready:
            return
        typed = os.read(0, 1024)
        answer = ANSWERS.get(typed.decode(errors="replace").strip().lower())
        if not typed:
            self._asks = False
        elif answer is None:
            click.echo(PROMPT, nl=False)
        elif answer:
            self._asks = False
            confirm(self._layout, self._identity)
        else:
            self._asks = False
            ask_to_stop(self._layout, self._identity)


def _is_terminal() -> bool:
    """Return whether somebody can answer: a terminal, and we are not in its background, where reading stops us."""
    with suppress(OSError):
        return os.isatty(0) and os.isatty(1) and os.tcgetpgrp(0) == os.getpgrp()
    return False
