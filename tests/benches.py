"""Workbenches for tests: a real directory, a fixed run, no secrets but those given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Workbench
from palpo_installer.secret import Secret


@dataclass
class Reports:
    """What operations said while they waited."""

    lines: list[str] = field(default_factory=list)


def workbench(
    root: Path, secrets: Mapping[str, str] | None = None, reports: Reports | None = None, run: str = "0001"
) -> Workbench:
    """Return a workbench whose host lies under a directory."""
    copies = root / "copies" / run
    copies.mkdir(parents=True, exist_ok=True)
    values = secrets or {}
    said = reports or Reports()
    return Workbench(
        host=Host(Layout(root=root)),
        run=run,
        copies=copies,
        secret=lambda reference: Secret(values[reference.name]),
        report=said.lines.append,
        check=lambda: None,
    )
