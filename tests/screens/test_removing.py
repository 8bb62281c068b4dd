"""Uninstalling from the first screen, and from the plain menu."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from palpo_installer.engine.history import runs
from palpo_installer.engine.process import Engine
from palpo_installer.plain.session import MENU, Visit
from palpo_installer.screens.app import Wizard
from palpo_installer.screens.choices import Menu
from palpo_installer.screens.frame import Sure
from palpo_installer.screens.reading import Reading
from palpo_installer.screens.removing import Removal
from tests.commands.invoking import as_root
from tests.engine.runs import left_to_itself, registered
from tests.recorded import RecordedHost, recorded
from tests.screens.piloted import drive, text, until
from tests.test_plain import Typing

pytestmark = [as_root, left_to_itself]


@pytest.fixture
def host(tmp_path: Path) -> RecordedHost:
    """A host's copy with a complete run."""
    host = recorded("nginx_stopped", tmp_path)
    assert Engine(host).carry_on(registered(tmp_path, ("file", "one"))) == 0
    return host


async def to_review(wizard: Wizard, pilot: Pilot[int]) -> None:
    """Choose to uninstall, and wait for the review."""
    await until(pilot, lambda: wizard.past is not None and bool(wizard.screen.query(Menu)), "what was found")
    menu = wizard.screen.query_one(Menu)
    while menu.value != "uninstall":
        await pilot.press("down")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(wizard.screen, Removal), "the review")


def test_the_wizard_uninstalls(host: RecordedHost, tmp_path: Path) -> None:
    """It shows the review without what a removal has no use for, follows the run, and says how it ended."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await to_review(wizard, pilot)
        # A long path is shown on two lines.
        assert f"remove{tmp_path}/file" in "".join(text(wizard).split())
        shown = text(wizard)
        assert "Save" not in shown
        assert "Confirm" not in shown
        await pilot.press("s", "t", "a")
        await until(pilot, lambda: isinstance(wizard.screen, Reading), "the result")
        assert "Uninstalled: " in text(wizard)
        await pilot.press("escape")
        await until(pilot, lambda: wizard.return_value is not None, "the end")

    wizard = drive(host, {}, go)
    assert wizard.return_value == 0
    assert wizard.farewell.startswith("Uninstalled: ")
    assert not (tmp_path / "file").exists()
    assert not host.layout.state.exists()


def test_an_edit_stops_it_until_it_is_given_up(host: RecordedHost, tmp_path: Path) -> None:
    """Key a does nothing; e asks, and after a yes the review has the copy that is kept, and a takes all back."""
    (tmp_path / "file").write_text("mine")

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await to_review(wizard, pilot)
        assert "e gives up what was edited by hand" in " ".join(text(wizard).split())
        await pilot.press("a", "e")
        await until(pilot, lambda: isinstance(wizard.screen, Sure), "the question")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(wizard.screen, Removal), "the review")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(wizard.screen, Sure), "the question")
        await pilot.press("y")
        await until(pilot, lambda: "keep a copy of the edited" in " ".join(text(wizard).split()), "the other review")
        await pilot.press("e", "a")
        await until(pilot, lambda: isinstance(wizard.screen, Reading), "the result")

    drive(host, {}, go)
    assert not (tmp_path / "file").exists()
    assert [copy.read_text() for copy in host.layout.edits.iterdir()] == ["mine"]


def test_the_plain_menu_uninstalls(host: RecordedHost, tmp_path: Path) -> None:
    """After the review and a yes; without one the menu comes back."""
    entry = str(next(number for number, words in enumerate(MENU, 1) if words.startswith("Uninstall")))
    console = Typing([entry, "", entry, "y"])
    assert Visit(console, host, {})._menu() == 0
    assert console.said.count("What will happen") == 2
    assert "Uninstalled: " in console.said
    assert not (tmp_path / "file").exists()
    assert runs(host.layout) == ()


def test_the_plain_menu_gives_edits_up_only_when_asked(host: RecordedHost, tmp_path: Path) -> None:
    """Without a yes the file stays; with one it goes and a copy is kept."""
    (tmp_path / "file").write_text("mine")
    entry = str(next(number for number, words in enumerate(MENU, 1) if words.startswith("Uninstall")))
    console = Typing([entry, "", entry, "y", "y"])
    assert Visit(console, host, {})._menu() == 0
    assert console.asked.count("Give up what was edited? Copies are kept. [no]:") == 2
    assert not (tmp_path / "file").exists()
    assert [copy.read_text() for copy in host.layout.edits.iterdir()] == ["mine"]
