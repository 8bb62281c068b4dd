"""Any tree, any plan of file operations, any point of failure: the tree before, or the plan's end state."""

from __future__ import annotations

import errno
import os
import signal
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palpo_installer.changes import Plan
from palpo_installer.engine.journal import progress, read
from palpo_installer.engine.rollback import refuse_edits
from palpo_installer.engine.run import Run
from palpo_installer.errors import RefusedPlan
from palpo_installer.operations.places import place
from tests.engine.plans import run
from tests.engine.trees_of_files import PLANS, TREES, Entry, Thing, Wish, make, of_files, plan, seen
from tests.system_calls import Call, Sentence, is_possible, kill, watch

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="files that their owner may not read need root"),
    pytest.mark.skipif(not is_possible(), reason="system calls are filtered on x86-64 only"),
]
BOUNDLESS = settings(deadline=None, suppress_health_check=list(HealthCheck))
ERRORS = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO)


Tree = dict[bytes, Entry]


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a directory in memory, where that has extended attributes: a disk takes long to sync so often."""
    memory = Path("/dev/shm")
    try:
        with tempfile.NamedTemporaryFile(dir=memory) as file:
            os.setxattr(file.name, "user.note", b"")
    except OSError:
        return tempfile.TemporaryDirectory()
    return tempfile.TemporaryDirectory(dir=memory)


def bench(directory: str, things: Sequence[Thing]) -> Path:
    """Make a tree in a directory and return it."""
    etc = Path(directory, "etc")
    make(things, etc)
    return etc


@contextmanager
def opened(made: Plan, etc: Path, identity: str = "0001") -> Iterator[Run]:
    """Open a run of a plan, and close its files in the end."""
    with ExitStack() as ends:
        yield run(made, etc.parent, identity, ends)


def without_second_names(tree: Tree) -> Tree:
    """Return a tree as a later rollback restores it: bytes, mode, owner and attributes, but a file of its own."""
    return {path: replace(entry, links=0) for path, entry in tree.items()}


def end_state(etc: Path, made: Plan) -> Tree | None:
    """Apply a plan and roll it back; return what it came to, None where it was refused and nothing was touched."""
    before = seen(etc)
    with opened(made, etc) as going:
        outcome = going.apply()
    after = seen(etc)
    if outcome.result != "applied":
        assert outcome.result == "taken-back", outcome
        assert after == before
        return None
    assert not [path for path in after if b".palpo-installer" in path]
    with opened(made, etc) as going:
        assert going.roll_back(refuse_edits).result == "rolled-back"
    assert without_second_names(seen(etc)) == without_second_names(before)
    return after


def applied_and_rolled_back(things: Sequence[Thing], wishes: Sequence[Wish]) -> None:
    """Check a plan that nothing disturbs."""
    with scratch() as directory:
        etc = bench(directory, things)
        end_state(etc, plan(wishes, etc))


def disturbed(things: Sequence[Thing], wishes: Sequence[Wish], position: int, error: int) -> None:
    """Check a plan of which one system call fails, or is the last one before a SIGKILL where there is no error."""
    with scratch() as directory, scratch() as other:
        twin = bench(other, things)
        wanted = end_state(twin, plan(wishes, twin))
        etc = bench(directory, things)
        before, made = seen(etc), plan(wishes, etc)

        def strike(call: Call) -> int:
            return error or kill(call)

        with opened(made, etc) as going:
            code = watch(lambda: going.apply().exit_code, Sentence(position, strike))
        assert code in {0, 1, 5, -signal.SIGKILL}
        if code in {5, -signal.SIGKILL} and not is_complete(etc):
            with opened(made, etc) as going:
                assert going.take_back("taken-back", "cut off").problems == ()
            code = 1
        if code == 1:
            assert seen(etc) == before
        else:
            # A kill after the last record leaves dot names, which the next engine removes.
            with opened(made, etc) as going:
                going.tidy()
            assert seen(etc) == wanted


def is_complete(etc: Path) -> bool:
    """Return whether a run came to its end before it was killed."""
    end = progress(read(etc.parent / "var/runs/0001/journal.jsonl")).end
    return end is not None and end["result"] == "applied"


@dataclass(frozen=True)
class Edit:
    """Somebody writes a file of the tree anew, if there is one at this place of the list of all."""

    number: int


@dataclass(frozen=True)
class RollBack:
    """The newest run is rolled back."""


Deed = list[Wish] | Edit | RollBack
DEEDS = st.lists(st.one_of(PLANS, st.builds(Edit, st.integers(0, 9)), st.just(RollBack())), min_size=2, max_size=8)


@dataclass(frozen=True)
class Past:
    """A run that is in force, with the tree that it found and the one that it left."""

    made: Plan
    identity: str
    found: Tree
    left: Tree

    def touched(self, etc: Path) -> set[bytes]:
        """Return the paths that it wrote, as they really are."""
        paths = [place(operation.path) for change in self.made.changes for operation in of_files(change)]
        return {os.path.relpath(os.fsencode(path), os.fsencode(etc)) for path in paths}


def in_sequence(things: Sequence[Thing], deeds: Sequence[Deed]) -> None:
    """Check a sequence of runs, edits and rollbacks."""
    with scratch() as directory:
        etc, past = bench(directory, things), list[Past]()
        for number, deed in enumerate(deeds):
            match deed:
                case Edit():
                    edit(etc, deed.number)
                case RollBack() if past and roll_back(etc, past[-1]):
                    past.pop()
                case list():
                    found, made = seen(etc), plan(deed, etc)
                    with opened(made, etc, f"{number:04}") as going:
                        applied = going.apply().result == "applied"
                    if applied:
                        past.append(Past(made, f"{number:04}", found, seen(etc)))
                    else:
                        assert seen(etc) == found


def edit(etc: Path, number: int) -> None:
    """Write one of the tree's files anew."""
    files = [path for path, entry in sorted(seen(etc).items()) if stat.S_ISREG(entry.kind)]
    if files:
        file = etc / os.fsdecode(files[number % len(files)])
        file.unlink()
        file.write_text("by hand")


def roll_back(etc: Path, past: Past) -> bool:
    """Roll back a run and return whether nothing stood against it."""
    now = without_second_names(seen(etc))
    edited = {path: entry for path, entry in now.items() if entry != without_second_names(past.left).get(path)}
    with opened(past.made, etc, past.identity) as going:
        try:
            outcome = going.roll_back(refuse_edits)
        except RefusedPlan:
            assert edited.keys() & past.touched(etc)
            assert without_second_names(seen(etc)) == now
            return False
    assert outcome.result == "rolled-back"
    assert without_second_names(seen(etc)) == {**without_second_names(past.found), **edited}
    return True


POSITIONS = st.integers(1, 90)
STRIKES = st.sampled_from((0, 0, 0, *ERRORS))


often = pytest.mark.parametrize("examples", [60, pytest.param(2000, marks=pytest.mark.slow)])


@often
def test_applied_and_rolled_back(examples: int) -> None:
    """A plan is refused, or applied; rolled back, the tree is as before."""
    settings(BOUNDLESS, max_examples=examples)(given(TREES, PLANS)(applied_and_rolled_back))()


@often
def test_disturbed_at_any_call(examples: int) -> None:
    """SIGKILL or an error at the n-th system call: the tree is as before, or the plan is complete."""
    settings(BOUNDLESS, max_examples=examples)(given(TREES, PLANS, POSITIONS, STRIKES)(disturbed))()


@often
def test_runs_edits_and_rollbacks(examples: int) -> None:
    """One after the other: a rollback brings back what its run found, and stops at an edit of what its run made."""
    settings(BOUNDLESS, max_examples=examples)(given(TREES, DEEDS)(in_sequence))()
