"""Starting the engine, showing what it does line by line, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import click

from palpo_installer import result
from palpo_installer.changes import Plan
from palpo_installer.commands.asking import Question
from palpo_installer.engine import launch, lock
from palpo_installer.engine.confirmation import confirm, waiting
from palpo_installer.engine.events import Event, parse
from palpo_installer.engine.history import past_run, runs
from palpo_installer.engine.journal import progress, read
from palpo_installer.engine.process import Engine
from palpo_installer.engine.silence import give_up
from palpo_installer.errors import Locked, RefusedPlan
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.secret import Secret

Say = Callable[[str], None]
"""Prints a line."""

LABELS = {
    "preparing": "wait ",
    "done": "done ",
    "undone": "back ",
    "waiting": "wait ",
    "problem": "FAIL ",
}


def show(event: Event, say: Say = click.echo) -> None:
    """Print an event as one line; what begins is only printed when it is done, findings with the result."""
    if event.kind == "ended":
        say(event.text)
    elif event.kind in LABELS:
        say(f"  {LABELS[event.kind]} {event.text}")


def carry_out(
    host: Host, plan: Plan, secrets: Mapping[str, Secret], say: Say = click.echo, confirm_within: int | None = None
) -> int:
    """Make a run of a plan, follow it to its end and tell how it ended; return the exit code.

    With ``confirm_within`` it takes itself back after so many seconds unless somebody confirms it.
    """
    identity = launch.register(plan, secrets, host.layout, confirm_within)
    say(f"Run {identity}")
    code = perform(host, identity, say=say)
    tell(host.layout, identity, say)
    return code


def perform(host: Host, identity: str, *arguments: str, say: Say = click.echo) -> int:
    """Start the engine for a run and follow it to its end; when it dies, start another that takes back."""
    offset = launch.position(host.layout, identity)
    with launch.asking_to_stop(host.layout, identity):
        launch.start(host, identity, *arguments)
        code = watch(host.layout, identity, say, offset)
    if code is not None:
        return code
    if never := give_up(host.layout, identity):
        say(never)
        return 1
    say("The engine ended without a word. Taking back what it began.")
    try:
        return recover(host, say)
    except Locked:
        # Whoever started the engine has noticed too, and was faster.
        return join(host, say)


def watch(layout: Layout, identity: str, say: Say, offset: int) -> int | None:
    """Follow a run to its end, and ask about a change that waits to be confirmed; return its exit code, or None."""
    question = Question(layout, identity, partial(show, say=say), say)
    return launch.follow(layout, identity, question.hear, offset, watched=question.ask)


def recover(host: Host, say: Say = click.echo) -> int:
    """Take back every run that was cut off; return the exit code: 1 when all is as before."""
    code = 1
    for run in launch.cut_off(host.layout):
        offset = launch.position(host.layout, run.id)
        # Ctrl-C asks for what is being done already.
        with launch.asking_to_stop(host.layout, run.id):
            launch.start(host, run.id)
            ended = watch(host.layout, run.id, say, offset)
        if ended is None:
            log = run.directory / "engine.log"
            say(f"The engine ended without a word again; its last words are in {log} and in the system's log.")
            return 5
        code = max(code, ended)
    return code


def recover_files(host: Host, say: Say = click.echo) -> int:
    """Put back the files of every run that was cut off, before services start; return the highest exit code."""
    codes = [0]
    for run in launch.cut_off(host.layout):
        if run.result == "interrupted":
            offset = launch.position(host.layout, run.id)
            codes.append(Engine(host).put_files_back(run.id))
            launch.follow(host.layout, run.id, partial(show, say=say), offset)
    return max(codes)


def join(host: Host, say: Say = click.echo) -> int:
    """Follow the run, or the rollback, that is at work, or show how the last one ended; return its exit code."""
    identity = latest(host.layout)
    if not identity:
        say("No runs yet.")
        return 0
    offset = last_part(host.layout.runs / identity / "events.jsonl")
    with launch.asking_to_stop(host.layout, identity):
        say(f"Run {identity}")
        code = watch(host.layout, identity, say, offset)
    if code is None:
        say(f"Run {identity} was cut off. To take it back: palpo-installer recover")
        return 1
    tell(host.layout, identity, say)
    return code


def keep(host: Host, say: Say = click.echo) -> int:
    """Confirm the change that waits, and follow its run to the end; return its exit code, 1 where it was too late.

    Raises:
        Locked: what is at work has nothing to show yet that could be confirmed.
        RefusedPlan: the change is taken back already.
    """
    layout = host.layout
    run = waiting(layout)
    if lock.is_free(layout) or run is None:
        return _nothing_to_keep(layout, say)
    offset = launch.position(layout, run.id)
    if not confirm(layout, run.id):
        return _nothing_to_keep(layout, say)
    code = launch.follow(layout, run.id, partial(show, say=say), offset)
    if code is None:
        say(f"Run {run.id} was cut off before it took the confirmation. To take it back: palpo-installer recover")
        return 1
    tell(layout, run.id, say)
    return code


def _nothing_to_keep(layout: Layout, say: Say) -> int:
    """Tell why nothing waits to be confirmed; return 0 where that leaves nothing to be done."""
    free, identity = lock.is_free(layout), latest(layout)
    records = read(layout.runs / identity / "journal.jsonl") if identity else ()
    seen = progress(records)
    if seen.unconfirmed and not seen.applied:
        state = "was" if seen.end else "was cut off and is" if free else "is being"
        raise RefusedPlan(
            f"too late: it {state} taken back", where=f"run {identity}", next="To see it: palpo-installer attach"
        )
    if not free:
        raise Locked(
            f"run {identity} is still at work, and there is no result yet that could be confirmed",
            next="To see it: palpo-installer attach",
        )
    say("Nothing to confirm: no run is waiting for it.")
    return 0


def latest(layout: Layout) -> str:
    """Return the run that was last at work, also to be rolled back; empty where there is none."""

    def touched(identity: str) -> tuple[float, str]:
        events = layout.runs / identity / "events.jsonl"
        return (events.stat().st_mtime if events.exists() else 0.0), identity

    return max((run.id for run in runs(layout)), key=touched, default="")


def last_part(events: Path) -> int:
    """Return where in a run's events its last engine began: the same run may be made, and later rolled back."""
    offset = began = 0
    for line in events.read_bytes().splitlines(keepends=True) if events.exists() else ():
        seen, _ = parse(line)
        if seen and seen[0].kind == "began":
            began = offset
        offset += len(line)
    return began


def tell(layout: Layout, identity: str, say: Say = click.echo) -> None:
    """Tell what a run that was applied brought about, where that is kept, and how to go back."""
    directory = layout.runs / identity
    if past_run(directory).result != "applied":
        return
    ended = result.of_run(layout, identity)
    say("")
    say(result.in_words(ended).rstrip("\n"))
    if ended.report is None:
        events, _ = parse((directory / "events.jsonl").read_bytes())
        for event in events:
            if event.kind == "finding":
                say(event.text)
    kept = result.saved_at(layout, identity)
    if kept.exists():
        say(f"To read this again: {kept}")
