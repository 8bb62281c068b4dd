"""Runs as the wizard goes through them: apply, follow, take back, roll back; and how they ended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from palpo_installer import result
from palpo_installer.commands.following import last_part, latest
from palpo_installer.engine import launch
from palpo_installer.engine.confirmation import asked_for, confirm
from palpo_installer.engine.history import PastRun, past_run, runs
from palpo_installer.engine.process import STOP
from palpo_installer.engine.rollback import edited_before
from palpo_installer.screens import following
from palpo_installer.screens.apply import Apply, Ended, Follow
from palpo_installer.screens.following import Show, Watched
from palpo_installer.screens.frame import Sure
from palpo_installer.screens.looking import Made
from palpo_installer.screens.progress import Progress, planned
from palpo_installer.screens.reading import Reading
from palpo_installer.screens.result import Outcome

if TYPE_CHECKING:
    from palpo_installer.screens.app import Wizard

DISCARD = (
    "These files were edited by hand since:\n{}\n\nGive up these edits and take back the run? As they are now the "
    "files are kept in the run's directory."
)


async def apply(app: Wizard, made: Made, confirm_within: int | None) -> str:
    """Apply a plan, to be taken back after so many seconds unless it is confirmed; return what comes next."""
    host = app.host
    try:
        identity = launch.register(made.plan, made.session.resolved.secrets, host.layout, confirm_within)
    except OSError as error:
        await app.ask(Reading(f"The run cannot begin\n  {error.filename}: {error.strerror}", "Apply"))
        return "start"
    progress = planned(made.plan, host)

    def follow(show: Show, watched: Watched) -> int | None:
        return following.perform(host, identity, (), show, watched)

    return await _watch(app, identity, _screen(app, identity, progress, follow))


def _screen(app: Wizard, identity: str, progress: Progress, follow: Follow) -> Apply:
    """Return the screen of a run that can be stopped, and confirmed where it waits for that."""
    layout = app.host.layout
    stop, keep = partial(ask_to_stop, app, identity), partial(confirm, layout, identity)
    return Apply(f"Run {identity}", progress, follow, stop, keep)


async def attach(app: Wizard) -> str:
    """Follow the run that is at work; return what comes next."""
    host = app.host
    identity = latest(host.layout)
    offset = last_part(host.layout.runs / identity / "events.jsonl")

    def follow(show: Show, watched: Watched) -> int | None:
        return following.attach(host, identity, offset, show, watched)

    return await _watch(app, identity, _screen(app, identity, Progress(), follow))


async def recover(app: Wizard) -> str:
    """Take back what was cut off; return what comes next."""
    host = app.host
    identity = next(run.id for run in reversed(runs(host.layout)) if run.result == "interrupted")

    def follow(show: Show, watched: Watched) -> int | None:
        return following.recover(host, show, watched)

    screen = Apply(f"Taking back run {identity}", Progress(backwards=True), follow, None)
    return await _watch(app, identity, screen)


async def roll_back(app: Wizard, identity: str) -> str:
    """Take back a run and all later ones; return what comes next.

    Edits made since are given up only after a question of their own.
    """
    host = app.host
    edited = edited_before(host.layout, identity)
    if edited and not await app.ask(Sure(DISCARD.format("\n".join(f"  {path}" for path in edited)))):
        return "start"
    arguments = ("--roll-back", *(["--discard-edits"] if edited else []))

    def follow(show: Show, watched: Watched) -> int | None:
        return following.perform(host, identity, arguments, show, watched)

    screen = Apply(f"Rolling back run {identity}", Progress(backwards=True), follow, None)
    return await _watch(app, identity, screen)


def ask_to_stop(app: Wizard, identity: str) -> None:
    """Ask the engine of a run to take back."""
    (app.host.layout.runs / identity / STOP).touch()


async def _watch(app: Wizard, identity: str, screen: Apply) -> str:
    """Show a run until it has ended, then how; what is left in the scrollback always says where it is."""
    app.farewell = f"Run {identity} goes on without this screen. To see it: palpo-installer attach"
    if asked_for(app.host.layout.runs / identity):
        app.farewell += "\nIt takes itself back unless it is confirmed: palpo-installer confirm"
    ended = await app.ask(screen)
    ran = past_run(app.host.layout.runs / identity)
    in_force = ran.result == "applied"
    text = words(app, identity, ended)
    app.code, app.farewell = ended.code, farewell(app, identity, ended)
    following_step = await app.ask(Outcome(text, run=identity if in_force else ""))
    return await roll_back(app, identity) if following_step == "roll-back" else following_step


def words(app: Wizard, identity: str, ended: Ended) -> str:
    """Return how a run ended; the engine's own last words come first where they say more than the record."""
    layout = app.host.layout
    ran, text = past_run(layout.runs / identity), result.in_words(result.of_run(layout, identity))
    if is_refused(ran, ended):
        text = f"Not done\n  {ended.text}\n" + (f"\nAs before\n{text}" if ran.result == "applied" else "")
    kept = result.saved_at(layout, identity)
    is_kept = ran.result == "applied" and app.host.status(kept) is not None
    return f"{text}\nThis text is kept in {kept}\n" if is_kept else text


def is_refused(ran: PastRun, ended: Ended) -> bool:
    """Return whether the engine refused to begin, so that its last words say what the record does not."""
    return ended.code != 0 and ran.result not in {"taken-back", "not-put-back"}


def farewell(app: Wizard, identity: str, ended: Ended) -> str:
    """Return what stays in the scrollback."""
    ran = result.of_run(app.host.layout, identity)
    lines = [f"Run {identity}: {result.headline(ran)}"]
    if is_refused(ran.run, ended):
        lines = [f"Run {identity}: {ended.text}"]
    elif ran.run.cause:
        lines.append(f"The cause: {ran.run.cause}")
    lines += [f"Left as it is: {problem}" for problem in ran.run.problems]
    kept = result.saved_at(app.host.layout, identity)
    if ran.run.result == "applied":
        lines += [f"The result: {kept}"] if app.host.status(kept) is not None else []
        lines.append(f"To go back: {ran.command} rollback {identity}")
    return "\n".join(lines)
