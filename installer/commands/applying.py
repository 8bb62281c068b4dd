"""Commands that change the host: apply, rollback, recover, renew, and the engine itself."""

from __future__ import annotations

from pathlib import Path

import click

from palpo_installer import review, saved_plan
from palpo_installer.changes import Plan
from palpo_installer.choices import AS_USUAL, Choices
from palpo_installer.commands.following import carry_out, join, keep, perform, recover_files
from palpo_installer.commands.following import recover as recover_runs
from palpo_installer.commands.options import answers_options, choices_options, require_root, yes_option
from palpo_installer.commands.packaging import with_proxy
from palpo_installer.engine import confirmation, launch
from palpo_installer.engine.forgetting import forget_signs
from palpo_installer.engine.history import standing
from palpo_installer.engine.process import Engine
from palpo_installer.engine.renewal import renew as renew_certificates
from palpo_installer.engine.rollback import discard_edits, refuse_edits
from palpo_installer.errors import AnswersError
from palpo_installer.host import Host
from palpo_installer.plan import make
from palpo_installer.session import Session, begin, given, inputs_of

NO_INSTALLING = "Leave out --install-proxy"


@click.command()
@answers_options
@choices_options
@click.option(
    "--plan", "saved", type=click.Path(path_type=Path), metavar="FILE", help="Apply a saved plan, exactly as it is."
)
@click.option(
    "--confirm-within",
    "within",
    type=click.IntRange(confirmation.LEAST, confirmation.MOST),
    metavar="SECONDS",
    help="Take the changes back after so many seconds unless they are confirmed; --yes does not confirm them.",
)
@click.option(
    "--install-proxy",
    "installing",
    metavar="KIND",
    help="Install this proxy's package first, e.g. nginx, before anything is planned; --yes alone installs nothing.",
)
@yes_option
@click.pass_obj
def apply(
    host: Host,
    file: Path | None,
    settings: tuple[str, ...],
    saved: Path | None,
    within: int | None,
    installing: str | None,
    *,
    choices: Choices,
    yes: bool,
) -> int:
    """Make the changes, prove them, and take them back when anything is not as promised."""
    require_root(host, "apply")
    Engine(host).finish_uninstall()
    if launch.cut_off(host.layout):
        click.echo("A run was cut off. It is taken back first.")
        if (code := recover_runs(host)) != 1:
            return code
    if saved is None:
        raw = given(host, file, settings)
        session = with_proxy(host, raw, begin(host, raw), installing, yes=yes)
        plan = make(inputs_of(session, choices))
    else:
        if installing is not None:
            raise AnswersError("was made with the proxies that there are", where="--plan", next=NO_INSTALLING)
        session, plan = _saved(host, file, settings, saved, choices)
    click.echo(review.in_words(plan, host))
    if plan.obstacles:
        click.echo(review.refusal(plan), err=True)
        return 1
    if not plan.changes:
        return 0
    if not yes and not click.confirm("Make these changes?", default=False):
        click.echo("Nothing was changed.")
        return 0
    return carry_out(host, plan, session.resolved.secrets, confirm_within=within)


def _saved(
    host: Host, file: Path | None, settings: tuple[str, ...], saved: Path, choices: Choices
) -> tuple[Session, Plan]:
    """Return a saved plan, made again with what was chosen for it.

    Raises:
        AnswersError: the file is no saved plan, or more is said than its name.
        RefusedPlan: what it was made from has changed since.
    """
    if file is not None or settings or choices != AS_USUAL:
        raise AnswersError(
            "brings its own answers and choices",
            where="--plan",
            next="Leave out --answers, --set, --overwrite-edits and --change-server-name",
        )
    read = saved_plan.read(saved)
    session = begin(host, read.given())
    plan = make(inputs_of(session, read.choices))
    read.require_same(plan)
    return session, plan


@click.command()
@click.argument("identity", metavar="[ID]", required=False)
@click.option("--discard-edits", "discard", is_flag=True, help="Give up edits made since; copies are kept.")
@yes_option
@click.pass_obj
def rollback(host: Host, identity: str | None, *, discard: bool, yes: bool) -> int:
    """Take back run ID and all later ones, newest first; without ID the last one."""
    require_root(host, "rollback")
    if launch.cut_off(host.layout) and (code := recover_runs(host)) != 1:
        return code
    candidates = standing(host.layout)
    if not candidates:
        click.echo("Nothing to take back: no run is in force.")
        return 0
    wanted = identity.zfill(4) if identity else candidates[-1].id
    affected = [run.id for run in candidates if run.id >= wanted]
    if wanted not in affected:
        known = ", ".join(run.id for run in candidates)
        raise AnswersError("is no run that is in force", where=wanted, next=f"In force: {known}")
    if not yes and not click.confirm(f"Take back run {', '.join(reversed(affected))}?", default=False):
        click.echo("Nothing was changed.")
        return 0
    edits = ("--discard-edits",) if discard else ()
    return perform(host, wanted, "--roll-back", *edits)


@click.command()
@click.option("--files-only", "early", is_flag=True, help="Put back only the files: for a host that is just booting.")
@click.pass_obj
def recover(host: Host, *, early: bool) -> int:
    """Take back a run that was cut off."""
    require_root(host, "recover")
    cut_off = launch.cut_off(host.layout)
    Engine(host).finish_uninstall()
    forget_signs(host.layout)
    if not cut_off:
        click.echo("Nothing to do: no run was cut off.")
        return 0
    code = recover_files(host) if early else recover_runs(host)
    return 0 if code == 1 else code


@click.command()
@click.pass_obj
def attach(host: Host) -> int:
    """Follow the run that is at work, or show how the last one ended."""
    require_root(host, "attach")
    return join(host)


@click.command()
@click.pass_obj
def confirm(host: Host) -> int:
    """Keep a change that would take itself back, and follow its run to the end."""
    require_root(host, "confirm")
    return keep(host)


@click.command()
@click.pass_obj
def renew(host: Host) -> int:
    """Renew the certificates that are due, take them up, and prove it; the timer runs this."""
    require_root(host, "renew")
    if launch.cut_off(host.layout) and (code := recover_runs(host)) != 1:
        return code
    return renew_certificates(host, click.echo)


@click.command(hidden=True)
@click.argument("identity")
@click.option("--roll-back", "backwards", is_flag=True)
@click.option("--discard-edits", "discard", is_flag=True)
@click.pass_obj
def run(host: Host, identity: str, *, backwards: bool, discard: bool) -> int:
    """Be the engine of a run."""
    require_root(host, "run")
    engine = Engine(host)
    engine.listen_to_signals()
    if backwards:
        return engine.roll_back(identity, discard_edits if discard else refuse_edits)
    return engine.carry_on(identity)
