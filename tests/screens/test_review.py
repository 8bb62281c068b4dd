"""The review: what it closes with."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from palpo_installer.engine.confirmation import USUAL
from palpo_installer.screens.review import Decision, Review
from tests.screens.piloted import Stage, show, text, write

TEXT = "What will happen\n  Accounts are named @user:example.com, and that is for ever.\n"


def decide(screen: Review, *keys: str) -> list[Decision]:
    """Return what a review closes with after keys."""

    async def go(_: Stage, pilot: Pilot[None]) -> None:
        await pilot.press(*keys)
        await pilot.pause()

    return show(screen, go).values


@pytest.mark.parametrize(
    ("key", "kind"), [("a", "apply"), ("t", "rehearse"), ("b", "back"), ("escape", "back"), ("q", "leave")]
)
def test_each_key_is_a_decision(key: str, kind: str) -> None:
    """One key closes it with one value."""
    assert decide(Review(TEXT), key) == [Decision(kind)]  # type: ignore[arg-type]


def test_what_hinders_is_said_and_applying_is_not_possible() -> None:
    """The key does nothing, and every other one still works."""
    assert decide(Review(TEXT, hindrance="Changing this host needs root."), "a") == []
    assert decide(Review(TEXT, hindrance="Changing this host needs root."), "a", "b") == [Decision("back")]


def test_applying_says_whether_it_takes_itself_back() -> None:
    """As it was offered, or the other way round by one key; the line above the keys says which, also after others."""
    assert decide(Review(TEXT), "c", "a") == [Decision("apply", confirm_within=USUAL)]
    assert decide(Review(TEXT, confirm_within=60), "a") == [Decision("apply", confirm_within=60)]
    assert decide(Review(TEXT, confirm_within=60), "c", "t") == [Decision("rehearse")]

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        assert "takes itself back unless you confirm it\nwithin 60 seconds; c turns that off." in squeezed(stage)
        await pilot.press("c")
        await pilot.pause()
        assert "takes itself back" not in squeezed(stage)

    show(Review(TEXT, confirm_within=60), go)


def squeezed(stage: Stage) -> str:
    """Return what is on the screen without the margins of its lines."""
    return "\n".join(line.strip() for line in text(stage).splitlines())


def test_a_path_is_asked_for_before_saving() -> None:
    """The path that was typed is in the value; Escape goes back to the review."""

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        await pilot.press("s")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert stage.values == []
        await pilot.press("s")
        await pilot.pause()
        await pilot.press("ctrl+u")
        await write(pilot, "/root/plan.json")
        await pilot.press("enter")
        await pilot.pause()

    assert show(Review(TEXT), go).values == [Decision("save", "/root/plan.json")]


def test_the_complaint_stays_in_sight() -> None:
    """Why the last thing did not work stands below the text that scrolls."""

    async def go(stage: Stage, _: Pilot[None]) -> None:
        assert "! the plan cannot be saved" in text(stage)

    show(Review(TEXT * 40, complaint="the plan cannot be saved"), go)
