"""The run on real files: applied, taken back, rolled back, cut off at every record, and without space."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from palpo_installer.changes import Change, Plan
from palpo_installer.engine.journal import Journal, Record
from palpo_installer.engine.rollback import discard_edits, edited_since, refuse_edits
from palpo_installer.engine.run import Run
from palpo_installer.errors import Interrupted, RefusedPlan
from palpo_installer.operations import replacement
from palpo_installer.operations.files import MakeLink, WriteFile
from palpo_installer.operations.passing import RemoveWritten
from palpo_installer.operations.paths import state_of
from palpo_installer.operations.removing import RemoveDirectory
from palpo_installer.operations.replacement import Replacement
from palpo_installer.secret import Text
from palpo_installer.serialization import dump, load
from tests.engine.plans import old_host, plan, records, run
from tests.trees import tree

RECORDS = 2 + 6 + 2 * 8 + 1
"""Two activations and six operations prepared, eight steps begun and done, one end."""


def in_child(work: Callable[[], object]) -> int:
    """Do something in a child process and return how it ended, negative for a signal, 70 for an exception."""
    if (pid := os.fork()) == 0:
        try:
            work()
            os._exit(0)
        finally:
            # Whatever happens, this copy of the test runner must not go on.
            os._exit(70)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def apply_and_die(made: Plan, root: Path, last: int) -> None:
    """Apply a plan, and die by SIGKILL right after a number of records is on disk."""
    written = 0
    append = Journal.append

    def append_and_die(journal: Journal, record: Record) -> None:
        nonlocal written
        append(journal, record)
        written += 1
        if written == last:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.append = append_and_die  # type: ignore[method-assign, assignment]
    run(made, root).apply()


def test_a_plan_is_applied_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    """Every file is as planned, no dot name is left, and every act was in the journal before it."""
    etc = old_host(tmp_path)
    assert run(plan(etc), tmp_path).apply().result == "applied"
    assert (etc / "site.conf").read_text() == (etc / "memory-of-site").read_text() == "new site\n"
    assert sorted(tree(etc)) == [
        "enabled", "made", "made/deep", "memory-of-other", "memory-of-site", "other.conf", "site.conf",
    ]  # fmt: skip
    assert len(records(tmp_path)) == RECORDS


def test_a_gate_that_fails_takes_everything_back(tmp_path: Path) -> None:
    """When the second change is not as promised the first one is undone as well, and the cause is kept."""
    etc = old_host(tmp_path)
    before = tree(etc)
    outcome = run(plan(etc, second_works=False), tmp_path).apply()
    assert outcome.result == "taken-back"
    assert outcome.exit_code == 1
    assert "127.0.0.1:8448: does not answer as promised" in outcome.cause
    assert tree(etc) == before


@pytest.mark.parametrize("last", range(1, RECORDS))
def test_a_kill_after_any_record_is_recovered(tmp_path: Path, last: int) -> None:
    """SIGKILL right after each journal record leaves a host that the next start puts back."""
    etc = old_host(tmp_path)
    before, made = tree(etc), plan(etc)

    assert in_child(partial(apply_and_die, made, tmp_path, last)) == -signal.SIGKILL
    assert run(made, tmp_path).take_back("taken-back", "cut off").problems == ()
    assert tree(etc) == before


@pytest.mark.parametrize("last", range(RECORDS, RECORDS + 14))
def test_a_kill_while_taking_back_is_recovered(tmp_path: Path, last: int) -> None:
    """SIGKILL in the middle of an undo changes nothing about where it ends."""
    etc = old_host(tmp_path)
    before, made = tree(etc), plan(etc, second_works=False)

    assert in_child(partial(apply_and_die, made, tmp_path, last - 2)) == -signal.SIGKILL
    assert run(made, tmp_path).take_back("taken-back", "cut off").problems == ()
    assert tree(etc) == before


FAULTS = {"a full disk": errno.ENOSPC, "no permission": errno.EACCES, "a read-only disk": errno.EROFS}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", ["write_new", "fsync_directory"])
@pytest.mark.parametrize("nth", range(1, 9))
def test_an_error_at_any_write_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, place: str, nth: int
) -> None:
    """ENOSPC, EACCES and EROFS at the n-th write or sync leave the host as it was, with the error named."""
    etc = old_host(tmp_path)
    before, made = tree(etc), plan(etc)
    real, calls = getattr(replacement, place), 0

    def failing(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise OSError(FAULTS[fault], os.strerror(FAULTS[fault]), str(arguments[0]))
        return real(*arguments)

    monkeypatch.setattr(replacement, place, failing)
    outcome = run(made, tmp_path).apply()
    if calls < nth:
        assert outcome.result == "applied"
    else:
        assert outcome.result == "taken-back"
        assert os.strerror(FAULTS[fault]) in outcome.cause
        assert tree(etc) == before


def test_a_request_to_stop_takes_everything_back(tmp_path: Path) -> None:
    """The run looks between its steps whether it was asked to stop, and undoing does not look."""
    etc = old_host(tmp_path)
    before, going = tree(etc), run(plan(etc), tmp_path)
    left = 12

    def check() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Interrupted("stopped on request")

    going.bench = type(going.bench)(**{**vars(going.bench), "check": check})
    outcome = going.apply()
    assert (outcome.result, outcome.cause) == ("taken-back", "stopped on request")
    assert tree(etc) == before


def test_a_lock_of_orders_that_cannot_be_opened_keeps_nothing_from_going_back(tmp_path: Path) -> None:
    """On a disk that became read-only nobody can say whether an order is under way, and the files go back."""
    etc = old_host(tmp_path)
    before, going = tree(etc), run(plan(etc, second_works=False), tmp_path)

    def refuse() -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "lines.jsonl")

    going._settle = refuse
    assert going.apply().result == "taken-back"
    assert tree(etc) == before


def test_what_was_staged_and_cannot_be_removed_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host with our dot names on it is not as before: the run says so, and the next try removes them."""
    etc = old_host(tmp_path)
    before, made = tree(etc), plan(etc, second_works=False)
    finish = Replacement.finish

    def refuse(replacement: Replacement) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), replacement.staged)

    monkeypatch.setattr(Replacement, "finish", refuse)
    outcome = run(made, tmp_path).apply()
    assert outcome.exit_code == 5
    assert outcome.problems[0] == f"left behind: {etc}/.palpo-installer-0001-0.new.key: Read-only file system"
    monkeypatch.setattr(Replacement, "finish", finish)
    assert run(made, tmp_path).take_back("taken-back", "").result == "taken-back"
    assert tree(etc) == before


def test_two_names_of_one_place_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    """Where sites-enabled is a link to sites-available, the file and the link to it would be one and the same."""
    etc = old_host(tmp_path)
    (etc / "sites-enabled").symlink_to(".")
    before = tree(etc)
    file = WriteFile(etc / "ours", Text("ours"), 0o644, os.geteuid(), os.getegid(), "")
    made = Plan((), (Change("ours", (file, MakeLink(etc / "sites-enabled/ours", "../ours", ""))),), (), (), ())
    outcome = run(made, tmp_path).apply()
    assert outcome.exit_code == 1
    assert f"{etc}/sites-enabled/ours: is the same as {etc}/ours" in outcome.cause
    assert tree(etc) == before
    assert "acting" not in records(tmp_path)


def test_a_link_on_the_way_of_another_step_is_not_replaced(tmp_path: Path) -> None:
    """What was staged could not be found again once the link leads elsewhere, so the plan is refused untouched."""
    etc = old_host(tmp_path)
    (etc / "current").symlink_to(".")
    before = tree(etc)
    file = WriteFile(etc / "current/ours", Text("ours"), 0o644, os.geteuid(), os.getegid(), "")
    made = Plan((), (Change("ours", (file, MakeLink(etc / "current", "/srv", "link ."))),), (), (), ())
    outcome = run(made, tmp_path).apply()
    assert f"{etc}/current: is on the way to {etc}/current/ours" in outcome.cause
    assert tree(etc) == before


def test_a_path_below_a_link_of_the_same_plan_is_refused(tmp_path: Path) -> None:
    """Once the link is there the path is another one: the file would be lost on the way back."""
    etc = old_host(tmp_path)
    before = tree(etc)
    file = WriteFile(etc / "link/ours", Text("ours"), 0o644, os.geteuid(), os.getegid(), "")
    made = Plan((), (Change("ours", (MakeLink(etc / "link", ".", ""), file)),), (), (), ())
    outcome = run(made, tmp_path).apply()
    assert outcome.result == "taken-back"
    assert tree(etc) == before


def test_names_that_are_not_utf8_are_kept_in_the_journal(tmp_path: Path) -> None:
    """A path and a link's target may be any bytes; they come back from the journal as they are."""
    etc = old_host(tmp_path)
    (etc / "odd").symlink_to(os.fsdecode(b"caf\xe9\n"))
    before = tree(etc)
    link = MakeLink(etc / "odd", "site.conf", "link " + os.fsdecode(b"caf\xe9\n"))
    new = WriteFile(etc / os.fsdecode(b"\xff"), Text("ours"), 0o644, os.geteuid(), os.getegid(), "")
    made = load(dump(Plan((), (Change("ours", (link, new)),), (), (), ())), Plan)
    assert run(made, tmp_path).apply().result == "applied"
    assert (etc / os.fsdecode(b"\xff")).read_text() == "ours"
    assert run(made, tmp_path).roll_back(refuse_edits).result == "rolled-back"
    assert tree(etc) == before


def test_a_complete_run_is_rolled_back(tmp_path: Path) -> None:
    """A rollback of a later day brings back the tree from the run's directory."""
    etc = old_host(tmp_path)
    before, made = tree(etc), plan(etc)
    run(made, tmp_path).apply()
    assert run(made, tmp_path).roll_back(refuse_edits).result == "rolled-back"
    assert tree(etc) == before


@pytest.mark.parametrize("last", [None, *range(2, 9)])
def test_a_file_that_goes_again_in_its_own_run_is_rolled_back_and_recovered(tmp_path: Path, last: int | None) -> None:
    """Only the later step can be judged by what stands there; with its directory, both are back, also after a kill."""
    ours = tmp_path / "etc/ours"
    ours.mkdir(parents=True)
    (ours / "site").write_text("first\n")
    before = tree(tmp_path / "etc")
    owner = os.geteuid(), os.getegid()
    write = WriteFile(ours / "site", Text("in between\n"), 0o644, *owner, state_of(ours / "site").sha256)
    leaving = (RemoveWritten.after(write), RemoveDirectory(ours))
    made = Plan((), (Change("one", (write,)), Change("two", leaving)), (), (), ())
    if last is not None:
        assert in_child(partial(apply_and_die, made, tmp_path, last)) == -signal.SIGKILL
        assert run(made, tmp_path).take_back("taken-back", "killed").result == "taken-back"
        assert tree(tmp_path / "etc") == before
        return
    run(made, tmp_path).apply()
    assert not ours.exists()
    assert edited_since([run(made, tmp_path).path.parent]) == ()
    assert run(made, tmp_path).roll_back(refuse_edits).result == "rolled-back"
    assert tree(tmp_path / "etc") == before


def test_a_rollback_stops_at_an_edited_file(tmp_path: Path) -> None:
    """An edit since is named and nothing is touched; giving it up keeps a copy and goes through."""
    etc = old_host(tmp_path)
    before, made = tree(etc), plan(etc)
    run(made, tmp_path).apply()
    (etc / "site.conf").write_text("mine\n")
    edited = tree(etc)
    with pytest.raises(RefusedPlan, match=r"site\.conf: was edited since"):
        run(made, tmp_path).roll_back(refuse_edits)
    assert tree(etc) == edited
    going: Run = run(made, tmp_path)
    assert going.roll_back(discard_edits).result == "rolled-back"
    assert tree(etc) == before
    assert (going.bench.copies / "edited-site.conf").read_text() == "mine\n"


def test_a_rollback_without_space_touches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The space for all old files is taken before the first one is put back."""
    etc = old_host(tmp_path)
    made = plan(etc)
    run(made, tmp_path).apply()
    after = tree(etc)

    def full(path: Path, *_: object) -> None:
        if path.name.endswith("2.old.key.half.key"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, *_)  # type: ignore[arg-type]

    real = replacement.write_new
    monkeypatch.setattr(replacement, "write_new", full)
    with pytest.raises(RefusedPlan, match="No space left"):
        run(made, tmp_path).roll_back(refuse_edits)
    assert tree(etc) == after


def test_a_file_edited_while_it_ran_is_named_and_left(tmp_path: Path) -> None:
    """What somebody changed between act and undo stays, everything else goes back, and the exit code is 5."""
    etc = old_host(tmp_path)
    made = plan(etc)
    run(made, tmp_path).apply()
    (etc / "other.conf").write_text("somebody else\n")
    outcome = run(made, tmp_path).take_back("taken-back", "")
    assert outcome.exit_code == 5
    assert "other.conf: was changed by somebody else" in outcome.problems[0]
    assert (etc / "other.conf").read_text() == "somebody else\n"
    assert (etc / "site.conf").read_text() == "old site\n"
