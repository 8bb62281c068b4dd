"""Commands that show what would be done: plan, render."""

from __future__ import annotations

from pathlib import Path

import click

from palpo_installer import review
from palpo_installer.commands.options import answers_options, json_option, open_session
from palpo_installer.host import Host
from palpo_installer.operations.paths import PathState, write_new
from palpo_installer.plan import make
from palpo_installer.rendering import rendered_files
from palpo_installer.saved_plan import save


@click.command()
@answers_options
@json_option
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan for: apply --plan FILE.")
@click.option("--exit-code", "tell", is_flag=True, help="End with 3 when there are changes.")
@click.pass_obj
def plan(
    host: Host, file: Path | None, settings: tuple[str, ...], output: Path | None, *, as_json: bool, tell: bool
) -> int:
    """Show every change and difference; change nothing."""
    session = open_session(host, file, settings)
    made = make(session)
    click.echo(review.as_json(made, host) if as_json else review.in_words(made, host))
    if output is not None:
        save(made, file, settings, output)
        click.echo(f"Saved as {output}. To apply exactly this: palpo-installer apply --plan {output}", err=True)
    return 3 if tell and made.changes else 0


@click.command()
@answers_options
@click.option("--output", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where to write them.")
@click.pass_obj
def render(host: Host, file: Path | None, settings: tuple[str, ...], output: Path) -> None:
    """Write the files that would be installed under DIR, and nothing else."""
    session = open_session(host, file, settings)
    for path, text, mode in rendered_files(session):
        target = output / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_new(target, text.encode(), PathState("file", mode=mode))
        click.echo(target)
