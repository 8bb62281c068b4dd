"""The engine process: ``palpo-installer run ID``. It needs no terminal and outlives whoever started it."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

from palpo_installer import result
from palpo_installer.changes import Plan
from palpo_installer.engine.events import Event, EventFile
from palpo_installer.engine.history import PastRun, effective, forget_old_copies, past_run, unfinished
from palpo_installer.engine.lock import hold
from palpo_installer.engine.run import Outcome, Run, Step
from palpo_installer.errors import HostError, InstallerError, Interrupted, RefusedPlan
from palpo_installer.homeserver.keys import signing_key
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Json, Workbench
from palpo_installer.operations.paths import PathState, write_new
from palpo_installer.outside import look
from palpo_installer.secret import Secret, SecretReference
from palpo_installer.serialization import dump, load
from palpo_installer.session import begin, given

log = logging.getLogger(__name__)

Edited = Callable[[Workbench, Step, Json], Json]
"""What a rollback does about a step that somebody changed since: its new ``before``, or RefusedPlan."""

STOP = "stop"
"""The file in a run's directory by which a viewer asks the engine to take back."""

SECRETS = "secrets.json"
"""The file by which a viewer hands over secrets; the engine deletes it before it does anything."""


class Engine:
    """Applies, takes back and rolls back runs under the lock."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.layout: Layout = host.layout
        self._terminated = False

    def listen_to_signals(self) -> None:
        """Take a run back on SIGTERM; a closed terminal and its Ctrl-C do not reach us."""
        signal.signal(signal.SIGTERM, self._terminate)
        for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)

    def carry_on(self, identity: str) -> int:
        """Apply a run that has not begun, take back one that was cut off; return the exit code."""
        directory = self.layout.runs / identity
        events = EventFile(directory / "events.jsonl")
        try:
            with hold(self.layout, f"run {identity}"):
                events.write(Event("began", f"run {identity}"))
                for earlier in unfinished(self.layout):
                    if earlier.id != identity:
                        self._recover(earlier, events)
                outcome = self._apply_or_recover(past_run(directory), events)
                if outcome.result == "applied":
                    self._report(directory, events)
                forget_old_copies(self.layout)
        except InstallerError as error:
            return _ended(events, str(error), error.exit_code)
        except Exception as error:  # the outermost boundary of the process
            log.exception("a defect in palpo-installer")
            return _ended(events, f"{defect(error)}. What it began is taken back by: palpo-installer recover", 5)
        return _ended(events, in_words(outcome), outcome.exit_code)

    def roll_back(self, identity: str, edited: Edited) -> int:
        """Take back a complete run and all later ones, newest first; return the exit code."""
        events = EventFile(self.layout.runs / identity / "events.jsonl")
        outcome = Outcome("rolled-back")
        try:
            with hold(self.layout, f"the rollback of run {identity}"):
                events.write(Event("began", f"rollback of run {identity}"))
                for later in reversed([run for run in effective(self.layout) if run.id >= identity]):
                    if not later.reversible:
                        where, cure = f"run {later.id}", "Apply the answers that you want instead"
                        raise RefusedPlan("its copies were deleted after ten later runs", where=where, next=cure)
                    outcome = self._open(later.directory, events).roll_back(edited)
                    if outcome.problems:
                        break
        except InstallerError as error:
            return _ended(events, str(error), error.exit_code)
        return _ended(events, in_words(outcome), outcome.exit_code)

    def _apply_or_recover(self, run: PastRun, events: EventFile) -> Outcome:
        if run.result == "interrupted":
            return self._recover(run, events)
        if run.result == "never began":
            return self._apply(run.directory, events)
        raise RefusedPlan(f"is complete: {run.result}", where=f"run {run.id}", next="Make a new plan")

    def _apply(self, directory: Path, events: EventFile) -> Outcome:
        run = self._open(directory, events)
        changed = [file.path for file in run.plan.rests_on if self.host.digest(file.path) != file.sha256]
        if changed:
            raise RefusedPlan("changed since the plan was made", where=str(changed[0]), next="Make a new plan")
        try:
            return run.apply()
        except Exception as error:
            log.exception("a defect in palpo-installer")
            return run.take_back("taken-back", defect(error))

    def _report(self, directory: Path, events: EventFile) -> None:
        """Look at the result from outside and keep the report; what it finds fails nothing."""
        events.write(Event("waiting", "looking at the result as clients and other servers do"))
        try:
            report = look(self.host, begin(self.host, given(self.host, None, ())).answers)
        except InstallerError as error:
            events.write(Event("finding", f"The result could not be looked at: {error}"))
            return
        private = PathState("file", mode=0o600, uid=os.geteuid(), gid=os.getegid())
        write_new(directory / "report.json", dump(report).encode(), private)
        summary = result.in_words(result.of_run(self.layout, directory.name))
        write_new(directory / result.FILE, summary.encode(), private)
        for check in report.failures:
            events.write(Event("finding", f"{check.name}, {check.subject}: {check.what} {check.next}"))

    def _recover(self, run: PastRun, events: EventFile) -> Outcome:
        return self._open(run.directory, events).take_back("taken-back", "the run was cut off")

    def _open(self, directory: Path, events: EventFile) -> Run:
        secrets = _take_secrets(directory)
        bench = Workbench(
            host=self.host,
            run=directory.name,
            copies=directory / "copies",
            secret=lambda reference: self._resolve(reference, secrets),
            report=lambda text: events.write(Event("waiting", text)),
            check=lambda: self._check(directory),
        )
        plan = load((directory / "plan.json").read_text(), Plan)
        return Run(plan, directory, bench, events)

    def _resolve(self, reference: SecretReference, delivered: Mapping[str, Secret]) -> Secret:
        match reference.source:
            case "answer":
                if reference.name not in delivered:
                    raise HostError("was not delivered to the engine", where=reference.name)
                return delivered[reference.name]
            case "file":
                data = self.host.read(Path(reference.locator))
                if data is None:
                    raise HostError("is not there", where=reference.locator)
                return Secret(data.decode(errors="strict").strip())
            case "signing-key":
                return signing_key(self.layout, reference.locator)

    def _check(self, directory: Path) -> None:
        if self._terminated or (directory / STOP).exists():
            raise Interrupted("stopped on request")

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self._terminated = True


def defect(error: Exception) -> str:
    """Return an error that only we can have caused in one line."""
    return f"a defect in palpo-installer: {type(error).__name__}: {error}"


def in_words(outcome: Outcome) -> str:
    """Return how a run ended in one or a few sentences."""
    match outcome.result:
        case "applied":
            return "Done."
        case "rolled-back":
            return "Rolled back."
        case "taken-back":
            return "Not done, and everything is as it was before."
        case _:
            left = "\n".join(f"  {problem}" for problem in outcome.problems)
            return f"Not everything could be put back:\n{left}"


def _take_secrets(directory: Path) -> dict[str, Secret]:
    path = directory / SECRETS
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    path.unlink()
    return {name: Secret(value) for name, value in values.items()}


def refuse_edits(bench: Workbench, step: Step, before: Json) -> Json:  # noqa: ARG001
    """Stop a rollback at a file that somebody edited."""
    where = str(before.get("path", f"step {step.name}"))
    cure = "It stays as it is. To give up the edit (a copy is kept), add --discard-edits"
    raise RefusedPlan("was edited since", where=where, next=cure)


def discard_edits(bench: Workbench, step: Step, before: Json) -> Json:
    """Give up an edit; a copy is kept in the run's directory."""
    return step.operation.surrender(bench, before)


def _ended(events: EventFile, text: str, code: int) -> int:
    events.write(Event("ended", text, code=code))
    return code
