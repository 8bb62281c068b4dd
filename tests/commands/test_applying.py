"""Commands that change the host, up to where the engine takes over, and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest

from palpo_installer.commands.applying import apply, attach, confirm, recover, renew, rollback, run
from palpo_installer.commands.planning import plan
from palpo_installer.engine.history import runs
from palpo_installer.engine.journal import OPEN
from palpo_installer.engine.process import Engine
from palpo_installer.errors import AnswersError, NeedsRoot, RefusedPlan
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from tests.commands.invoking import ANSWERS, answers, as_root, invoke
from tests.engine.runs import left_to_itself, registered
from tests.planning.made import applied_nginx
from tests.recorded import RecordedHost, recorded
from tests.trees import tree

pytestmark = as_root


@pytest.fixture
def recording(tmp_path: Path) -> RecordedHost:
    """A recorded host below a directory of its own."""
    return recorded("nginx_stopped", tmp_path / "host")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host's copy with two complete runs, which wrote one file after the other."""
    host = Host(Layout(tmp_path))
    for text in ("one", "two"):
        assert Engine(host).carry_on(registered(tmp_path, ("file", text))) == 0
    return host


def results(host: Host) -> list[str]:
    """Return how each run ended."""
    return [run.result for run in runs(host.layout)]


@pytest.mark.parametrize(
    "command", [apply, rollback, recover, attach, confirm, renew, run], ids=lambda each: str(each.name)
)
def test_without_root_nothing_begins(recording: RecordedHost, command: click.Command) -> None:
    """Each says so before it looks at anything else."""
    recording.recording = replace(recording.recording, root=False)
    before = tree(recording.layout.root)
    error = invoke(command, recording, *(["0001"] if command is run else [])).error
    assert isinstance(error, NeedsRoot)
    assert command.name is not None
    assert command.name in error.what
    assert tree(recording.layout.root) == before


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_nothing_happens_without_a_yes(recording: RecordedHost, tmp_path: Path, typed: str) -> None:
    """The whole review is shown first, and the default is no."""
    file = answers(tmp_path)
    before = tree(tmp_path)
    said = invoke(apply, recording, "--answers", file, typed=typed)
    assert said.code == 0
    assert "Changes, in this order" in said.output
    assert said.output.endswith("Nothing was changed.\n")
    assert tree(tmp_path) == before


def test_an_obstacle_ends_it_before_the_question(recording: RecordedHost, tmp_path: Path) -> None:
    """A CA that does not answer: shown, exit code 1, nothing changed, whatever --yes says."""
    ordered = 'method = "http-01"\nagree_terms = true\ndirectory = "https://127.0.0.1:1/directory"'
    file = answers(tmp_path, ANSWERS.replace('method = "self-signed"', ordered))
    before = tree(tmp_path)
    said = invoke(apply, recording, "--answers", file, "--yes")
    assert said.code == 1
    assert "To be put right first; until then nothing is changed" in said.output
    last, reason = said.stderr.splitlines()
    assert last == "Nothing was changed. To be put right first:", "the reason is far above, before all differences"
    assert reason.startswith("  https://127.0.0.1:1/directory: the CA cannot be reached")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("seconds", ["0", "9", "86401", "soon"])
def test_a_deadline_that_makes_no_sense_is_refused(recording: RecordedHost, tmp_path: Path, seconds: str) -> None:
    """Too short to look at anything, or so long that renewals would be missed; nothing is changed."""
    before = tree(tmp_path)
    said = invoke(apply, recording, "--yes", "--confirm-within", seconds)
    assert isinstance(said.error, click.BadParameter)
    assert tree(tmp_path) == before


def test_a_host_that_is_as_it_should_be_gets_no_run(tmp_path: Path) -> None:
    """Applying twice is a no-op that says so, with exit code 0 and no question."""
    with applied_nginx(tmp_path) as host:
        said = invoke(apply, host)
    assert (said.code, said.error) == (0, None)
    assert said.output.startswith("Nothing to do: ")
    assert len(runs(host.layout)) == 1


def test_a_saved_plan_brings_its_own_answers(recording: RecordedHost, tmp_path: Path) -> None:
    """Others beside it are refused, and so is a plan whose host has changed; the same host is asked about."""
    file, saved = answers(tmp_path), tmp_path / "plan.json"
    invoke(plan, recording, "--answers", file, "--output", saved)
    for more in (("--answers", file), ("--set", "federation.port=8449")):
        error = invoke(apply, recording, "--plan", saved, *more).error
        assert isinstance(error, AnswersError)
        assert error.where == "--plan"
    assert "Nothing was changed." in invoke(apply, recording, "--plan", saved, typed="n\n").output
    site = recording.layout.at("/etc/nginx/sites-enabled/default")
    site.write_text(site.read_text() + "# edited\n")
    refused = invoke(apply, recording, "--plan", saved, "--yes")
    assert isinstance(refused.error, RefusedPlan)
    assert refused.error.where == str(site)
    assert refused.output == ""


@left_to_itself
def test_the_last_run_is_rolled_back(host: Host, tmp_path: Path) -> None:
    """Without an id the last one, by an engine of its own, after a question whose default is no."""
    assert invoke(rollback, host, typed="\n").code == 0
    assert results(host) == ["applied", "applied"]
    said = invoke(rollback, host, typed="y\n")
    assert "Take back run 0002?" in said.output
    assert said.code == 0
    assert "Rolled back." in said.output
    assert (tmp_path / "file").read_text() == "one"


@left_to_itself
def test_a_named_run_takes_later_ones_with_it(host: Host, tmp_path: Path) -> None:
    """The question names them newest first; a number is enough."""
    said = invoke(rollback, host, "1", typed="y\n")
    assert "Take back run 0002, 0001?" in said.output
    assert not (tmp_path / "file").exists()
    assert invoke(rollback, host).output == "Nothing to take back: no run is in force.\n"


@left_to_itself
def test_an_edit_stops_a_rollback_unless_it_is_given_up(host: Host, tmp_path: Path) -> None:
    """--yes alone never gives up an edit."""
    (tmp_path / "file").write_text("by hand")
    said = invoke(rollback, host, "--yes")
    assert said.code == 1
    assert "was edited since" in said.output
    assert (tmp_path / "file").read_text() == "by hand"
    assert invoke(rollback, host, "--yes", "--discard-edits").code == 0
    assert (tmp_path / "file").read_text() == "one"


@pytest.mark.parametrize("identity", ["9", "abc", "0003", "../0001"])
def test_an_unknown_run_is_an_error_that_names_those_in_force(host: Host, identity: str) -> None:
    """Nothing is taken back by a mistyped number."""
    error = invoke(rollback, host, identity, "--yes").error
    assert isinstance(error, AnswersError)
    assert error.next == "In force: 0001, 0002"
    assert results(host) == ["applied", "applied"]


@left_to_itself
def test_a_run_that_was_cut_off_is_recovered(host: Host, tmp_path: Path) -> None:
    """By an engine of its own; the earlier run stays, and another time there is nothing to do."""
    journal = host.layout.runs / "0002/journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    assert results(host) == ["applied", "interrupted"]
    assert invoke(recover, host).code == 0
    assert (tmp_path / "file").read_text() == "one"
    assert results(host) == ["applied", "taken-back"]
    assert invoke(recover, host).output == "Nothing to do: no run was cut off.\n"


def cut_off(host: Host, identity: str) -> Path:
    """Let a run look as if it was cut off, and return its sign."""
    journal = host.layout.runs / identity / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    journal.with_name(OPEN).touch()
    return journal.with_name(OPEN)


@left_to_itself
def test_a_boot_puts_files_back_and_leaves_the_rest(host: Host, tmp_path: Path) -> None:
    """``--files-only`` works in its own process, says what it did, and the run stays open for the next recover."""
    sign = cut_off(host, "0002")
    said = invoke(recover, host, "--files-only")
    assert said.code == 0
    assert "The files are as they were before" in said.output
    assert (tmp_path / "file").read_text() == "one"
    assert results(host) == ["applied", "interrupted"]
    assert sign.exists()
    assert invoke(recover, host).code == 0
    assert results(host) == ["applied", "taken-back"]
    assert not sign.exists()


def test_a_sign_that_was_left_is_removed(host: Host) -> None:
    """A power cut between the end of a run and the removal of its sign costs one boot a look, and no more."""
    (host.layout.runs / "0002" / OPEN).touch()
    assert "Nothing to do" in invoke(recover, host, "--files-only").output
    assert not (host.layout.runs / "0002" / OPEN).exists()
    assert results(host) == ["applied", "applied"]


def test_attaching_shows_how_the_last_run_ended(host: Host, tmp_path: Path) -> None:
    """Its words, and its exit code; where there was none, that is said."""
    said = invoke(attach, host)
    assert said.code == 0
    assert "Done." in said.output
    empty = invoke(attach, Host(Layout(tmp_path / "empty")))
    assert (empty.code, empty.output) == (0, "No runs yet.\n")
