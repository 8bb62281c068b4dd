"""The plan as a value: changes, what stays as it is, and what the plan rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from palpo_installer.certificates.timer import ActivateTimer
from palpo_installer.homeserver.activation import RestartPalpo
from palpo_installer.operations.certificates import IssueSelfSigned, OrderCertificate, ProbeChallenge
from palpo_installer.operations.files import MakeDirectory, MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.firewalld import OpenFirewalldPort
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.operations.security import Withdraw
from palpo_installer.operations.selinux import LabelPort, SetBoolean
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.proxies.nginx.activation import ActivateNginx
from palpo_installer.proxies.nginx.configuration import ReadFile
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
    | SetBoolean
    | LabelPort
    | OpenFirewalldPort
    | AllowUfwPort
    | Withdraw
)
AnyActivation = ActivateNginx | RestartPalpo | ActivateTimer
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
class Plan:
    """Everything that a run will do, as data. Secrets are references.

    Attributes:
        summary: what will be the case afterwards, a few sentences.
        changes: in the order in which they are made.
        unchanged: what needs nothing, with reasons.
        findings: what the person should know, and what must be done elsewhere.
        obstacles: what must be put right first; with one, the plan is not applied.
        rests_on: the files that were read to make the plan; it is refused when one has changed.
        ours: what earlier runs installed: path and hash.
    """

    summary: tuple[str, ...]
    changes: tuple[Change, ...]
    unchanged: tuple[Unchanged, ...]
    findings: tuple[str, ...]
    rests_on: tuple[ReadFile, ...]
    ours: Mapping[str, str] = field(default_factory=dict)
    obstacles: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that are the same for the same changes made from the same files."""
        deciding = Plan((), self.changes, (), (), self.rests_on, self.ours)
        return hashlib.sha256(dump(deciding).encode()).hexdigest()[:16]
