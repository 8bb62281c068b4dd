"""How a run ended, as a person reads it afterwards: on the last screen, in a file, and from ``attach``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.changes import Plan
from palpo_installer.engine.history import PastRun, past_run, plan_of
from palpo_installer.engine.in_force import copy_of
from palpo_installer.layout import Layout
from palpo_installer.serialization import load
from palpo_installer.verify import Report
from palpo_installer.verify.report import WORDS, Check

FILE = "result.txt"


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
        run: the run.
        plan: what it was to do.
        report: what the outside saw afterwards, None where nobody looked.
        options: what a command needs to work on the same host.
    """

    run: PastRun
    plan: Plan
    report: Report | None
    options: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """How the tool is called for this host."""
        return " ".join(("palpo-installer", *self.options))

    @property
    def findings(self) -> tuple[Check, ...]:
        """What the outside does not see as it should."""
        return self.report.failures if self.report else ()


def of_run(layout: Layout, identity: str) -> Result:
    """Return how a run ended."""
    directory = layout.runs / identity
    report = report_of(directory)
    return Result(
        run=past_run(directory),
        plan=plan_of(directory),
        report=load(report.read_text(), Report) if report.exists() else None,
        options=layout.arguments(),
    )


def report_of(directory: Path) -> Path:
    """Return where what the outside saw of a run is kept."""
    return directory / "report.json"


def was_looked_at(directory: Path) -> bool:
    """Return whether somebody has looked at a run from outside."""
    return report_of(directory).exists()


def saved_at(layout: Layout, identity: str) -> Path:
    """Return where the result of a run is kept."""
    return layout.runs / identity / FILE


def in_words(result: Result) -> str:
    """Return a result as plain text."""
    return "\n".join(_lines(result)) + "\n"


def headline(result: Result) -> str:
    """Return how the run ended in one sentence."""
    match result.run.result:
        case "applied":
            return "Done: the changes are made and proven."
        case "taken-back":
            return "Not done: everything is as it was before."
        case "rolled-back":
            return "Rolled back: everything is as it was before this run."
        case "uninstalled":
            return "Uninstalled: everything is as it was before the first run, but for what stays."
        case "not-put-back":
            return "Not everything could be put back."
        case _:
            return "Not finished."


def _lines(result: Result) -> Iterator[str]:
    run = result.run
    yield f"Run {run.id}, {run.began:%Y-%m-%d %H:%M} UTC"
    yield headline(result)
    if run.cause:
        yield f"The cause: {run.cause}"
    yield from (f"Left as it is: {problem}" for problem in run.problems)
    if run.result != "applied":
        return
    yield from _given_up(result)
    if result.report is not None:
        yield ""
        yield "What the outside sees"
        yield from (f"  {line}" for line in _seen(result.report))
    if result.plan.findings:
        yield ""
        yield "Still to know, or to do elsewhere"
        yield from (f"  {finding}" for finding in result.plan.findings)
    yield ""
    yield f"To go back: {result.command} rollback {run.id}"
    yield f"To look again: {result.command} verify"


def _given_up(result: Result) -> Iterator[str]:
    """Yield where the files are whose edits were given up."""
    for path in dict.fromkeys(edit.path for edit in result.plan.edits if edit.overwritten):
        copy = copy_of(result.run.directory, path)
        yield f"Your edit of {path} was given up. The file as it was: {copy or 'kept no more'}"


def counted(report: Report) -> str:
    """Return how many checks there were, and how they ended."""
    counts = ", ".join(f"{report.counts[each]} {word}" for each, word in WORDS.items() if report.counts[each])
    return f"{len(report.checks)} checks: {counts}"


def _seen(report: Report) -> Iterator[str]:
    yield counted(report)
    for check in report.failures:
        yield f"FAIL {check.name}, {check.subject}: {check.what}"
        yield from (f"     {line}" for line in check.next.splitlines())
