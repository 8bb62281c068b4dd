"""A plan of real operations on a small tree, with a service that takes up a file by copying it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from palpo_installer.changes import AnyActivation, Change, Plan
from palpo_installer.engine.events import EventFile
from palpo_installer.engine.journal import read
from palpo_installer.engine.run import Run
from palpo_installer.errors import GateFailed, NotPutBack
from palpo_installer.host import Host
from palpo_installer.operations.base import Activation, Description, Json, Workbench
from palpo_installer.operations.files import MakeDirectory, MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.paths import state_of
from palpo_installer.secret import Text
from tests.benches import workbench


@dataclass(frozen=True)
class CopyingService(Activation):
    """A service that reads ``configuration`` when it is told to, and whose memory is ``loaded``."""

    configuration: Path
    loaded: Path
    works: bool = True

    def describe(self, host: Host) -> Description:
        """Say what is done."""
        return Description(f"reload {self.configuration.name}")

    def prepare(self, bench: Workbench) -> Json:
        """Note what the service has loaded."""
        return {"loaded": self.loaded.read_text() if self.loaded.exists() else None}

    def activate(self, bench: Workbench, before: Json) -> None:
        """Load the file."""
        self.loaded.write_text(self.configuration.read_text())
        if not self.works:
            raise GateFailed("does not answer as promised", where="127.0.0.1:8448")

    def restore(self, bench: Workbench, before: Json) -> None:
        """Load what is there again."""
        if before["loaded"] is None:
            self.loaded.unlink(missing_ok=True)
        else:
            self.loaded.write_text(self.configuration.read_text())
        if (self.loaded.read_text() if self.loaded.exists() else None) != before["loaded"]:
            raise NotPutBack("has other contents than before", where=str(self.loaded))


def old_host(root: Path) -> Path:
    """Make a small host below a directory and return its /etc."""
    etc = root / "etc"
    etc.mkdir()
    (etc / "site.conf").write_text("old site\n")
    (etc / "site.conf").chmod(0o640)
    (etc / "memory-of-site").write_text("old site\n")
    (etc / "unused").write_text("was needed once")
    (etc / "enabled").symlink_to("site.conf")
    return etc


def plan(etc: Path, *, second_works: bool = True) -> Plan:
    """Return a plan of two changes with every kind of file operation."""

    def write(path: Path, text: str) -> WriteFile:
        return WriteFile(path, Text(text), 0o600, os.geteuid(), os.getegid(), state_of(path).sha256)

    def service(name: str, *, works: bool = True) -> AnyActivation:
        return cast(
            "AnyActivation", CopyingService(etc / name, etc / f"memory-of-{name.split('.', maxsplit=1)[0]}", works)
        )

    first = Change(
        "the site",
        (
            write(etc / "site.conf", "new site\n"),
            MakeLink(etc / "enabled", "other.conf", "link site.conf"),
            RemoveFile(etc / "unused", state_of(etc / "unused").sha256),
        ),
        service("site.conf"),
    )
    second = Change(
        "the other site",
        (MakeDirectory(etc / "made", 0o755), write(etc / "made" / "deep", "x"), write(etc / "other.conf", "other\n")),
        service("other.conf", works=second_works),
    )
    return Plan((), (first, second), (), (), ())


ENDS = ExitStack()
"""What is closed when the test ends, by a fixture."""


def run(made: Plan, root: Path, identity: str = "0001", ends: ExitStack = ENDS) -> Run:
    """Return a run of a plan, as the engine would open it; with ``ends`` its files are closed."""
    directory = root / "var" / "runs" / identity
    directory.mkdir(parents=True, exist_ok=True)
    events = ends.enter_context(EventFile(directory / "events.jsonl"))
    return ends.enter_context(Run(made, directory, workbench(root / "var", run=identity), events))


def records(root: Path) -> list[str]:
    """Return the kinds of the records in the journal."""
    return [record.kind for record in read(root / "var" / "runs" / "0001" / "journal.jsonl")]
