"""The files that would be installed, as texts."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.matrix_site import build
from palpo_installer.operations.files import MakeLink, WriteFile
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.rendered import RenderedFile, rendered
from palpo_installer.planning.serving import Serving
from tests.planning.made import again, carry_out, inputs_on, without_activations
from tests.trees import tree


def files(inputs: Inputs) -> dict[Path, RenderedFile]:
    """Return what is rendered, by path."""
    return {each.path: each for each in rendered(inputs, Serving(inputs, build(inputs.answers, inputs.layout)))}


def test_they_are_the_files_of_the_plan(tmp_path: Path) -> None:
    """The same paths, texts, modes and links as a plan for an empty host; what is shown is what is done."""
    inputs = inputs_on(tmp_path)
    shown = files(inputs)
    planned = [operation for change in make(inputs).changes for operation in change.operations]
    for operation in planned:
        match operation:
            case WriteFile():
                expected = RenderedFile(operation.path, operation.text.shown.encode(), operation.mode)
                assert shown.pop(operation.path) == expected
            case MakeLink():
                assert shown.pop(operation.path).target == operation.target
            case ConfigurePalpo():
                assert shown.pop(operation.path).mode == operation.mode
    assert shown == {}


def test_nothing_is_written(tmp_path: Path) -> None:
    """Rendering only reads."""
    inputs = inputs_on(tmp_path)
    before = tree(tmp_path)
    assert files(inputs)
    assert tree(tmp_path) == before


def test_secrets_are_placeholders(tmp_path: Path) -> None:
    """Neither the database password nor a signing key stands in any of them."""
    inputs = inputs_on(tmp_path)
    shown = files(inputs)
    assert not [path for path, file in shown.items() if b"hunter2" in file.data]
    palpo = tomllib.loads(shown[inputs.answers.homeserver.config].data.decode())
    assert palpo["db"]["url"] == "<secret: homeserver.database_url>"
    assert palpo["keypair"]["document"] == "<secret: signing key of example.com>"


def test_files_that_are_there_are_rendered_too(tmp_path: Path) -> None:
    """Whether a run has installed them or not: the answers ask for the same files."""
    inputs = inputs_on(tmp_path)
    before = set(files(inputs))
    carry_out(without_activations(make(inputs)), inputs)
    assert set(files(again(inputs))) == before


@pytest.mark.parametrize(("init", "names"), [("systemd", 2), ("none", 1)])
def test_the_timer_is_that_of_the_host(tmp_path: Path, init: str, names: int) -> None:
    """Two units with systemd, one cron job without."""
    inputs = inputs_on(tmp_path)
    system = replace(inputs.facts.system, init=init)  # type: ignore[arg-type]
    shown = files(replace(inputs, facts=replace(inputs.facts, system=system)))
    places = (inputs.layout.systemd, inputs.layout.cron)
    assert len([path for path in shown if path.parent == places[init == "none"]]) == names
    assert not [path for path in shown if path.parent == places[init != "none"]]
