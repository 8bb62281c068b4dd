"""A line of ours in a site of somebody else's, through runs, kills and rollbacks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from palpo_installer.changes import Change, Plan
from palpo_installer.engine.journal import Journal, Record
from palpo_installer.engine.rollback import refuse_edited, refuse_edits
from palpo_installer.engine.run import Run
from palpo_installer.operations.files import MakeDirectory, WriteFile
from palpo_installer.operations.lines import AddedLine, EditLines
from palpo_installer.operations.paths import state_of
from palpo_installer.secret import Text
from tests.engine.plans import run
from tests.engine.test_run import apply_and_die, in_child
from tests.trees import tree

SITE = "server {\n    server_name example.com;\n}\n"
OURS = "include /etc/nginx/palpo-installer/example.com-443.con[f];"
EDIT = "server { server_name another.example; }\n"
RECORDS = 3 + 2 * 3 + 1
"""Three operations prepared, begun and done, one end."""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """Return a directory with a site."""
    directory = tmp_path / "etc"
    directory.mkdir()
    (directory / "site").write_text(SITE)
    return directory


def adding(etc: Path) -> Plan:
    """Return a plan that writes a file of ours and includes it from the site."""
    site, ours = etc / "site", etc / "ours"
    operations = (
        MakeDirectory(ours, 0o755),
        WriteFile(ours / "guest.conf", Text("location {}\n"), 0o644, os.geteuid(), os.getegid(), ""),
        EditLines(site, site, (AddedLine(f"    {OURS}", 3),), (), state_of(site).sha256),
    )
    return Plan((), (Change("discovery", operations),), (), (), ())


def records_until_death(last: int) -> None:
    """Let this process die by SIGKILL right after a number of records."""
    append, written = Journal.append, 0

    def append_and_die(journal: Journal, record: Record) -> None:
        nonlocal written
        append(journal, record)
        written += 1
        if written == last:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.append = append_and_die  # type: ignore[method-assign, assignment]


def rolling_back(going: Run) -> None:
    """Roll a run back as the engine does."""
    refuse_edited([going])
    assert going.roll_back(refuse_edits).result == "rolled-back"


def rolling_back_and_dying(going: Run, last: int) -> None:
    """Roll a run back and die on the way."""
    records_until_death(last)
    rolling_back(going)


@pytest.mark.parametrize("last", range(1, RECORDS))
def test_a_kill_after_any_record_ends_as_before(etc: Path, tmp_path: Path, last: int) -> None:
    """Whenever it happens, the next start brings back the very file."""
    before, made, inode = tree(etc), adding(etc), (etc / "site").stat().st_ino
    assert in_child(partial(apply_and_die, made, tmp_path, last)) == -signal.SIGKILL
    assert run(made, tmp_path).take_back("taken-back", "cut off").problems == ()
    assert tree(etc) == before
    assert (etc / "site").stat().st_ino == inode


def test_the_site_is_not_ours(etc: Path, tmp_path: Path) -> None:
    """What a run records as ours has the file of ours, and not the one that it added a line to."""
    going = run(adding(etc), tmp_path)
    assert going.apply().result == "applied"
    assert going.progress.end is not None
    assert set(going.progress.end["ours"]) == {str(etc / "ours" / "guest.conf")}  # type: ignore[call-overload]


EDITS: dict[str, Callable[[str], str]] = {
    "nothing": lambda text: text,
    "another block": lambda text: text + EDIT,
    "our line taken out": lambda text: text.replace(f"    {OURS}\n", "") + EDIT,
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_rollback_does_not_stop_at_a_site_that_was_edited(etc: Path, tmp_path: Path, edit: str) -> None:
    """The edit stays and our line is gone, without --discard-edits."""
    made = adding(etc)
    assert run(made, tmp_path).apply().result == "applied"
    (etc / "site").write_text(EDITS[edit]((etc / "site").read_text()))
    rolling_back(run(made, tmp_path))
    assert (etc / "site").read_text() == SITE + (EDIT if edit != "nothing" else "")
    assert sorted(path.name for path in etc.iterdir()) == ["site"]


@pytest.mark.parametrize("last", range(1, 2 * 3 + 2))
def test_a_kill_in_a_rollback_of_an_edited_site_is_gone_on_from(etc: Path, tmp_path: Path, last: int) -> None:
    """After each record: the next start takes the rest out, and the edit is still there."""
    made = adding(etc)
    assert run(made, tmp_path).apply().result == "applied"
    with (etc / "site").open("a") as site:
        site.write(EDIT)
    going = run(made, tmp_path)
    assert in_child(partial(rolling_back_and_dying, going, last)) == -signal.SIGKILL
    again = run(made, tmp_path)
    if again.progress.end is None:
        assert again.take_back("rolled-back", "").problems == ()
    else:
        rolling_back(again)
    assert (etc / "site").read_text() == SITE + EDIT
    assert sorted(path.name for path in etc.iterdir()) == ["site"]
