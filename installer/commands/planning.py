"""Commands that show what would be done: plan, render."""

from __future__ import annotations

import os
from pathlib import Path

import click

from palpo_installer import matrix_site, review, saved_plan
from palpo_installer.choices import Choices
from palpo_installer.commands.noticing import tell_open_run
from palpo_installer.commands.options import (
    answers_options,
    choices_options,
    json_option,
    require_history,
)
from palpo_installer.errors import AnswersError, HostError
from palpo_installer.host import Host
from palpo_installer.operations.paths import PathState
from palpo_installer.operations.replacement import write_new
from palpo_installer.plan import make
from palpo_installer.planning import media
from palpo_installer.planning.rendered import RenderedFile, rendered
from palpo_installer.planning.serving import Serving
from palpo_installer.session import begin, given, inputs_of


@click.command()
@answers_options
@choices_options
@json_option
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Save it for: apply --plan FILE.")
@click.option("--exit-code", "tell", is_flag=True, help="End with 3 when there are changes.")
@click.pass_obj
def plan(
    host: Host,
    file: Path | None,
    settings: tuple[str, ...],
    output: Path | None,
    *,
    choices: Choices,
    as_json: bool,
    tell: bool,
) -> int:
    """Show every change and difference; change nothing."""
    require_history(host, "plan")
    tell_open_run(host)
    raw = given(host, file, settings)
    made = make(inputs_of(begin(host, raw), choices))
    click.echo(review.as_json(made, host) if as_json else review.in_words(made, host))
    if made.obstacles and not as_json:
        click.echo(review.refusal(made), err=True)
    if output is not None:
        saved_plan.save(made, raw, file or host.layout.answers, output)
        click.echo(f"Saved as {output}. To apply exactly this: palpo-installer apply --plan {output}", err=True)
    return 3 if tell and made.changes else 0


@click.command()
@answers_options
@click.option("--output", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where to write.")
@click.pass_obj
def render(host: Host, file: Path | None, settings: tuple[str, ...], output: Path) -> int:
    """Write what would be installed under DIR, without hand edits, and nothing else; new secrets stay placeholders."""
    if output.resolve() == host.layout.root:
        raise AnswersError("is the host itself", where="--output", next="Name an empty directory")
    inputs = inputs_of(begin(host, given(host, file, settings)))
    serving = Serving(inputs, matrix_site.build(inputs.answers, host.layout))
    try:
        for each in rendered(inputs, serving):
            click.echo(_write(each, output))
    except OSError as error:
        raise HostError(f"cannot be written: {error.strerror}", where=str(error.filename or output)) from error
    for finding in media.findings(inputs):
        click.echo(finding, err=True)
    return 0


def _write(file: RenderedFile, output: Path) -> Path:
    target = output / file.path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.target:
        target.unlink(missing_ok=True)
        target.symlink_to(file.target)
    else:
        write_new(target, file.data, PathState("file", mode=file.mode, uid=os.geteuid(), gid=os.getegid()))
    return target
