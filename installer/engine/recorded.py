"""Reads from the history what the runs in force left on the host: what an uninstall takes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from palpo_installer.changes import AnyActivation, AnyOperation
from palpo_installer.engine.history import COPIES, ORIGINALS, PastRun, effective, plan_of, runs
from palpo_installer.engine.journal import Progress, progress, read
from palpo_installer.engine.steps import activation, steps
from palpo_installer.errors import HostError, RefusedPlan
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Json
from palpo_installer.planning.traces import Taken, Trace, Traces
from palpo_installer.proxies.handover import HandOver


def traces(layout: Layout) -> Traces:
    """Return everything that the runs in force did, oldest first.

    Raises:
        RefusedPlan: a run cannot be read, so that nobody knows what it did.
        HostError: the plan of a run in force cannot be read.
    """
    unreadable = next((run for run in runs(layout) if run.result == "unreadable"), None)
    if unreadable is not None:
        raise RefusedPlan(f"what it did is not known: {unreadable.cause}", where=f"run {unreadable.id}")
    operations: list[Trace] = []
    activations: list[Taken] = []
    for run in effective(layout):
        done = progress(read(run.directory / "journal.jsonl"))
        operations += _operations(run, done)
        activations += _activations(run, done)
    return Traces(tuple(operations), tuple(activations))


def _operations(run: PastRun, done: Progress) -> Iterator[Trace]:
    copies = run.directory / (COPIES if run.reversible else ORIGINALS)
    for step in steps(plan_of(run.directory)):
        if step.name in done.begun:
            taken_up = _of(step.change.activation, step.operation)
            yield Trace(run.id, step.operation, taken_up, done.prepared[step.name], copies)


def _of(activation: AnyActivation | None, operation: AnyOperation) -> AnyActivation | None:
    """Return the activation that takes an operation up; of a handover, that of the one or the other proxy."""
    if not isinstance(activation, HandOver):
        return activation
    return activation.old if getattr(operation, "path", None) in activation.leaving else activation.new


def _activations(run: PastRun, done: Progress) -> Iterator[Taken]:
    """Yield what was carried out; a handover as what each proxy did."""
    for number, change in enumerate(plan_of(run.directory).changes):
        step = activation(number)
        if change.activation is None or step not in done.begun:
            continue
        found = done.prepared[step]
        if isinstance(change.activation, HandOver):
            old, new = change.activation.old, change.activation.new
            yield Taken(run.id, run.began, old, cast("Json", found["old"]))
            yield Taken(run.id, run.began, new, cast("Json", found["new"]))
        else:
            yield Taken(run.id, run.began, change.activation, found)


def known_traces(layout: Layout) -> Traces:
    """Return what the runs in force did, nothing where one of them is of another version and cannot be read."""
    try:
        return traces(layout)
    except (RefusedPlan, HostError):
        return Traces()
