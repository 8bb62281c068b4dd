"""One run: apply a plan, or take it back; the same code whether it goes on, fails or was killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self

from palpo_installer.changes import Change, Plan
from palpo_installer.engine.boot import is_going_down
from palpo_installer.engine.events import Event, EventFile, Kind
from palpo_installer.engine.journal import Journal, Progress, Record, progress, read
from palpo_installer.engine.outcome import Outcome, sentence
from palpo_installer.engine.steps import Step, activation, steps
from palpo_installer.errors import InstallerError, NotPutBack, RefusedPlan
from palpo_installer.operations.base import Json, State, Workbench
from palpo_installer.operations.places import Places


def _go_on() -> None:
    """Let nothing interrupt, and wait for nobody."""


class Run:
    """The engine's work on one plan, whose journal is open until the end of its ``with``.

    Every act is in the journal before it happens.
    """

    def __init__(
        self, plan: Plan, directory: Path, bench: Workbench, events: EventFile, settle: Callable[[], None] = _go_on
    ) -> None:
        self.plan = plan
        self.bench = bench
        self.path = directory / "journal.jsonl"
        self.journal = Journal(self.path)
        self._events = events
        self._settle = settle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    def apply(self, confirmed: Callable[[], None] = _go_on) -> Outcome:
        """Apply the plan; when anything is not as promised, take back what was done.

        Args:
            confirmed: returns once everything that was done may stay; raises when it may not.
        """
        outcome = Outcome(self.plan.result)
        try:
            self._prepare()
            for number, change in enumerate(self.plan.changes):
                self._act(number, change)
            confirmed()
            self.journal.append(self._end(outcome, self._manifest()))
        except (InstallerError, OSError) as error:
            cause = sentence(error)
            self.say("problem", cause)
            return self.take_back("taken-back", cause)
        self.tidy()
        return outcome

    def take_back(self, result: str, cause: str) -> Outcome:
        """Undo what was begun, newest first: a change's files, then one activation, then its proof.

        A host that goes down starts and reloads nothing: then the files go back, and the run stays open.
        """
        self.bench = replace(self.bench, check=_go_on)
        if not is_going_down(self.bench.host):
            self._wait_for_orders()
        files: dict[str, str] = {}
        services: dict[str, str] = {}
        for number, change in reversed(list(enumerate(self.plan.changes))):
            files |= self._undo(change)
            if not is_going_down(self.bench.host):
                services |= self._deactivate(number, change)
        if is_going_down(self.bench.host):
            return self._stay_open(cause, files)
        problems = files | services
        problems |= self.tidy(keep=frozenset(problems))
        outcome = Outcome("not-put-back" if problems else result, cause, tuple(problems.values()))
        self._note(self._end(outcome, {}))
        return outcome

    def put_files_back(self) -> Outcome:
        """Put the files back while no service runs yet; the run stays open, for ``take_back`` to do the rest."""
        problems: dict[str, str] = {}
        for change in reversed(self.plan.changes):
            problems |= self._undo(change)
        return self._stay_open("the run was cut off", problems)

    @staticmethod
    def _stay_open(cause: str, problems: Mapping[str, str]) -> Outcome:
        return Outcome("not-put-back" if problems else "files-back", cause, tuple(problems.values()))

    def roll_back(self, edited: Callable[[Workbench, Step, Json], Json]) -> Outcome:
        """Undo a complete run; ``edited`` says what to do about a step that somebody changed since.

        Raises:
            RefusedPlan: by ``edited``; or there is no space. Nothing was touched.
        """
        done, changed_again = self.progress, self._changed_again()
        before: dict[str, Json] = {}
        try:
            for step in self.begun:
                record = done.prepared[step.name]
                judged = step.name not in done.undone and step.name not in changed_again
                if judged and step.operation.observe(self.bench, record) is State.OTHER:
                    record = edited(self.bench, step, record)
                before[step.name] = record
            # As they are undone: what lies in a directory that is gone needs that first.
            for step in reversed(self.begun):
                step.operation.restage(self.bench, before[step.name])
            for number, change in enumerate(self.plan.changes):
                name = activation(number)
                if change.activation is not None and name in done.prepared:
                    before[name] = change.activation.refresh(self.bench, done.prepared[name])
            # From here on the run is open again, and what is cut off goes on at the next start.
            self.journal.append_all(Record("prepared", name, record) for name, record in before.items())
        except (InstallerError, OSError) as error:
            self.tidy()
            raise RefusedPlan(sentence(error)) from error
        return self.take_back("rolled-back", "")

    @property
    def progress(self) -> Progress:
        """What the journal adds up to now."""
        return progress(read(self.path))

    @property
    def begun(self) -> tuple[Step, ...]:
        """The steps that were begun, in order."""
        begun = self.progress.begun
        return tuple(step for step in steps(self.plan) if step.name in begun)

    def _changed_again(self) -> frozenset[str]:
        """Return the steps whose path a later step of the run changes too, so that only that one can be judged."""
        prepared, newest = self.progress.prepared, {}
        for step in self.begun:
            newest[str(prepared[step.name].get("path", step.name))] = step.name
        return frozenset(step.name for step in self.begun) - frozenset(newest.values())

    def tidy(self, keep: frozenset[str] = frozenset()) -> dict[str, str]:
        """Remove what was staged, but for the steps in ``keep``, which are still to be undone.

        Returns:
            What could not be removed, by step.
        """
        done = self.progress
        left: dict[str, str] = {}
        for step in steps(self.plan):
            if step.name in done.prepared and step.name not in keep:
                try:
                    step.operation.finish(self.bench, done.prepared[step.name])
                except OSError as error:
                    left[step.name] = f"left behind: {sentence(error)}"
                    self.say("problem", left[step.name], step.name)
        return left

    def _wait_for_orders(self) -> None:
        """Let an order that outlived its engine come to its end: the proxy must serve its proof until then."""
        try:
            self._settle()
        except (InstallerError, OSError) as error:
            # Also where its lock cannot be opened, as on a disk that became read-only: the files go back all the same.
            self.say("problem", sentence(error))

    def say_unconfirmed(self, summary: str, within: int, until: datetime) -> None:
        """Record, and tell whoever watches, that everything is applied and when it takes itself back."""
        deadline = until.isoformat(timespec="seconds")
        self.journal.append(Record("unconfirmed", "", {"within": within, "until": deadline}))
        self._events.write(Event("unconfirmed", summary, until=deadline))

    def say(self, kind: Kind, text: str, step: str = "") -> None:
        """Tell whoever watches."""
        self._events.write(Event(kind, text, step))

    def _prepare(self) -> None:
        self.say("preparing", "copying what is there and reserving space")
        places = Places()
        for step in steps(self.plan):
            self.bench.check()
            before = step.operation.prepare(self.bench, step.number)
            if "path" in before:
                places.add(Path(str(before["path"])), replaced="staged" in before)
            self.journal.append(Record("prepared", step.name, before))
            step.operation.stage(self.bench, before)
        for number, change in enumerate(self.plan.changes):
            if change.activation is not None:
                self.bench.check()
                record = Record("prepared", activation(number), change.activation.prepare(self.bench))
                self.journal.append(record)

    def _act(self, number: int, change: Change) -> None:
        prepared = self.progress.prepared
        for step in (each for each in steps(self.plan) if each.change is change):
            title = step.operation.describe(self.bench.host).title
            self._perform(step.name, title, partial(step.operation.act, self.bench, prepared[step.name]))
        if change.activation is not None:
            name = activation(number)
            title = change.activation.describe(self.bench.host).title
            self._perform(name, title, partial(change.activation.activate, self.bench, prepared[name]))

    def _perform(self, step: str, title: str, act: Callable[[], Json | None]) -> None:
        self.bench.check()
        self.journal.append(Record("acting", step))
        self.say("acting", title, step)
        result = act()
        self.journal.append(Record("done", step, result or {}))
        self.say("done", title, step)

    def _undo(self, change: Change) -> dict[str, str]:
        """Take the operations of one change back; return what could not be undone, by step."""
        done = self.progress
        problems: dict[str, str] = {}
        for step in reversed(self._begun_of(change)):
            before = done.prepared[step.name]
            if step.name in done.undone and step.operation.observe(self.bench, before) is State.OTHER:
                # It was put back, and somebody has changed it since.
                continue
            title = step.operation.describe(self.bench.host).title
            problems |= self._restore(step.name, title, partial(step.operation.undo, self.bench, before))
        return problems

    def _deactivate(self, number: int, change: Change) -> dict[str, str]:
        """Let the service of one change take up the files that are back; return what it could not, by step."""
        done, name = self.progress, activation(number)
        if change.activation is None or name not in done.prepared:
            return {}
        if name not in done.begun and not self._begun_of(change):
            return {}
        title = change.activation.describe(self.bench.host).title
        return self._restore(name, title, partial(change.activation.restore, self.bench, done.prepared[name]))

    def _begun_of(self, change: Change) -> tuple[Step, ...]:
        """The steps of a change that were begun and can be undone, in order."""
        return tuple(step for step in self.begun if step.change is change and not step.operation.lasting)

    def _restore(self, step: str, title: str, undo: Callable[[], None]) -> dict[str, str]:
        self._note(Record("undoing", step))
        self.say("undoing", title, step)
        try:
            undo()
        except (InstallerError, OSError) as error:
            problem = sentence(error if isinstance(error, InstallerError) else NotPutBack(str(error), where=title))
            self.say("problem", problem, step)
            return {step: problem}
        self._note(Record("undone", step))
        self.say("undone", title, step)
        return {}

    def _manifest(self) -> Json:
        """Return what is ours after this run: every file with its hash, those of earlier runs included."""
        files = dict(self.plan.ours)
        for result in self.progress.results.values():
            if result.get("kind") in {"file", "link"}:
                files[str(result["path"])] = str(result["sha256"])
            elif result.get("kind") == "absent":
                files.pop(str(result["path"]), None)
        return {"ours": files}

    def _end(self, outcome: Outcome, more: Json) -> Record:
        data = {"result": outcome.result, "cause": outcome.cause, "problems": list(outcome.problems), **more}
        return Record("end", "", data)

    def _note(self, record: Record) -> None:
        """Write a record of taking back; a full disk must not keep us from putting the files back.

        Taking back looks at the state of the host, so it can be done again without these records.
        """
        try:
            self.journal.append(record)
        except OSError as error:
            self.say("problem", f"the journal cannot be written: {error.strerror}")
