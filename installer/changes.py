"""The plan as a value: changes, what stays as it is, and what the plan rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from palpo_installer.certificates.timer import ActivateTimer, StopTimer
from palpo_installer.homeserver.activation import RestartPalpo
from palpo_installer.operations.access import LetGroupIn
from palpo_installer.operations.certificates import IssueSelfSigned, OrderCertificate, ProbeChallenge
from palpo_installer.operations.files import MakeDirectory, MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.firewalld import OpenFirewalldPort
from palpo_installer.operations.lines import EditLines
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.operations.passing import RemoveWritten
from palpo_installer.operations.proxy_orders import OrderByProxy
from palpo_installer.operations.removing import KeepCopy, PutBack, RemoveDirectory
from palpo_installer.operations.rests import RemoveRest, WriteRest
from palpo_installer.operations.security import Withdraw
from palpo_installer.operations.selinux import LabelPort, SetBoolean
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.found import ReadFile
from palpo_installer.proxies.handover import HandOver
from palpo_installer.proxies.withdrawal import WithdrawProxy
from palpo_installer.serialization import dump, tag

AnyOperation = (
    WriteFile
    | MakeLink
    | RemoveFile
    | MakeDirectory
    | ConfigurePalpo
    | ProbeChallenge
    | OrderCertificate
    | IssueSelfSigned
    | PutBack
    | KeepCopy
    | RemoveDirectory
    | EditLines
    | SetBoolean
    | LabelPort
    | OpenFirewalldPort
    | AllowUfwPort
    | Withdraw
    | OrderByProxy
    | LetGroupIn
    | WriteRest
    | RemoveRest
    | RemoveWritten
)
AnyActivation = ActivateProxy | RestartPalpo | ActivateTimer | WithdrawProxy | StopTimer | HandOver
tag(AnyOperation)
tag(AnyActivation)


@dataclass(frozen=True)
class Change:
    """One service's files together with their activation; it is made, and taken back, as one.

    Attributes:
        title: what it brings about.
        operations: in order.
        activation: how the service takes the files up; None where nothing has to.
    """

    title: str
    operations: tuple[AnyOperation, ...]
    activation: AnyActivation | None = None


@dataclass(frozen=True)
class Unchanged:
    """Something that was looked at and is as it should be, or is left alone, with the reason."""

    subject: str
    reason: str


@dataclass(frozen=True)
class Edit:
    """Something of ours that somebody changed since, and what becomes of it.

    Attributes:
        subject: the file, or for a file that is edited by key, the file and the key.
        path: the file.
        theirs: what they changed since the last run, as a unified diff without secrets; empty where that is not
            known, or secret.
        ours: what this run changes of what it wrote, as a unified diff; empty for nothing.
        kept: places that both changed and that stay as they made them, one sentence each.
        overwritten: whether the person chose to give the edit up; a copy is kept with the run.
    """

    subject: str
    path: Path
    theirs: str
    ours: str
    kept: tuple[str, ...] = ()
    overwritten: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do, as data. Secrets are references.

    Attributes:
        summary: what will be the case afterwards, a few sentences.
        changes: in the order in which they are made.
        unchanged: what needs nothing, with reasons.
        findings: what the person should know, and what must be done elsewhere.
        obstacles: what must be put right first; with one, the plan is not applied.
        rests_on: the files that were read to make the plan; it is refused when one has changed.
        ours: what earlier runs installed: path, and hash of what was written.
        result: what the history calls the run once it is made: ``applied``, or ``uninstalled`` for a removal.
        edits: what somebody changed since in what is ours.
        former_name: the server name that is given up for another one, empty for none.
        read_whole: the directories of which a proxy reads every file, those with dot names too.
    """

    summary: tuple[str, ...]
    changes: tuple[Change, ...]
    unchanged: tuple[Unchanged, ...]
    findings: tuple[str, ...]
    rests_on: tuple[ReadFile, ...]
    ours: Mapping[str, str] = field(default_factory=dict)
    obstacles: tuple[str, ...] = ()
    result: str = "applied"
    edits: tuple[Edit, ...] = ()
    former_name: str = ""
    read_whole: tuple[Path, ...] = ()

    @property
    def overwritten(self) -> frozenset[str]:
        """The subjects of the edits that are given up."""
        return frozenset(edit.subject for edit in self.edits if edit.overwritten)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that are the same for the same changes made from the same files."""
        deciding = Plan((), self.changes, (), (), self.rests_on, self.ours)
        return hashlib.sha256(dump(deciding).encode()).hexdigest()[:16]
