"""The runs on a host, from their directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.changes import Change, Plan
from palpo_installer.engine.forgetting import forget_old_copies
from palpo_installer.engine.history import (
    ORIGINALS,
    WORDS,
    effective,
    new_run,
    ours,
    runs,
    standing,
    state,
    unfinished,
    uninstalled,
)
from palpo_installer.engine.in_force import in_force
from palpo_installer.engine.journal import Journal, Record
from palpo_installer.layout import Layout
from palpo_installer.operations.security import Withdraw
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.serialization import dump


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return a layout with an empty directory of runs."""
    layout = Layout(root=tmp_path)
    layout.runs.mkdir(parents=True)
    return layout


def past(layout: Layout, *records: Record) -> Path:
    """Make a run with these records."""
    directory = new_run(layout)
    (directory / "plan.json").write_text("{}")
    journal = Journal(directory / "journal.jsonl")
    for record in records:
        journal.append(record)
    journal.close()
    return directory


def end(result: str, **more: object) -> Record:
    """Return the last record of a run."""
    return Record("end", "", {"result": result, "cause": "", "problems": [], **more})


def test_a_host_without_runs_has_no_history(tmp_path: Path) -> None:
    """Nothing there is an empty history, not an error, and asking makes nothing."""
    assert runs(Layout(root=tmp_path)) == ()
    assert list(tmp_path.iterdir()) == []


def test_each_run_is_told_by_how_it_ended(layout: Layout) -> None:
    """Applied, taken back, rolled back and cut off runs are told apart, and numbered in order."""
    past(layout, Record("acting", "0"), end("applied"))
    past(layout, Record("acting", "0"), end("taken-back", cause="port 8448 is taken"))
    past(layout, Record("acting", "0"), end("applied"), Record("undoing", "0"), end("rolled-back"))
    past(layout, Record("acting", "0"))
    found = runs(layout)
    assert [(run.id, run.result) for run in found] == [
        ("0001", "applied"),
        ("0002", "taken-back"),
        ("0003", "rolled-back"),
        ("0004", "interrupted"),
    ]
    assert found[1].cause == "port 8448 is taken"
    assert [run.id for run in effective(layout)] == ["0001"]


def test_how_a_run_ended_is_told_in_words(layout: Layout) -> None:
    """Whatever ends there are; a program reads the words that journals have."""
    for result in ("applied", "taken-back", "rolled-back", "not-put-back", "uninstalled"):
        past(layout, Record("acting", "0"), end(result))
    past(layout, Record("acting", "0"))
    new_run(layout)
    (past(layout, Record("acting", "0")) / "journal.jsonl").write_text('{"format": 99}\n')
    assert [run.result for run in runs(layout)] == list(dict.fromkeys(run.result for run in runs(layout)))
    assert {run.result for run in runs(layout)} == set(WORDS)
    told = [state(run, busy=False) for run in runs(layout)]
    assert told == [
        "applied",
        "did not work out, and was taken back",
        "rolled back",
        "not everything could be put back",
        "uninstalled",
        "was cut off, and waits to be taken back",
        "never began",
        "cannot be read",
    ]


def test_a_run_that_did_nothing_is_not_unfinished(layout: Layout) -> None:
    """A directory that an engine never began with needs no taking back."""
    new_run(layout)
    assert [run.result for run in runs(layout)] == ["never began"]
    assert unfinished(layout) == ()


def test_unfinished_runs_come_newest_first(layout: Layout) -> None:
    """That is the order in which they can be taken back."""
    past(layout, Record("acting", "0"))
    past(layout, Record("acting", "0"))
    assert [run.id for run in unfinished(layout)] == ["0002", "0001"]


def test_ours_is_what_the_last_complete_run_recorded(layout: Layout) -> None:
    """A rolled back run's record does not count any more."""
    past(layout, Record("acting", "0"), end("applied", ours={"/etc/a": "1"}))
    past(layout, Record("acting", "0"), end("applied", ours={"/etc/a": "2"}), Record("undone"), end("rolled-back"))
    assert ours(layout) == {"/etc/a": "1"}


def setting(layout: Layout, operation: AllowUfwPort | Withdraw, *records: Record) -> None:
    """Make a run of one setting, applied, and then what else is in its journal."""
    was = {"path": "ufw, port 8448/tcp", "ipv4": "no", "ipv6": "no"}
    directory = past(
        layout, Record("prepared", "0", was), Record("acting", "0"), Record("done", "0"), end("applied"), *records
    )
    (directory / "plan.json").write_text(dump(Plan((), (Change("one", (operation,)),), (), (), ())))


def test_settings_are_in_force_until_they_are_withdrawn_or_rolled_back(layout: Layout) -> None:
    """Each with what takes it back, from the journal of the run that made it; rolled back ones do not count."""
    assert in_force(layout) == ()
    setting(layout, AllowUfwPort(8448))
    (made,) = in_force(layout)
    assert (made.setting, made.run, made.before["ipv6"]) == (AllowUfwPort(8448), "0001", "no")
    setting(layout, made)
    assert in_force(layout) == ()
    setting(layout, AllowUfwPort(8448), Record("undoing", "0"), end("rolled-back"))
    assert in_force(layout) == ()
    (layout.runs / "0002/journal.jsonl").rename(layout.runs / "0002/gone")
    assert in_force(layout) == (made,)
    (layout.runs / "0001/plan.json").write_text("{}")
    assert in_force(layout) == ()


def test_copies_are_kept_for_ten_runs(layout: Layout) -> None:
    """Older earlier bytes go, but never those of a run that must still be taken back."""
    for number in range(13):
        past(layout, Record("acting", "0"), *([] if number == 0 else [end("applied")]))
    forget_old_copies(layout)
    assert [run.id for run in runs(layout) if not run.reversible] == ["0002", "0003"]


def touching(*paths: str) -> tuple[Record, ...]:
    """Return the records of a run that replaced files at these paths."""
    return tuple(
        Record(kind, str(number), {"path": path, "copy": f"/copies/{number}"} if kind == "prepared" else {})
        for kind in ("prepared", "acting")
        for number, path in enumerate(paths)
    )


def test_of_old_runs_only_what_no_run_of_ours_wrote_is_kept(layout: Layout) -> None:
    """The copy of the first run in force that touched a path; neither a later one's, nor one of a run taken back."""
    paths = ("/etc/a", "/etc/b")
    for number in range(14):
        result = "rolled-back" if number == 0 else "applied"
        directory = past(layout, *touching(*(paths[:1] if number == 1 else paths)), end(result))
        for name in ("0", "1"):
            (directory / "copies" / name).write_text(name)
    for _ in range(2):
        forget_old_copies(layout)
        kept = {run.id: sorted(path.name for path in (run.directory / ORIGINALS).glob("*")) for run in runs(layout)}
        assert {run: names for run, names in kept.items() if names} == {"0002": ["0"], "0003": ["1"]}
        assert [run.id for run in runs(layout) if not run.reversible] == ["0001", "0002", "0003", "0004"]


def test_an_uninstall_puts_all_runs_before_it_out_of_force(layout: Layout) -> None:
    """Also where it was cut off while it deleted them; a run after it is in force."""
    past(layout, Record("acting", "0"), end("applied", ours={"/etc/a": "1"}))
    past(layout, Record("acting", "0"), end("uninstalled"))
    assert (effective(layout), standing(layout), unfinished(layout), ours(layout)) == ((), (), (), {})
    assert uninstalled(layout) == "0002"
    past(layout, Record("acting", "0"), end("applied"))
    assert [run.id for run in effective(layout)] == ["0003"]
