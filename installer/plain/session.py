"""A visit in plain prompts: what was found, the questions, the review; on a host that is set up, a menu first."""

from __future__ import annotations

import signal
from types import FrameType

from palpo_installer import detect, review, terminal
from palpo_installer.audit import report as audit_report
from palpo_installer.audit.auditing import audit
from palpo_installer.commands.following import join, perform, recover
from palpo_installer.commands.inspecting import history_lines
from palpo_installer.commands.packaging import LATER, gone
from palpo_installer.commands.uninstalling import PROGRAM
from palpo_installer.engine import launch, lock
from palpo_installer.engine.confirmation import in_time, waiting
from palpo_installer.engine.history import PastRun, runs, standing, unfinished
from palpo_installer.engine.renewal import renew
from palpo_installer.engine.rollback import edited_before
from palpo_installer.errors import InstallerError
from palpo_installer.facts import Facts
from palpo_installer.host import Host
from palpo_installer.outside import look
from palpo_installer.packages.catalogue import recommended
from palpo_installer.packages.installing import install, preview
from palpo_installer.packages.purging import judge, purge
from palpo_installer.plain.asking import Asking
from palpo_installer.plain.console import Console
from palpo_installer.plain.reviewing import ENDED_BY_SIGNAL, Review
from palpo_installer.planning.removal import removal
from palpo_installer.proxies.standing import standings
from palpo_installer.result import headline, in_words, of_run
from palpo_installer.session import begin, given, scene_of, survey
from palpo_installer.verify import describe

AT_WORK = "What is at work goes on without this screen. To follow it: palpo-installer attach"

MENU = (
    "Change the answers, and see what would be changed",
    "Verify: look at it as clients and other servers do",
    "Renew the certificates that are due",
    "Roll back",
    "History, and how the last run ended",
    "Uninstall: take back everything that was ever applied",
    "Leave",
)


def run(host: Host, raw: dict[str, object]) -> int:
    """Talk to the person in plain prompts, beginning with these answers by key; return the exit code."""
    seen = terminal.look()
    visit = Visit(Console(seen.columns, seen.rows), host, raw)
    former = signal.signal(signal.SIGTERM, _end)
    try:
        return visit.run()
    except (KeyboardInterrupt, EOFError, SystemExit) as ended:
        visit.console.say()
        visit.console.say(f"Stopped. {visit.changed}")
        return ENDED_BY_SIGNAL if isinstance(ended, SystemExit) else 2
    finally:
        signal.signal(signal.SIGTERM, former)


def _end(_number: int, _frame: FrameType | None) -> None:
    """End in order, so that a terminal whose echo is off for a secret gets it back."""
    raise SystemExit(ENDED_BY_SIGNAL)


class Visit:
    """One visit.

    Attributes:
        changed: what to say when it is broken off.
    """

    def __init__(self, console: Console, host: Host, raw: dict[str, object]) -> None:
        self.console = console
        self.host = host
        self.raw = raw
        self.changed = "Nothing was changed."

    def run(self) -> int:
        """Go through the visit; return the exit code."""
        say = self.console.say
        say("palpo-installer puts a Palpo Matrix homeserver behind this host's reverse proxy.")
        say("Nothing is changed before you have seen every change and said yes.")
        if not self.host.is_root:
            say("You are not root: everything can be looked at, and nothing can be changed.")
            say("To make changes, start it with: sudo palpo-installer")
        elif not lock.is_free(self.host.layout):
            run = waiting(self.host.layout)
            until = run.unconfirmed_until if run else None
            say(f"A change waits to be confirmed. {in_time(until)}" if until else "A run is at work on this host.")
            return self._follow() if self.console.confirm("Follow it?", default=True) else 0
        elif unfinished(self.host.layout) and (code := self._take_back()) is not None:
            return code
        self._last_run()
        return self._menu() if self._is_set_up() else self._configure()

    def _follow(self) -> int:
        self.changed = AT_WORK
        return join(self.host, self.console.say)

    def _take_back(self) -> int | None:
        """Offer to take back what was cut off; return the exit code where the visit ends with it."""
        for cut_off in unfinished(self.host.layout):
            what = "was cut off" if cut_off.result == "interrupted" else "could not be put back wholly"
            self.console.say(f"Run {cut_off.id}, begun {cut_off.began:%Y-%m-%d %H:%M} UTC, {what}.")
        if not self.console.confirm("Take it back now, so that all is as it was before?", default=True):
            self.console.say("It stays as it is, and nothing else is done before. Later: palpo-installer recover")
            return 0
        self.changed = AT_WORK
        code = recover(self.host, self.console.say)
        self.changed = "What was cut off is taken back; nothing else was changed."
        return None if code == 1 else code

    def _last_run(self) -> None:
        past = [one for one in runs(self.host.layout) if one.result != "never began"]
        if past:
            self.console.say()
            self.console.say(f"Last run: {past[-1].id}, {past[-1].began:%Y-%m-%d %H:%M} UTC")
            self.console.say(self._ended(past[-1]))

    def _ended(self, one: PastRun) -> str:
        """Return how a run ended; one of another version keeps that to itself, and nobody from going on."""
        try:
            words = headline(of_run(self.host.layout, one.id))
        except InstallerError as error:
            return str(error)
        return f"{words} The cause: {one.cause}" if one.cause else words

    def _is_set_up(self) -> bool:
        return self.host.status(self.host.layout.answers) is not None or bool(standing(self.host.layout))

    def _menu(self) -> int:
        """Ask what to do until something ends the visit."""
        while True:
            try:
                match self.console.choose("What do you want to do?", MENU, 0):
                    case 0:
                        return self._configure()
                    case 1:
                        answers = begin(self.host, given(self.host, None, ())).answers
                        self.console.say(describe(look(self.host, answers)))
                    case 2:
                        return self._renew()
                    case 3:
                        if (code := self._roll_back()) is not None:
                            return code
                    case 4:
                        self._history()
                    case 5:
                        if (code := self._uninstall()) is not None:
                            return code
                    case _:
                        return 0
            except InstallerError as error:
                self.console.say(f"! {error}")

    def _configure(self) -> int:
        """Show what was found, ask, review; return the exit code."""
        self.console.say()
        self.console.say("Looking at this host ...")
        facts = survey(self.host)
        self.console.heading("What was found")
        self.console.say(detect.describe(facts))
        self.show_audit(facts)
        facts = self._with_proxy(facts)
        asking = Asking(self.console, self.host, facts, self.raw)
        while not asking.run():
            self.console.say("This is the first question.")
        return Review(self.console, self.host, asking).run()

    def _with_proxy(self, facts: Facts) -> Facts:
        """Offer to install a proxy where there is none; return the facts as they are then."""
        if standings(facts) or not self.host.is_root:
            return facts
        self.console.heading("No reverse proxy is installed here")
        self.console.say(
            "Palpo answers behind one. It can be installed now, before any question; you are asked again before."
        )
        offers = recommended()
        options = [f"Install {each.title}: {each.reason}" for each in offers]
        chosen = self.console.choose("What do you want?", (*options, "Go on without one; a plan needs it"), len(offers))
        if chosen == len(offers):
            return facts
        one = preview(self.host, offers[chosen], facts.listeners)
        if one.refused:
            self.console.say(f"{one.refused}.")
            return facts
        for line in one.lines():
            self.console.say(line)
        if not self.console.confirm(f"Install {one.offer.title} now?", default=False):
            self.console.say("Nothing was installed. The questions can be answered; a plan needs a proxy.")
            return facts
        self.changed = "What came of the packages is recorded: palpo-installer uninstall --purge-packages"
        try:
            install(self.host, one.offer, self.console.say)
            self.console.say(f"{one.offer.title} is installed, and not started.")
        except InstallerError as error:
            self.console.say(f"! {error}")
        return survey(self.host)

    def show_audit(self, facts: Facts) -> None:
        """Say what the audit found in a Matrix configuration that is there, and offer to read it."""
        found = audit(self.host, facts)
        if not found.configured:
            return
        self.console.say()
        self.console.say(f"Matrix is already configured here. {audit_report.summary(found)}")
        self.console.say("What was found is offered as answers; ? says where each is from.")
        if found.traps and self.console.confirm("Read what the audit found?", default=False):
            self.console.say(audit_report.describe(found))

    def _renew(self) -> int:
        self.changed = "What was ordered is kept. To go on: palpo-installer renew"
        return renew(self.host, self.console.say)

    def _roll_back(self) -> int | None:
        """Take back a run and all later ones; return the exit code, None where the person thought better of it."""
        past = list(reversed(standing(self.host.layout)))
        if not past:
            self.console.say("Nothing to take back: no run is in force.")
            return None
        titles = [f"Run {one.id} of {one.began:%Y-%m-%d %H:%M} UTC" for one in past]
        chosen = self.console.choose("Back to before which run? Later ones are taken back with it.", titles, 0)
        affected = ", ".join(one.id for one in past[: chosen + 1])
        if not self.console.confirm(f"Take back run {affected}?", default=False):
            return None
        edited = edited_before(self.host.layout, past[chosen].id)
        for path in edited:
            self.console.say(f"Edited by hand since: {path}")
        if edited and not self.console.confirm("Give up these edits? Copies are kept.", default=False):
            return None
        self.changed = AT_WORK
        arguments = ("--roll-back", *(["--discard-edits"] if edited else []))
        return perform(self.host, past[chosen].id, *arguments, say=self.console.say)

    def _uninstall(self) -> int | None:
        """Show what is taken back and what stays; return the exit code, None where nothing was done."""
        plan = removal(scene_of(self.host, None))
        self.console.say(review.in_words(plan, self.host))
        if plan.obstacles and self.console.confirm("Give up what was edited? Copies are kept.", default=False):
            plan = removal(scene_of(self.host, self.host.layout.edits))
            self.console.say(review.in_words(plan, self.host))
        if plan.obstacles or not self.console.confirm("Take all this back?", default=False):
            return None
        self.changed = AT_WORK
        code = perform(self.host, launch.register(plan, {}, self.host.layout), say=self.console.say)
        if code == 0:
            self._purge()
            self.console.say(PROGRAM)
        return code

    def _purge(self) -> None:
        """Offer to purge the packages that we installed."""
        judged = judge(self.host)
        for line in judged.lines():
            self.console.say(line)
        if judged.going and self.console.confirm("Remove these packages too?", default=False):
            purge(self.host, judged, self.console.say)
            self.console.say(gone(judged))
        elif judged.going:
            self.console.say(LATER)

    def _history(self) -> None:
        past = runs(self.host.layout)
        for line in history_lines(past, busy=not lock.is_free(self.host.layout)):
            self.console.say(line)
        if past and past[-1].result != "never began":
            self.console.say()
            self.console.say(in_words(of_run(self.host.layout, past[-1].id)))
