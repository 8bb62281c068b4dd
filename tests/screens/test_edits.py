"""Edits on the screen: what is shown, what is chosen, and that the review follows."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from palpo_installer.changes import Edit
from palpo_installer.plan import make
from palpo_installer.screens.app import Wizard
from palpo_installer.screens.edits import Edits
from palpo_installer.screens.review import Review
from tests.planning.made import carry_out, inputs_on, without_activations
from tests.recorded import recorded
from tests.screens.piloted import Stage, begin, drive, on_page, show, text, until

FIRST = Edit("/etc/a.conf", Path("/etc/a.conf"), "--- a\n+++ a\n@@ -1 +1,2 @@\n a\n+# mine", "", ("line 3 stays",))
SECOND = Edit("/etc/b.toml: key", Path("/etc/b.toml"), "", "", (), overwritten=True)


def choose(*keys: str) -> list[object]:
    """Return what the list of two edits closes with after keys."""

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        shown = text(stage)
        assert "[ ] give up the edit of /etc/a.conf" in shown
        assert "[x] give up the edit of /etc/b.toml: key" in shown
        assert "+# mine" in shown
        assert "line 3 stays" in shown
        await pilot.press(*keys)
        await pilot.pause()

    return show(Edits((FIRST, SECOND)), go).values


def test_space_chooses_and_enter_takes_it() -> None:
    """Each edit by itself; Escape chooses nothing."""
    assert choose("enter") == [frozenset({SECOND.subject})]
    assert choose("space", "enter") == [frozenset({FIRST.subject, SECOND.subject})]
    assert choose("down", "space", "enter") == [frozenset()]
    assert choose("space", "escape") == [None]


def test_a_long_path_is_shown_whole() -> None:
    """It goes on in the next line."""
    path = f"/etc/nginx/{'long-' * 14}name.conf"

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        await pilot.pause()
        assert path in "".join(text(stage).split())

    show(Edits((Edit(path, Path(path), "", "", ()),)), go)


async def to_review(wizard: Wizard, pilot: Pilot[int]) -> None:
    """Go through all pages as they are."""
    await begin(wizard, pilot)
    for page in ("delegation", "certificates", "homeserver"):
        await pilot.press("f10")
        await on_page(wizard, pilot, page)
    await pilot.press("f10")


def set_up(root: Path) -> dict[str, object]:
    """Apply the first plan to a recorded host, and return its answers."""
    inputs = inputs_on(root)
    carry_out(without_activations(make(inputs)), inputs)
    url = root / "database-url"
    url.write_text("postgres://palpo:hunter2@127.0.0.1:5432/palpo")
    return {
        "names.server_name": "example.com",
        "homeserver.database_url_file": str(url),
        "certificates.method": "self-signed",
    }


def test_the_review_is_made_again_with_what_was_chosen(tmp_path: Path) -> None:
    """The edit stays at first; given up, the file is written anew, and the review says so."""
    raw = set_up(tmp_path)
    edited = tmp_path / "etc/nginx/sites-available/zz-palpo-installer-tls.conf"
    edited.write_text(f"# mine\n{edited.read_text()}")

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await to_review(wizard, pilot)
        await until(pilot, lambda: isinstance(wizard.screen, Review), "the review")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(wizard.screen, Edits), "the edits")
        await pilot.press("space", "enter")
        await until(pilot, lambda: bool(wizard.overwrite) and isinstance(wizard.screen, Review), "the review again")
        assert wizard.overwrite == frozenset({str(edited)})
        assert "your edit is given up" in wizard.screen.query_one("#review").text  # type: ignore[attr-defined]

    drive(recorded("nginx_stopped", tmp_path), raw, go)
    assert edited.read_text().startswith("# mine")


def test_another_server_name_is_typed_again(tmp_path: Path) -> None:
    """What is lost is said; a wrong name is told, the right one leads to the review, and Escape to the names."""
    raw = {**set_up(tmp_path), "names.server_name": "example.net"}

    async def go(wizard: Wizard, pilot: Pilot[int]) -> None:
        await to_review(wizard, pilot)
        await until(pilot, lambda: "Another server name" in text(wizard), "the question")
        assert "every account @user:example.com" in text(wizard)
        await pilot.press("escape")
        await on_page(wizard, pilot, "names")
        for page in ("delegation", "certificates", "homeserver"):
            await pilot.press("f10")
            await on_page(wizard, pilot, page)
        await pilot.press("f10")
        await until(pilot, lambda: "Another server name" in text(wizard), "the question again")
        await pilot.press(*"example.com", "enter")
        await until(pilot, lambda: "! This is not example.net." in text(wizard), "the wrong name")
        await pilot.press(*["backspace"] * 3, *"net", "enter")
        await until(pilot, lambda: isinstance(wizard.screen, Review), "the review")
        assert "given up for example.net" in text(wizard)

    drive(recorded("nginx_stopped", tmp_path), raw, go)
