"""The plan that takes back everything, over recorded hosts whose files were really written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import NoneType
from typing import get_args

import pytest

from palpo_installer.changes import AnyActivation, AnyOperation, Change, Plan
from palpo_installer.errors import RefusedPlan
from palpo_installer.operations.files import MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.paths import state_of
from palpo_installer.operations.removing import PutBack
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.removal import ACTIVATIONS, WAYS, removal
from palpo_installer.review import in_words
from palpo_installer.secret import Text
from palpo_installer.serialization import dump, load
from palpo_installer.session import scene_of
from tests.planning.made import carry_out, inputs_on
from tests.planning.removals import applied, outside, scene, stays, write
from tests.situations import DATABASE


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """A recorded host on which nothing was applied yet."""
    return inputs_on(tmp_path)


def test_each_kind_of_operation_and_activation_tells_how_it_is_removed() -> None:
    """One that is recorded and has no entry could never be taken back: it belongs into the table."""
    assert set(WAYS) == set(get_args(AnyOperation))
    assert set(ACTIVATIONS) == {*get_args(AnyActivation), NoneType}


def test_what_runs_made_is_gone_and_what_stays_is_told(inputs: Inputs) -> None:
    """After two runs with different answers the files are as before the first, modes and directories included."""
    before = outside(inputs)
    applied(inputs)
    applied(inputs_on(inputs.layout.root, {"federation.delegation": "srv"}))
    plan = removal(scene(inputs))
    assert load(dump(plan), Plan) == plan
    carry_out(replace(plan, result="applied"), inputs)
    assert outside(inputs) == before
    layout = inputs.layout
    assert set(stays(plan)) == {str(layout.keys), str(layout.authority)}


def test_originals_come_back_and_what_is_as_it_was_is_left(inputs: Inputs) -> None:
    """A file and a link of somebody else's, whatever runs made of them; one put back by hand needs nothing."""
    etc = inputs.layout.root / "etc"
    file, link, restored = etc / "file", etc / "link", etc / "restored"
    for path in (file, restored):
        path.write_text("theirs\n")
    link.symlink_to("file")
    before = state_of(file)
    for text in ("first\n", "second\n"):
        applied(inputs, write(file, text))
    applied(inputs, write(restored, "ours\n"))
    applied(inputs, Plan((), (Change("a link", (MakeLink(link, "elsewhere", "link file"),)),), (), (), ()))
    restored.write_text("theirs\n")
    restored.chmod(before.mode)
    plan = removal(scene(inputs))
    operations = {type(each): each for change in plan.changes for each in change.operations}
    assert set(operations) == {PutBack, MakeLink}
    carry_out(replace(plan, result="applied"), inputs)
    assert state_of(file) == before
    assert link.readlink() == Path("file")


def removing(*paths: Path) -> Plan:
    """Return a plan that removes files and links of somebody else's, as they stand now."""
    now = ((path, state_of(path)) for path in paths)
    operations = (RemoveFile(path, f"link {each.target}" if each.target else each.sha256) for path, each in now)
    return Plan((), (Change("what is switched off", tuple(operations)),), (), (), ())


def test_what_runs_removed_comes_back(inputs: Inputs) -> None:
    """A file and a link of somebody else's, also where its owner put it there again, and a later run removed it."""
    etc = inputs.layout.root / "etc"
    file, link = etc / "file", etc / "link"
    file.write_text("theirs\n")
    link.symlink_to("file")
    before = outside(inputs)
    applied(inputs, removing(file, link))
    link.symlink_to("file")
    applied(inputs, removing(link))
    plan = removal(scene(inputs))
    assert plan.obstacles == ()
    carry_out(replace(plan, result="applied"), inputs)
    assert outside(inputs) == before


def test_what_stands_where_a_run_removed_something_is_not_lost(inputs: Inputs) -> None:
    """Another file there is somebody's: it stops the removal, and is copied where it is given up."""
    path = inputs.layout.root / "etc/file"
    path.write_text("old\n")
    applied(inputs, removing(path))
    path.write_text("new\n")
    assert str(path) in removal(scene(inputs)).obstacles[0]
    carry_out(replace(removal(scene(inputs, inputs.layout.edits)), result="applied"), inputs)
    assert path.read_text() == "old\n"
    assert (inputs.layout.edits / "etc-file").read_text() == "new\n"


def test_an_edited_file_stops_it_unless_the_edit_is_given_up(inputs: Inputs) -> None:
    """It is named; given up, it is copied to where it is told before the file goes."""
    path, kept = inputs.layout.root / "etc/ours", inputs.layout.edits
    applied(inputs, write(path, "ours\n"))
    path.write_text("mine\n")
    path.chmod(0o644)
    (obstacle,) = removal(scene(inputs)).obstacles
    assert str(path) in obstacle
    assert "--discard-edits" in obstacle
    plan = removal(scene(inputs, kept))
    assert plan.obstacles == ()
    assert str(kept) in stays(plan)
    carry_out(replace(plan, result="applied"), inputs)
    assert not path.exists()
    assert (kept / "etc-ours").read_text() == "mine\n"
    assert (state_of(kept).mode, state_of(kept / "etc-ours").mode) == (0o700, 0o600)


def test_an_edit_that_a_run_took_over_stops_it_until_it_is_taken_out_again(inputs: Inputs) -> None:
    """The newest file has somebody's lines in it; without them it is ours alone, whoever took them out."""
    path = inputs.layout.root / "etc/ours"
    plan = write(path, "ours\nmine\n")
    (operation,) = plan.changes[0].operations
    assert isinstance(operation, WriteFile)
    merged = Change("merged", (replace(operation, unedited=Text("ours\n")),))
    applied(inputs, replace(plan, changes=(merged,)))
    assert str(path) in removal(scene(inputs)).obstacles[0]
    path.write_text("ours\n")
    assert removal(scene(inputs)).obstacles == ()


def test_a_copy_of_an_earlier_edit_is_not_written_over(inputs: Inputs) -> None:
    """A second uninstall that gives up an edit of the same file keeps both."""
    path, kept = inputs.layout.root / "etc/ours", inputs.layout.edits
    kept.mkdir(parents=True)
    (kept / "etc-ours").write_text("mine once\n")
    applied(inputs, write(path, "ours\n"))
    path.write_text("mine\n")
    carry_out(replace(removal(scene(inputs, kept)), result="applied"), inputs)
    assert [each.read_text() for each in sorted(kept.iterdir())] == ["mine once\n", "mine\n"]


def test_an_edit_that_a_later_run_wrote_over_counts_only_against_an_original(inputs: Inputs) -> None:
    """What we made goes; an older file of somebody's would replace what they wrote since, and so stops it."""
    made, theirs = inputs.layout.root / "etc/made", inputs.layout.root / "etc/theirs"
    theirs.write_text("original\n")
    for path in (made, theirs):
        applied(inputs, write(path, "ours\n"))
        path.write_text("mine\n")
        applied(inputs, write(path, "ours again\n"))
    plan = removal(scene(inputs))
    assert [str(theirs) in obstacle for obstacle in plan.obstacles] == [True]
    assert any(isinstance(each, RemoveFile) and each.path == made for c in plan.changes for each in c.operations)


def test_what_was_removed_by_hand_stays_away(inputs: Inputs) -> None:
    """Its owner did not want it any more; what we made and is gone is not worth a word."""
    theirs, ours = inputs.layout.root / "etc/theirs", inputs.layout.root / "etc/ours"
    theirs.write_text("theirs\n")
    for path in (theirs, ours):
        applied(inputs, write(path, "ours\n"))
        path.unlink()
    plan = removal(scene(inputs))
    assert plan.changes == ()
    assert stays(plan) == {str(theirs): "was removed by hand since, and stays away"}


def test_what_a_run_switched_off_comes_back(inputs: Inputs) -> None:
    """A link and a file of somebody else's that a run removed for ours are there again, byte for byte."""
    file, link = inputs.layout.root / "etc/theirs.conf", inputs.layout.root / "etc/link"
    file.write_text("theirs\n")
    link.symlink_to("theirs.conf")
    before = {path: state_of(path) for path in (file, link)}
    gone = (RemoveFile(link, "link theirs.conf"), RemoveFile(file, state_of(file).sha256))
    applied(inputs, Plan((), (Change("a site", gone),), (), (), ()))
    assert not file.exists()
    plan = removal(scene(inputs))
    assert stays(plan) == {}
    carry_out(replace(plan, result="applied"), inputs)
    assert {path: state_of(path) for path in (file, link)} == before


def test_a_directory_with_something_else_in_it_stays_and_says_so(inputs: Inputs) -> None:
    """With the names of what is in it."""
    applied(inputs)
    directory = inputs.answers.homeserver.config.parent
    (directory / "mine").touch()
    plan = removal(scene(inputs))
    assert stays(plan)[str(directory)] == "is not empty: mine"
    carry_out(replace(plan, result="applied"), inputs)
    assert [path.name for path in directory.iterdir()] == ["mine"]


def test_a_run_that_cannot_be_read_is_named(inputs: Inputs, tmp_path: Path) -> None:
    """Nobody knows what it did, so nothing is taken back."""
    applied(inputs, write(tmp_path / "etc/ours", "ours\n"))
    journal = inputs.layout.runs / "0001/journal.jsonl"
    journal.write_text(journal.read_text().replace('"format":1', '"format":0').replace('"format": 1', '"format": 0'))
    with pytest.raises(RefusedPlan, match="was written by version"):
        scene_of(inputs.host, None)


def test_what_explains_a_secret_is_shown_when_a_private_file_goes(inputs: Inputs) -> None:
    """The comments of answers.toml are ours; its secrets are hidden."""
    applied(inputs)
    shown = in_words(removal(scene(inputs)), inputs.host)
    _, _, answers = shown.partition(f"--- {inputs.layout.answers} (now)")
    answers, _, _ = answers.partition("\n--- ")
    assert "-# Token for registration" in answers
    assert "-# <secret" not in answers
    assert '-database_url = "<secret>"' in answers
    assert DATABASE not in shown
