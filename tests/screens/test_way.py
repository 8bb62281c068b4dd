"""The way through the wizard on recorded hosts: what was typed, what is asked, what comes back."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from palpo_installer.screens.app import NOTHING_CHANGED, Wizard
from palpo_installer.screens.fields import QuestionRow
from palpo_installer.screens.form import Form
from palpo_installer.screens.reading import Reading
from palpo_installer.screens.review import Review
from tests.recorded import recorded
from tests.screens.piloted import AUTHORITY, begin, drive, on_page, text, until, write
from tests.situations import DATABASE

SELF_SIGNED: dict[str, object] = {"certificates.method": "self-signed"}


async def to_review(wizard: Wizard, pilot: Pilot[int]) -> int:
    """Answer like somebody in a hurry; return how many answers it took."""
    await begin(wizard, pilot)
    await write(pilot, "example.net")
    answers = 1
    while isinstance(wizard.screen, Form):
        here = (wizard.screen, await current(pilot))
        if here[1] == "homeserver.database_url":
            await write(pilot, DATABASE)
        if here[1] == "certificates.agree_terms":
            await pilot.press("space")
        await pilot.press("enter")
        answers += 1
        await until(pilot, partial(has_moved, wizard, *here), f"what follows {here[1]}")
    await until(pilot, lambda: isinstance(wizard.screen, Review | Reading), "the review")
    return answers


async def current(pilot: Pilot[int]) -> str:
    """Return the key of the question that is asked now."""
    await until(pilot, lambda: bool(asked(pilot.app.screen)), "a question")
    return asked(pilot.app.screen)


def asked(screen: Screen[Any]) -> str:
    """Return the key of the question that the screen points at, empty for none."""
    return next((row.question.key for row in screen.query(QuestionRow) if row.has_class("current")), "")


def has_moved(wizard: Wizard, screen: Form, key: str) -> bool:
    """Whether another question is asked now, or another screen is there."""
    return wizard.screen is not screen or asked(screen) not in {"", key}


REFUSED = {
    "alma_conf_d": "Add default_server to its listen directive",
    "another_on_80": "is not installed on this host",
}
"""Why there is no plan on some hosts."""


@pytest.mark.parametrize("host", ["debian_sites", "nginx_stopped", *REFUSED])
@pytest.mark.parametrize("raw", [{}, SELF_SIGNED], ids=["ordered", "self-signed"])
def test_every_host_gets_to_the_review_with_at_most_twelve_answers(
    host: str, raw: dict[str, object], tmp_path: Path
) -> None:
    """From the first frame to the review, or to why there is none, it takes at most twelve answers."""
    taken: list[int] = []

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        taken.append(await to_review(wizard, pilot))
        expected = REFUSED.get(host, "Accounts are named @user:example.net, and that is for ever.")
        assert expected in re.sub(r"\s+", " ", text(wizard))
        assert isinstance(wizard.screen, Reading if host in REFUSED else Review)

    wizard = drive(recorded(host, tmp_path), {"certificates.directory": AUTHORITY, **raw}, go)
    assert taken[0] <= 12
    assert wizard.given["names.server_name"] == "example.net"


def test_back_and_forth_loses_nothing(tmp_path: Path) -> None:
    """What was typed, chosen and ticked is there again on every page, also a secret, which is not shown."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await to_review(wizard, pilot)
        given = dict(wizard.given)
        for page in ("homeserver", "certificates", "delegation", "names"):
            await pilot.press("escape")
            await on_page(wizard, pilot, page)
            assert "hunter2" not in text(wizard)
        for page in ("delegation", "certificates", "homeserver"):
            await pilot.press("f10")
            await on_page(wizard, pilot, page)
        assert "given, and not shown" in text(wizard)
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(wizard.screen, Review), "the review")
        assert wizard.given == given

    drive(recorded("debian_sites", tmp_path), {"certificates.directory": AUTHORITY}, go)


def test_escape_on_the_first_page_leads_back_to_what_was_found(tmp_path: Path) -> None:
    """The first screen is there again, and leaving it says that nothing was changed."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await begin(wizard, pilot)
        await write(pilot, "example.net")
        await pilot.press("escape")
        await until(pilot, lambda: "Who answers now" in text(wizard), "what was found")
        assert wizard.given == {"names.server_name": "example.net"}
        await until(pilot, lambda: bool(wizard.screen.query("Menu")), "the menu")
        await pilot.press("down", "enter")

    wizard = drive(recorded("debian_sites", tmp_path), {}, go)
    assert wizard.return_value == 0
    assert wizard.farewell == NOTHING_CHANGED


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
@pytest.mark.parametrize("page", ["found", "names"])
def test_leaving_asks_nothing_while_nothing_was_done(key: str, page: str, tmp_path: Path) -> None:
    """One key ends it with exit code 0 from any screen before apply."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        if page == "names":
            await begin(wizard, pilot)
            await write(pilot, "example.net")
        await pilot.press(key)

    wizard = drive(recorded("debian_sites", tmp_path), {}, go)
    assert wizard.return_value == 0


def test_an_authority_that_does_not_answer_is_an_obstacle(tmp_path: Path) -> None:
    """The terms page says so at once, and the review does not let it be applied."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await to_review(wizard, pilot)
        assert "Something must be put right first" in text(wizard)
        await pilot.press("a")
        await pilot.pause()
        assert isinstance(wizard.screen, Review)

    wizard = drive(recorded("debian_sites", tmp_path), {"certificates.directory": AUTHORITY}, go)
    assert "the connection is refused" in wizard.terms[AUTHORITY]
    assert not (tmp_path / "var/lib/palpo-installer").exists()


def test_a_refused_plan_is_said_and_leads_back(tmp_path: Path) -> None:
    """Where another server holds port 80, the reason is shown, and Escape goes back to the last page."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await to_review(wizard, pilot)
        assert isinstance(wizard.screen, Reading)
        assert "No plan can be made" in text(wizard)
        await pilot.press("escape")
        await on_page(wizard, pilot, "homeserver")

    drive(recorded("another_on_80", tmp_path), dict(SELF_SIGNED), go)


def test_without_root_everything_goes_but_applying(tmp_path: Path) -> None:
    """The first screen tells the command line with sudo, and the review is there without a way to apply it."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await until(pilot, lambda: "sudo palpo-installer" in text(wizard), "the command line")
        await to_review(wizard, pilot)
        assert "Changing this host needs root" in text(wizard)
        await pilot.press("a")
        await pilot.pause()
        assert isinstance(wizard.screen, Review)

    host = recorded("debian_sites", tmp_path)
    object.__setattr__(host.recording, "root", False)
    drive(host, dict(SELF_SIGNED), go)


def test_a_plan_with_a_secret_that_was_typed_is_not_saved(tmp_path: Path) -> None:
    """The file would lack it, so it is refused with the reason, and the review stays."""
    plan = tmp_path / "plan.json"

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await to_review(wizard, pilot)
        await save(wizard, pilot, plan)
        await until(pilot, lambda: "must come from a file of answers" in text(wizard), "the reason")
        assert isinstance(wizard.screen, Review)

    drive(recorded("debian_sites", tmp_path), dict(SELF_SIGNED), go)
    assert not plan.exists()


def test_saving_a_plan_leaves_and_says_how_to_apply_it(tmp_path: Path) -> None:
    """The plan lies where it was asked for, and the scrollback has the command line."""
    url, plan = tmp_path / "database-url", tmp_path / "plan.json"
    url.write_text(DATABASE)
    raw: dict[str, object] = {
        **SELF_SIGNED,
        "names.server_name": "example.net",
        "homeserver.database_url_file": str(url),
    }

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await begin(wizard, pilot)
        for page in ("delegation", "certificates", "homeserver"):
            await pilot.press("f10")
            await on_page(wizard, pilot, page)
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(wizard.screen, Review), "the review")
        await save(wizard, pilot, plan)
        await until(pilot, lambda: wizard.return_value is not None, "the end")

    wizard = drive(recorded("debian_sites", tmp_path), raw, go)
    assert plan.exists()
    assert wizard.farewell.endswith(f"palpo-installer apply --plan {plan}")


async def save(wizard: Wizard, pilot: Pilot[int], path: Path) -> None:
    """Save the plan in a file."""
    await pilot.press("s")
    await until(pilot, lambda: "Save the plan" in text(wizard), "the question")
    await pilot.press("ctrl+u")
    await write(pilot, str(path))
    await pilot.press("enter")
