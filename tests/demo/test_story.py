"""How it is told: in lines that fit, and never past a claim that does not hold."""

from __future__ import annotations

import pytest

from palpo_installer.demo.story import WIDTH, Story
from palpo_installer.errors import GateFailed


def test_lines_fit_and_the_directory_has_a_name() -> None:
    """A long directory is said once, and $DEMO stands for it also in commands, which stay on one line."""
    lines: list[str] = []
    story = Story(lines.append)
    story.begin("/tmp/a-directory")
    story.step("Something")
    story.say("word " * 40)
    story.line("done  write /tmp/a-directory/etc/file\nand more")
    story.proof("word " * 40, holds=True)
    story.by_hand(f"palpo-installer --root /tmp/a-directory {'x' * 80}")
    assert lines[1] == "   DEMO=/tmp/a-directory"
    assert sum("/tmp/a-directory" in line for line in lines) == 1
    assert "   done  write $DEMO/etc/file" in lines
    assert lines[-1] == f"   try    palpo-installer --root $DEMO {'x' * 80}"
    assert max(map(len, lines[:-1])) <= WIDTH
    story.end()
    story.say("/tmp/a-directory is removed.")
    assert lines[-1] == "/tmp/a-directory is removed."


def test_a_claim_that_does_not_hold_ends_it() -> None:
    """What was seen is shown, and the step is named."""
    lines: list[str] = []
    story = Story(lines.append)
    story.step("First")
    story.proof("seen", holds=True)
    with pytest.raises(GateFailed, match="did not show") as caught:
        story.proof("seen too", holds=False)
    assert lines[-2:] == ["   proof  seen", "   FAIL   seen too"]
    assert caught.value.where == "step 1, First"
