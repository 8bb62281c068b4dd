"""The demonstration as a whole: a directory, the programs in it, the steps, and nothing left behind."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from palpo_installer.answers import Address
from palpo_installer.demo import premises, programs, record
from palpo_installer.demo.premises import Premises
from palpo_installer.demo.story import Story
from palpo_installer.demo.tour import Tour
from palpo_installer.host import Host

Talk = Callable[[Premises], int]
"""Lets the person answer, review and apply; returns the exit code."""


def demonstrate(nginx: Path, story: Story, talk: Talk | None, pause: Callable[[str], None], *, keep: bool) -> int:
    """Go the whole way on a made-up host and return the exit code.

    Args:
        nginx: the program.
        story: who tells it.
        talk: the conversation with the person, None where nobody is there to talk to.
        pause: waits for the person, where there is one.
        keep: whether the made-up host's files stay.

    Raises:
        InstallerError: something did not happen as it should.
    """
    began = time.monotonic()
    with _ending_in_order(), _directory(story, keep=keep) as root:
        build = programs.build_of(Host(), nginx)
        made_up = premises.build(root, build)
        layout = made_up.layout
        story.say(
            f"The host is in the directory below, on {' and '.join(layout.addresses)}, where port {layout.http_port} "
            f"stands for 80 and {layout.https_port} for 443. Every name leads there; no name server is asked."
        )
        story.begin(str(root))
        with _alive(made_up, programs.nginx(made_up, nginx, build), story) as tour:
            code = _by_itself(tour) if talk is None else _with(tour, talk, pause)
    story.end()
    story.say(
        f"That took {time.monotonic() - began:.0f} seconds. On a host of your own: palpo-installer, as root. It shows "
        "every change before it makes it."
    )
    return code


def _by_itself(tour: Tour) -> int:
    tour.find()
    tour.apply(*tour.review())
    _after_apply(tour)
    return 0


def _with(tour: Tour, talk: Talk, pause: Callable[[str], None]) -> int:
    tour.find()
    tour.story.step("Your turn: every answer is filled in, and Enter leads from one to the next")
    tour.story.say("Change what you like; nothing is changed before the review. Then apply, and leave.")
    pause("Enter begins:")
    code = talk(tour.premises)
    with _ending_in_order():
        if not tour.is_applied:
            tour.story.step("Nothing is in force: the host as it was")
            tour.compare()
            return code
        tour.story.step("Applied: what answers now")
        _after_apply(tour, pause)
    return code


def _after_apply(tour: Tour, pause: Callable[[str], None] | None = None) -> None:
    tour.prove()
    tour.verify()
    if pause is not None:
        tour.story.say("In another terminal, the commands above show the same; set DEMO there first.")
        pause("Enter goes on:")
    tour.repeat()
    tour.fail()
    tour.roll_back()
    tour.compare()


@contextmanager
def _alive(made_up: Premises, nginx: Sequence[str], story: Story) -> Iterator[Tour]:
    """Run the host's programs; none is left behind, an engine that was interrupted included."""
    layout = made_up.layout
    web = programs.running(made_up, nginx, Address(layout.addresses[0], layout.http_port))
    stand_in = programs.running(made_up, programs.homeserver(made_up))
    with web, stand_in, record.watching(layout) as watch:
        try:
            yield Tour(made_up, watch, story)
        finally:
            programs.end_engines(layout.root)


@contextmanager
def _directory(story: Story, *, keep: bool) -> Iterator[Path]:
    """Give a directory that is gone afterwards, unless it is to stay."""
    root = Path(tempfile.mkdtemp(prefix="palpo-installer-demo-")).resolve()
    try:
        yield root
    finally:
        story.end()
        if keep:
            story.say(f"The programs have ended. The host's files stay: {root}")
        else:
            shutil.rmtree(root)
            story.say(f"The programs have ended, and {root} is removed.")


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let a closed terminal, or a wish to end, end the programs as well."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    former = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
