"""The engine process: apply, recover, roll back, refuse; on real files, under a real lock."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.changes import Change, Plan
from palpo_installer.engine import launch
from palpo_installer.engine.history import runs
from palpo_installer.engine.journal import Journal, Record
from palpo_installer.engine.lock import hold
from palpo_installer.engine.outcome import Outcome, in_words
from palpo_installer.engine.process import STOP, Engine
from palpo_installer.engine.rollback import discard_edits, refuse_edits
from palpo_installer.homeserver.keys import signing_key
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Json, Workbench
from palpo_installer.operations.files import WriteFile
from palpo_installer.proxies.found import ReadFile
from palpo_installer.secret import Secret, SecretReference, Text
from tests.engine.runs import events, last_words, registered, writing


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A host's copy."""
    return Layout(tmp_path)


@pytest.fixture
def engine(layout: Layout) -> Engine:
    """The engine of that host."""
    return Engine(Host(layout))


def results(layout: Layout) -> list[str]:
    """Return how each run ended."""
    return [run.result for run in runs(layout)]


def test_a_run_is_applied_once(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """An engine that is started for it again only says how it ended, and does nothing to what it made."""
    identity = registered(tmp_path, ("file", "text"))
    assert engine.carry_on(identity) == 0
    assert last_words(tmp_path, identity) == "Done."
    (tmp_path / "file").write_text("edited")
    assert engine.carry_on(identity) == 0
    assert last_words(tmp_path, identity) == "Done."
    assert (tmp_path / "file").read_text() == "edited"
    assert results(layout) == ["applied"]


def test_a_run_whose_files_changed_meanwhile_is_refused(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """What the plan rests on is read again under the lock; the file is named and nothing begins."""
    site = tmp_path / "site"
    site.write_text("as it was")
    plan = replace(writing((tmp_path / "file", "x")), rests_on=(ReadFile(site, engine.host.digest(site)),))
    identity = launch.register(plan, {}, layout)
    site.write_text("edited")
    assert engine.carry_on(identity) == 1
    assert f"{site}: changed since the plan was made" in last_words(tmp_path, identity)
    assert not (tmp_path / "file").exists()


def test_a_failure_takes_everything_back(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """The second change cannot be made, so the first one is undone; the exit code and the words say so."""
    first, second = tmp_path / "first", tmp_path / "none/second"
    identity = launch.register(writing((first, "1"), (second, "2")), {}, layout)
    assert engine.carry_on(identity) == 1
    assert last_words(tmp_path, identity) == "Not done, and everything is as it was before."
    assert not first.exists()
    assert results(layout) == ["taken-back"]
    assert any(event.kind == "problem" for event in events(tmp_path, identity))


def test_a_defect_of_ours_takes_everything_back(
    engine: Engine, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody thought of is named as our own, and the host is as before."""
    identity = registered(tmp_path, ("first", "1"), ("second", "2"))
    act = WriteFile.act

    def broken(operation: WriteFile, bench: object, before: object) -> object:
        if operation.path.name == "second":
            raise RuntimeError("nobody thought of this")
        return act(operation, bench, before)  # type: ignore[arg-type]

    monkeypatch.setattr(WriteFile, "act", broken)
    assert engine.carry_on(identity) == 1
    (run,) = runs(layout)
    assert run.result == "taken-back"
    assert run.cause == "a defect in palpo-installer: RuntimeError: nobody thought of this"
    assert not (tmp_path / "first").exists()


def test_a_run_that_was_cut_off_is_taken_back(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """Its next start finds the journal open and undoes instead of going on."""
    cut_off(engine, layout, tmp_path, "file")
    assert (tmp_path / "file").exists()
    assert engine.carry_on("0001") == 1
    assert not (tmp_path / "file").exists()
    assert results(layout) == ["taken-back"]


def test_what_a_complete_run_had_staged_goes_with_the_next_one(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """A kill right after the last record leaves dot names beside the files of a run that nobody takes back."""
    (tmp_path / "file").write_text("old")
    engine.carry_on(registered(tmp_path, ("file", "text")))
    left = tmp_path / ".palpo-installer-0001-0.old.key"
    left.write_text("old")
    engine.carry_on(registered(tmp_path, ("other", "text")))
    assert not left.exists()
    assert results(layout) == ["applied", "applied"]


def cut_off(engine: Engine, layout: Layout, root: Path, name: str) -> None:
    """Apply a run and tear the end off its journal, as a power cut would."""
    identity = registered(root, (name, "text"))
    engine.carry_on(identity)
    journal = layout.runs / identity / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))


def test_a_new_run_takes_back_an_earlier_one_first(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """Nothing is built on half of something."""
    cut_off(engine, layout, tmp_path, "half")
    identity = registered(tmp_path, ("whole", "text"))
    assert engine.carry_on(identity) == 0
    assert not (tmp_path / "half").exists()
    assert results(layout) == ["taken-back", "applied"]


def test_only_one_run_is_at_work(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """The second is told by whom the host is held, with exit code 7, and has not begun; so for a rollback."""
    identity = registered(tmp_path, ("file", "text"))
    with hold(layout, "run 0042"):
        assert engine.carry_on(identity) == 7
        assert "run 0042 is at work on this host" in last_words(tmp_path, identity)
        assert engine.roll_back(identity, refuse_edits) == 7
    assert results(layout) == ["never began"]


def test_a_request_to_stop_is_followed(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """The file by which a viewer asks is seen between the steps."""
    identity = registered(tmp_path, ("file", "text"))
    (layout.runs / identity / STOP).touch()
    assert engine.carry_on(identity) == 1
    assert runs(layout)[0].cause == "stopped on request"


@pytest.fixture
def own_signals() -> Iterator[None]:
    """Put back what signals mean to the test's own process."""
    watched = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE)
    former = {number: signal.getsignal(number) for number in watched}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("own_signals")
def test_signals(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """SIGTERM takes back; a closed terminal and Ctrl-C there do nothing."""
    engine.listen_to_signals()
    identity = registered(tmp_path, ("file", "text"))
    for number in (signal.SIGHUP, signal.SIGINT):
        os.kill(os.getpid(), number)
    assert engine.carry_on(identity) == 0
    os.kill(os.getpid(), signal.SIGTERM)
    identity = registered(tmp_path, ("other", "text"))
    assert engine.carry_on(identity) == 1
    assert results(layout) == ["applied", "taken-back"]


SECRET = {
    "answer": SecretReference("password", "answer", "password"),
    "file": SecretReference("password", "file", ""),
    "signing-key": SecretReference("password", "signing-key", "example.com"),
}


def with_secret(root: Path, source: str) -> tuple[Plan, SecretReference]:
    """Return a plan that writes a secret, and its reference."""
    reference = replace(SECRET[source], locator=str(root / "password")) if source == "file" else SECRET[source]
    text = Text(f'x = "{reference.placeholder}"\n', (reference,))
    operation = WriteFile(root / "out", text, 0o600, os.geteuid(), os.getegid(), "")
    return Plan((), (Change("a secret", (operation,)),), (), (), ()), reference


@pytest.mark.parametrize("source", ["answer", "file", "signing-key"])
def test_secrets_come_from_where_they_are(engine: Engine, layout: Layout, tmp_path: Path, source: str) -> None:
    """Delivered beside the run, in a file, or made and kept; none is in the journal, the events or the plan."""
    (tmp_path / "password").write_text("hunter2\n")
    plan, reference = with_secret(tmp_path, source)
    identity = launch.register(plan, {reference.name: Secret("hunter2")} if source == "answer" else {}, layout)
    assert engine.carry_on(identity) == 0
    secret = signing_key(layout, "example.com").reveal() if source == "signing-key" else "hunter2"
    assert (tmp_path / "out").read_text() == f'x = "{secret}"\n'
    assert not (layout.runs / identity / "secrets.json").exists()
    for path in (layout.runs / identity).rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


@pytest.mark.parametrize(("source", "what"), [("answer", "was not delivered"), ("file", "is not there")])
def test_a_missing_secret_changes_nothing(
    engine: Engine, layout: Layout, tmp_path: Path, source: str, what: str
) -> None:
    """It is named, and no placeholder is written in its place."""
    plan, _ = with_secret(tmp_path, source)
    assert engine.carry_on(launch.register(plan, {}, layout)) == 1
    assert what in runs(layout)[0].cause
    assert not (tmp_path / "out").exists()


def test_rolling_back_takes_later_runs_with_it(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """Newest first, so that each finds what it left; runs before stay."""
    for text in ("one", "two", "three"):
        engine.carry_on(registered(tmp_path, ("file", text)))
    assert engine.roll_back("0002", refuse_edits) == 0
    assert (tmp_path / "file").read_text() == "one"
    assert results(layout) == ["applied", "rolled-back", "rolled-back"]
    assert last_words(tmp_path, "0002") == "Rolled back."


def test_a_rollback_stops_at_an_edit_unless_it_is_given_up(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """The file and the way out are named; given up, a copy of the edit is kept."""
    engine.carry_on(registered(tmp_path, ("file", "ours")))
    (tmp_path / "file").write_text("by hand")
    assert engine.roll_back("0001", refuse_edits) == 1
    assert "was edited since" in last_words(tmp_path, "0001")
    assert "--discard-edits" in last_words(tmp_path, "0001")
    assert (tmp_path / "file").read_text() == "by hand"
    assert engine.roll_back("0001", discard_edits) == 0
    assert not (tmp_path / "file").exists()
    assert (layout.runs / "0001/copies/edited-file").read_text() == "by hand"


def test_a_rollback_whose_engine_died_goes_on(
    engine: Engine, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the second of three runs: started again with the same words, it rolls back all that was asked for."""
    for text in ("one", "two", "three"):
        engine.carry_on(registered(tmp_path, ("file", text)))
    undo = WriteFile.undo

    def killed(operation: WriteFile, bench: Workbench, before: Json) -> None:
        if bench.run == "0002":
            raise KeyboardInterrupt
        undo(operation, bench, before)

    monkeypatch.setattr(WriteFile, "undo", killed)
    with pytest.raises(KeyboardInterrupt):
        engine.roll_back("0001", refuse_edits)
    assert results(layout) == ["applied", "interrupted", "rolled-back"]
    monkeypatch.undo()
    assert engine.roll_back("0001", refuse_edits) == 0
    assert results(layout) == ["rolled-back"] * 3
    assert not (tmp_path / "file").exists()


def test_a_run_without_copies_is_not_rolled_back(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """After ten later runs the old bytes are gone; it says so and touches nothing."""
    engine.carry_on(registered(tmp_path, ("file", "text")))
    shutil.rmtree(layout.runs / "0001/copies")
    assert engine.roll_back("0001", refuse_edits) == 1
    assert "its copies were deleted after ten later runs" in last_words(tmp_path, "0001")
    assert (tmp_path / "file").exists()


def test_a_journal_of_another_version_is_left_alone(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """Who wrote it must take it back: nothing is done by us."""
    identity = registered(tmp_path, ("file", "text"))
    (layout.runs / identity / "journal.jsonl").write_text(json.dumps({"format": 99, "tool": "9.9"}) + "\n")
    assert engine.carry_on(identity) == 1
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome("applied"), "Done."),
        (Outcome("rolled-back"), "Rolled back."),
        (Outcome("taken-back", "why"), "Not done, and everything is as it was before."),
        (
            Outcome("not-put-back", "why", ("/a: was", "/b: is")),
            "Not everything could be put back:\n  /a: was\n  /b: is",
        ),
    ],
)
def test_every_end_has_words(outcome: Outcome, words: str) -> None:
    """A person reads them last; what could not be put back is named one by one."""
    assert in_words(outcome) == words


def test_an_end_that_is_not_put_back_is_exit_5(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    """A file that somebody changed meanwhile is named and left; the record stays for the next try."""
    cut_off(engine, layout, tmp_path, "file")
    (tmp_path / "file").write_text("somebody else")
    assert engine.carry_on("0001") == 5
    assert f"{tmp_path}/file: was changed by somebody else meanwhile" in last_words(tmp_path, "0001")
    journal = Journal(layout.runs / "0001/journal.jsonl")
    journal.append(Record("undoing", "0"))
    journal.close()
    assert results(layout) == ["interrupted"]
