"""Any tree, any plan of file operations, any point of failure: the tree before, or the plan's end state."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palpo_installer.changes import Plan
from palpo_installer.engine.journal import progress, read
from palpo_installer.engine.process import refuse_edits
from palpo_installer.engine.run import Run
from tests.engine.plans import run
from tests.engine.trees_of_files import PLANS, TREES, Entry, Thing, Wish, make, plan, seen
from tests.system_calls import Call, Sentence, is_possible, kill, watch

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="files that their owner may not read need root"),
    pytest.mark.skipif(not is_possible(), reason="system calls are filtered on x86-64 only"),
]
FAST = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(FAST, max_examples=2000)
ERRORS = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO)


Tree = dict[bytes, Entry]


def bench(directory: str, things: Sequence[Thing]) -> Path:
    """Make a tree in a directory and return it."""
    etc = Path(directory, "etc")
    make(things, etc)
    return etc


@contextmanager
def opened(made: Plan, etc: Path, identity: str = "0001") -> Iterator[Run]:
    """Open a run of a plan, and close its files in the end."""
    going = run(made, etc.parent, identity)
    try:
        yield going
    finally:
        going.journal.close()
        os.close(going._events._descriptor)


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
    with tempfile.TemporaryDirectory() as directory:
        etc = bench(directory, things)
        end_state(etc, plan(wishes, etc))


def disturbed(things: Sequence[Thing], wishes: Sequence[Wish], position: int, error: int) -> None:
    """Check a plan of which one system call fails, or is the last one before a SIGKILL where there is no error."""
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as other:
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


POSITIONS = st.integers(1, 90)
STRIKES = st.sampled_from((0, 0, 0, *ERRORS))


@FAST
@given(things=TREES, wishes=PLANS)
def test_applied_and_rolled_back(things: Sequence[Thing], wishes: Sequence[Wish]) -> None:
    """A plan is refused, or applied; rolled back, the tree is as before."""
    applied_and_rolled_back(things, wishes)


@FAST
@given(things=TREES, wishes=PLANS, position=POSITIONS, error=STRIKES)
def test_disturbed_at_any_call(things: Sequence[Thing], wishes: Sequence[Wish], position: int, error: int) -> None:
    """SIGKILL or an error at the n-th system call: the tree is as before, or the plan is complete."""
    disturbed(things, wishes, position, error)


@pytest.mark.slow
@MANY
@given(things=TREES, wishes=PLANS)
def test_many_applied_and_rolled_back(things: Sequence[Thing], wishes: Sequence[Wish]) -> None:
    """The same, many times."""
    applied_and_rolled_back(things, wishes)


@pytest.mark.slow
@MANY
@given(things=TREES, wishes=PLANS, position=POSITIONS, error=STRIKES)
def test_many_disturbed_at_any_call(things: Sequence[Thing], wishes: Sequence[Wish], position: int, error: int) -> None:
    """The same, many times."""
    disturbed(things, wishes, position, error)
