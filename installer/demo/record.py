"""What the demonstration compares: the host's files before and after, and the neighbour's answers all along."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from palpo_installer.demo.premises import NEIGHBOUR
from palpo_installer.layout import Layout
from palpo_installer.operations.paths import PathState, state_of
from palpo_installer.probe import Answer, Question, ask

KEPT = ("/etc/palpo-installer/self-signed", "/etc/palpo-installer/keys", "/var/lib/palpo-installer")
"""What taking back leaves on purpose: authority and certificates, signing key, history."""

HOLDER = "/etc/palpo-installer"
"""The directory that stays for what is kept in it."""

RUNNING = ("/run", "/var/log", "/var/lib/nginx")
"""What running programs write by themselves."""

PAUSE = 0.1
"""Seconds between two rounds of questions to the neighbour."""


@dataclass(frozen=True)
class Files:
    """Every file, directory and link of a host, but for those that running programs write."""

    states: Mapping[str, PathState]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over path, type, bytes, mode, owner, attributes and link target of each."""
        lines = (f"{path}\0{state}\n" for path, state in sorted(self.states.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def differences(self, other: Files) -> tuple[str, ...]:
        """Return the paths that are not the same in another record."""
        paths = sorted({*self.states, *other.states})
        return tuple(path for path in paths if self.states.get(path) != other.states.get(path))


def files(layout: Layout) -> Files:
    """Return all that can be said of a host's files now."""
    left_out = {layout.at(path) for path in (*KEPT, *RUNNING)}
    below = (path for path in layout.root.rglob("*") if path != layout.at(HOLDER))
    found = (path for path in below if not left_out & {path, *path.parents})
    return Files({f"/{path.relative_to(layout.root)}": state_of(path) for path in found})


def kept(layout: Layout) -> tuple[Path, ...]:
    """Return what taking back has left on purpose."""
    return tuple(layout.at(path) for path in KEPT if layout.at(path).exists())


@dataclass
class Watch:
    """The neighbour's answers.

    Attributes:
        questions: what it is asked, again and again.
        first: what it answered in the beginning, in their order.
        count: how many answers came.
        others: answers that were not like the first, in words.
    """

    questions: tuple[Question, ...]
    first: tuple[str, ...]
    count: int = 0
    others: list[str] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> None:
        """Ask once, on each socket."""
        with self._turn:
            for question, expected in zip(self.questions, self.first, strict=True):
                came = in_words(ask(question))
                self.count += 1
                if came != expected:
                    self.others.append(came)


@contextmanager
def watching(layout: Layout) -> Iterator[Watch]:
    """Ask the neighbour on every one of its sockets until the end of the block."""
    questions = tuple(
        Question(address, port, tls, host=NEIGHBOUR, sni=NEIGHBOUR if tls else "")
        for address in layout.addresses
        for port, tls in ((layout.http_port, False), (layout.https_port, True))
    )
    watch, over = Watch(questions, tuple(in_words(ask(question)) for question in questions)), threading.Event()

    def work() -> None:
        while not over.wait(PAUSE):
            watch.look()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()


def in_words(answer: Answer) -> str:
    """Return all of an answer that must stay the same."""
    if answer.problem:
        return f"no answer: {answer.problem}"
    text = f'{answer.status}, "{answer.body.decode(errors="replace").strip()}"'
    return f"{text}, certificate {short(answer.certificate)}" if answer.certificate else text


def short(fingerprint: str) -> str:
    """Return the beginning of a fingerprint, enough to compare by eye."""
    return f"sha256 {fingerprint[:16]}"
