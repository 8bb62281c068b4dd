"""Questions side by side."""

from __future__ import annotations

import threading
import time

import pytest

from palpo_installer.verify.concurrently import concurrently


def test_side_by_side_and_in_order() -> None:
    """Tasks that wait for each other all end, and their results come in the order of the tasks."""
    both = threading.Barrier(2, timeout=5)
    found = concurrently({"a": lambda: both.wait() >= 0, "b": lambda: both.wait() >= 0}, time.monotonic() + 5)
    assert list(found.items()) == [("a", True), ("b", True)]


def test_the_time_limit_holds() -> None:
    """A task that does not end is left behind; the others' results are there."""
    never = threading.Event()
    before = time.monotonic()
    found = concurrently({"slow": lambda: never.wait(60), "fast": lambda: True}, before + 0.2)
    never.set()
    assert found == {"fast": True}
    assert time.monotonic() - before < 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_is_not_silent() -> None:
    """A task that raises is no missing answer."""

    def defect() -> None:
        raise KeyError("defect")

    with pytest.raises(RuntimeError, match="task ended without a result"):
        concurrently({"task": defect}, time.monotonic() + 5)
