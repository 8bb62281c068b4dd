"""A plan in a file, to be applied later exactly as it was shown, or refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.answers_file import load as load_answers
from palpo_installer.changes import Plan
from palpo_installer.choices import Choices
from palpo_installer.errors import AnswersError, HostError, RefusedPlan
from palpo_installer.operations.paths import PathState
from palpo_installer.operations.replacement import write_new
from palpo_installer.questions import SECRET_KEYS
from palpo_installer.serialization import dump, load

FORMAT = 1


@dataclass(frozen=True)
class SavedPlan:
    """A plan with what is needed to make it again.

    Attributes:
        format: the version of this format.
        answers: the answers given, by key, without secrets; an empty one of those was taken away.
        secrets: the file of answers that has the secrets, empty where there are none.
        plan: the plan as it was shown.
    """

    format: int
    answers: Mapping[str, str | int | float | bool | list[str]]
    secrets: str
    plan: Plan

    def given(self) -> dict[str, object]:
        """Return the answers with their secrets, read again from the file that has them."""
        answers: dict[str, object] = dict(self.answers)
        if self.secrets:
            stored = load_answers(Path(self.secrets))
            answers |= {key: stored[key] for key in SECRET_KEYS if key in stored and key not in self.answers}
        return answers

    @property
    def choices(self) -> Choices:
        """What was chosen for this plan beside the answers, as the plan itself shows it."""
        return Choices(self.plan.overwritten, renaming=bool(self.plan.former_name))

    def require_same(self, made: Plan) -> None:
        """Check that the plan made now is the one that was saved.

        Raises:
            RefusedPlan: something that it was made from has changed.
        """
        if made.digest == self.plan.digest:
            return
        then = {file.path: file.sha256 for file in self.plan.rests_on}
        now = {file.path: file.sha256 for file in made.rests_on}
        changed = sorted(str(path) for path in then.keys() | now.keys() if then.get(path) != now.get(path))
        where = ", ".join(changed) or "the host"
        raise RefusedPlan(
            "changed since the plan was saved", where=where, next="Make a new plan, look at it, and apply that"
        )


def save(plan: Plan, answers: Mapping[str, object], source: Path | None, output: Path) -> None:
    """Write a plan to a file that only its owner can read.

    Raises:
        AnswersError: a secret was not given by a file, so that it could not be found again.
        HostError: the file cannot be written.
    """
    held = [key for key in SECRET_KEYS if answers.get(key)]
    if held and source is None:
        raise AnswersError("is a secret and must come from a file of answers", where=held[0])
    shown = {key: value for key, value in answers.items() if key not in held}
    secrets = str(source.resolve()) if held and source else ""
    saved = SavedPlan(FORMAT, shown, secrets, plan)  # type: ignore[arg-type]
    private = PathState("file", mode=0o600, uid=os.geteuid(), gid=os.getegid())
    try:
        write_new(output, dump(saved).encode(), private)
    except OSError as error:
        raise HostError(f"the plan cannot be saved: {error.strerror}", where=str(output)) from error


def read(path: Path) -> SavedPlan:
    """Return a saved plan.

    Raises:
        AnswersError: the file is no saved plan of this version.
    """
    try:
        saved = load(path.read_text(), SavedPlan)
    except OSError as error:
        what = f"the plan cannot be read: {error.strerror}"
        raise AnswersError(what, where=str(path), next="Make one with: palpo-installer plan --output FILE") from error
    except ValueError as error:
        raise AnswersError(
            "is no plan that this version saved", where=str(path), next="Make it again with: plan --output"
        ) from error
    if saved.format != FORMAT:
        raise AnswersError(f"has the format {saved.format}, not {FORMAT}", where=str(path), next="Make a new plan")
    return saved
