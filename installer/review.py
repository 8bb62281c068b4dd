"""A plan as a person reads it before saying yes: sentences, changes, differences."""

from __future__ import annotations

import json
from collections.abc import Iterator

from palpo_installer.changes import Edit, Plan
from palpo_installer.host import Host
from palpo_installer.operations.base import Description
from palpo_installer.serialization import converter

DIFFERENCES = "Differences"
"""The heading of the last part; below it lines are those of unified diffs."""

STAYS = "What stays, and why"
"""The heading of what an uninstall leaves."""


def in_words(plan: Plan, host: Host) -> str:
    """Return the review of a plan as plain text."""
    return "\n".join(_lines(plan, host))


def _lines(plan: Plan, host: Host) -> Iterator[str]:
    removal = plan.result == "uninstalled"
    if not plan.changes and not removal:
        yield "Nothing to do: everything is as these answers ask for."
    else:
        yield "What will happen"
        yield from (f"  {sentence}" for sentence in plan.summary)
    if plan.edits:
        yield ""
        yield "Edited by hand since the last run"
        yield from (f"  {line}" for edit in plan.edits for line in _fate(edit))
    if plan.changes:
        yield ""
        yield "Changes, in this order; if one does not work out, all are taken back"
        for number, change in enumerate(plan.changes, 1):
            yield f" {number}. {change.title}"
            for description in _descriptions(plan, number - 1, host):
                yield f"    - {description.title}"
                yield from (f"        {detail}" for detail in description.details if detail)
    if plan.unchanged:
        yield ""
        yield STAYS if removal else "Left as it is"
        yield from (f"  {entry.subject}: {entry.reason}" for entry in plan.unchanged)
    if plan.obstacles:
        yield ""
        yield "To be put right first; until then nothing is changed"
        yield from (f"  {obstacle}" for obstacle in plan.obstacles)
    if plan.findings:
        yield ""
        yield "To know"
        yield from (f"  {finding}" for finding in plan.findings)
    differences = [text for text in _differences(plan, host) if text]
    if differences:
        yield ""
        yield DIFFERENCES
        for text in differences:
            yield text
            yield ""


def _fate(edit: Edit) -> Iterator[str]:
    """Yield what becomes of an edit."""
    if edit.overwritten:
        yield f"{edit.subject}: your edit is given up; the file as it is now is kept in the run's directory"
        return
    yield f"{edit.subject}: your edit stays"
    yield from (f"    {sentence}" for sentence in edit.kept)


def _descriptions(plan: Plan, number: int, host: Host) -> Iterator[Description]:
    change = plan.changes[number]
    yield from (operation.describe(host) for operation in change.operations)
    if change.activation is not None:
        yield change.activation.describe(host)


def _differences(plan: Plan, host: Host) -> Iterator[str]:
    for number in range(len(plan.changes)):
        for description in _descriptions(plan, number, host):
            yield description.diff
    for edit in plan.edits:
        for whose, text in (("What you changed in", edit.theirs), ("What this run changes in", edit.ours)):
            yield f"{whose} {edit.subject}:\n{text}" if text else ""


def refusal(plan: Plan) -> str:
    """Return why a plan is not applied, to stand below everything else."""
    return "\n".join(("Nothing was changed. To be put right first:", *(f"  {each}" for each in plan.obstacles)))


def as_json(plan: Plan, host: Host) -> str:
    """Return the review of a plan for programs."""
    changes = [
        {
            "title": change.title,
            "operations": [converter.unstructure(description) for description in _descriptions(plan, number, host)],
        }
        for number, change in enumerate(plan.changes)
    ]
    review = {
        "digest": plan.digest,
        "summary": plan.summary,
        "changes": changes,
        "unchanged": [converter.unstructure(entry) for entry in plan.unchanged],
        "findings": plan.findings,
        "obstacles": plan.obstacles,
        "edits": [converter.unstructure(edit) for edit in plan.edits],
        "former_name": plan.former_name,
    }
    return json.dumps(review, indent=1, ensure_ascii=False) + "\n"
