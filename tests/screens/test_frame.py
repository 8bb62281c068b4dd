"""Help that is open when what was waited for comes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.pilot import Pilot

from palpo_installer.facts import Facts, gather
from palpo_installer.host import Host
from palpo_installer.screens.app import Wizard
from palpo_installer.screens.choices import Menu
from palpo_installer.screens.found import Found
from palpo_installer.screens.frame import Help
from palpo_installer.screens.waiting import Waiting
from tests.recorded import recorded
from tests.screens.piloted import Stage, drive, show, text, until


def test_what_was_found_is_there_when_help_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Help on the very first frame, before the host was looked at, does not leave the wizard looking for ever."""
    opened = threading.Event()

    def later(host: Host) -> Facts:
        assert opened.wait(20)
        return gather(host)

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await until(pilot, lambda: isinstance(wizard.screen, Found), "the first frame")
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(wizard.screen, Help), "help")
        opened.set()
        await until(pilot, lambda: wizard.past is not None, "what was found")
        await pilot.press("escape")
        await until(pilot, lambda: "Who answers now" in text(wizard) and bool(wizard.screen.query(Menu)), "the menu")

    monkeypatch.setattr("palpo_installer.screens.conversing.survey", later)
    drive(recorded("debian_sites", tmp_path), {}, go)


def test_a_screen_that_ends_takes_its_help_with_it() -> None:
    """Help over a screen that waits: the end is taken up, and neither of the two stays on the stack."""
    opened = threading.Event()

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        below = len(stage.screen_stack) - 1
        stage.push_screen(Help("What is done here."))
        await until(pilot, lambda: isinstance(stage.screen, Help), "help")
        opened.set()
        await until(pilot, lambda: stage.values == ["looked"], "the outcome")
        assert len(stage.screen_stack) == below

    show(Waiting("Found", "Looking", lambda: "looked" if opened.wait(20) else "too early"), go)
