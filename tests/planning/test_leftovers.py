"""What earlier runs installed and nobody needs any more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers import CertificateFiles, Certificates, Method
from palpo_installer.certificates import authority, renewal, store
from palpo_installer.certificates.timer import StopTimer
from palpo_installer.changes import Change, Plan
from palpo_installer.engine import history
from palpo_installer.operations.files import MakeLink, RemoveFile, WriteFile
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.leftovers import UNWANTED_EDIT, WITH_AN_EDIT
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.secret import Text
from tests.planning.made import again, carry_out, inputs_on, without_activations


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """A host to which everything was applied, and answers with certificates that somebody else renews."""
    inputs = inputs_on(tmp_path)
    carry_out(without_activations(make(inputs)), inputs)
    files = {}
    for name in ("example.com", "matrix.example.com"):
        authority.issue(name, inputs.layout)
        pair = store.self_signed(inputs.layout, name)
        files[name] = CertificateFiles(pair.chain, pair.key)
    certificates: Certificates = replace(inputs.answers.certificates, method=Method.FILES, files=files)
    return replace(again(inputs), answers=replace(inputs.answers, certificates=certificates))


def removing(plan: Plan) -> list[Change]:
    """Return the changes that remove something."""
    return [change for change in plan.changes if any(isinstance(each, RemoveFile) for each in change.operations)]


def test_the_timer_goes_when_nothing_is_renewed_here(inputs: Inputs) -> None:
    """Both units with their own activation, before the answers are saved; afterwards nothing is ours there."""
    plan = make(inputs)
    (change,) = removing(plan)
    layout = inputs.layout
    units = {renewal.service_path(layout), renewal.timer_path(layout)}
    assert {getattr(each, "path", None) for each in change.operations} == units
    assert isinstance(change.activation, StopTimer)
    assert not change.activation.former.active
    assert plan.changes.index(change) == len(plan.changes) - 2
    carry_out(without_activations(plan), inputs)
    assert not any(path.exists() for path in units)
    assert not units & set(map(Path, history.ours(layout)))
    assert removing(make(replace(again(inputs), answers=inputs.answers))) == []


def test_what_was_edited_stays_with_what_belongs_to_it(inputs: Inputs) -> None:
    """A timer without its service would be worse than none: both stay and are named, unless the edit is given up."""
    timer, service = renewal.timer_path(inputs.layout), renewal.service_path(inputs.layout)
    timer.write_text(timer.read_text() + "# mine\n")
    plan = make(inputs)
    assert removing(plan) == []
    reasons = {each.subject: each.reason for each in plan.unchanged}
    assert (reasons[str(timer)], reasons[str(service)]) == (UNWANTED_EDIT, WITH_AN_EDIT)
    assert [edit.path for edit in plan.edits] == [timer]
    assert len(removing(make(replace(inputs, overwrite=frozenset({str(timer)}))))) == 1


def test_a_file_of_nginx_goes_after_its_link_and_nginx_is_told(inputs: Inputs) -> None:
    """Of whatever earlier run it was: at no moment does nginx read a name that leads nowhere."""
    available, enabled = (inputs.layout.at(f"/etc/nginx/sites-{each}/old.conf") for each in ("available", "enabled"))
    available.write_text("# nothing any more\n")
    enabled.symlink_to(available)
    former = WriteFile(available, Text("# nothing any more\n"), 0o644, 0, 0, "")
    ours = {**inputs.ours, str(available): inputs.host.digest(available), str(enabled): ""}
    written = {**inputs.written, str(available): former, str(enabled): MakeLink(enabled, str(available), "")}
    (change, _) = removing(make(replace(again(inputs), answers=inputs.answers, ours=ours, written=written)))
    assert [getattr(each, "path", None) for each in change.operations] == [enabled, available]
    assert isinstance(change.activation, ActivateProxy)
