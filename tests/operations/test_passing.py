"""What a run writes and removes again, on real files: there in between, and all as before when it is taken back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from palpo_installer.errors import NotPutBack, RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.base import Operation, State
from palpo_installer.operations.files import MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.passing import RemoveWritten
from palpo_installer.operations.paths import state_of
from palpo_installer.operations.removing import RemoveDirectory
from palpo_installer.secret import Text
from tests.benches import workbench
from tests.trees import tree

Write = Callable[[Path], WriteFile | MakeLink]


def over(etc: Path) -> WriteFile:
    """Write over a file that is there."""
    path = etc / "old"
    path.write_text("the first\n")
    path.chmod(0o604)
    os.setxattr(path, "user.note", b"kept")
    return WriteFile(path, Text("in between\n"), 0o644, os.geteuid(), os.getegid(), state_of(path).sha256)


def new(etc: Path) -> WriteFile:
    """Write a file that is not there."""
    return WriteFile(etc / "new", Text("in between\n"), 0o644, os.geteuid(), os.getegid(), "")


def linked(etc: Path) -> MakeLink:
    """Make a link that is not there."""
    return MakeLink(etc / "link", "../elsewhere", "")


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A directory."""
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc"


@pytest.mark.parametrize("write", [over, new, linked])
@pytest.mark.parametrize("later", [False, True], ids=["at once", "on a later day"])
def test_it_goes_and_what_was_there_first_comes_back(etc: Path, tmp_path: Path, write: Write, later: bool) -> None:
    """All is prepared before the first step acts; undone newest first, and again, it is as before to the last name."""
    bench, first = workbench(tmp_path), write(etc)
    before, steps = tree(etc), (first, RemoveWritten.after(first))
    found = [each.prepare(bench, number) for number, each in enumerate(steps)]
    for step, record in zip(steps, found, strict=True):
        step.stage(bench, record)
    for step, record in zip(steps, found, strict=True):
        assert step.observe(bench, record) is State.BEFORE or isinstance(step, WriteFile | MakeLink)
        step.act(bench, record)
    assert state_of(first.path).kind == "absent"
    assert steps[1].observe(bench, found[1]) is State.AFTER
    if later:
        for step, record in zip(steps, found, strict=True):
            step.finish(bench, record)
        for step, record in reversed([*zip(steps, found, strict=True)]):
            step.restage(bench, record)
    for _ in range(2):
        for step, record in reversed([*zip(steps, found, strict=True)]):
            step.undo(bench, record)
    for step, record in zip(steps, found, strict=True):
        step.finish(bench, record)
    assert tree(etc) == before


def test_what_somebody_wrote_meanwhile_is_left_alone(etc: Path, tmp_path: Path) -> None:
    """Neither removed nor overwritten."""
    bench, first = workbench(tmp_path), over(etc)
    removal = RemoveWritten.after(first)
    record = removal.prepare(bench, 1)
    removal.stage(bench, record)
    first.path.write_text("theirs\n")
    with pytest.raises(RefusedPlan, match="changed by somebody else"):
        removal.act(bench, record)
    with pytest.raises(NotPutBack, match="left as it is"):
        removal.undo(bench, record)
    assert first.path.read_text() == "theirs\n"


def test_it_says_what_goes(etc: Path) -> None:
    """It is not there yet when the plan is shown."""
    assert RemoveWritten.after(new(etc)).describe(Host()).title == f"remove {etc / 'new'}"
    assert "link" in RemoveWritten.after(linked(etc)).describe(Host()).details[0]


def test_a_directory_that_is_gone_comes_back_before_what_was_in_it(etc: Path, tmp_path: Path) -> None:
    """On a later day the old file is written again beside its place, and that place must be there."""
    bench, file = workbench(tmp_path), etc / "ours" / "file"
    file.parent.mkdir(mode=0o750)
    file.write_text("x")
    before = tree(etc)
    steps: tuple[Operation, ...] = (RemoveFile(file, state_of(file).sha256), RemoveDirectory(file.parent))
    found = [each.prepare(bench, number) for number, each in enumerate(steps)]
    for act in ("stage", "act", "finish"):
        for step, record in zip(steps, found, strict=True):
            getattr(step, act)(bench, record)
    assert not file.parent.exists()
    for act in ("restage", "undo"):
        for step, record in reversed([*zip(steps, found, strict=True)]):
            getattr(step, act)(bench, record)
    for step, record in zip(steps, found, strict=True):
        step.finish(bench, record)
    assert tree(etc) == before
