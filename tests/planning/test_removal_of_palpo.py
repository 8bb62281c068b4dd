"""What becomes of palpo.toml in a removal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from palpo_installer.homeserver.activation import RestartPalpo
from palpo_installer.operations.removing import PutBack
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.removal import removal
from palpo_installer.planning.traces import Taken, Traces
from tests.planning.made import carry_out, inputs_on
from tests.planning.removals import applied, scene, stays


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """A recorded host on which nothing was applied yet."""
    return inputs_on(tmp_path)


OWN = '# mine\nserver_name = "example.com"\n[db]\nurl = "postgres://u:p@h/d"\n'


@pytest.mark.parametrize(
    ("existing", "edit", "answering", "reason"),
    [
        ("", "", False, ""),
        ("", "", True, "Palpo runs with it, at 127.0.0.1:8008, and it holds the server's name and its signing key"),
        ("", "# mine\n", False, "was edited by hand. What palpo-installer set in it: server_name, "),
        (OWN, "", False, ""),
        (OWN, "", True, "and the file before run 0001 has another signing key"),
        (OWN, "# mine\n", False, "was edited by hand"),
    ],
)
def test_palpo_toml_is_taken_back_where_palpo_is_not_lost(
    inputs: Inputs, existing: str, edit: str, answering: bool, reason: str
) -> None:
    """Otherwise it stays, and the review says why."""
    path = inputs.answers.homeserver.config
    if existing:
        path.parent.mkdir(parents=True)
        path.write_text(existing)
    applied(inputs)
    path.write_text(path.read_text() + edit)
    facts = inputs.facts
    palpo = replace(facts.palpo, answers_at="127.0.0.1:8008" if answering else "")
    plan = removal(replace(scene(inputs), facts=replace(facts, palpo=palpo)))
    assert plan.obstacles == ()
    if reason:
        assert reason in stays(plan)[str(path)]
    carry_out(replace(plan, result="applied"), inputs)
    assert path.exists() is bool(reason or existing)
    assert not existing or reason or path.read_text() == existing


def test_an_edit_between_two_runs_is_still_in_palpo_toml(inputs: Inputs) -> None:
    """Settings are merged, so that the file holds the edit and stays."""
    path = inputs.answers.homeserver.config
    applied(inputs)
    path.write_text(path.read_text() + "# mine\n")
    applied(inputs_on(inputs.layout.root, {"homeserver.max_upload_size": "20MiB"}))
    assert "was edited by hand" in stays(removal(scene(inputs)))[str(path)]


def test_a_palpo_that_is_the_same_server_is_restarted_with_its_earlier_file(inputs: Inputs) -> None:
    """Same name, key and database: it is asked for where it answered before the first run."""
    applied(inputs)
    path = inputs.answers.homeserver.config
    whole = path.read_text()
    path.write_text(whole.replace("127.0.0.1:8008", "127.0.0.1:8018"))
    for run in inputs.layout.runs.iterdir():
        (run / "journal.jsonl").unlink()
    applied(inputs)
    scenery = scene(inputs)
    restart = RestartPalpo(None, path, inputs.answers.homeserver.upstream, None)
    traces = tuple(replace(each, activation=restart) for each in scenery.traces.operations if "toml" in str(each))
    taken = (Taken("0002", datetime.now(UTC), restart, {}),)
    palpo = replace(inputs.facts.palpo, answers_at="127.0.0.1:8008")
    plan = removal(
        replace(scenery, traces=Traces(traces, taken), facts=replace(inputs.facts, palpo=palpo)),
    )
    (change,) = [each for each in plan.changes if isinstance(each.activation, RestartPalpo)]
    assert isinstance(change.operations[0], PutBack)
    assert isinstance(change.activation, RestartPalpo)
    assert str(change.activation.address) == "127.0.0.1:8018"
