"""What a command that only shows something says of a run that is not over."""

from __future__ import annotations

import click

from palpo_installer.engine import lock
from palpo_installer.engine.confirmation import in_time, waiting
from palpo_installer.engine.history import unfinished
from palpo_installer.host import Host


def tell_open_run(host: Host) -> None:
    """Say on standard error that what a command shows may not stay: a run waits, is at work, or was cut off."""
    if not host.is_root:
        return
    if not lock.is_free(host.layout):
        run = waiting(host.layout)
        until = run.unconfirmed_until if run else None
        said = f"Run {run.id} waits to be confirmed. {in_time(until)}" if run and until else "A run is at work now."
        click.echo(said, err=True)
        return
    for each in unfinished(host.layout):
        what = "was cut off" if each.result == "interrupted" else "could not be put back wholly"
        click.echo(f"Run {each.id} {what}. To take it back: palpo-installer recover", err=True)
