"""Uninstalling in the wizard: the review of the removal, then the run; its history is gone when it has ended."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from palpo_installer import review
from palpo_installer.changes import Plan
from palpo_installer.commands.packaging import LATER, gone
from palpo_installer.commands.uninstalling import PROGRAM
from palpo_installer.engine import launch
from palpo_installer.engine.process import Engine
from palpo_installer.errors import InstallerError
from palpo_installer.host import Host
from palpo_installer.packages.purging import Judged, judge, purge
from palpo_installer.planning.removal import removal
from palpo_installer.screens import following
from palpo_installer.screens.apply import Apply, Ended
from palpo_installer.screens.following import Show, Watched
from palpo_installer.screens.frame import Sure
from palpo_installer.screens.progress import planned
from palpo_installer.screens.reading import Reading
from palpo_installer.screens.review import Review
from palpo_installer.screens.running import ask_to_stop
from palpo_installer.screens.waiting import Waiting
from palpo_installer.session import scene_of

if TYPE_CHECKING:
    from palpo_installer.screens.app import Wizard

LOOKING = "Looking at the host, and at what the runs in force left"
OBSTACLES = "Something must be put right first; the review says what."
EDITED = f"{OBSTACLES} e gives up what was edited by hand; copies are kept."
DISCARD = "Give up what was edited by hand in files of ours? As they are now the files are kept in {}."


class Removal(Review):
    """Shows what an uninstall does; there is nothing to try out or to save."""

    HELP = (
        "This is everything that will be taken back, in order, and what stays. Nothing has been changed yet.\n"
        "a takes it back, b goes back. e, where files of ours were edited by hand, gives these edits up.\n"
    )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out what a removal has no use for."""
        if action in {"save", "toggle_confirmation"} or (action == "decide" and parameters == ("rehearse",)):
            return False
        return super().check_action(action, parameters)


def look(host: Host, kept_edits: Path | None) -> tuple[Plan, str]:
    """Return the plan of the removal and its review; ``kept_edits`` is where edits that are given up go.

    Raises:
        InstallerError: it cannot be made.
    """
    Engine(host).finish_uninstall()
    plan = removal(scene_of(host, kept_edits))
    return plan, review.in_words(plan, host)


async def uninstall(app: Wizard) -> str:
    """Show the review, and take everything back when the person says so; return what comes next."""
    kept_edits: Path | None = None
    while True:
        made = await app.ask(Waiting("Review", LOOKING, partial(look, app.host, kept_edits)))
        if isinstance(made, InstallerError):
            await app.ask(Reading(f"It cannot be uninstalled now\n  {made}", "Review"))
        if made is None or isinstance(made, InstallerError):
            return "start"
        plan, text = made
        edited = bool(plan.obstacles) and kept_edits is None
        hindrance = (EDITED if edited else OBSTACLES) if plan.obstacles else ""
        decision = await app.ask(Removal(text, hindrance=hindrance, edited=edited))
        match decision.kind:
            case "apply":
                return await _carry_out(app, plan)
            case "edits":
                place = app.host.layout.edits
                kept_edits = place if await app.ask(Sure(DISCARD.format(place))) else None
            case kind:
                return "start" if kind == "back" else "leave"


async def _purge(app: Wizard) -> None:
    """Offer to purge the packages that we installed, and say what came of it."""
    judged = await app.ask(Waiting("Review", "Looking at the packages that were installed", partial(judge, app.host)))
    if not isinstance(judged, Judged) or not (judged.going or judged.staying):
        return
    said = "\n".join(judged.lines())
    if not judged.going:
        app.farewell = f"{app.farewell}\n{said}"
        return
    if not await app.ask(Sure(f"{said}\n\nRemove these packages too?")):
        app.farewell = f"{app.farewell}\n{said}\n{LATER}"
        return
    purged = await app.ask(Waiting("Review", "Removing packages", partial(_purged, app.host, judged)))
    app.farewell = f"{app.farewell}\n{purged or 'Packages are still being removed.'}"


def _purged(host: Host, judged: Judged) -> str:
    purge(host, judged, lambda _: None)
    return gone(judged)


async def _carry_out(app: Wizard, plan: Plan) -> str:
    host = app.host
    identity = launch.register(plan, {}, host.layout)

    def follow(show: Show, watched: Watched) -> int | None:
        return following.perform(host, identity, (), show, watched)

    screen = Apply("Uninstalling", planned(plan, host), follow, partial(ask_to_stop, app, identity))
    app.farewell = "Uninstalling goes on without this screen. To see it: palpo-installer attach"
    ended: Ended = await app.ask(screen)
    app.code = ended.code
    app.farewell = f"{ended.text}\n{PROGRAM}" if ended.code == 0 else ended.text
    if ended.code == 0:
        await _purge(app)
    await app.ask(Reading(app.farewell, "Result"))
    return "leave" if ended.code == 0 else "start"
