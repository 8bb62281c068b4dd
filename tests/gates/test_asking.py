from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import Interrupted
from palpo_installer.gates.asking import UNASKED, ask_all, until_steady
from palpo_installer.probe import Answer, Question
from tests.benches import workbench
from tests.gates.servers import serving


def question(port: int) -> Question:
    """Return a request to a port of loopback."""
    return Question("127.0.0.1", port, tls=False)


@contextmanager
def dripping() -> Iterator[int]:
    """Serve an answer whose body never ends: a byte now and then."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            while not over.wait(0.1):
                connection.sendall(b".")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: drip(server.accept()[0]))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


def test_answers_come_in_the_order_of_the_questions(tmp_path: Path) -> None:
    """More questions than threads, to servers of different statuses."""
    with serving(lambda _: (200, {})) as first, serving(lambda _: (404, {})) as second:
        answers = ask_all([question(port) for port in (first, second) * 20], workbench(tmp_path), limit=20)
    assert [answer.status for answer in answers] == [200, 404] * 20


def test_an_endless_answer_is_given_up(tmp_path: Path) -> None:
    """The limit holds although every single read succeeds; other answers are not lost."""
    started = time.monotonic()
    with dripping() as endless, serving(lambda _: (200, {})) as port:
        answers = ask_all([question(endless), question(port)], workbench(tmp_path), limit=0.5)
    assert time.monotonic() - started < 3
    assert [answer.problem for answer in answers] == [UNASKED, ""]


def test_a_wish_to_stop_ends_the_asking(tmp_path: Path) -> None:
    """``check`` is asked while answers are awaited."""

    def check() -> None:
        raise Interrupted("asked to stop")

    started = time.monotonic()
    with dripping() as endless, pytest.raises(Interrupted):
        ask_all([question(endless)], replace(workbench(tmp_path), check=check), limit=30)
    assert time.monotonic() - started < 3


def complain(_: int, answer: Answer) -> str:
    """Want status 200."""
    return "" if answer.status == 200 else f"status {answer.status}"


def test_a_row_begins_anew_after_a_wrong_answer(tmp_path: Path) -> None:
    """Right, right, wrong, then right: six answers in all until three were right in a row."""
    asked: list[int] = []

    def reply(number: int) -> tuple[int, dict[str, str]]:
        asked.append(number)
        return (503 if number == 2 else 200), {}

    with serving(reply) as port:
        complaints = until_steady([question(port)], complain, workbench(tmp_path), time.monotonic() + 20, times=3)
    assert complaints == {}
    assert len(asked) == 6


def test_what_is_not_settled_in_time_is_told_by_number(tmp_path: Path) -> None:
    """One of two never answers as wanted; there is one round even when the time is already over."""
    with serving(lambda _: (200, {})) as good, serving(lambda _: (502, {})) as bad:
        questions = [question(good), question(bad)]
        complaints = until_steady(questions, complain, workbench(tmp_path), time.monotonic(), times=1)
    assert complaints == {1: "status 502"}


def test_an_alternating_socket_never_settles(tmp_path: Path) -> None:
    """Old and new workers that share a port give a right answer every other time, which is not enough."""
    with serving(lambda number: (200 + 4 * (number % 2), {})) as port:
        complaints = until_steady([question(port)], complain, workbench(tmp_path), time.monotonic() + 1, times=3)
    assert complaints == {0: "status 204"}
