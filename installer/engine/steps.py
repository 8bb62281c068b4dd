"""The steps of a plan, by the names that the journal and the events have for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from palpo_installer.changes import AnyOperation, Change, Plan


@dataclass(frozen=True)
class Step:
    """One operation of a plan with its number in the run."""

    number: int
    change: Change
    operation: AnyOperation

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return str(self.number)


def steps(plan: Plan) -> Iterator[Step]:
    """Yield the operations of a plan in their order."""
    number = 0
    for change in plan.changes:
        for operation in change.operations:
            yield Step(number, change, operation)
            number += 1


def activation(number: int) -> str:
    """Return what the journal calls the activation of a change."""
    return f"activation {number}"
