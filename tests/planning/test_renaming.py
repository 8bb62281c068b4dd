"""Another server name than the one in force."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer import saved_plan
from palpo_installer.changes import Plan
from palpo_installer.choices import Choices
from palpo_installer.errors import AnotherServerName
from palpo_installer.homeserver.keys import signing_key
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from tests.planning.made import carry_out, inputs_of, inputs_on, without_activations

OTHER: dict[str, object] = {"names.server_name": "example.net", "names.client_host": "matrix.example.net"}


def applied(root: Path) -> Inputs:
    """Apply the usual answers, for example.com."""
    inputs = inputs_on(root)
    carry_out(without_activations(make(inputs)), inputs)
    return inputs


def test_another_name_than_that_of_the_last_run_is_refused(tmp_path: Path) -> None:
    """Also where palpo.toml is gone, or somebody wrote the new name into the saved answers."""
    inputs = applied(tmp_path)
    inputs.answers.homeserver.config.unlink()
    saved = inputs.layout.answers
    saved.write_text(saved.read_text().replace('"example.com"', '"example.net"'))
    with pytest.raises(AnotherServerName, match="and the answers are for example") as refused:
        make(inputs_of(inputs.host, OTHER))
    assert (refused.value.former, refused.value.wanted) == ("example.com", "example.net")
    assert "--change-server-name" in refused.value.next


def test_another_name_than_that_in_palpo_toml_is_refused(tmp_path: Path) -> None:
    """On a host where this tool never was; the placeholder of an example file is nobody's name."""
    inputs = inputs_on(tmp_path)
    path = inputs.answers.homeserver.config
    path.parent.mkdir(parents=True)
    path.write_text('server_name = "example.org"\n')
    with pytest.raises(AnotherServerName, match=r"example\.org"):
        make(inputs)
    path.write_text('server_name = "your.server.name"\n')
    assert make(inputs).former_name == ""


def renamed(inputs: Inputs) -> Plan:
    """Apply another name, agreed to, and return the plan."""
    now = replace(inputs_of(inputs.host, OTHER), renaming=True)
    plan = make(now)
    carry_out(without_activations(plan), now)
    return plan


def test_who_agrees_is_told_what_is_lost_and_gets_it(tmp_path: Path) -> None:
    """First thing in the review; palpo.toml has the new name with a key of its own, and the old key stays."""
    inputs = applied(tmp_path)
    plan = renamed(inputs)
    assert plan.former_name == "example.com"
    lost = " ".join(plan.summary[:4])
    for word in (
        "example.com is given up for example.net",
        "every account @user:example.com",
        "signing key",
        "database",
    ):
        assert word in lost
    said = tomllib.loads(inputs.answers.homeserver.config.read_text())
    assert said["server_name"] == "example.net"
    assert said["keypair"]["document"] == signing_key(inputs.layout, "example.net").reveal()
    assert (inputs.layout.keys / "example.com").exists()
    # The name in force is the new one now, and needs no agreement.
    assert make(inputs_of(inputs.host, OTHER)).former_name == ""


def test_agreeing_to_a_name_that_stays_changes_nothing(tmp_path: Path) -> None:
    """The permission is none to do anything else."""
    inputs = applied(tmp_path)
    now = inputs_of(inputs.host)
    assert make(replace(now, renaming=True)) == make(now)


def test_a_saved_plan_carries_what_was_chosen(tmp_path: Path) -> None:
    """Names, and the edits that were given up: applying it makes the same plan again, asking for nothing."""
    inputs = applied(tmp_path)
    edited = tmp_path / "etc/nginx/sites-available/zz-palpo-installer-tls.conf"
    edited.write_text(f"# mine\n{edited.read_text()}")
    now = replace(inputs_of(inputs.host, OTHER), renaming=True, overwrite=frozenset({str(edited)}))
    plan = make(now)
    saved_plan.save(plan, {}, None, tmp_path / "plan.json")
    read = saved_plan.read(tmp_path / "plan.json")
    assert read.choices == Choices(frozenset({str(edited)}), renaming=True)
    again = replace(now, renaming=read.choices.renaming, overwrite=read.choices.overwrite)
    read.require_same(make(again))
