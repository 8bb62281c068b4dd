"""The real wizard on a recorded host, driven by keys without a terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from palpo_installer.screens import app
from palpo_installer.screens.app import Wizard
from palpo_installer.screens.form import Form
from tests.recorded import RecordedHost

AUTHORITY = "https://127.0.0.1:9/directory"
"""The directory of an authority that is not there."""

SMALL, WIDE = (80, 24), (120, 40)


def drive(
    host: RecordedHost,
    raw: dict[str, object],
    do: Callable[[Wizard, Pilot[int]], Awaitable[None]],
    size: tuple[int, int] = SMALL,
) -> Wizard:
    """Run the wizard on a host, do something with it, and return it."""
    wizard = Wizard(host, raw)

    async def run() -> None:
        async with wizard.run_test(size=size) as pilot:
            await do(wizard, pilot)

    asyncio.run(run())
    return wizard


def show(
    screen: Screen[Any], do: Callable[[Stage, Pilot[None]], Awaitable[None]], size: tuple[int, int] = SMALL
) -> Stage:
    """Show one screen, do something with it, and return the stage that it stood on."""
    stage = Stage(screen)

    async def run() -> None:
        async with stage.run_test(size=size) as pilot:
            await pilot.pause()
            await do(stage, pilot)

    asyncio.run(run())
    return stage


class Stage(App[None]):
    """Shows one screen and keeps what it closes with.

    Attributes:
        values: what the screen closed with.
    """

    CSS_PATH = Path(app.__file__).with_name("wizard.tcss")
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self._shown = screen
        self.values: list[Any] = []

    def on_mount(self) -> None:
        """Show the screen."""
        self.push_screen(self._shown, self.values.append)


def text(shown: App[Any]) -> str:
    """Return what is on the screen."""
    strips = shown.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


async def until(pilot: Pilot[Any], holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds; fail with the screen when it does not."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, f"not: {what}; the screen:\n{text(pilot.app)}"
        await pilot.pause(0.01)
    await pilot.pause()


async def begin(wizard: Wizard, pilot: Pilot[int]) -> None:
    """Wait for what was found, and choose to set up."""
    await until(pilot, lambda: wizard.past is not None and bool(wizard.screen.query("Menu")), "what was found")
    await pilot.press("enter")
    await on_page(wizard, pilot, "names")


async def on_page(wizard: Wizard, pilot: Pilot[int], name: str) -> None:
    """Wait until a page of the conversation is there."""
    await until(
        pilot,
        lambda: isinstance(wizard.screen, Form) and wizard.screen.page.name == name and wizard.screen.is_mounted,
        f"the page {name}",
    )


async def write(pilot: Pilot[Any], words: str) -> None:
    """Paste words into the line that has the keys."""
    focused = pilot.app.focused
    assert focused is not None
    focused.post_message(events.Paste(words))
    await pilot.pause()
    await pilot.pause()
