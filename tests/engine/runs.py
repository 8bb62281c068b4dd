"""Runs of small plans below a directory, as a command registers them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from palpo_installer.changes import Change, Plan
from palpo_installer.engine import launch
from palpo_installer.engine.events import Event, parse
from palpo_installer.layout import Layout
from palpo_installer.operations.files import WriteFile
from palpo_installer.operations.paths import state_of
from palpo_installer.secret import Text

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="an engine changes its host and needs root")
left_to_itself = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
"""An engine outlives whoever started it, and nobody waits for it."""


def writing(*files: tuple[Path, str], title: str = "some files") -> Plan:
    """Return a plan that writes texts to paths, over what is there now."""
    owner = os.geteuid(), os.getegid()
    operations = tuple(WriteFile(path, Text(text), 0o600, *owner, state_of(path).sha256) for path, text in files)
    return Plan((), (Change(title, operations),), (), (), ())


def registered(root: Path, *files: tuple[str, str]) -> str:
    """Register a run that writes texts to names below a directory, and return its id."""
    return launch.register(writing(*((root / name, text) for name, text in files)), {}, Layout(root))


def events(root: Path, identity: str) -> tuple[Event, ...]:
    """Return what a run said."""
    return parse((Layout(root).runs / identity / "events.jsonl").read_bytes())[0]


def last_words(root: Path, identity: str) -> str:
    """Return how a run ended, in its own words."""
    last = events(root, identity)[-1]
    assert last.kind == "ended"
    return last.text
