"""What an audit comes to: findings with file and line, and what could not be read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """How bad a finding is."""

    BREAKS = "breaks"
    WEAKENS = "weakens"
    KNOW = "to-know"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        rule: the name of the rule, the same in every audit, e.g. ``decoded-target``.
        severity: whether something breaks, is weaker than it looks, or is only to be known.
        subject: of whom: a site, a file.
        what: what is wrong, one sentence.
        why: what comes of it, as measured or as its source says.
        cure: what to do, one sentence.
        lines: what to write, line by line as it stands in the file; empty where a sentence is all.
        file: where.
        line: in that file, from 1.
    """

    rule: str
    severity: Severity
    subject: str
    what: str
    why: str
    cure: str
    lines: tuple[str, ...]
    file: Path
    line: int


@dataclass(frozen=True)
class Trap:
    """A kind of finding: what all findings of a rule have in common."""

    rule: str
    severity: Severity
    why: str

    def at(self, file: Path, line: int, subject: str, what: str, cure: str, *lines: str) -> Finding:
        """Return a finding of this kind at a place."""
        return Finding(self.rule, self.severity, subject, what, self.why, cure, lines, file, line)


@dataclass(frozen=True)
class Unread:
    """Something that could not be judged from here.

    Attributes:
        subject: what.
        why: why not, one sentence.
        next: how to judge it; empty where nothing helps.
    """

    subject: str
    why: str
    next: str = ""


@dataclass(frozen=True)
class Proxied:
    """What the configuration of one proxy came to.

    Attributes:
        findings: what the rules say.
        read: what was looked at.
        answered: the well-known documents that are passed on to the homeserver.
    """

    findings: tuple[Finding, ...] = ()
    read: tuple[str, ...] = ()
    answered: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Audit:
    """What an audit came to: findings, what was looked at, and what could not be.

    Attributes:
        findings: by file and line.
        read: what was looked at, one entry each; empty where there is no Matrix configuration.
        unread: what could not be judged: nothing is said for it.
    """

    findings: tuple[Finding, ...]
    read: tuple[str, ...]
    unread: tuple[Unread, ...]

    @property
    def configured(self) -> bool:
        """Whether a Matrix configuration is among what was looked at: a unit that would start Palpo is none."""
        return bool(self.findings) or any(not each.endswith(".service") for each in self.read)

    @property
    def traps(self) -> tuple[Finding, ...]:
        """The findings that break or weaken something."""
        return tuple(each for each in self.findings if each.severity is not Severity.KNOW)

    @property
    def counts(self) -> Counter[Severity]:
        """How many findings there are of each severity."""
        return Counter(each.severity for each in self.findings)
