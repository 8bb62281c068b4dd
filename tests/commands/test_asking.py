"""The question about a change that waits, on a real terminal, about the run of a real engine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from palpo_installer.engine.history import runs
from palpo_installer.layout import Layout
from tests.commands.invoking import CHECKOUT, as_root
from tests.terminals import Dialogue

pytestmark = as_root

APPLY = """
import sys
from pathlib import Path
from palpo_installer.commands.following import carry_out
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from tests.engine.runs import writing
root, within = Path(sys.argv[1]), int(sys.argv[2])
sys.exit(carry_out(Host(Layout(root)), writing((root / "file", "text")), {}, confirm_within=within))
"""
QUESTION = "Keep this change? [y/N]: "


def applying(root: Path, within: int) -> Dialogue:
    """Make a run in a terminal."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return Dialogue([sys.executable, "-W", "ignore", "-c", APPLY, str(root), str(within)], environment)


@pytest.mark.parametrize(("typed", "code"), [("Yes", 0), ("n", 1), ("", 1)])
def test_the_question_is_answered(tmp_path: Path, typed: str, code: int) -> None:
    """Yes keeps it; no, which is the default, takes it back at once; other words are no answer."""
    with applying(tmp_path, 600) as visit:
        before = visit.answer(QUESTION, "perhaps")
        assert "What the outside sees" in before
        assert "It takes itself back at" in before
        visit.answer(QUESTION, typed)
        assert visit.wait() == code
    assert (tmp_path / "file").exists() is (code == 0)


def test_what_was_typed_before_the_question_is_no_answer(tmp_path: Path) -> None:
    """Nobody had seen what it would have been about; Ctrl-C takes it back."""
    with applying(tmp_path, 600) as visit:
        visit.expect("Run 0001")
        visit.type("y")
        visit.expect(QUESTION)
        visit.press(b"\x03")
        assert visit.wait() == 1
        assert "stopped on request" in visit.said


def test_it_is_asked_again_as_the_deadline_comes_near(tmp_path: Path) -> None:
    """With the time that is left, without an answer in between; and the terminal may go without one."""
    with applying(tmp_path, 13) as visit:
        visit.match(r"\(in 1[123] s\)")
        visit.expect(QUESTION)
        visit.match(r"\(in (10|9) s\)")
        visit.expect(QUESTION)
        visit.hang_up()
    (run,) = runs(Layout(tmp_path))
    assert run.unconfirmed_until
