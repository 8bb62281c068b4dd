"""The rest of a file beside it, on real files: written, removed, and put back in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from palpo_installer.errors import NotPutBack, RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.base import State
from palpo_installer.operations.paths import state_of
from palpo_installer.operations.rests import Cut, RemoveRest, Rest, WriteRest, without
from tests.benches import workbench
from tests.trees import tree

WHOLE = b"plain {\n}\ntls {\n}\n"


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    """Return the rest of a private file without its first two lines."""
    source = tmp_path / "etc/site"
    source.parent.mkdir()
    source.write_bytes(WHOLE)
    source.chmod(0o640)
    return Rest(source.with_name("site-rest"), source, state_of(source).sha256, (Cut(0, 10),))


def test_any_bytes_can_be_left_out() -> None:
    """In any order, next to each other, and none at all."""
    assert without(b"0123456789", (Cut(7, 9), Cut(0, 2), Cut(2, 3))) == b"34569"
    assert without(WHOLE, ()) == WHOLE


def test_it_is_there_between_the_two_steps_and_after_an_undo_of_the_second(rest: Rest, tmp_path: Path) -> None:
    """Both are prepared and staged before the first acts; undone newest first, all is as it was, to the last name."""
    bench, write, remove, before = workbench(tmp_path), WriteRest(rest), RemoveRest(rest), tree(tmp_path / "etc")
    found = [each.prepare(bench, number) for number, each in enumerate((write, remove))]
    write.stage(bench, found[0])
    remove.stage(bench, found[1])
    assert write.act(bench, found[0])["kind"] == "file"
    assert rest.path.read_bytes() == b"tls {\n}\n"
    assert rest.path.stat().st_mode & 0o777 == 0o640, "as readable as its source"
    assert remove.observe(bench, found[1]) is State.BEFORE
    assert remove.act(bench, found[1]) == {"path": str(rest.path), "sha256": "", "kind": "absent"}
    assert (remove.observe(bench, found[1]), remove.act(bench, found[1])["kind"]) == (State.AFTER, "absent")
    for _ in range(2):
        remove.undo(bench, found[1])
        assert rest.path.read_bytes() == b"tls {\n}\n"
    write.undo(bench, found[0])
    for step, record in zip((remove, write), reversed(found), strict=True):
        step.finish(bench, record)
    assert tree(tmp_path / "etc") == before


def test_a_rollback_of_a_later_day_has_it_from_the_copy(rest: Rest, tmp_path: Path) -> None:
    """What was staged is gone by then."""
    bench, write, remove = workbench(tmp_path), WriteRest(rest), RemoveRest(rest)
    found = [each.prepare(bench, number) for number, each in enumerate((write, remove))]
    for step, record in zip((write, remove), found, strict=True):
        step.stage(bench, record)
        step.act(bench, record)
        step.finish(bench, record)
    assert [step.observe(bench, record) for step, record in zip((write, remove), found, strict=True)] == [
        State.BEFORE,
        State.AFTER,
    ]
    remove.restage(bench, found[1])
    remove.undo(bench, found[1])
    assert rest.path.read_bytes() == b"tls {\n}\n"
    write.undo(bench, found[0])
    assert not rest.path.exists()


def test_what_somebody_changed_is_left_alone(rest: Rest, tmp_path: Path) -> None:
    """Neither removed nor overwritten."""
    bench, write, remove = workbench(tmp_path), WriteRest(rest), RemoveRest(rest)
    found = [each.prepare(bench, number) for number, each in enumerate((write, remove))]
    remove.stage(bench, found[1])
    rest.path.write_text("theirs\n")
    with pytest.raises(RefusedPlan, match="changed by somebody else"):
        remove.act(bench, found[1])
    with pytest.raises(NotPutBack, match="left as it is"):
        remove.undo(bench, found[1])
    assert rest.path.read_text() == "theirs\n"


def test_another_source_or_a_taken_name_is_refused(rest: Rest, tmp_path: Path) -> None:
    """Before anything is done."""
    rest.path.write_text("theirs\n")
    with pytest.raises(RefusedPlan, match="changed since"):
        WriteRest(rest).prepare(workbench(tmp_path), 0)
    rest.path.unlink()
    rest.source.write_text("another\n")
    with pytest.raises(RefusedPlan, match="changed since") as refused:
        RemoveRest(rest).prepare(workbench(tmp_path), 0)
    assert refused.value.where == str(rest.source)


def test_the_review_shows_what_is_left_out_and_no_secret(rest: Rest) -> None:
    """Of a file that others may not read, values are masked."""
    rest.source.chmod(0o644)
    shown = WriteRest(rest).describe(Host())
    assert shown.title == f"write {rest.path}"
    assert "-plain {" in shown.diff
    assert "-tls" not in shown.diff
    rest.source.write_text("password = hunter2\n")
    rest.source.chmod(0o600)
    private = Rest(rest.path, rest.source, state_of(rest.source).sha256, (Cut(0, 5),))
    assert "hunter2" not in WriteRest(private).describe(Host()).diff
    assert os.fspath(rest.source) in RemoveRest(rest).describe(Host()).details[0]
