"""The engine process: ``palpo-installer run ID``. It needs no terminal and outlives whoever started it."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import FrameType

from palpo_installer.certificates.ordering import settle
from palpo_installer.certificates.process import Watch
from palpo_installer.engine.confirmation import REAL, Clock, asked_for, wait
from palpo_installer.engine.events import Event, EventFile
from palpo_installer.engine.forgetting import forget_all, forget_earlier, forget_old_copies, forget_secrets
from palpo_installer.engine.history import (
    SECRETS,
    PastRun,
    effective,
    past_run,
    plan_of,
    runs,
    standing,
    unfinished,
    uninstalled,
)
from palpo_installer.engine.lock import hold
from palpo_installer.engine.outcome import Outcome, in_words, sentence
from palpo_installer.engine.reporting import look, report
from palpo_installer.engine.rollback import Edited, refuse_edited, refuse_edits
from palpo_installer.engine.run import Run
from palpo_installer.engine.secrets import resolve, take
from palpo_installer.errors import HostError, InstallerError, Interrupted, Locked, NotPutBack, RefusedPlan
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Workbench
from palpo_installer.result import counted

log = logging.getLogger(__name__)


STOP = "stop"
"""The file in a run's directory by which a viewer asks the engine to take back."""


class Engine:
    """Applies, takes back and rolls back runs under the lock."""

    def __init__(self, host: Host, clock: Clock = REAL) -> None:
        self.host = host
        self.clock = clock
        self.layout: Layout = host.layout
        self._terminated = False

    def listen_to_signals(self) -> None:
        """Take a run back on SIGTERM; a closed terminal and its Ctrl-C do not reach us."""
        signal.signal(signal.SIGTERM, self._terminate)
        for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)

    def carry_on(self, identity: str) -> int:
        """Apply a run that has not begun, take back one that was cut off; return the exit code."""
        with EventFile(self.layout.runs / identity / "events.jsonl") as events:
            return self._under_lock(f"run {identity}", identity, events, partial(self._carry_on, identity, events))

    def put_files_back(self, identity: str) -> int:
        """Put back the files of a run that was cut off, before any service runs; return the exit code."""
        directory = self.layout.runs / identity
        purpose = f"putting back the files of run {identity}"
        with EventFile(directory / "events.jsonl") as events:
            return self._under_lock(purpose, identity, events, partial(self._put_files_back, directory, events))

    def roll_back(self, identity: str, edited: Edited) -> int:
        """Take back a complete run and all later ones, newest first; return the exit code."""
        with EventFile(self.layout.runs / identity / "events.jsonl") as events:
            work = partial(self._roll_back, identity, edited, events)
            return self._under_lock(f"the rollback of run {identity}", identity, events, work)

    def _under_lock(self, purpose: str, identity: str, events: EventFile, work: Callable[[], Outcome]) -> int:
        """Do the work as the only one, and tell how it ended."""
        try:
            with hold(self.layout, purpose):
                events.write(Event("began", purpose))
                try:
                    outcome = work()
                    text, code = in_words(outcome), outcome.exit_code
                except InstallerError as error:
                    text, code = str(error), error.exit_code
                except Exception as error:  # the outermost boundary of the process
                    log.exception("a defect in palpo-installer")
                    text = f"{defect(error)}. What was begun is taken back by: palpo-installer recover"
                    code = 5
                self._forget(events)
                events.write(Event("ended", text, code=code))
                return code
        except Locked as error:
            # The event file of a run that began belongs to the engine that is at work on it.
            if past_run(self.layout.runs / identity).result == "never began":
                (self.layout.runs / identity / SECRETS).unlink(missing_ok=True)
                events.write(Event("ended", str(error), code=error.exit_code))
            return error.exit_code

    def _forget(self, events: EventFile) -> None:
        """Delete what nobody needs any more; what cannot be deleted fails nothing."""
        try:
            self._forget_uninstalled()
            for run in effective(self.layout):
                self._tidy(run, events)
            forget_old_copies(self.layout)
            forget_secrets(self.layout)
        except OSError as error:
            events.write(Event("problem", f"left behind: {sentence(error)}"))

    def finish_uninstall(self) -> None:
        """Go on with deleting the history where a kill cut that off, if it did.

        Raises:
            Locked: a run is at work.
        """
        if uninstalled(self.layout):
            with hold(self.layout, "deleting the history of what was uninstalled"):
                self._forget_uninstalled()

    def _forget_uninstalled(self) -> None:
        """Delete what an uninstall leaves, also what it staged, where a kill came before that was removed."""
        last = uninstalled(self.layout)
        if not last:
            return
        directory = self.layout.runs / last
        if (directory / "plan.json").exists():
            with EventFile(directory / "events.jsonl") as events, self._open(directory, events) as opened:
                opened.tidy()
        forget = forget_all if runs(self.layout)[-1].id == last else forget_earlier
        forget(self.layout)

    def _tidy(self, run: PastRun, events: EventFile) -> None:
        """Remove what a run had staged that was killed after its last record; it is complete, and nothing goes on."""
        if run.reversible:
            # The plan of another version is that version's business.
            with suppress(HostError), self._open(run.directory, events) as opened:
                opened.tidy()

    def _put_files_back(self, directory: Path, events: EventFile) -> Outcome:
        with self._open(directory, events) as run:
            return run.put_files_back()

    def _carry_on(self, identity: str, events: EventFile) -> Outcome:
        for earlier in unfinished(self.layout):
            if earlier.id != identity and (problems := self._recover(earlier, events).problems):
                raise NotPutBack(problems[0], next=f"Put this right, then: palpo-installer recover (run {earlier.id})")
        run = past_run(self.layout.runs / identity)
        if run.result in {"interrupted", "not-put-back"}:
            return self._recover(run, events)
        if run.result == "unreadable":
            raise HostError(run.cause)
        if run.result != "never began":
            # Its engine died with its last word still to say.
            return Outcome(run.result, run.cause, run.problems)
        if not (run.directory / SECRETS).exists():
            raise RefusedPlan("is over; nothing was changed", where=f"run {identity}", next="Make a new plan")
        with self._begun(run.directory, events) as opened:
            outcome = self._apply(opened, events)
        if outcome.result == "applied":
            report(self.host, run.directory, events)
        return outcome

    def _roll_back(self, identity: str, edited: Edited, events: EventFile) -> Outcome:
        outcome = Outcome("rolled-back")
        # An engine before us may have died in the middle of this rollback.
        for cut_off in unfinished(self.layout):
            if cut_off.result == "interrupted" and (outcome := self._recover(cut_off, events)).problems:
                return outcome
        affected = [run for run in reversed(standing(self.layout)) if run.id >= identity]
        for run in affected:
            if not run.reversible:
                where, cure = f"run {run.id}", "Apply the answers that you want instead"
                raise RefusedPlan("its copies were deleted after ten later runs", where=where, next=cure)
        with ExitStack() as until_the_end:
            opened = [until_the_end.enter_context(self._open(run.directory, events)) for run in affected]
            if edited is refuse_edits:
                refuse_edited(opened)
            for one in opened:
                outcome = one.roll_back(edited)
                if outcome.result != "rolled-back":
                    break
        return outcome

    def _begun(self, directory: Path, events: EventFile) -> Run:
        try:
            return self._open(directory, events)
        except OSError as error:
            cause = f"its journal cannot be begun: {sentence(error)}; nothing was changed"
            raise RefusedPlan(cause, where=f"run {directory.name}", next="Put this right and apply again") from error

    def _apply(self, run: Run, events: EventFile) -> Outcome:
        changed = [file.path for file in run.plan.rests_on if self.host.digest(file.path) != file.sha256]
        if changed:
            raise RefusedPlan("changed since the plan was made", where=str(changed[0]), next="Make a new plan")
        within = asked_for(run.path.parent)
        if run.plan.result == "uninstalled":
            # An order that outlived its engine needs port 80 until its end.
            settle(self.layout, Watch(run.bench.report, run.bench.check))
        try:
            return run.apply(partial(self._wait, run, within, events)) if within else run.apply()
        except Exception as error:
            log.exception("a defect in palpo-installer")
            return run.take_back("taken-back", defect(error))

    def _wait(self, run: Run, within: int, events: EventFile) -> None:
        """Have the change confirmed by somebody who can see what the outside sees of it."""
        directory = self.layout.runs / run.bench.run
        seen = look(self.host, directory, events)
        summary = counted(seen) if seen else ""
        tell = partial(run.say_unconfirmed, summary, within)
        wait(directory, within, run.bench.check, tell, self.clock)

    def _recover(self, run: PastRun, events: EventFile) -> Outcome:
        with self._open(run.directory, events) as opened:
            if opened.progress.applied:
                return opened.take_back("rolled-back", "")
            waited = opened.progress.unconfirmed
            cause = "the run was cut off before it was confirmed" if waited else "the run was cut off"
            return opened.take_back("taken-back", cause)

    def _open(self, directory: Path, events: EventFile) -> Run:
        secrets, plan = take(directory), plan_of(directory)
        bench = Workbench(
            host=self.host,
            run=directory.name,
            copies=directory / "copies",
            secret=partial(resolve, self.host, secrets),
            report=lambda text: events.write(Event("waiting", text)),
            check=lambda: self._check(directory),
            read_whole=plan.read_whole,
        )
        watch = Watch(bench.report, lambda: None)
        return Run(plan, directory, bench, events, settle=partial(settle, self.layout, watch))

    def _check(self, directory: Path) -> None:
        if self._terminated or (directory / STOP).exists():
            raise Interrupted("stopped on request")

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self._terminated = True


def defect(error: Exception) -> str:
    """Return an error that only we can have caused in one line."""
    return f"a defect in palpo-installer: {type(error).__name__}: {error}"
