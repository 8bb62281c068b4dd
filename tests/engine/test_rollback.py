"""What a rollback would give up, known before it begins."""

from __future__ import annotations

from pathlib import Path

from palpo_installer.engine.rollback import edited_before
from tests.planning.test_edits import ANSWERS, TLS, applied, rerun


def test_edits_of_every_run_that_goes_are_named(tmp_path: Path) -> None:
    """Those made since the last run, and those that a later run merged; nothing where all is as it was left."""
    inputs = applied(tmp_path)
    path = inputs.layout.at(TLS)
    assert edited_before(inputs.layout, "0001") == ()
    path.write_text(f"# mine\n{path.read_text()}")
    assert edited_before(inputs.layout, "0001") == (path,)
    rerun(inputs, ANSWERS[0])
    assert edited_before(inputs.layout, "0002") == ()
    assert edited_before(inputs.layout, "0001") == (path,)
