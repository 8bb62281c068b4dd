"""An audit in words: by file and line, with the lines of each cure to copy."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby

from palpo_installer.audit.finding import Audit, Finding, Severity, Unread

WIDTH = 77
"""Columns, but for what must not be broken."""

WORDS = {Severity.BREAKS: "BREAKS", Severity.WEAKENS: "weakens", Severity.KNOW: "to know"}
_INDENT = " " * 15


def describe(audit: Audit) -> str:
    """Return an audit for people: plain text."""
    lines = [line for block in _blocks(audit) for line in (*block, "")]
    return "\n".join((*lines, summary(audit), ""))


def summary(audit: Audit) -> str:
    """Return what an audit came to in one sentence; it never says that all is well where not all was read."""
    if not audit.read and not audit.unread:
        return "No Matrix configuration was found on this host."
    traps = f"{len(audit.traps)} {'trap' if len(audit.traps) == 1 else 'traps'}"
    kinds = ", ".join(f"{audit.counts[each]} {word}" for each, word in SUMMED.items() if audit.counts[each])
    kinds = f" ({kinds})" if kinds else ""
    told = f", {audit.counts[Severity.KNOW]} to know" if audit.counts[Severity.KNOW] else ""
    found = f"{traps}{kinds}{told}"
    unread = len(audit.unread)
    things = f"{unread} {'thing' if unread == 1 else 'things'} could not be judged"
    return f"{found} in what could be read; {things}." if unread else f"{found}."


SUMMED = {Severity.BREAKS: "breaking", Severity.WEAKENS: "weakening"}


def _blocks(audit: Audit) -> Iterator[list[str]]:
    if audit.read:
        yield ["Looked at", *(line for each in audit.read for line in _wrapped(each, "  ", "    "))]
    for file, group in groupby(audit.findings, key=lambda finding: finding.file):
        yield [str(file)]
        for finding in group:
            yield list(_finding(finding))
    if audit.unread:
        yield ["What could not be judged", *(line for each in audit.unread for line in _unread(each))]


def _unread(each: Unread) -> Iterator[str]:
    yield from _wrapped(f"{each.subject}: {each.why}", "  ", "    ")
    if each.next:
        yield from _wrapped(each.next, "    Next: ", "          ")


def _finding(finding: Finding) -> Iterator[str]:
    head = f"{finding.line:>5}  {WORDS[finding.severity]:<8}"
    yield from _wrapped(f"{finding.subject}: {finding.what}", head, _INDENT)
    yield from _wrapped(finding.why, f"{_INDENT}Why: ", f"{_INDENT}     ")
    yield from _wrapped(finding.cure, f"{_INDENT}Cure: ", f"{_INDENT}      ")
    yield from (f"{_INDENT}    {line}" for line in finding.lines)


def _wrapped(text: str, first: str, others: str) -> list[str]:
    """Wrap at spaces only: paths and lines of configuration stay whole; what a terminal acts on becomes ``?``."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return textwrap.wrap(
        shown,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
