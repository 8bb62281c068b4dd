"""Text on a screen: wrapped with its indents, nothing lost, signs kept."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from palpo_installer import review
from palpo_installer.screens.prose import DIFFERENCES, lines
from palpo_installer.screens.reading import Reading
from tests.screens.piloted import Stage, show, text


@pytest.mark.parametrize("width", [40, 78, 118])
def test_no_line_is_wider_than_the_screen_and_no_word_is_lost(width: int) -> None:
    """What is too long goes on in the next line, indented; a path that fits no line is broken, not cut."""
    path = "/etc/nginx/sites-available/" + "long-" * 20 + "name.conf"
    said = f"What will happen\n  Clients talk to the proxy, which passes what they say on to {path}.\n\nChanges"
    shown = [line for line, _ in lines(said, width)]
    assert max(map(len, shown)) <= width
    assert "".join("".join(shown).split()) == "".join(said.split())
    assert all(line.startswith("    ") for line in shown[2:-2])


def test_signs_of_a_difference_stay_in_front() -> None:
    """Lines of a difference begin with + and -, whatever their colour, and their indents are kept."""
    said = f"{DIFFERENCES}\n--- a\n+++ b\n-    listen 80;\n+    listen 443;\n"
    shown = list(lines(said, 60))
    assert [line for line, _ in shown] == [DIFFERENCES, "--- a", "+++ b", "-    listen 80;", "+    listen 443;"]
    assert shown[3][1] != shown[4][1]


def test_what_a_terminal_would_act_on_is_not_shown() -> None:
    """Escape sequences in a file name or a certificate's issuer do nothing."""
    assert [line for line, _ in lines("a\x1b[2Jb\x07", 60)] == ["a [2Jb "]


def test_the_heading_of_the_differences_is_the_one_of_the_review() -> None:
    """The same word in both places, since the first frame does not load the review."""
    assert DIFFERENCES == review.DIFFERENCES


def test_a_text_that_does_not_fit_is_scrolled_by_keys() -> None:
    """Everything can be reached with the keyboard alone, also what does not fit 24 lines."""

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        assert "line 99" not in text(stage)
        for _ in range(6):
            await pilot.press("pagedown")
        assert "line 99" in text(stage)
        await pilot.press("escape")

    stage = show(Reading("\n".join(f"  line {number}" for number in range(100))), go)
    assert stage.values == [None]
