"""Pages of questions: what goes to the app, what is shown of it, errors at the field, the keys."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from palpo_installer.screens import conversing
from palpo_installer.screens.app import Wizard
from palpo_installer.screens.fields import QuestionRow
from palpo_installer.screens.form import Form
from tests.recorded import recorded
from tests.screens.piloted import begin, drive, on_page, text, until, write

NAMED: dict[str, object] = {"names.server_name": "example.net", "certificates.method": "self-signed"}


def row(wizard: Wizard, key: str) -> QuestionRow:
    """Return a question on the screen."""
    return next(each for each in wizard.screen.query(QuestionRow) if each.question.key == key)


def problem(wizard: Wizard, key: str) -> str:
    """Return the problem that is shown at a question, empty for none."""
    line = row(wizard, key).query_one(".problem")
    return str(line.render()) if line.display else ""


async def go_to(wizard: Wizard, pilot: Pilot[int], page: str) -> None:
    """Go to a page without an answer."""
    await begin(wizard, pilot)
    for name in ("delegation", "certificates", "homeserver"):
        if isinstance(wizard.screen, Form) and wizard.screen.page.name != page:
            await pilot.press("f10")
            await on_page(wizard, pilot, name)


def test_an_error_stands_at_its_field_while_it_is_typed(tmp_path: Path) -> None:
    """No error before the first key, the right one with it, none when it is corrected; Enter does not go past it."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await begin(wizard, pilot)
        assert problem(wizard, "names.server_name") == ""
        await write(pilot, "exa mple")
        await until(pilot, lambda: bool(problem(wizard, "names.server_name")), "the problem")
        await pilot.press("enter")
        assert wizard.focused is row(wizard, "names.server_name").answer
        await pilot.press("ctrl+u")
        await write(pilot, "example.net")
        await until(pilot, lambda: not problem(wizard, "names.server_name"), "no problem")

    drive(recorded("debian_sites", tmp_path), {}, go)


def test_an_answer_that_must_be_there_is_asked_for_at_enter(tmp_path: Path) -> None:
    """Enter, or F10, on a required question without answer says so and stays."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await begin(wizard, pilot)
        for key in ("enter", "f10"):
            await pilot.press(key)
            await until(pilot, lambda: "An answer is needed" in problem(wizard, "names.server_name"), "the problem")
        assert isinstance(wizard.screen, Form)
        assert wizard.screen.page.name == "names"

    drive(recorded("debian_sites", tmp_path), {}, go)


def test_a_default_is_marked_and_follows_the_answers_before_it(tmp_path: Path) -> None:
    """The host of the clients follows the server name until somebody chooses it."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await begin(wizard, pilot)
        await write(pilot, "one.net")
        client = row(wizard, "names.client_host").query_one(Input)
        await until(pilot, lambda: client.value == "matrix.one.net", "the default")
        assert "Host that clients connect to  (default)" in text(wizard)
        await pilot.press("tab")
        await write(pilot, "chat.one.net")
        await until(pilot, lambda: wizard.given.get("names.client_host") == "chat.one.net", "the choice")
        assert "Host that clients connect to  (default)" not in text(wizard)
        await pilot.press("shift+tab", "ctrl+u")
        await write(pilot, "two.net")
        await until(pilot, lambda: wizard.given.get("names.server_name") == "two.net", "the other name")
        assert client.value == "chat.one.net"

    drive(recorded("debian_sites", tmp_path), {}, go)


def test_a_choice_is_a_sign_and_brings_its_questions(tmp_path: Path) -> None:
    """Down chooses SRV; its port, and its records to copy, are there at once."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await go_to(wizard, pilot, "delegation")
        assert "(*) well-known" in text(wizard)
        await pilot.press("down")
        await until(pilot, lambda: row(wizard, "federation.port").display, "the port")
        assert wizard.given["federation.delegation"] == "srv"
        assert "( ) well-known" in text(wizard)
        await pilot.press("pagedown", "pagedown")
        await until(pilot, lambda: "_matrix-fed._tcp.example.net. IN SRV 10 0 8448" in text(wizard), "the records")

    drive(recorded("debian_sites", tmp_path), dict(NAMED), go)


def test_a_choice_that_the_proxy_makes_impossible_has_no_row(tmp_path: Path) -> None:
    """Nginx orders no certificates itself: nothing is said of it, and the arrow keys pass it over."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await go_to(wizard, pilot, "certificates")
        await until(pilot, lambda: "You, or another program, renew them." in text(wizard), "the choices")
        assert "It orders and renews them itself." not in text(wizard)
        wizard.screen.set_focus(row(wizard, "certificates.method").answer)
        await pilot.press("up")
        await until(pilot, lambda: wizard.given["certificates.method"] == "files", "the choice above")

    drive(recorded("debian_sites", tmp_path), dict(NAMED), go)


def test_further_settings_are_folded_and_opened_by_a_key(tmp_path: Path) -> None:
    """F2 opens them and goes to the first, F2 again closes them; what was typed there is kept."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await go_to(wizard, pilot, "homeserver")
        assert not row(wizard, "homeserver.config").display
        await pilot.press("f2")
        await until(pilot, lambda: wizard.focused is row(wizard, "homeserver.config").answer, "the first of them")
        await pilot.press("tab", "tab", "tab")
        await write(pilot, "32MiB")
        await pilot.press("f2")
        await until(pilot, lambda: not row(wizard, "homeserver.config").display, "the closed fold")
        assert wizard.given["homeserver.max_upload_size"] == "32MiB"

    drive(recorded("debian_sites", tmp_path), dict(NAMED), go)


def test_terms_that_were_asked_for_otherwise_are_not_shown(tmp_path: Path) -> None:
    """An answer to a question without the PEM file that was typed since says nothing of the one with it."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await go_to(wizard, pilot, "certificates")
        former = conversing.asked_now(wizard)
        conversing.take(wizard, "certificates.ca_file", "/etc/ssl/own.pem")
        conversing.hear_terms(wizard, former, "not trusted")
        assert former.directory not in wizard.terms
        conversing.hear_terms(wizard, conversing.asked_now(wizard), "The terms: ...")
        assert wizard.terms[former.directory] == "The terms: ..."

    drive(recorded("debian_sites", tmp_path), {"names.server_name": "example.net"}, go)


def test_an_error_in_a_folded_setting_opens_it(tmp_path: Path) -> None:
    """The next page is not reached past it, and the keys go to the field with the error."""
    raw = {**NAMED, "homeserver.max_upload_size": "lots", "homeserver.database_url": "postgres://u:p@127.0.0.1/d"}

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await go_to(wizard, pilot, "homeserver")
        await pilot.press("f10")
        await until(pilot, lambda: bool(problem(wizard, "homeserver.max_upload_size")), "the problem")
        await until(pilot, lambda: wizard.focused is row(wizard, "homeserver.max_upload_size").answer, "the keys")
        assert row(wizard, "homeserver.max_upload_size").display
        assert "It is no size" in problem(wizard, "homeserver.max_upload_size")

    drive(recorded("debian_sites", tmp_path), raw, go)


def test_certificates_that_are_there_have_two_lines_for_each_name(tmp_path: Path) -> None:
    """Chain and key are typed by name, and become the answer as a file of answers has it."""
    raw = {**NAMED, "certificates.method": "files", "names.base_domain": "elsewhere"}

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await go_to(wizard, pilot, "certificates")
        table = row(wizard, "certificates.files")
        await until(pilot, lambda: len(table.query(Input)) == 2, "two lines")
        await pilot.press("enter")
        await until(pilot, lambda: wizard.focused is table.query(Input).first(), "the first line")
        await write(pilot, "/etc/ssl/a.pem")
        await pilot.press("enter")
        await until(pilot, lambda: wizard.focused is table.query(Input).last(), "the second line")
        await write(pilot, "/etc/ssl/a.key")
        expected = {"matrix.example.net": {"chain": "/etc/ssl/a.pem", "key": "/etc/ssl/a.key"}}
        await until(pilot, lambda: wizard.given.get("certificates.files") == expected, "the table")
        assert problem(wizard, "certificates.files") == ""

    drive(recorded("debian_sites", tmp_path), raw, go)


def test_a_secret_is_never_on_the_screen(tmp_path: Path) -> None:
    """Neither while it is typed nor when it is typed wrongly."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await go_to(wizard, pilot, "homeserver")
        await write(pilot, "hunter2")
        await until(pilot, lambda: bool(problem(wizard, "homeserver.database_url")), "the problem")
        assert "hunter2" not in text(wizard)
        assert "hunter2" not in repr(wizard.given)

    drive(recorded("debian_sites", tmp_path), dict(NAMED), go)


@pytest.mark.parametrize("page", ["names", "delegation", "certificates", "homeserver"])
def test_a_page_answers_a_key_within_100_ms(page: str, tmp_path: Path) -> None:
    """The conversation after an answer is computed and shown fast enough to type."""

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await go_to(wizard, pilot, page)
        times = []
        for _ in range(5):
            began = time.perf_counter()
            conversing.show(wizard)
            times.append(time.perf_counter() - began)
        assert min(times) < 0.1

    drive(recorded("debian_sites", tmp_path), dict(NAMED), go)
