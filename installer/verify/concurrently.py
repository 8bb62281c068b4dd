"""Several questions at once, under one time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def concurrently(tasks: Mapping[Key, Callable[[], Value]], deadline: float) -> dict[Key, Value]:
    """Run tasks side by side and return their results in the order of the tasks.

    One that has not ended by the deadline is left behind and missing: its thread ends with the process.

    Args:
        tasks: by whatever names them.
        deadline: on the clock ``time.monotonic``.

    Raises:
        RuntimeError: a task raised, which is a defect in it: trouble with the network is a result.
    """
    results: dict[Key, Value] = {}

    def run(key: Key) -> None:
        results[key] = tasks[key]()

    threads = {key: threading.Thread(target=run, args=(key,), daemon=True) for key in tasks}
    for thread in threads.values():
        thread.start()
    for key, thread in threads.items():
        thread.join(max(0.0, deadline - time.monotonic()))
        if not thread.is_alive() and key not in results:
            raise RuntimeError(f"{key} ended without a result; the reason is printed above")
    return {key: results[key] for key in tasks if key in results}
