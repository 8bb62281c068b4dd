"""Commands that show what would be done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.commands.planning import plan, render
from palpo_installer.errors import AnswersError, HostError, RefusedPlan
from palpo_installer.plan import make
from palpo_installer.saved_plan import read
from palpo_installer.session import begin, given, inputs_of
from tests.commands.invoking import ANSWERS, answers, invoke
from tests.planning.made import applied_nginx
from tests.recorded import RecordedHost, recorded
from tests.trees import tree


@pytest.fixture
def host(tmp_path: Path) -> RecordedHost:
    """A recorded host below a directory of its own."""
    return recorded("nginx_stopped", tmp_path / "host")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of answers."""
    return answers(tmp_path)


def test_pending_changes_are_exit_3_only_when_asked_for(host: RecordedHost, file: Path, tmp_path: Path) -> None:
    """A script can tell, a person gets 0; either way nothing is changed."""
    before = tree(tmp_path)
    said = invoke(plan, host, "--answers", file)
    assert (said.code, said.error) == (0, None)
    assert "1. plain HTTP on port 80" in said.output
    assert invoke(plan, host, "--answers", file, "--exit-code").code == 3
    assert tree(tmp_path) == before


def test_nothing_to_do_is_exit_0(tmp_path: Path) -> None:
    """On a host that is as it should be, by the answers that were saved there."""
    with applied_nginx(tmp_path) as host:
        said = invoke(plan, host, "--exit-code")
    assert (said.code, said.error) == (0, None)
    assert said.output.startswith("Nothing to do: ")


def test_settings_are_over_the_file(host: RecordedHost, file: Path) -> None:
    """One answer on the command line, as often as needed; and one that is not usable is named."""
    said = invoke(plan, host, "--answers", file, "--set", "federation.delegation=srv", "--set", "federation.port=8449")
    assert "use matrix.example.com:8449" in said.output
    wrong = invoke(plan, host, "--answers", file, "--set", "federation.port=many").error
    assert isinstance(wrong, AnswersError)
    assert wrong.where == "federation.port"


def test_programs_get_json_and_nothing_else(host: RecordedHost, file: Path, tmp_path: Path) -> None:
    """What is said about a saved plan goes to the other output; no secret is in either."""
    said = invoke(plan, host, "--answers", file, "--json", "--output", tmp_path / "plan.json")
    review = json.loads(said.output)
    saved = read(tmp_path / "plan.json")
    assert review["digest"] == saved.plan.digest
    assert f"palpo-installer apply --plan {tmp_path}/plan.json" in said.stderr
    for text in (said.output, said.stderr, (tmp_path / "plan.json").read_text()):
        assert "hunter2" not in text


def test_a_saved_plan_is_the_one_that_was_shown(host: RecordedHost, file: Path, tmp_path: Path) -> None:
    """Made again from what it saved, the plan has the same digest."""
    setting = "homeserver.registration=open"
    invoke(plan, host, "--answers", file, "--set", setting, "--output", tmp_path / "plan.json")
    saved = read(tmp_path / "plan.json")
    assert saved.given() == given(host, file, (setting,))
    saved.require_same(make(inputs_of(begin(host, saved.given()))))


@pytest.mark.parametrize("command", [plan, render])
def test_a_place_that_cannot_be_written_is_one_sentence(
    host: RecordedHost, file: Path, tmp_path: Path, command: object
) -> None:
    """Below a file there is no directory: said with path and reason."""
    (tmp_path / "taken").write_text("")
    error = invoke(command, host, "--answers", file, "--output", tmp_path / "taken/below").error  # type: ignore[arg-type]
    assert isinstance(error, HostError)
    assert "Not a directory" in error.what
    assert error.where.startswith(str(tmp_path / "taken"))


def test_render_writes_the_files_below_its_directory_and_nothing_else(
    host: RecordedHost, file: Path, tmp_path: Path
) -> None:
    """At their absolute paths, with their modes and links; each is named, and the host stays as it is."""
    before, output = tree(tmp_path / "host"), tmp_path / "rendered"
    said = invoke(render, host, "--answers", file, "--output", output)
    assert said.code == 0
    assert tree(tmp_path / "host") == before
    named = {Path(line) for line in said.output.splitlines()}
    assert named == {path for path in output.rglob("*") if path.is_symlink() or path.is_file()}
    below = output / (tmp_path / "host").relative_to("/")
    linked = below / "etc/nginx/sites-enabled/zz-palpo-installer-tls.conf"
    assert linked.is_symlink()
    assert "server_name matrix.example.com;" in (below / "etc/nginx/sites-available" / linked.name).read_text()
    assert (below / "etc/palpo/palpo.toml").stat().st_mode & 0o777 == 0o600
    assert not [path for path in named if not path.is_symlink() and b"hunter2" in path.read_bytes()]


def test_rendering_twice_gives_the_same(host: RecordedHost, file: Path, tmp_path: Path) -> None:
    """Over an earlier rendering, links included."""
    output = tmp_path / "rendered"
    invoke(render, host, "--answers", file, "--output", output)
    first = tree(output)
    assert invoke(render, host, "--answers", file, "--output", output).code == 0
    assert tree(output) == first


def test_render_needs_no_root(tmp_path: Path) -> None:
    """Nor does plan: both only look."""
    host = recorded("nginx_stopped", tmp_path / "host")
    host.recording = replace(host.recording, root=False)
    file = answers(tmp_path, ANSWERS)
    assert invoke(render, host, "--answers", file, "--output", tmp_path / "rendered").error is None
    assert invoke(plan, host, "--answers", file).error is None


def test_what_cannot_be_planned_is_refused(file: Path, tmp_path: Path) -> None:
    """A host without nginx: the error of the plan, for the exit code 1."""
    error = invoke(plan, recorded("another_on_80", tmp_path / "other"), "--answers", file).error
    assert isinstance(error, RefusedPlan)
    assert error.exit_code == 1
