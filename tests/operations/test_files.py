"""The operations on files, links and directories, on real files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import InstallerError, NotPutBack, RefusedPlan
from palpo_installer.operations.base import Operation, State
from palpo_installer.operations.files import MakeDirectory, MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.paths import PathState, state_of
from palpo_installer.operations.removing import KeepCopy, PutBack, RemoveDirectory
from palpo_installer.secret import SecretReference, Text
from tests.benches import workbench
from tests.trees import tree

Make = Callable[[Path], Operation]


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """Return a directory with an old file, a link and a directory in it."""
    directory = tmp_path / "etc"
    directory.mkdir()
    old = directory / "old"
    old.write_bytes(b"first\r\nno newline \xff")
    old.chmod(0o604)
    os.setxattr(old, "user.note", b"kept")
    (directory / "link").symlink_to("old")
    (directory / "empty").mkdir(mode=0o750)
    return directory


def write(path: Path, text: str = "new\n", planned: str | None = None) -> WriteFile:
    """Return the operation that writes a file which was planned for what is there now."""
    expected = state_of(path).sha256 if planned is None else planned
    return WriteFile(path, Text(text), 0o644, os.geteuid(), os.getegid(), expected)


def put_back(path: Path, data: bytes) -> PutBack:
    """Return the operation that brings back an earlier file, whose copy lies beside the directory."""
    copy = path.parents[1] / "copy-of-it"
    copy.write_bytes(data)
    attributes = (f"user.note={b'first'.hex()}",)
    original = PathState("file", hashlib.sha256(data).hexdigest(), 0o640, os.geteuid(), 12, attributes=attributes)
    return PutBack(path, copy, original, state_of(path).sha256)


KINDS: dict[str, Make] = {
    "new file": lambda etc: write(etc / "fresh"),
    "changed file": lambda etc: write(etc / "old"),
    "new link": lambda etc: MakeLink(etc / "also", "../elsewhere", ""),
    "changed link": lambda etc: MakeLink(etc / "link", "../elsewhere", "link old"),
    "removed file": lambda etc: RemoveFile(etc / "old", state_of(etc / "old").sha256),
    "removed link": lambda etc: RemoveFile(etc / "link", "link old"),
    "new directory": lambda etc: MakeDirectory(etc / "made", 0o750),
    "put back": lambda etc: put_back(etc / "old", b"original\n"),
    "kept copy": lambda etc: KeepCopy(etc / "copy", etc / "old", state_of(etc / "old").sha256),
    "removed directory": lambda etc: RemoveDirectory(etc / "empty"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_undone_act_leaves_the_tree_as_it_was(etc: Path, tmp_path: Path, kind: str) -> None:
    """Type, bytes, mode, owner, attributes and targets are the same after act, undo and finish."""
    bench, operation, before_tree = workbench(tmp_path), KINDS[kind](etc), tree(etc)
    before = operation.prepare(bench, 7)
    operation.stage(bench, before)
    assert operation.observe(bench, before) is State.BEFORE
    operation.act(bench, before)
    assert operation.observe(bench, before) is State.AFTER
    operation.undo(bench, before)
    operation.finish(bench, before)
    assert tree(etc) == before_tree


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_directory_that_is_read_whole_nothing_lies_beside(etc: Path, tmp_path: Path, kind: str) -> None:
    """Caddy before 2.7 and an Apache that includes the directory itself would load a dot name as one more site."""
    bench = replace(workbench(tmp_path), read_whole=(etc,))
    operation, before_tree = KINDS[kind](etc), tree(etc)
    before = operation.prepare(bench, 7)
    operation.stage(bench, before)
    assert tree(etc) == before_tree
    operation.act(bench, before)
    operation.restage(bench, before)
    assert not [each for each in etc.iterdir() if each.name.startswith(".")]
    operation.undo(bench, before)
    operation.finish(bench, before)
    assert tree(etc) == before_tree
    assert not list(tmp_path.glob(".palpo-installer-*"))


def test_another_file_system_above_a_directory_that_is_read_whole_is_said(
    etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be replaced in one step from there, so the plan is refused before anything is done."""
    stat = Path.stat

    def mounted(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = stat(path, follow_symlinks=follow_symlinks)
        return os.stat_result((*found[:2], found.st_dev + (path == etc), *found[3:]))

    monkeypatch.setattr(Path, "stat", mounted)
    bench = replace(workbench(tmp_path), read_whole=(etc,))
    with pytest.raises(RefusedPlan, match="another file system"):
        write(etc / "old", planned=hashlib.sha256(b"first\r\nno newline \xff").hexdigest()).prepare(bench, 7)


def test_a_link_comes_back_as_itself(etc: Path, tmp_path: Path) -> None:
    """The very link, whoever owns it: so no space is needed for it on a disk that is full by then."""
    link = etc / "link"
    bench, operation, there = workbench(tmp_path), RemoveFile(link, "link old"), link.lstat()
    before = operation.prepare(bench, 7)
    operation.stage(bench, before)
    operation.act(bench, before)
    operation.undo(bench, before)
    now = link.lstat()
    assert (now.st_ino, now.st_uid, now.st_mtime_ns) == (there.st_ino, there.st_uid, there.st_mtime_ns)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a link gets another owner")
def test_a_link_comes_back_to_its_owner_on_a_later_day(etc: Path, tmp_path: Path) -> None:
    """Then it is made anew, before the rollback touches anything."""
    link = etc / "link"
    os.chown(link, 12, 13, follow_symlinks=False)
    bench, operation = workbench(tmp_path), RemoveFile(link, "link old")
    before = operation.prepare(bench, 7)
    operation.stage(bench, before)
    operation.act(bench, before)
    operation.finish(bench, before)
    operation.restage(bench, before)
    operation.undo(bench, before)
    assert (link.lstat().st_uid, link.lstat().st_gid, str(link.readlink())) == (12, 13, "old")
    assert operation.observe(bench, before) is State.BEFORE


@pytest.mark.parametrize("kind", KINDS)
def test_acts_and_undos_can_be_repeated(etc: Path, tmp_path: Path, kind: str) -> None:
    """A second act, a second undo and an undo without an act change nothing and raise nothing."""
    bench, operation, before_tree = workbench(tmp_path), KINDS[kind](etc), tree(etc)
    before = operation.prepare(bench, 7)
    operation.stage(bench, before)
    operation.undo(bench, before)
    operation.act(bench, before)
    operation.act(bench, before)
    operation.undo(bench, before)
    operation.undo(bench, before)
    operation.finish(bench, before)
    assert tree(etc) == before_tree


@pytest.mark.parametrize("kind", KINDS)
def test_an_undo_of_a_later_day_uses_the_copy(etc: Path, tmp_path: Path, kind: str) -> None:
    """After finish, restage and undo bring back the same tree from the run's directory alone."""
    bench, operation, before_tree = workbench(tmp_path), KINDS[kind](etc), tree(etc)
    before = operation.prepare(bench, 7)
    operation.stage(bench, before)
    operation.act(bench, before)
    operation.finish(bench, before)
    assert not [path for path in tree(etc) if ".palpo-installer" in path]
    operation.restage(bench, before)
    operation.undo(bench, before)
    operation.finish(bench, before)
    assert tree(etc) == before_tree


def test_what_is_staged_has_a_dot_name(etc: Path, tmp_path: Path) -> None:
    """Before the act nothing lies in the directory that an include pattern would match."""
    bench, operation = workbench(tmp_path), write(etc / "old")
    before = operation.prepare(bench, 3)
    operation.stage(bench, before)
    added = {path.name for path in etc.iterdir()} - {"old", "link", "empty"}
    assert added == {".palpo-installer-0001-3.new.key", ".palpo-installer-0001-3.old.key"}
    assert not [path for path in etc.glob("*") if path.name in added and not path.name.startswith(".")]


def test_a_file_in_a_directory_that_is_made_later_is_staged_above_it(etc: Path, tmp_path: Path) -> None:
    """The space is reserved on the same file system, although the directory is not there yet."""
    bench = workbench(tmp_path)
    directory, file = MakeDirectory(etc / "made", 0o755), write(etc / "made" / "file", planned="")
    records = [operation.prepare(bench, number) for number, operation in enumerate((directory, file))]
    file.stage(bench, records[1])
    assert (etc / ".palpo-installer-0001-1.new.key").read_text() == "new\n"
    directory.act(bench, records[0])
    file.act(bench, records[1])
    assert (etc / "made" / "file").read_text() == "new\n"


@pytest.mark.parametrize("kind", ["new file", "changed file"])
def test_a_file_changed_since_the_plan_is_refused(etc: Path, tmp_path: Path, kind: str) -> None:
    """What was reviewed is what is done, or nothing."""
    operation = KINDS[kind](etc)
    assert isinstance(operation, WriteFile)
    operation.path.write_text("somebody was faster")
    with pytest.raises(RefusedPlan, match="changed since the plan was made"):
        operation.prepare(workbench(tmp_path), 1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.mkdir(), "is no regular file"),
        (os.mkfifo, "is no regular file"),
        (lambda path: path.symlink_to("elsewhere"), "is a link to elsewhere"),
    ],
)
def test_what_is_no_file_is_not_replaced(
    etc: Path, tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    """A directory, a pipe or a link in the file's place is named and left alone."""
    spoil(etc / "fresh")
    before_tree = tree(etc)
    with pytest.raises(InstallerError, match=message):
        write(etc / "fresh", planned="").prepare(workbench(tmp_path), 1)
    assert tree(etc) == before_tree


def test_an_edit_after_the_act_is_left_alone(etc: Path, tmp_path: Path) -> None:
    """Undo names a file that somebody changed meanwhile and does not touch it."""
    bench, operation = workbench(tmp_path), write(etc / "old")
    before = operation.prepare(bench, 1)
    operation.stage(bench, before)
    operation.act(bench, before)
    (etc / "old").write_text("an edit")
    assert operation.observe(bench, before) is State.OTHER
    with pytest.raises(NotPutBack, match="changed by somebody else"):
        operation.undo(bench, before)
    assert (etc / "old").read_text() == "an edit"


def test_edits_of_two_files_of_one_name_are_both_kept(etc: Path, tmp_path: Path) -> None:
    """What is given up is kept, also where files in two directories are called alike."""
    (etc / "sites").mkdir()
    bench = workbench(tmp_path)
    for number, path in enumerate((etc / "site", etc / "sites/site")):
        operation = write(path)
        before = operation.prepare(bench, number)
        operation.stage(bench, before)
        operation.act(bench, before)
        for _ in range(2):
            path.write_text(f"edit {number}")
            operation.surrender(bench, before)
    assert sorted(each.read_text() for each in bench.copies.glob("edited-site*")) == ["edit 0", "edit 1"]


def test_a_surrendered_edit_is_copied_and_then_undone(etc: Path, tmp_path: Path) -> None:
    """Giving up an edit keeps a copy of it and makes the undo possible."""
    bench, operation, before_tree = workbench(tmp_path), write(etc / "old"), tree(etc)
    before = operation.prepare(bench, 1)
    operation.stage(bench, before)
    operation.act(bench, before)
    operation.finish(bench, before)
    (etc / "old").write_text("an edit")
    given_up = operation.surrender(bench, before)
    operation.undo(bench, given_up)
    operation.finish(bench, given_up)
    assert tree(etc) == before_tree
    assert (bench.copies / "edited-old").read_text() == "an edit"


def test_secrets_are_in_the_file_and_nowhere_else(etc: Path, tmp_path: Path) -> None:
    """The record for the journal and the description have the placeholder, the file the escaped value."""
    reference = SecretReference("homeserver.database_url", "answer", "homeserver.database_url")
    text = Text(f'url = "{reference.placeholder}"\n', (reference,))
    operation = WriteFile(etc / "secret.toml", text, 0o600, os.geteuid(), os.getegid(), "")
    bench = workbench(tmp_path, {reference.name: 'postgres://u:p"\\w@h/d'})
    before = operation.prepare(bench, 1)
    operation.stage(bench, before)
    operation.act(bench, before)
    assert (etc / "secret.toml").read_text() == 'url = "postgres://u:p\\"\\\\w@h/d"\n'
    assert "p\\" not in str(before)
    assert "u:p" not in operation.describe(bench.host).diff
    assert (etc / "secret.toml").stat().st_mode & 0o777 == 0o600


def test_a_directory_with_something_in_it_stays(etc: Path, tmp_path: Path) -> None:
    """Taking back never deletes what others, or what is never undone, put into a directory."""
    bench, operation = workbench(tmp_path), MakeDirectory(etc / "made", 0o700)
    before = operation.prepare(bench, 1)
    operation.act(bench, before)
    (etc / "made" / "account").write_text("kept")
    operation.undo(bench, before)
    assert (etc / "made" / "account").read_text() == "kept"


def test_the_difference_names_both_sides(etc: Path, tmp_path: Path) -> None:
    """The review shows what goes and what comes."""
    diff = write(etc / "link2", planned="").describe(workbench(tmp_path).host).diff
    assert "+new" in diff.splitlines()
    (etc / "old").write_text("gone\n")
    assert "-gone" in write(etc / "old").describe(workbench(tmp_path).host).diff.splitlines()


def test_a_file_is_put_back_as_it_was(etc: Path, tmp_path: Path) -> None:
    """Bytes, mode, owner and attributes are the original's, not those of the file in between."""
    bench, operation = workbench(tmp_path), put_back(etc / "old", b"original\n")
    before = operation.prepare(bench, 1)
    operation.stage(bench, before)
    operation.act(bench, before)
    assert (etc / "old").read_bytes() == b"original\n"
    assert state_of(etc / "old") == operation.original


def test_a_copy_that_was_damaged_is_not_put_back(etc: Path, tmp_path: Path) -> None:
    """It is named before anything is touched."""
    operation = put_back(etc / "old", b"original\n")
    operation.copy.write_bytes(b"")
    with pytest.raises(RefusedPlan, match=r"is not the .*old that was copied any more") as raised:
        operation.prepare(workbench(tmp_path), 1)
    assert raised.value.where == str(operation.copy)


def test_a_put_back_hides_secrets(etc: Path, tmp_path: Path) -> None:
    """A palpo.toml is masked whatever its mode, also where it is removed."""
    host, path = workbench(tmp_path).host, etc / "palpo.toml"
    path.write_text('[db]\nurl = "postgres://u:swordfish@h/d"\n')
    shown = put_back(path, b'[db]\nurl = "postgres://u:hunter2@h/d"\n').describe(host)
    removed = RemoveFile(path, state_of(path).sha256).describe(host)
    for text in (shown.diff, removed.diff, *removed.details):
        assert "swordfish" not in text
        assert "hunter2" not in text
    assert "-url" in shown.diff
    assert "-url" in removed.diff


def test_a_directory_goes_when_what_was_in_it_is_gone_for_good(etc: Path, tmp_path: Path) -> None:
    """A removed file keeps a second name in it until the run is over; taken back, or with something else, it stays."""
    bench, path = workbench(tmp_path), etc / "empty" / "file"
    path.write_text("x")
    operations: list[Operation] = [RemoveFile(path, state_of(path).sha256), RemoveDirectory(path.parent)]

    def run(*, taken_back: bool) -> None:
        records = [operation.prepare(bench, number) for number, operation in enumerate(operations)]
        for operation, before in zip(operations, records, strict=True):
            operation.stage(bench, before)
        for operation, before in zip(operations, records, strict=True):
            operation.act(bench, before)
        for operation, before in reversed(list(zip(operations, records, strict=True)) if taken_back else []):
            operation.undo(bench, before)
        for operation, before in zip(operations, records, strict=True):
            operation.finish(bench, before)

    before_tree = tree(etc)
    run(taken_back=True)
    assert tree(etc) == before_tree
    (path.parent / "mine").touch()
    run(taken_back=False)
    assert [each.name for each in path.parent.iterdir()] == ["mine"]
    (path.parent / "mine").unlink()
    path.write_text("x")
    run(taken_back=False)
    assert not path.parent.exists()


def test_a_removed_directory_comes_back_itself_or_with_its_mode(etc: Path, tmp_path: Path) -> None:
    """Undone in its run it is the same one, without any space; later it is whole before it has its name."""
    bench, path = workbench(tmp_path), etc / "empty"
    operation, inode = RemoveDirectory(path), path.stat().st_ino
    before = operation.prepare(bench, 7)
    operation.act(bench, before)
    assert not path.exists()
    operation.undo(bench, before)
    assert path.stat().st_ino == inode
    operation.act(bench, before)
    operation.finish(bench, before)
    # What a kill leaves of the first attempt.
    (etc / ".palpo-installer-0001-7.old.half").mkdir(mode=0o755)
    operation.undo(bench, before)
    assert (state_of(path).mode, [each.name for each in etc.glob(".palpo*")]) == (0o750, [])
