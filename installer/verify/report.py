"""What was checked and what came out: three results, a sentence, and for each failure what to do."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """What a check came to."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: what was checked, the same word in every report, e.g. ``certificate``.
        subject: on what: an address, a URL, a name.
        result: what it came to.
        what: what was seen, one sentence.
        next: what to do; never empty for a failure. The first line is a sentence, further ones are to be copied.
    """

    name: str
    subject: str
    result: Result
    what: str
    next: str = ""


def passed(name: str, subject: str, what: str) -> Check:
    """Return a check that found what it should find."""
    return Check(name, subject, Result.PASS, what)


def failed(name: str, subject: str, what: str, cure: str) -> Check:
    """Return a check that found something wrong, with what to do about it."""
    return Check(name, subject, Result.FAIL, what, cure)


def cannot_tell(name: str, subject: str, what: str, cure: str = "") -> Check:
    """Return a check that cannot be decided from here, with how to decide it."""
    return Check(name, subject, Result.CANNOT_TELL, what, cure)


@dataclass(frozen=True)
class Report:
    """All checks, in the order in which a request meets what they look at."""

    checks: tuple[Check, ...]

    @property
    def counts(self) -> Counter[Result]:
        """How many checks came to each result."""
        return Counter(check.result for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.result is Result.FAIL)


WIDTH = 77
"""Columns of a report: it fits a terminal of 80 with a margin and a scroll bar."""

WORDS = {Result.PASS: "pass", Result.FAIL: "FAIL", Result.CANNOT_TELL: "cannot tell"}
_INDENT = " " * 13


def describe(report: Report) -> str:
    """Return the report for people: plain text, at most 77 columns but for what must not be broken."""
    blocks = [line for check in report.checks for line in _lines(check)]
    counts = report.counts
    summary = ", ".join(f"{counts[result]} {WORDS[result]}" for result in Result)
    return "\n".join([*blocks, "", f"{len(report.checks)} checks: {summary}", ""])


def _lines(check: Check) -> list[str]:
    head = f"{WORDS[check.result]:<13}{check.name}: {check.subject}"
    lines = [*_wrapped(head, "", _INDENT), *_wrapped(check.what, _INDENT, _INDENT)]
    sentence, *copied = check.next.splitlines() or [""]
    lines += _wrapped(sentence, f"{_INDENT}Next: ", f"{_INDENT}      ") if sentence else []
    return [*lines, *copied]


def _wrapped(text: str, first: str, others: str) -> list[str]:
    """Wrap at spaces only: addresses, paths and URLs stay whole."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
