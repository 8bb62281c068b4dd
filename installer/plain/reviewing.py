"""The review: what will happen, then to make it so, to save it, or to go back to the answers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from palpo_installer import answers_file, connection, review, saved_plan
from palpo_installer.changes import Plan
from palpo_installer.choices import Choices
from palpo_installer.commands.following import carry_out
from palpo_installer.conversation import PAGES, applying
from palpo_installer.engine.confirmation import USUAL
from palpo_installer.errors import AnotherServerName, AnswersError, HostError, InstallerError
from palpo_installer.host import Host
from palpo_installer.operations.paths import PathState
from palpo_installer.operations.replacement import write_new
from palpo_installer.plain.asking import Asking
from palpo_installer.plain.console import Console
from palpo_installer.plan import make
from palpo_installer.planning.renaming import lost
from palpo_installer.proxies.kinds import title
from palpo_installer.questions import SECRET_KEYS
from palpo_installer.rehearsal import rehearse
from palpo_installer.session import Session, begin, inputs_of
from palpo_installer.verify import describe

PLAN_FILE = "palpo-plan.json"
ENDED_BY_SIGNAL = 143


class Action(StrEnum):
    """What can be done with a review."""

    APPLY = "Make these changes"
    TRY = f"Make these changes, and take them back unless you confirm them within {USUAL} seconds"
    LOOK_AGAIN = "Look at the host again"
    CHANGE = "Change an answer"
    COMPARE = "Show the differences, line by line"
    READ = "Read all of it, one screen at a time"
    SAVE = "Save this plan, and leave"
    REHEARSE = "Try the site out in a private copy of the proxy on loopback; nothing is changed"
    LEAVE = "Leave; nothing is changed"


@dataclass(frozen=True)
class Proposal:
    """A plan, and the answers and facts it was made from."""

    session: Session
    plan: Plan


class Review:
    """Shows the plan for the answers, and does with it what the person says."""

    def __init__(self, console: Console, host: Host, asking: Asking) -> None:
        self.console = console
        self.host = host
        self.asking = asking
        self._given_up: frozenset[str] = frozenset()
        self._agreed_name = ""
        self._asked: set[str] = set()

    def run(self) -> int:
        """Show, ask, do; return the exit code."""
        while True:
            proposal = self._made()
            text = review.in_words(proposal.plan, self.host) if proposal else ""
            action = self._ask(proposal, text)
            match action:
                case Action.LEAVE:
                    self.console.say("Nothing was changed.")
                    return 0
                case Action.CHANGE:
                    self._change()
                case Action.APPLY if proposal:
                    return self._apply(proposal)
                case Action.TRY if proposal:
                    return self._apply(proposal, USUAL)
                case Action.SAVE if proposal and self._save(proposal):
                    return 0

    def _made(self) -> Proposal | None:
        """Return the plan; an answer that does not fit the host is asked for again."""
        while True:
            self.console.heading("Review")
            self.console.say("Looking at the host, and making the plan ...")
            try:
                session = begin(self.host, applying(self.asking.given, self.asking.talk()))
                renaming = session.answers.names.server_name == self._agreed_name
                plan = make(inputs_of(session, Choices(self._given_up, renaming)))
                if not self._choose_edits(plan):
                    return Proposal(session, plan)
            except AnotherServerName as error:
                if not self._agree(error):
                    self.asking.run(self.asking.step_for(error.where))
            except AnswersError as error:
                self.console.say(f"! {error}")
                step = self.asking.step_for(error.where)
                if step is None:
                    return None
                self.asking.run(step)
            except InstallerError as error:
                self.console.say(f"! {error}")
                return None

    def _choose_edits(self, plan: Plan) -> bool:
        """Ask once for each edit whether it stays; return whether one is given up, so that the plan is another."""
        new = [edit for edit in plan.edits if edit.subject not in self._asked]
        for edit in new:
            self.console.say(f"Edited by hand since the last run: {edit.subject}")
            for text in (edit.theirs, *(f"  {sentence}" for sentence in edit.kept)):
                self.console.copy(text)
        self._asked |= {edit.subject for edit in new}
        kept = "Keep your edit of {}? If not, it is given up, and a copy is kept."
        given_up = {edit.subject for edit in new if not self.console.confirm(kept.format(edit.subject), default=True)}
        self._given_up |= given_up
        return bool(given_up)

    def _agree(self, error: AnotherServerName) -> bool:
        """Say what another server name costs, and let it be typed again; return whether it was."""
        for sentence in lost(error.former, error.wanted):
            self.console.say(f"! {sentence}")
        agreed = self.console.ask("To go on, type the new server name again:").lower() == error.wanted
        self._agreed_name = error.wanted if agreed else ""
        return agreed

    def _ask(self, proposal: Proposal | None, text: str) -> Action:
        """Show the review but for its differences, which may be long, and return what to do, after all reading."""
        overview, _, differences = text.partition(f"\n{review.DIFFERENCES}\n")
        self.console.say()
        self.console.say(overview)
        if proposal and not self.host.is_root:
            self.console.say("Only root can make these changes: sudo palpo-installer")
        actions = possible(proposal.plan if proposal else None, root=self.host.is_root, remote=connection.is_remote())
        while True:
            match actions[self.console.choose("What now?", actions)]:
                case Action.COMPARE:
                    self.console.copy(differences)
                case Action.READ:
                    self.console.page(text)
                case Action.REHEARSE if proposal:
                    self._rehearse(proposal.session)
                case action:
                    return action

    def _rehearse(self, session: Session) -> None:
        self.console.say(
            f"Trying the site out in a private copy of {title(session.answers.proxy)}; nothing is changed ..."
        )
        try:
            self.console.say(describe(rehearse(session.answers, session.proxy, session.host.layout)))
        except InstallerError as error:
            self.console.say(f"! {error}")

    def _change(self) -> None:
        titles = [page.title for page in PAGES]
        page = PAGES[self.console.choose("Which answers?", titles, 0)]
        self.asking.run(self.asking.start_of(page))

    def _apply(self, proposal: Proposal, confirm_within: int | None = None) -> int:
        self.console.heading("Apply")
        self.console.say("A lost connection does not stop it. Ctrl-C takes everything back.")
        try:
            secrets = proposal.session.resolved.secrets
            return carry_out(self.host, proposal.plan, secrets, self.console.say, confirm_within)
        except SystemExit:
            self.console.say("The run goes on without this screen. To follow it: palpo-installer attach")
            if confirm_within:
                self.console.say("It takes itself back unless it is confirmed: palpo-installer confirm")
            return ENDED_BY_SIGNAL

    def _save(self, proposal: Proposal) -> bool:
        """Save the plan, and the secrets that were typed beside it; return whether that worked."""
        preset = Path.cwd() / PLAN_FILE
        output = Path(self.console.ask(f"File [{preset}]:") or preset).absolute()
        given = flat(applying(self.asking.given, self.asking.talk()))
        try:
            secrets = self._save_secrets(proposal.session, output) if any(map(given.get, SECRET_KEYS)) else None
            saved_plan.save(proposal.plan, given, secrets, output)
        except (InstallerError, OSError) as error:
            self.console.say(f"! {error}")
            return False
        self.console.say(f"Saved as {output}. Nothing was changed.")
        self.console.say(f"To apply exactly this: palpo-installer apply --plan {output}")
        return True

    def _save_secrets(self, session: Session, output: Path) -> Path:
        beside = output.with_name(f"{output.name}.answers.toml")
        text = answers_file.text(session.answers).reveal(session.resolved.secrets)
        try:
            write_new(beside, text.encode(), PathState("file", mode=0o600, uid=os.geteuid(), gid=os.getegid()))
        except OSError as error:
            raise HostError(f"cannot be written: {error.strerror}", where=str(beside)) from error
        self.console.say(f"The plan holds no secrets. They are in {beside}, which only you can read.")
        return beside


def possible(plan: Plan | None, *, root: bool, remote: bool = False) -> list[Action]:
    """Return what can be done with a plan, or without one, by root or by somebody else.

    To somebody who could lose the way to the host, changes that take themselves back are offered first.
    """
    actions: list[Action] = []
    if plan and plan.changes and not plan.obstacles and root:
        actions += [Action.TRY, Action.APPLY] if remote else [Action.APPLY, Action.TRY]
    if plan is None or plan.obstacles:
        actions.append(Action.LOOK_AGAIN)
    actions.append(Action.CHANGE)
    if plan and plan.changes:
        actions += [Action.COMPARE, Action.READ, Action.SAVE, Action.REHEARSE]
    return [*actions, Action.LEAVE]


def flat(given: Mapping[str, object]) -> dict[str, object]:
    """Return what was given with the rows of a table by keys of their own, as a file of answers has them."""
    values: dict[str, object] = {}
    for key, value in given.items():
        if not isinstance(value, Mapping):
            values[key] = value
            continue
        for name, row in value.items():
            values |= {f'{key}."{name}".{part}': str(path) for part, path in dict(row).items()}
    return values
