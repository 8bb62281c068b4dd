"""Commands that only read: detect, verify, history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from palpo_installer import detect as detection
from palpo_installer.commands.noticing import tell_open_run
from palpo_installer.commands.options import answers_options, json_option, require_history
from palpo_installer.engine import lock
from palpo_installer.engine.history import PastRun, runs, state
from palpo_installer.host import Host
from palpo_installer.outside import look
from palpo_installer.serialization import dump
from palpo_installer.session import begin, given, survey
from palpo_installer.verify import describe


@click.command()
@click.argument("names", nargs=-1)
@json_option
@click.pass_obj
def detect(host: Host, names: tuple[str, ...], *, as_json: bool) -> None:
    """Show what is on this host: system, proxies, who answers on which port, Palpo, certificates, NAMES in DNS."""
    facts = survey(host, names)
    click.echo(detection.as_json(facts) if as_json else detection.describe(facts))


@click.command()
@answers_options
@json_option
@click.option(
    "--trust", "authority", type=click.Path(path_type=Path), metavar="FILE", help="One more authority to trust."
)
@click.pass_obj
def verify(host: Host, file: Path | None, settings: tuple[str, ...], authority: Path | None, *, as_json: bool) -> int:
    """Check what clients and other servers see."""
    tell_open_run(host)
    report = look(host, begin(host, given(host, file, settings)).answers, authority)
    click.echo(dump(report) if as_json else describe(report))
    return 6 if report.failures else 0


@click.command()
@json_option
@click.pass_obj
def history(host: Host, *, as_json: bool) -> None:
    """List the runs on this host."""
    require_history(host, "history")
    past = runs(host.layout)
    if as_json:
        fields = ("id", "result", "cause", "problems", "reversible")
        rows = [
            {name: getattr(run, name) for name in fields}
            | {
                "began": run.began.isoformat(),
                "unconfirmed_until": run.unconfirmed_until.isoformat() if run.unconfirmed_until else None,
            }
            for run in past
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    for line in history_lines(past, busy=bool(past) and not lock.is_free(host.layout)):
        click.echo(line)


def history_lines(past: tuple[PastRun, ...], *, busy: bool = False) -> Iterator[str]:
    """Yield the runs as lines for people; ``busy`` is whether one is at work."""
    if not past:
        yield "No runs yet."
    for run in past:
        yield f"{run.id}  {run.began:%Y-%m-%d %H:%M} UTC  {state(run, busy=busy)}"
        yield from (f"      {line}" for line in (run.cause, *run.problems) if line)
