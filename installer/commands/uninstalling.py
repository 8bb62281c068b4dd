"""The command that takes back everything recorded: uninstall."""

from __future__ import annotations

import click

from palpo_installer import review
from palpo_installer.commands.following import perform
from palpo_installer.commands.following import recover as recover_runs
from palpo_installer.commands.options import require_root, yes_option
from palpo_installer.commands.packaging import purge_packages
from palpo_installer.engine import launch
from palpo_installer.engine.history import runs, uninstalled
from palpo_installer.engine.process import Engine
from palpo_installer.host import Host
from palpo_installer.planning.removal import removal
from palpo_installer.session import scene_of

NOTHING = "Nothing is installed here: there are no runs to take back."
PROGRAM = "palpo-installer itself stays; install.sh --uninstall removes it."


@click.command()
@click.option("--discard-edits", "discard", is_flag=True, help="Give up edits of files that it wrote; copies are kept.")
@click.option(
    "--purge-packages/--keep-packages",
    "purging",
    default=None,
    help="Purge the packages that palpo-installer installed and nobody else uses, or leave them there (with --yes).",
)
@yes_option
@click.pass_obj
def uninstall(host: Host, *, discard: bool, purging: bool | None, yes: bool) -> int:
    """Take back everything that was ever applied, and name what stays and why."""
    require_root(host, "uninstall")
    if launch.cut_off(host.layout):
        click.echo("A run was cut off. It is taken back first.")
        if (code := recover_runs(host)) != 1:
            return code
    Engine(host).finish_uninstall()
    if not runs(host.layout):
        click.echo(NOTHING)
        return purge_packages(host, purging, yes=yes)
    plan = removal(scene_of(host, host.layout.edits if discard else None))
    click.echo(review.in_words(plan, host))
    if plan.obstacles:
        click.echo(review.refusal(plan), err=True)
        return 1
    if not yes and not click.confirm("Take all this back?", default=False):
        click.echo("Nothing was changed.")
        return 0
    code = perform(host, launch.register(plan, {}, host.layout))
    if uninstalled(host.layout):
        # The engine was killed when all was taken back and proven, while it deleted the history.
        Engine(host).finish_uninstall()
        code = 0
    if code == 0:
        purge_packages(host, purging, yes=yes)
        click.echo(PROGRAM)
    return code
