"""Many questions at once, over fresh connections, bounded in time whatever the other side does."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from palpo_installer.operations.base import Workbench
from palpo_installer.probe import Answer, Question, ask

THREADS = 16
PAUSE = 0.2
"""Seconds between two rounds."""

UNASKED = "no answer in time"


def uninterrupted(bench: Workbench) -> Workbench:
    """Return the workbench for taking back, which a wish to stop does not end half-way."""
    return replace(bench, check=lambda: None)


def ask_all(questions: Sequence[Question], bench: Workbench, limit: float) -> tuple[Answer, ...]:
    """Ask all and return the answers in the same order.

    A question without an answer when ``limit`` seconds are over has the problem ``UNASKED``. An answer that drips
    for ever keeps its own thread busy and nobody else: the threads do not hold up the end of the process.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    answered: queue.SimpleQueue[tuple[int, Answer]] = queue.SimpleQueue()
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            answered.put((number, ask(questions[number])))

    for number in range(len(questions)):
        waiting.put(number)
    for _ in range(min(THREADS, len(questions))):
        threading.Thread(target=work, daemon=True).start()
    try:
        return _collect(answered, len(questions), bench, time.monotonic() + limit)
    finally:
        over.set()


def _collect(
    answered: queue.SimpleQueue[tuple[int, Answer]], count: int, bench: Workbench, until: float
) -> tuple[Answer, ...]:
    answers = dict.fromkeys(range(count), Answer(problem=UNASKED))
    missing = count
    checked = 0.0
    while missing and (now := time.monotonic()) < until:
        if now - checked >= 1:
            bench.check()
            checked = now
        try:
            number, answer = answered.get(timeout=min(0.5, until - now))
        except queue.Empty:
            continue
        answers[number] = answer
        missing -= 1
    return tuple(answers.values())


def until_steady(
    questions: Sequence[Question],
    complain: Callable[[int, Answer], str],
    bench: Workbench,
    until: float,
    times: int,
) -> Mapping[int, str]:
    """Ask in rounds until each question was answered rightly ``times`` times in a row.

    Args:
        questions: what is asked, each round anew, as long as it is not settled.
        complain: says what is wrong with the answer to the question of that number; empty when it is right.
        bench: is asked between the rounds whether to go on.
        until: the deadline, in ``time.monotonic`` seconds; there is always one round.
        times: how many right answers in a row settle a question.

    Returns:
        The last complaint for each question that is not settled, by its number.
    """
    rows = [0] * len(questions)
    complaints: dict[int, str] = {}
    while True:
        open_numbers = [number for number, row in enumerate(rows) if row < times]
        left = max(1.0, until - time.monotonic())
        asked = [replace(questions[number], timeout=min(questions[number].timeout, left)) for number in open_numbers]
        for number, answer in zip(open_numbers, ask_all(asked, bench, max(5.0, left)), strict=True):
            complaint = complain(number, answer)
            rows[number] = 0 if complaint else rows[number] + 1
            if complaint:
                complaints[number] = complaint
        unsettled = [number for number, row in enumerate(rows) if row < times]
        if not unsettled or time.monotonic() >= until:
            return {number: complaints.get(number, "not asked often enough in time") for number in unsettled}
        bench.check()
        time.sleep(PAUSE)
