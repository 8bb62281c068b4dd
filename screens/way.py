"""The way through the wizard as straight code: back and forth, and nothing that was typed is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from palpo_installer import connection, saved_plan
from palpo_installer.conversation import PAGES, applying
from palpo_installer.engine.confirmation import USUAL
from palpo_installer.errors import AnotherServerName, AnswersError, InstallerError
from palpo_installer.host import Host
from palpo_installer.planning.renaming import lost
from palpo_installer.proxies.kinds import title
from palpo_installer.screens import conversing, errands, looking
from palpo_installer.screens.edits import Edits
from palpo_installer.screens.found import Found
from palpo_installer.screens.frame import Sure
from palpo_installer.screens.installing import with_proxy
from palpo_installer.screens.looking import Made
from palpo_installer.screens.overview import SUDO
from palpo_installer.screens.reading import Reading
from palpo_installer.screens.removing import uninstall
from palpo_installer.screens.renaming import NewName
from palpo_installer.screens.review import Decision, Review
from palpo_installer.screens.running import apply, attach, recover, roll_back
from palpo_installer.screens.waiting import Waiting

if TYPE_CHECKING:
    from palpo_installer.screens.app import Wizard

PLANNING = "Looking at the host once more, and making the plan"
"""What is said while a plan is made: the review is of the host as it is at that moment."""

TRYING = "Trying the site out in a private copy of {} on loopback; nothing is changed"
"""What is said while the site is rehearsed in a proxy."""

ERRANDS: Mapping[str, tuple[str, Callable[[Host], str]]] = {
    "verify": ("Looking as clients and other servers do", errands.verify),
    "renew": ("Renewing what is due", errands.renew),
    "audit": ("Reading the Matrix configuration that is there, and asking DNS for its names", errands.audit),
    "history": ("Reading the earlier runs", errands.history),
}
"""What is said while an errand takes its time, and the errand."""


async def walk(app: Wizard, chosen: str) -> None:
    """Do what was chosen on the first screen, and come back to it, until the person leaves."""
    while chosen != "leave" and await _do(app, chosen) != "leave":
        chosen = await app.ask(Found(None))


async def _do(app: Wizard, chosen: str) -> str:
    if chosen in ERRANDS:
        return await _read(app, *ERRANDS[chosen])
    ways = {
        "set-up": set_up,
        "recover": recover,
        "follow": attach,
        "roll-back": _roll_back_last,
        "uninstall": uninstall,
    }
    return await ways[chosen](app)


async def _roll_back_last(app: Wizard) -> str:
    last = looking.look_back(app.host).in_force[-1].id
    sure = await app.ask(Sure(f"Take back run {last}? Everything will be as it was before it."))
    return await roll_back(app, last) if sure else "start"


async def _read(app: Wizard, what: str, errand: Callable[[Host], str]) -> str:
    said = await app.ask(Waiting("Found", what, partial(errand, app.host)))
    if said is not None:
        await app.ask(Reading(str(said)))
    return "start"


async def set_up(app: Wizard) -> str:
    """Ask, review, apply; return what comes next: the first screen, or leaving."""
    step, pressing = 0, False
    # What was chosen for an earlier plan is no choice for this one.
    app.overwrite, app.agreed_name = frozenset(), ""
    if not await with_proxy(app):
        return "start"
    while step >= 0:
        if step < len(PAGES):
            step += await app.ask(conversing.form(app, PAGES[step], pressing=pressing))
            pressing = False
            continue
        given = applying(app.given, conversing.seen(app).talk)
        plan = partial(looking.make_plan, app.host, given, app.overwrite, app.agreed_name)
        made = await app.ask(Waiting("Review", PLANNING, plan))
        match made:
            case Made():
                decision = await decide(app, made)
                if decision.kind == "apply":
                    # Consent to switching a site off is for this run alone.
                    app.given.pop("proxy.take_over", None)
                    return await apply(app, made, decision.confirm_within)
                if decision.kind == "edits":
                    await _choose_edits(app, made)
                    continue
                if decision.kind != "back":
                    return "leave"
                step -= 1
            case AnotherServerName():
                if not await _agree(app, made):
                    step = 0
            case InstallerError():
                await app.ask(Reading(f"No plan can be made\n  {made}", "Review"))
                page = conversing.page_with(made.where) if isinstance(made, AnswersError) else None
                step, pressing = (step - 1, False) if page is None else (page, True)
            case _:
                step -= 1
    return "start"


async def _choose_edits(app: Wizard, made: Made) -> None:
    """Choose for each edit whether it stays; the review is made again with that."""
    chosen = await app.ask(Edits(made.plan.edits))
    app.overwrite = app.overwrite if chosen is None else chosen


async def _agree(app: Wizard, error: AnotherServerName) -> bool:
    """Return whether the person typed the new server name again, knowing what is lost."""
    agreed = await app.ask(NewName(error.wanted, lost(error.former, error.wanted)))
    app.agreed_name = error.wanted if agreed else ""
    return agreed


async def decide(app: Wizard, made: Made) -> Decision:
    """Show the review until the person decided; a plan is saved here."""
    complaint, within = "", USUAL if connection.is_remote() else None
    while True:
        screen = Review(
            made.text,
            hindrance=hindrance(app, made),
            complaint=complaint,
            confirm_within=within,
            edited=bool(made.plan.edits),
        )
        decision = await app.ask(screen)
        within = decision.confirm_within
        if decision.kind == "rehearse":
            complaint = await _try_out(app, made)
            continue
        if decision.kind != "save":
            return decision
        complaint = _save(app, made, Path(decision.path))
        if not complaint:
            return Decision("leave")


async def _try_out(app: Wizard, made: Made) -> str:
    """Rehearse the site and show what came of it; return why that is not possible, empty when it was."""
    said = await app.ask(
        Waiting("Review", TRYING.format(title(made.session.answers.proxy)), partial(errands.rehearsal, made.session))
    )
    if isinstance(said, InstallerError):
        return str(said)
    if said is not None:
        await app.ask(Reading(str(said), "Review"))
    return ""


def hindrance(app: Wizard, made: Made) -> str:
    """Return why a plan cannot be applied, empty when it can."""
    if not made.plan.changes:
        return "There is nothing to apply."
    if made.plan.obstacles:
        return "Something must be put right first; the review says what."
    return "" if app.host.is_root else f"Changing this host needs root: {SUDO}"


def _save(app: Wizard, made: Made, path: Path) -> str:
    """Save a plan; return why it cannot be saved, empty when it was."""
    stored = app.host.layout.answers
    source = stored if app.host.status(stored) is not None else None
    try:
        saved_plan.save(made.plan, applying(app.given, conversing.seen(app).talk), source, path)
    except InstallerError as error:
        return str(error)
    app.farewell = f"Nothing was changed. The plan is in {path}; to apply it: palpo-installer apply --plan {path}"
    return ""
