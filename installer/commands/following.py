"""Starting the engine and showing what it does, line by line."""

from __future__ import annotations

import click

from palpo_installer.engine import launch
from palpo_installer.engine.events import Event
from palpo_installer.engine.history import unfinished
from palpo_installer.host import Host

LABELS = {
    "preparing": "wait ",
    "done": "done ",
    "undone": "back ",
    "waiting": "wait ",
    "problem": "FAIL ",
    "finding": "know ",
}


def show(event: Event) -> None:
    """Print an event as one line; what begins is only printed when it is done."""
    if event.kind == "ended":
        click.echo(event.text)
    elif event.kind in LABELS:
        click.echo(f"  {LABELS[event.kind]} {event.text}")


def perform(host: Host, identity: str, *arguments: str) -> int:
    """Start the engine for a run and follow it to its end; when it dies, start another that takes back."""
    offset = launch.position(host.layout, identity)
    with launch.asking_to_stop(host.layout, identity):
        launch.start(host, identity, *arguments)
        code = launch.follow(host.layout, identity, show, offset)
    if code is not None:
        return code
    click.echo("The engine ended without a word. Taking back what it began.")
    return recover(host)


def recover(host: Host) -> int:
    """Take back every run that was cut off; return the exit code: 1 when all is as before."""
    code = 1
    for run in unfinished(host.layout):
        offset = launch.position(host.layout, run.id)
        launch.start(host, run.id)
        ended = launch.follow(host.layout, run.id, show, offset)
        if ended is None:
            log = run.directory / "engine.log"
            click.echo(f"The engine ended without a word again; its last words are in {log} and in the system's log.")
            return 5
        code = max(code, ended)
    return code
