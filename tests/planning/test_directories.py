"""Directories that several changes of a plan need."""

from __future__ import annotations

from pathlib import Path

from palpo_installer.changes import Change
from palpo_installer.operations.files import MakeDirectory, RemoveFile
from palpo_installer.planning.directories import made_once

FOLDER, BELOW = Path("/etc/folder"), Path("/etc/folder/below")
GONE = RemoveFile(Path("/etc/gone"), "")


def test_a_directory_is_made_by_the_first_change_that_needs_it() -> None:
    """What else a change does stays in its order."""
    first = Change("first", (MakeDirectory(FOLDER, 0o755), GONE))
    second = Change("second", (MakeDirectory(FOLDER, 0o755), MakeDirectory(BELOW, 0o755), GONE))
    assert made_once((first, second)) == (first, Change("second", (MakeDirectory(BELOW, 0o755), GONE)))


def test_of_two_modes_each_gets_its_way_through() -> None:
    """Whichever comes first: who reads one of the files must pass, and what lies there is closed by itself."""
    closed, open_to_all = Change("closed", (MakeDirectory(FOLDER, 0o700),)), MakeDirectory(FOLDER, 0o755)
    empty = Change("other", ())
    assert made_once((closed, Change("other", (open_to_all,)))) == (Change("closed", (open_to_all,)), empty)
    assert made_once((Change("other", (open_to_all,)), closed))[0].operations == (open_to_all,)
