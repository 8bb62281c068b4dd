"""What a removal is planned from, and what the planner of one kind of thing says about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from palpo_installer.changes import AnyActivation, AnyOperation, Unchanged
from palpo_installer.facts import Facts
from palpo_installer.host import Host
from palpo_installer.planning.traces import Traces


@dataclass(frozen=True)
class Scene:
    """What a removal is planned from.

    Attributes:
        host: for looks; it is never written to.
        facts: what is.
        traces: what the runs in force did.
        runs: how many runs there are, those that are not in force among them.
        kept_edits: where copies of files that were edited by hand are kept; None: an edited file stops the removal.
        ours: what earlier runs installed: path and hash.
    """

    host: Host
    facts: Facts
    traces: Traces
    runs: int
    kept_edits: Path | None
    ours: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    """How the operations of some kinds are taken back.

    Attributes:
        operations: each with the type of the activation that takes it up.
        copies: what is copied before, because it was edited by hand.
        stays: what stays, and why.
        obstacles: what keeps all of it from being taken back.
    """

    operations: tuple[tuple[type, AnyOperation], ...] = ()
    copies: tuple[AnyOperation, ...] = ()
    stays: tuple[Unchanged, ...] = ()
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True)
class TakingUp:
    """How a service takes up that our files are gone.

    Attributes:
        activation: None where nothing has to.
        summary: what will be the case then, a few sentences.
        stays: what stays, and why.
    """

    activation: AnyActivation | None = None
    summary: tuple[str, ...] = ()
    stays: tuple[Unchanged, ...] = ()
