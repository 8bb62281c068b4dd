"""An engine with a fault, for a lab host: the real one, but killed, or failing, at a chosen place.

``register ANSWERS``: make a run of the plan for these answers and print its id.
``register-removal``: make a run that takes back everything, and print its id.
``count ID``: print how many records its journal would have when all goes well.
``kill ID N``: carry it on, and die by SIGKILL right after the N-th record is on disk.
``hold ID N``: carry it on, and after the N-th record make the file /run/held and wait for SIGTERM.
``hold-back ID N``: roll it back, and wait in the same way.
``fail ID STEP before|after ERRNO``: carry it on; the act of a step raises, before or after it did its work.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from palpo_installer.changes import Plan
from palpo_installer.engine import launch
from palpo_installer.engine.journal import Journal, Record
from palpo_installer.engine.process import Engine
from palpo_installer.engine.rollback import refuse_edits
from palpo_installer.engine.run import Run
from palpo_installer.host import Host
from palpo_installer.operations.base import Json
from palpo_installer.plan import make
from palpo_installer.planning.removal import removal
from palpo_installer.serialization import load
from palpo_installer.session import begin, given, inputs_of, scene_of

HELD = Path("/run/held")


def register(answers: str) -> str:
    """Make a run and return its id."""
    host = Host()
    session = begin(host, given(host, Path(answers), ()))
    return launch.register(make(inputs_of(session)), session.resolved.secrets, host.layout)


def register_removal() -> str:
    """Make a run of a removal and return its id."""
    host = Host()
    return launch.register(removal(scene_of(host, None)), {}, host.layout)


def count(identity: str) -> int:
    """Return the number of records of a run that goes well."""
    plan = load((Host().layout.runs / identity / "plan.json").read_text(), Plan)
    operations = sum(len(change.operations) for change in plan.changes)
    activations = sum(change.activation is not None for change in plan.changes)
    return 3 * (operations + activations) + 1


def after_record(last: int, deed: Callable[[], None]) -> None:
    """Let something happen right after a number of records is on disk."""
    append, written = Journal.append, 0

    def append_and_do(journal: Journal, record: Record) -> None:
        nonlocal written
        append(journal, record)
        written += 1
        if written == last:
            deed()

    Journal.append = append_and_do  # type: ignore[method-assign, assignment]


def die() -> None:
    """End without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


def wait(engine: Engine) -> None:
    """Wait until the engine is told to end."""
    HELD.touch()
    while not engine._terminated:
        time.sleep(0.02)


def fail_at(step: str, when: str, error: int) -> None:
    """Let the act of a step raise."""
    perform = Run._perform

    def failing(run: Run, name: str, title: str, act: Callable[[], Json | None]) -> None:
        def act_and_fail() -> Json | None:
            if name != step:
                return act()
            if when == "after":
                act()
            raise OSError(error, os.strerror(error), title)

        perform(run, name, title, act_and_fail)

    Run._perform = failing  # type: ignore[method-assign, assignment]


def main() -> int:
    """Do what the arguments say."""
    engine = Engine(Host())
    engine.listen_to_signals()
    match sys.argv[1:]:
        case ["register", answers]:
            print(register(answers))  # noqa: T201
            return 0
        case ["register-removal"]:
            print(register_removal())  # noqa: T201
            return 0
        case ["count", identity]:
            print(count(identity))  # noqa: T201
            return 0
        case ["kill", identity, last]:
            after_record(int(last), die)
        case ["hold", identity, last]:
            after_record(int(last), partial(wait, engine))
        case ["hold-back", identity, last]:
            after_record(int(last), partial(wait, engine))
            return engine.roll_back(identity, refuse_edits)
        case ["fail", identity, step, when, name]:
            fail_at(step, when, getattr(errno, name))
        case _:
            return 2
    return engine.carry_on(identity)


if __name__ == "__main__":
    sys.exit(main())
