"""A plan in a file: applied later exactly as it was shown, or refused."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.changes import Plan
from palpo_installer.errors import AnswersError, HostError, RefusedPlan
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from palpo_installer.proxies.found import ReadFile
from palpo_installer.saved_plan import read, save
from tests.planning.made import again, inputs_on
from tests.situations import DATABASE

GIVEN: dict[str, object] = {
    "names.server_name": "example.com",
    "federation.port": 8448,
    "certificates.agree_terms": True,
    "well_known.rtc_foci": ["https://a.example", "https://b.example"],
}


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """What a plan is made from."""
    return inputs_on(tmp_path / "host")


@pytest.fixture
def plan(inputs: Inputs) -> Plan:
    """A plan with every kind of change."""
    return make(inputs)


def answers_file(root: Path, text: str = f'[homeserver]\ndatabase_url = "{DATABASE}"\n') -> Path:
    """Write a file of answers that has the secret."""
    path = root / "answers.toml"
    path.write_text(text)
    return path


def test_what_was_saved_is_what_is_read(plan: Plan, tmp_path: Path) -> None:
    """Plan and answers come back with their types, in a file that only its owner can read."""
    output = tmp_path / "plan.json"
    save(plan, GIVEN, None, output)
    saved = read(output)
    assert saved.plan == plan
    assert saved.given() == GIVEN
    assert {key: type(value) for key, value in saved.answers.items()} == {key: type(GIVEN[key]) for key in GIVEN}
    assert output.stat().st_mode & 0o777 == 0o600
    assert output.stat().st_uid == os.geteuid()


def test_a_secret_is_read_again_from_its_own_file(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not in the saved plan, and is found also from another directory; a new one in that file counts."""
    source, output = answers_file(tmp_path), tmp_path / "plan.json"
    monkeypatch.chdir(tmp_path)
    save(plan, {**GIVEN, "homeserver.database_url": DATABASE}, Path("answers.toml"), output)
    assert "hunter2" not in output.read_text()
    monkeypatch.chdir("/")
    assert read(output).given() == {**GIVEN, "homeserver.database_url": DATABASE}
    source.write_text(source.read_text().replace("hunter2", "hunter3"))
    assert read(output).given()["homeserver.database_url"] == DATABASE.replace("hunter2", "hunter3")


def test_a_secret_that_was_taken_away_stays_away(plan: Plan, tmp_path: Path) -> None:
    """``--set homeserver.database_url=`` beside a file of answers that has one."""
    answers_file(tmp_path)
    given = {**GIVEN, "homeserver.database_url": "", "homeserver.database_url_file": "/root/url"}
    save(plan, given, tmp_path / "answers.toml", tmp_path / "plan.json")
    assert read(tmp_path / "plan.json").given() == given
    token = {**given, "homeserver.registration_token": "let-me-in"}
    save(plan, token, tmp_path / "answers.toml", tmp_path / "plan.json")
    assert read(tmp_path / "plan.json").given()["homeserver.database_url"] == ""


def test_a_secret_without_a_file_cannot_be_saved(plan: Plan, tmp_path: Path) -> None:
    """It could not be found again; the key is named, its value is not, and nothing is written."""
    with pytest.raises(AnswersError, match="must come from a file") as raised:
        save(plan, {**GIVEN, "homeserver.registration_token": "let-me-in"}, None, tmp_path / "plan.json")
    assert raised.value.where == "homeserver.registration_token"
    assert "let-me-in" not in str(raised.value)
    assert not (tmp_path / "plan.json").exists()


def test_a_place_that_cannot_be_written_is_said(plan: Plan, tmp_path: Path) -> None:
    """With the path and the reason, instead of a traceback."""
    with pytest.raises(HostError, match="the plan cannot be saved: No such file or directory") as raised:
        save(plan, GIVEN, None, tmp_path / "none/plan.json")
    assert raised.value.where == str(tmp_path / "none/plan.json")


def test_an_unchanged_host_is_the_same(inputs: Inputs, plan: Plan, tmp_path: Path) -> None:
    """The plan made now from the same files is the saved one."""
    save(plan, GIVEN, None, tmp_path / "plan.json")
    made, saved = make(again(inputs)), read(tmp_path / "plan.json")
    saved.require_same(made)
    assert saved.plan.digest == made.digest


def test_a_changed_host_is_refused_by_file(inputs: Inputs, plan: Plan, tmp_path: Path) -> None:
    """An edited site, and a palpo.toml that has appeared, are both named; what did not change is not."""
    save(plan, GIVEN, None, tmp_path / "plan.json")
    site = tmp_path / "host/etc/nginx/sites-enabled/default"
    site.write_text(site.read_text() + "# edited\n")
    palpo = tmp_path / "host/etc/palpo/palpo.toml"
    palpo.parent.mkdir()
    palpo.write_text("")
    with pytest.raises(RefusedPlan, match="changed since the plan was saved") as refused:
        read(tmp_path / "plan.json").require_same(make(again(inputs)))
    assert refused.value.where == f"{site}, {palpo}"


def test_what_is_no_file_is_named_as_the_host(plan: Plan, tmp_path: Path) -> None:
    """Other changes with the same files: a certificate that is due now, a port, a process."""
    save(plan, GIVEN, None, tmp_path / "plan.json")
    with pytest.raises(RefusedPlan, match="the host: changed since"):
        read(tmp_path / "plan.json").require_same(replace(plan, changes=plan.changes[1:]))
    gone = replace(plan, rests_on=(*plan.rests_on, ReadFile(Path("/x"), "0")))
    with pytest.raises(RefusedPlan, match="/x: changed since"):
        read(tmp_path / "plan.json").require_same(gone)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", "\x00", '{"format": 1, "plan": []}', "[" * 100_000])
def test_what_is_no_saved_plan_is_refused(tmp_path: Path, text: str) -> None:
    """One sentence with the file and how to make one; never a traceback."""
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(AnswersError, match="is no plan that this version saved") as raised:
        read(tmp_path / "plan.json")
    assert raised.value.where == str(tmp_path / "plan.json")


def test_a_missing_file_and_one_of_bytes_are_refused(tmp_path: Path) -> None:
    """What cannot be read is called that, and what is no text no plan."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    reasons = {"none": "cannot be read: No such file", "": "cannot be read: Is a directory", "bytes": "is no plan that"}
    for name, reason in reasons.items():
        with pytest.raises(AnswersError, match=reason):
            read(tmp_path / name)


def test_another_format_is_refused(plan: Plan, tmp_path: Path) -> None:
    """A later version's file is not guessed at."""
    save(plan, GIVEN, None, tmp_path / "plan.json")
    fields = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**fields, "format": 2}))
    with pytest.raises(AnswersError, match="has the format 2, not 1"):
        read(tmp_path / "plan.json")
