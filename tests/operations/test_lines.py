"""The operation on single lines of somebody else's file, on real files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.changes import Change, Plan
from palpo_installer.errors import NotPutBack, RefusedPlan
from palpo_installer.operations.base import Json, State, Workbench
from palpo_installer.operations.lines import AddedLine, EditLines, directive
from palpo_installer.operations.paths import state_of
from palpo_installer.serialization import dump, load
from tests.benches import workbench
from tests.trees import tree

SITE = b"server {\r\n    listen 443 ssl;\n    server_name example.com; # \xff\n    location / { }\n}"
OURS = "include /etc/nginx/palpo-installer/example.com-443.con[f];"
LINE = AddedLine(f"    {OURS} # palpo-installer: Matrix discovery", 4)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a site's file with a mode, an attribute, two kinds of line ends, no last one, and a byte of Latin-1."""
    path = tmp_path / "etc" / "site"
    path.parent.mkdir()
    path.write_bytes(SITE)
    path.chmod(0o604)
    os.setxattr(path, "user.note", b"kept")
    return path


def adding(site: Path, *lines: AddedLine) -> EditLines:
    """Return the operation that adds our line to what is there now."""
    return EditLines(site, site, lines or (LINE,), (), state_of(site).sha256)


def dropping(site: Path) -> EditLines:
    """Return the operation that takes our line out of what is there now."""
    return EditLines(site, site, (), (OURS,), state_of(site).sha256)


def done(operation: EditLines, bench: Workbench, number: int = 0) -> Json:
    """Carry an operation out as a run does, to its end, and return its record."""
    before = operation.prepare(bench, number)
    operation.stage(bench, before)
    operation.act(bench, before)
    operation.finish(bench, before)
    return before


def later(operation: EditLines, bench: Workbench, before: Json) -> None:
    """Take an operation back as a rollback of a later day does."""
    operation.restage(bench, before)
    operation.undo(bench, before)
    operation.finish(bench, before)


def with_line(site: Path) -> Path:
    """Let our line stand in the file, as an earlier run left it."""
    site.write_bytes(SITE.replace(b"    location", f"{LINE.text}\n    location".encode()))
    return site


MAKES: dict[str, Callable[[Path], EditLines]] = {"add": adding, "drop": lambda site: dropping(with_line(site))}


def test_one_line_is_added_and_nothing_else_changes(site: Path, tmp_path: Path) -> None:
    """The line stands where it was planned, and ends as the one before it; mode, owner and attributes are the same."""
    before = state_of(site)
    done(adding(site), workbench(tmp_path))
    assert site.read_bytes() == SITE.replace(b"    location", f"{LINE.text}\n    location".encode())
    after = state_of(site)
    assert (after.mode, after.uid, after.gid, after.attributes) == (
        before.mode,
        before.uid,
        before.gid,
        before.attributes,
    )


def test_a_line_ends_as_the_one_before_it(site: Path, tmp_path: Path) -> None:
    """In a file with line ends of Windows ours has them too."""
    site.write_bytes(b"server {\r\n}\r\n")
    done(adding(site, AddedLine("x;", 2)), workbench(tmp_path))
    assert site.read_bytes() == b"server {\r\nx;\r\n}\r\n"


def test_two_lines_go_into_one_file_at_once(site: Path, tmp_path: Path) -> None:
    """The numbers of both are those of the file that was planned for."""
    done(adding(site, AddedLine("one;", 2), AddedLine("two;", 4)), workbench(tmp_path))
    lines = site.read_bytes().splitlines()
    assert (lines[1], lines[4]) == (b"one;", b"two;")


@pytest.mark.parametrize("kind", MAKES)
def test_an_undo_in_the_same_run_brings_back_the_very_file(site: Path, tmp_path: Path, kind: str) -> None:
    """The same inode, and a tree without anything staged; twice is no matter."""
    operation, bench = MAKES[kind](site), workbench(tmp_path)
    inode, before_tree = site.stat().st_ino, tree(site.parent)
    before = operation.prepare(bench, 0)
    operation.stage(bench, before)
    assert operation.observe(bench, before) is State.BEFORE
    for _ in range(2):
        operation.act(bench, before)
    assert operation.observe(bench, before) is State.AFTER
    for _ in range(2):
        operation.undo(bench, before)
    operation.finish(bench, before)
    assert site.stat().st_ino == inode
    assert tree(site.parent) == before_tree


@pytest.mark.parametrize("kind", MAKES)
def test_a_rollback_of_an_untouched_file_brings_back_every_byte(site: Path, tmp_path: Path, kind: str) -> None:
    """From the copy in the run's directory, with nothing left beside the file."""
    operation, bench = MAKES[kind](site), workbench(tmp_path)
    before_tree = tree(site.parent)
    later(operation, bench, done(operation, bench))
    assert tree(site.parent) == before_tree


def test_without_its_copy_the_line_is_taken_out_all_the_same(site: Path, tmp_path: Path) -> None:
    """After ten runs the copies are gone; our line is known by itself."""
    operation, bench = adding(site), workbench(tmp_path)
    before = done(operation, bench)
    (bench.copies / "0").unlink()
    later(operation, bench, before)
    assert site.read_bytes() == SITE


def test_an_edit_since_survives_a_rollback(site: Path, tmp_path: Path) -> None:
    """A file with our line is `after` whatever else changed; then exactly our line goes, and new rights stay."""
    operation, bench = adding(site), workbench(tmp_path)
    before = done(operation, bench)
    site.write_bytes(site.read_bytes().replace(b"location / { }", b"location / { return 204; }"))
    site.chmod(0o640)
    assert operation.observe(bench, before) is State.AFTER
    later(operation, bench, before)
    assert site.read_bytes() == SITE.replace(b"location / { }", b"location / { return 204; }")
    assert (site.stat().st_mode & 0o777, os.getxattr(site, "user.note")) == (0o640, b"kept")
    assert [path.name for path in site.parent.iterdir()] == ["site"]


def test_a_line_moved_and_with_another_comment_is_still_ours(site: Path, tmp_path: Path) -> None:
    """Indentation, place and comment are the owner's to change."""
    operation, bench = adding(site), workbench(tmp_path)
    before = done(operation, bench)
    site.write_bytes(SITE.replace(b"    listen", f"\t include   {OURS.split()[1]}  # mine now\n    listen".encode()))
    assert operation.observe(bench, before) is State.AFTER
    later(operation, bench, before)
    assert site.read_bytes() == SITE


@pytest.mark.parametrize("gone", ["line", "file"])
def test_what_somebody_took_out_himself_is_before(site: Path, tmp_path: Path, gone: str) -> None:
    """Without our line, or without the whole file, there is nothing to take back, and nothing is touched."""
    operation, bench = adding(site), workbench(tmp_path)
    before = done(operation, bench)
    site.write_bytes(SITE + b"\n# edited\n") if gone == "line" else site.unlink()
    left = tree(site.parent)
    assert operation.observe(bench, before) is State.BEFORE
    later(operation, bench, before)
    assert tree(site.parent) == left


def test_a_link_in_the_place_of_the_file_is_left_alone(site: Path, tmp_path: Path) -> None:
    """What is no file any more is `other`, and named."""
    operation, bench = adding(site), workbench(tmp_path)
    before = done(operation, bench)
    site.unlink()
    site.symlink_to("/dev/null")
    assert operation.observe(bench, before) is State.OTHER
    with pytest.raises(NotPutBack, match="no regular file"):
        operation.undo(bench, before)


def test_a_dropped_line_comes_back_between_its_neighbours(site: Path, tmp_path: Path) -> None:
    """Also when the file was edited elsewhere since."""
    operation, bench = dropping(with_line(site)), workbench(tmp_path)
    with_ours = site.read_bytes()
    before = done(operation, bench)
    assert site.read_bytes() == SITE
    site.write_bytes(b"# more\n" + SITE)
    assert operation.observe(bench, before) is State.AFTER
    later(operation, bench, before)
    assert site.read_bytes() == b"# more\n" + with_ours


def test_a_line_that_moves_goes_back_to_where_it_stood(site: Path, tmp_path: Path) -> None:
    """It is taken out and added elsewhere in one edit: undone at once, later, and after an edit of somebody's."""
    with_ours = with_line(site).read_bytes()
    operation = EditLines(site, site, (replace(LINE, before=3),), (OURS,), state_of(site).sha256)
    for edit in (b"", b"# more\n"):
        bench = workbench(tmp_path / f"run {len(edit)}")
        before = done(operation, bench)
        moved = SITE.replace(b"    server_name", f"{LINE.text}\n    server_name".encode())
        assert site.read_bytes() == moved
        site.write_bytes(edit + moved)
        assert operation.observe(bench, before) is State.AFTER
        later(operation, bench, before)
        assert site.read_bytes() == edit + with_ours


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_dropped_line_at_either_end_of_a_file_comes_back_there(tmp_path: Path, place: str) -> None:
    """It has one neighbour only; a line that ends as the file's other lines do."""
    site, theirs = tmp_path / "site", b"example.com\r\nrespond hi\r\n"
    site.write_bytes(theirs)
    done(adding(site, AddedLine(OURS, 1)), workbench(tmp_path / "earlier"))
    assert site.read_bytes() == OURS.encode() + b"\r\n" + theirs
    if place == "last":
        site.write_bytes(theirs + OURS.encode() + b"\r\n")
    whole, operation, bench = site.read_bytes(), dropping(site), workbench(tmp_path)
    before = done(operation, bench)
    site.write_bytes(theirs.replace(b"\r\nrespond", b"\r\n# edited\r\nrespond"))
    later(operation, bench, before)
    assert site.read_bytes() == whole.replace(b"\r\nrespond", b"\r\n# edited\r\nrespond")


def test_a_dropped_line_whose_place_is_gone_is_named(site: Path, tmp_path: Path) -> None:
    """It is not put just anywhere: the person gets the line to put back."""
    operation, bench = dropping(with_line(site)), workbench(tmp_path)
    before = done(operation, bench)
    site.write_bytes(b"server { listen 443 ssl; }\n")
    with pytest.raises(NotPutBack, match=r"not clear where this line belongs: include /etc/nginx"):
        operation.restage(bench, before)
    assert site.read_bytes() == b"server { listen 443 ssl; }\n"


def test_a_file_edited_between_plan_and_run_is_refused(site: Path, tmp_path: Path) -> None:
    """The number of the line would no longer be right."""
    operation = adding(site)
    site.write_bytes(b"# first\n" + SITE)
    with pytest.raises(RefusedPlan, match="changed since the plan"):
        operation.prepare(workbench(tmp_path), 0)


def test_an_edit_while_the_run_is_under_way_is_not_overwritten(site: Path, tmp_path: Path) -> None:
    """Between the copies and the act: the run stops, and the edit stays."""
    operation, bench = adding(site), workbench(tmp_path)
    before = operation.prepare(bench, 0)
    operation.stage(bench, before)
    site.write_bytes(b"# edited\n" + SITE)
    with pytest.raises(RefusedPlan, match="by somebody else"):
        operation.act(bench, before)
    operation.undo(bench, before)
    assert site.read_bytes() == b"# edited\n" + SITE


def test_a_half_written_file_of_a_killed_rollback_is_not_used(site: Path, tmp_path: Path) -> None:
    """What lies staged is used only when it is what an undo wants to the last bit."""
    operation, bench = adding(site), workbench(tmp_path)
    before = done(operation, bench)
    site.write_bytes(site.read_bytes() + b"\n# edited\n")
    operation.restage(bench, before)
    Path(str(before["staged"])).write_bytes(b"server {")
    operation.undo(bench, before)
    operation.finish(bench, before)
    assert site.read_bytes() == SITE + b"\n# edited\n"
    assert [path.name for path in site.parent.iterdir()] == ["site"]


def test_the_review_shows_the_line_and_both_names(site: Path, tmp_path: Path) -> None:
    """A link and the file behind it are named, the diff has our line and no other, and a plan keeps all of it."""
    link = tmp_path / "enabled"
    link.symlink_to(site)
    operation = EditLines(site, link, (LINE,), (), state_of(site).sha256)
    shown = operation.describe(workbench(tmp_path).host)
    assert shown.title == f"add one line to {site}"
    assert f"{link} is a link to it" in shown.details
    changed = [line for line in shown.diff.splitlines()[2:] if line[:1] in "+-"]
    assert changed == [f"+{LINE.text}"]
    plan = Plan((), (Change("lines", (operation,)),), (), (), ())
    assert load(dump(plan), Plan) == plan


def test_a_directive_is_known_without_its_comment() -> None:
    """Spaces and what follows the number sign do not count."""
    assert directive(f"\t{LINE.text} and more") == OURS


def test_two_lines_for_one_place_both_come_to_stand_there(site: Path, tmp_path: Path) -> None:
    """As where one site answers on both ports: in their order, with the line ends of the file, and both go again."""
    other = AddedLine("    include /etc/nginx/palpo-installer/example.com-80.con[f];", LINE.before)
    site.write_bytes(SITE.replace(b"com; # \xff\n", b"com; # \xff\r\n"))
    operation, bench = adding(site, LINE, other), workbench(tmp_path)
    before = done(operation, bench)
    assert site.read_bytes().split(b"\r\n")[2:4] == [LINE.text.encode(), other.text.encode()]
    assert operation.observe(bench, before) is State.AFTER
    later(operation, bench, before)
    assert site.read_bytes() == SITE.replace(b"com; # \xff\n", b"com; # \xff\r\n")
