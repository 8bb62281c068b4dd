"""Uninstall, up to where the engine takes over, and what is said at the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.commands.uninstalling import NOTHING, PROGRAM, uninstall
from palpo_installer.engine import launch
from palpo_installer.engine.history import runs
from palpo_installer.engine.process import Engine
from palpo_installer.engine.rollback import refuse_edits
from palpo_installer.errors import NeedsRoot
from palpo_installer.host import Host
from palpo_installer.planning.removal import removal
from palpo_installer.session import scene_of
from tests.commands.invoking import as_root, invoke
from tests.engine.runs import left_to_itself, registered
from tests.recorded import recorded

pytestmark = as_root


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host's copy with two complete runs, which wrote one file after the other."""
    host = recorded("nginx_stopped", tmp_path)
    for text in ("one", "two"):
        assert Engine(host).carry_on(registered(tmp_path, ("file", text))) == 0
    return host


def test_without_root_or_without_a_run_nothing_begins(tmp_path: Path) -> None:
    """The one is refused, the other said; and nothing is written."""
    host = recorded("nginx_stopped", tmp_path)
    before = sorted(tmp_path.rglob("*"))
    said = invoke(uninstall, host)
    assert (said.code, said.output) == (0, f"{NOTHING}\n")
    host.recording = replace(host.recording, root=False)
    assert isinstance(invoke(uninstall, host).error, NeedsRoot)
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_happens_without_a_yes(host: Host, tmp_path: Path) -> None:
    """The review is shown first, and the default is no."""
    said = invoke(uninstall, host, typed="\n")
    assert f"remove {tmp_path}/file" in said.output
    assert "the history of 2 runs" in said.output
    assert said.output.endswith("Nothing was changed.\n")
    assert (tmp_path / "file").read_text() == "two"


@left_to_itself
def test_an_engine_of_its_own_takes_everything_back(host: Host, tmp_path: Path) -> None:
    """It is followed to its last word, though its event file is deleted with the history."""
    said = invoke(uninstall, host, "--yes")
    assert said.code == 0, said.output
    assert said.output.endswith(f"for what the review said stays.\n{PROGRAM}\n")
    assert not (tmp_path / "file").exists()
    assert not host.layout.state.exists()


@left_to_itself
def test_an_edit_stops_it_unless_it_is_given_up(host: Host, tmp_path: Path) -> None:
    """--yes alone never gives up an edit."""
    (tmp_path / "file").write_text("by hand")
    said = invoke(uninstall, host, "--yes")
    assert said.code == 1
    assert f"{tmp_path}/file was edited by hand" in said.output
    assert (tmp_path / "file").read_text() == "by hand"
    assert invoke(uninstall, host, "--yes", "--discard-edits").code == 0
    assert (host.layout.edits / "file").read_text() == "by hand"


@left_to_itself
def test_a_run_that_was_cut_off_is_taken_back_first(host: Host, tmp_path: Path) -> None:
    """Then the review is of what is in force."""
    journal = host.layout.runs / "0002/journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    said = invoke(uninstall, host, "--yes")
    assert "A run was cut off. It is taken back first." in said.output
    assert (said.code, (tmp_path / "file").exists(), host.layout.state.exists()) == (0, False, False)


@left_to_itself
def test_a_history_without_a_run_in_force_is_deleted(host: Host) -> None:
    """There is nothing to take back, and earlier bytes and records go all the same, when that is said yes to."""
    assert Engine(host).roll_back("0001", refuse_edits) == 0
    said = invoke(uninstall, host, typed="y\n")
    assert "Changes, in this order" not in said.output
    assert "the history of 2 runs" in said.output
    assert (said.code, host.layout.state.exists()) == (0, False)


def test_a_deletion_that_was_cut_off_is_finished(host: Host) -> None:
    """What an uninstall left of the history goes, and then there is nothing installed."""
    identity = launch.register(removal(scene_of(host, None)), {}, host.layout)
    engine = Engine(host)
    engine._forget_uninstalled = lambda: None  # type: ignore[method-assign]
    assert engine.carry_on(identity) == 0
    assert [run.result for run in runs(host.layout)] == ["applied", "applied", "uninstalled"]
    assert invoke(uninstall, host).output == f"{NOTHING}\n"
    assert not host.layout.state.exists()
