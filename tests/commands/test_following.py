"""A run of a real engine, shown line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.commands.following import carry_out, join, keep, last_part, latest, perform, recover, show
from palpo_installer.engine import launch
from palpo_installer.engine.confirmation import confirm
from palpo_installer.engine.events import Event
from palpo_installer.engine.history import runs
from palpo_installer.engine.journal import Journal, Record
from palpo_installer.engine.lock import hold
from palpo_installer.engine.process import STOP, Engine
from palpo_installer.errors import Locked, RefusedPlan
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from tests.commands.invoking import as_root
from tests.engine.runs import left_to_itself, registered, writing

pytestmark = [as_root, left_to_itself]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host's copy."""
    return Host(Layout(tmp_path))


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event("done", "write /etc/x"), "done  write /etc/x"),
        (Event("undone", "write /etc/x"), "back  write /etc/x"),
        (Event("problem", "port 443 is taken"), "FAIL  port 443 is taken"),
        (Event("waiting", "reloading nginx"), "wait  reloading nginx"),
        (Event("ended", "Done."), "Done."),
        (Event("acting", "write /etc/x"), ""),
        (Event("began", "run 0001"), ""),
    ],
)
def test_each_event_is_one_line(capsys: pytest.CaptureFixture[str], event: Event, line: str) -> None:
    """What it is stands in words before it, never in colour alone; what only begins is not shown."""
    show(event)
    assert capsys.readouterr().out.strip() == line


def test_a_run_is_made_and_shown(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file that was written is a line, and the exit code is the engine's."""
    assert perform(host, registered(tmp_path, ("file", "text"))) == 0
    said = capsys.readouterr().out
    assert f"done  write {tmp_path}/file" in said
    assert said.count("Done.") == 1


def test_a_run_that_fails_says_why_and_what_went_back(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The problem, each step that is undone, and that everything is as before."""
    identity = launch.register(writing((tmp_path / "file", "1"), (tmp_path / "none/file", "2")), {}, host.layout)
    assert perform(host, identity) == 1
    said = capsys.readouterr().out
    assert "FAIL " in said
    assert f"back  write {tmp_path}/file" in said
    assert said.rstrip().endswith("Not done, and everything is as it was before.")


def test_an_engine_that_ends_without_a_word_is_followed_by_another(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan that no engine can read: it dies at once, and it is said that nothing was begun, and where to read why."""
    identity = registered(tmp_path, ("file", "text"))
    (host.layout.runs / identity / "events.jsonl").mkdir()
    monkeypatch.setattr(launch, "START_LIMIT", 0.5)
    monkeypatch.setattr(launch._Growing, "read", lambda _: ())
    monkeypatch.setattr(launch, "position", lambda *_: 0)
    assert perform(host, identity) == 1
    said = capsys.readouterr().out
    assert f"The engine of run {identity} did not begin, and nothing was changed." in said
    assert f"{host.layout.runs / identity}/engine.log" in said
    assert not (tmp_path / "file").exists()


def test_every_run_that_was_cut_off_is_taken_back(host: Host, tmp_path: Path) -> None:
    """Newest first, and the exit code says that all is as before."""
    for name in ("one", "two"):
        assert Engine(host).carry_on(registered(tmp_path, (name, "text"))) == 0
    for run in runs(host.layout):
        journal = run.directory / "journal.jsonl"
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    assert recover(host) == 1
    assert [run.result for run in runs(host.layout)] == ["taken-back", "taken-back"]
    assert not (tmp_path / "one").exists()
    assert not (tmp_path / "two").exists()


def test_what_was_applied_is_told_with_the_way_back(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run, how it ended and how to go back; why nobody could look from outside, where that is so."""
    assert carry_out(host, writing((tmp_path / "file", "text")), {}) == 0
    said = capsys.readouterr().out
    assert said.startswith("Run 0001\n")
    assert "Done: the changes are made and proven." in said
    assert "The result could not be looked at" in said
    assert f"To go back: palpo-installer --root {host.layout.root} rollback 0001" in said


def test_what_was_taken_back_offers_no_way_back(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to go back from."""
    assert carry_out(host, writing((tmp_path / "none/file", "text")), {}) == 1
    assert "rollback" not in capsys.readouterr().out


def test_joining_shows_the_last_thing_that_was_done(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a rollback of an earlier run that is its end, not the end of the apply in the same file of events."""
    for text in ("one", "two"):
        assert perform(host, registered(tmp_path, ("file", text))) == 0
    assert latest(host.layout) == "0002"
    assert perform(host, "0001", "--roll-back") == 0
    assert latest(host.layout) == "0001"
    capsys.readouterr()
    assert join(host) == 0
    said = capsys.readouterr().out
    assert said.startswith("Run 0001\n")
    assert "Rolled back." in said
    assert "Done" not in said


def test_joining_a_run_that_was_cut_off_says_what_to_do(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its engine died without a word: exit code 1, and the command that takes it back."""
    identity = registered(tmp_path, ("file", "text"))
    assert Engine(host).carry_on(identity) == 0
    for name, left in (("journal.jsonl", -1), ("events.jsonl", -1)):
        path = host.layout.runs / identity / name
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:left]))
    assert join(host) == 1
    assert f"Run {identity} was cut off. To take it back: palpo-installer recover" in capsys.readouterr().out


def waited_for(host: Host, path: Path, decision: str) -> tuple[int, str]:
    """Make a run that writes a file, decide about it as soon as it waits, and return its exit code and what it said."""
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("It takes itself back at"):
            assert path.read_text() == "text"
            if decision == "keep":
                confirm(host.layout, "0001")
            else:
                (host.layout.runs / "0001" / STOP).touch()

    return carry_out(host, writing((path, "text")), {}, say, confirm_within=60), "\n".join(said)


def test_a_change_that_waits_is_confirmed_by_somebody(host: Host, tmp_path: Path) -> None:
    """What was seen and both ways to keep it are said before; the exit code is that of any run that was applied."""
    code, said = waited_for(host, tmp_path / "file", "keep")
    assert code == 0
    assert said.index("What the outside sees") < said.index("It takes itself back at") < said.index("Done.")
    assert "The result could not be looked at" in said
    assert f"palpo-installer --root {tmp_path} confirm" in said
    assert keep(host) == 0


def test_a_change_that_waits_is_stopped(host: Host, tmp_path: Path) -> None:
    """It is taken back at once; who comes to confirm it then is told that it is too late."""
    code, said = waited_for(host, tmp_path / "file", "stop")
    assert code == 1
    assert "stopped on request" in said
    assert not (tmp_path / "file").exists()
    with pytest.raises(RefusedPlan, match="too late: it was taken back"):
        keep(host)


def test_what_cannot_be_confirmed_says_why(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No run, one that is still being applied, one that is being taken back, and one that was cut off waiting."""
    assert keep(host) == 0
    assert capsys.readouterr().out == "Nothing to confirm: no run is waiting for it.\n"
    identity = registered(tmp_path, ("file", "text"))
    journal = Journal(host.layout.runs / identity / "journal.jsonl")
    with hold(host.layout, "run 0001"), pytest.raises(Locked, match="no result yet that could be confirmed"):
        keep(host)
    journal.append(Record("unconfirmed", "", {"within": 60, "until": "2026-01-02T12:01:00+00:00"}))
    with pytest.raises(RefusedPlan, match="it was cut off and is taken back"):
        keep(host)
    journal.append(Record("undoing", "0"))
    with hold(host.layout, "run 0001"), pytest.raises(RefusedPlan, match="it is being taken back"):
        keep(host)
    journal.close()


def test_where_the_last_part_begins(tmp_path: Path) -> None:
    """At the last engine's first word; at the start where there is none, or no file yet."""
    events = tmp_path / "events.jsonl"
    assert last_part(events) == 0
    first = b'{"kind": "began", "text": "run 0001"}\n{"kind": "ended", "text": "Done."}\n'
    events.write_bytes(first + b'{"kind": "began", "text": "rollback"}\n{"kind": "un')
    assert last_part(events) == len(first)
