"""The options for what a person chooses beside the answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer import saved_plan
from palpo_installer.commands.applying import apply
from palpo_installer.commands.planning import plan
from palpo_installer.errors import AnotherServerName, AnswersError
from palpo_installer.host import Host
from palpo_installer.plan import make
from tests.commands.invoking import as_root, invoke
from tests.planning.made import carry_out, inputs_on, without_activations
from tests.situations import DATABASE

pytestmark = as_root

RENAMED = ("--set", "names.server_name=example.net", "--set", "names.client_host=matrix.example.net")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host to which everything was applied, with an edit in the TLS half and the password in the answers."""
    inputs = inputs_on(tmp_path)
    carry_out(without_activations(make(inputs)), inputs)
    edited(inputs.host).write_text(f"# mine\n{edited(inputs.host).read_text()}")
    assert DATABASE in inputs.layout.answers.read_text()
    return inputs.host


def edited(host: Host) -> Path:
    """Return the file that was edited."""
    return host.layout.at("/etc/nginx/sites-available/zz-palpo-installer-tls.conf")


def test_edits_stay_unless_they_are_given_up(host: Host, tmp_path: Path) -> None:
    """By default and by --keep-edits; the plan that was saved with --overwrite-edits knows it when it is applied."""
    for options in ((), ("--keep-edits",)):
        assert f"{edited(host)}: your edit stays" in invoke(plan, host, *options).output
    saved = tmp_path / "plan.json"
    said = invoke(plan, host, "--overwrite-edits", "--output", saved)
    assert f"{edited(host)}: your edit is given up" in said.output
    assert saved_plan.read(saved).choices.overwrite == frozenset({str(edited(host))})
    applied = invoke(apply, host, "--plan", saved, typed="n\n")
    assert "your edit is given up" in applied.output


@pytest.mark.parametrize("option", ["--overwrite-edits", "--change-server-name"])
def test_a_saved_plan_takes_no_further_choices(host: Host, tmp_path: Path, option: str) -> None:
    """It is applied exactly as it was shown, or not at all."""
    saved = tmp_path / "plan.json"
    assert invoke(plan, host, "--output", saved).code == 0
    error = invoke(apply, host, "--plan", saved, option, "--yes").error
    assert isinstance(error, AnswersError)
    assert option in error.next


def test_yes_is_no_agreement_to_another_server_name(host: Host) -> None:
    """Only the option is; then the review begins with what is lost."""
    for command, options in ((plan, ()), (apply, ("--yes",))):
        assert isinstance(invoke(command, host, *RENAMED, *options).error, AnotherServerName)
    said = invoke(plan, host, *RENAMED, "--change-server-name")
    assert said.output.splitlines()[1].startswith("  The server name example.com is given up for example.net.")
