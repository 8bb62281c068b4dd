"""Changes that edit one file: the first does all of it, and both prove what they proved."""

from __future__ import annotations

from pathlib import Path

from palpo_installer.changes import Change
from palpo_installer.operations.files import MakeDirectory
from palpo_installer.operations.lines import AddedLine, EditLines
from palpo_installer.planning.joining import joined

FILE = Path("/etc/caddy/Caddyfile")
OURS = EditLines(FILE, FILE, (AddedLine("import ours", 9),), (), "digest")
SITE = EditLines(FILE, FILE, (AddedLine("import guest", 2),), ("import old",), "digest")
OTHER = EditLines(FILE.with_name("other"), FILE.with_name("other"), (AddedLine("import guest", 2),), (), "digest")
ROOM = MakeDirectory(FILE.with_name("palpo-installer"), 0o755)


def test_a_file_is_edited_once_behind_all_that_its_lines_lead_to() -> None:
    """In the order of the file; the second change keeps its activation alone."""
    first, second = joined((Change("ours", (OURS,)),), (Change("guests", (ROOM, SITE, OTHER)),))
    both = EditLines(FILE, FILE, (*SITE.add, *OURS.add), SITE.drop, "digest")
    assert first == (Change("ours", (ROOM, both, OTHER)),)
    assert second == (Change("guests", ()),)


def test_changes_of_different_files_stay_by_themselves() -> None:
    """So do those of which one is not needed."""
    first, second = (Change("ours", (OURS,)),), (Change("guests", (ROOM, OTHER)),)
    assert joined(first, second) == (first, second)
    assert joined((), second) == ((), second)
    assert joined(first, ()) == (first, ())
