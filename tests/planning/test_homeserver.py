"""The part of a plan that Palpo needs, over real palpo.toml files."""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers import Address
from palpo_installer.changes import Plan, Unchanged
from palpo_installer.errors import AnswersError, RefusedPlan
from palpo_installer.facts.palpo import Palpo
from palpo_installer.homeserver.activation import RestartPalpo
from palpo_installer.homeserver.keys import signing_key
from palpo_installer.operations.files import MakeDirectory
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.planning.homeserver import homeserver, key_edits, moving, restart, service_of
from palpo_installer.planning.inputs import AS_IT_SHOULD_BE, Inputs
from palpo_installer.services import Service
from tests.planning.made import again, carry_out, inputs_on, without_activations
from tests.situations import DATABASE
from tests.situations import homeserver as found

UNIT = replace(found(runs_as="unit", answers_at="127.0.0.1:8008"), unit="palpo.service")
CONTAINER = replace(found(runs_as="container", answers_at="127.0.0.1:8018"), container="palpo-1", runtime="podman")


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """What a plan for a host without Palpo is made from."""
    return inputs_on(tmp_path)


def written(inputs: Inputs, text: str, mode: int = 0o600) -> Path:
    """Write palpo.toml and return where it is."""
    path = inputs.answers.homeserver.config
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def with_palpo(inputs: Inputs, palpo: Palpo) -> Inputs:
    """Return inputs in which Palpo was found like this."""
    return replace(inputs, facts=replace(inputs.facts, palpo=palpo))


def operation(inputs: Inputs) -> ConfigurePalpo:
    """Return what the plan does to palpo.toml."""
    (change,), _, _ = homeserver(inputs)
    last = change.operations[-1]
    assert isinstance(last, ConfigurePalpo)
    return last


def test_a_new_file_is_made_with_its_directory(inputs: Inputs) -> None:
    """For nobody else to read, and the change ends with Palpo's restart."""
    (change,), unchanged, _ = homeserver(inputs)
    directory, configure = change.operations
    assert directory == MakeDirectory(inputs.answers.homeserver.config.parent, 0o755)
    assert isinstance(configure, ConfigurePalpo)
    assert (configure.mode, configure.planned) == (0o600, "")
    assert isinstance(change.activation, RestartPalpo)
    assert unchanged == ()


def test_applied_twice_is_applied_once(inputs: Inputs) -> None:
    """After the first time nothing is left to do, with the password and the key in their places."""
    carry_out(without_activations(Plan((), homeserver(inputs)[0], (), (), ())), inputs)
    path = inputs.answers.homeserver.config
    said = tomllib.loads(path.read_text())
    assert said["db"]["url"] == DATABASE
    assert said["keypair"]["document"] == signing_key(inputs.layout, "example.com").reveal()
    changes, unchanged, _ = homeserver(again(inputs))
    assert changes == ()
    assert unchanged == (Unchanged(str(path), AS_IT_SHOULD_BE),)


@pytest.mark.parametrize(
    ("kind", "words"), [("link", "is a link"), ("directory", "is a directory"), ("pipe", "is no regular file")]
)
def test_something_else_in_its_place_is_refused(inputs: Inputs, kind: str, words: str) -> None:
    """A link could lead anywhere and a rename would replace it: it is named, and nothing is done."""
    path = inputs.answers.homeserver.config
    path.parent.mkdir(parents=True)
    match kind:
        case "link":
            (path.parent / "real.toml").write_text("")
            path.symlink_to("real.toml")
        case "directory":
            path.mkdir()
        case _:
            os.mkfifo(path)
    with pytest.raises(RefusedPlan, match=words) as refused:
        homeserver(inputs)
    assert refused.value.where == str(path)


def test_a_value_that_was_changed_by_hand_stays(inputs: Inputs) -> None:
    """What we wrote and somebody changed is kept and told, also where the answer for it changes; or is given up."""
    carry_out(without_activations(Plan((), homeserver(inputs)[0], (), (), ())), inputs)
    path = inputs.answers.homeserver.config
    path.write_text(path.read_text().replace("max_upload_size = 16777216", "max_upload_size = 1048576"))
    assert homeserver(again(inputs))[0] == ()
    (edit,) = key_edits(again(inputs))
    assert (edit.subject, edit.kept, edit.ours) == (f"{path}: max_upload_size", (), "")
    assert edit.theirs.endswith("\n-max_upload_size = 16777216\n+max_upload_size = 1048576")
    answers = replace(inputs.answers, homeserver=replace(inputs.answers.homeserver, max_upload_size=64 << 20))
    larger = replace(again(inputs), answers=answers)
    (edit,) = key_edits(larger)
    assert edit.kept == ("max_upload_size stays as you made it, though this run changes it too",)
    assert homeserver(larger)[0] == ()
    chosen = operation(replace(larger, overwrite=frozenset({edit.subject})))
    assert [setting.value for setting in chosen.settings if setting.key == ("max_upload_size",)] == [64 << 20]


def test_a_listener_of_ours_moves_and_one_of_theirs_stays(inputs: Inputs) -> None:
    """The address that an earlier run wrote gives way to the new one, and no other does."""
    carry_out(without_activations(Plan((), homeserver(inputs)[0], (), (), ())), inputs)
    path = inputs.answers.homeserver.config
    ours = 'address = "127.0.0.1:8008"\n'
    path.write_text(path.read_text().replace(ours, f'{ours}\n[[listeners]]\naddress = "10.0.0.1:9000"\n'))
    answers = replace(inputs.answers.homeserver, listen=Address("127.0.0.1", 8010))
    moved = replace(again(inputs), answers=replace(inputs.answers, homeserver=answers))
    assert moving(moved) == ()
    assert "until then the proxy finds nobody" in moving(with_palpo(moved, found(runs_as="process")))[0]
    assert "Palpo moves from 127.0.0.1:8008 to 127.0.0.1:8010: it is restarted" in moving(with_palpo(moved, UNIT))[0]
    carry_out(without_activations(Plan((), homeserver(moved)[0], (), (), ())), moved)
    listeners = tomllib.loads(path.read_text())["listeners"]
    assert [each["address"] for each in listeners] == ["127.0.0.1:8010", "10.0.0.1:9000"]
    assert homeserver(replace(again(moved), answers=moved.answers))[0] == ()


def test_the_file_of_another_server_is_refused(inputs: Inputs) -> None:
    """A server name is for ever: both names are said, and neither is changed."""
    path = written(inputs, 'server_name = "other.example"\n')
    with pytest.raises(RefusedPlan, match=r"for the server name other\.example, the answers are for example\.com"):
        homeserver(inputs)
    assert path.read_text() == 'server_name = "other.example"\n'


def test_a_broken_file_is_refused_by_line_without_its_contents(inputs: Inputs) -> None:
    """It may hold a secret, so the sentence has the line and nothing of it."""
    written(inputs, 'server_name = "example.com"\nurl = "postgres://palpo:hunter2\n')
    with pytest.raises(RefusedPlan, match="line 2") as refused:
        homeserver(inputs)
    assert "hunter2" not in str(refused.value)


def test_an_existing_file_keeps_its_owner_and_loses_other_readers(inputs: Inputs) -> None:
    """Its group stays the administrator's choice; a file that is right but for its mode is changed for that."""
    path = written(inputs, 'server_name = "example.com"\n', 0o664)
    made = operation(inputs)
    status = path.stat()
    assert (made.mode, made.uid, made.gid) == (0o660, status.st_uid, status.st_gid)
    path.chmod(0o640)
    assert operation(inputs).mode == 0o640


def test_a_secret_that_is_there_already_is_no_setting(inputs: Inputs) -> None:
    """Only then does the review know that it stays; another one is set."""
    written(inputs, f'server_name = "example.com"\n[db]\nurl = "{DATABASE}"\n')
    assert ("db", "url") not in {setting.key for setting in operation(inputs).settings}
    written(inputs, 'server_name = "example.com"\n[db]\nurl = "postgres://palpo:another@127.0.0.1/palpo"\n')
    assert ("db", "url") in {setting.key for setting in operation(inputs).settings}


def test_the_files_own_database_is_enough(inputs: Inputs) -> None:
    """Answers without one keep it; with neither, the key to set is named."""
    answers = replace(inputs.answers, homeserver=replace(inputs.answers.homeserver, database_url=None))
    without = replace(inputs, answers=answers)
    written(inputs, f'server_name = "example.com"\n[db]\nurl = "{DATABASE}"\n')
    assert ("db", "url") not in {setting.key for setting in operation(without).settings}
    written(inputs, 'server_name = "example.com"\n')
    with pytest.raises(AnswersError, match="needs a database"):
        homeserver(without)


def test_palpo_is_restarted_by_whoever_runs_it(inputs: Inputs) -> None:
    """Its unit, its container's runtime, or nobody; and it is asked where it will answer, and did before."""
    assert service_of(UNIT) == Service("palpo", "systemd", unit="palpo.service")
    assert service_of(CONTAINER) == Service("palpo", "container", container="palpo-1", runtime="podman")
    assert service_of(found()) is None
    activation = restart(with_palpo(inputs, CONTAINER))
    assert activation.configuration == inputs.answers.homeserver.config
    assert activation.address == inputs.answers.homeserver.upstream
    assert activation.former == Address("127.0.0.1", 8018)
    assert restart(inputs).former is None


@pytest.mark.parametrize(
    ("palpo", "sentence"),
    [
        (found(), "Palpo is not running on this host; start it when this is done"),
        (found(runs_as="process"), "Palpo runs, but no service manager runs it: restart it yourself after this"),
        (UNIT, None),
        (CONTAINER, None),
    ],
)
def test_what_the_person_must_do_with_palpo_is_told(inputs: Inputs, palpo: Palpo, sentence: str | None) -> None:
    """Only where nothing will restart it for them."""
    assert homeserver(with_palpo(inputs, palpo))[2] == (() if sentence is None else (sentence,))


def test_a_new_file_belongs_to_palpos_account(inputs: Inputs) -> None:
    """The service's user owns it, and no other account reads it."""
    made = operation(with_palpo(inputs, replace(UNIT, user="nobody", group="")))
    assert (made.uid, made.mode) == (65534, 0o600)


def test_what_is_odd_in_the_file_is_told(inputs: Inputs) -> None:
    """A file without storage keeps media somewhere else: that must be known before it changes."""
    written(inputs, 'server_name = "example.com"\n')
    assert any(finding.startswith("storage: missing") for finding in homeserver(inputs)[2])
