"""Certificates are ordered while the proxy of before still answers, when the proxy is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from palpo_installer import matrix_site
from palpo_installer.engine.history import ours
from palpo_installer.engine.in_force import written
from palpo_installer.errors import RefusedPlan
from palpo_installer.operations.files import RemoveFile, WriteFile
from palpo_installer.operations.passing import RemoveWritten
from palpo_installer.operations.paths import state_of
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.proofs import Proofs, proofs
from palpo_installer.planning.switching import Leaving
from palpo_installer.proxies.activation import ActivateProxy
from tests.planning.test_switching import inputs, left

__all__ = ["inputs"]

NAMES = ("chat.example.com",)


def made(inputs: Inputs, hashes: Mapping[str, str] | None = None) -> tuple[Leaving, Proofs]:
    """Return the nginx that leaves, and how it answers for a name that nobody had; ``hashes`` are of ours too."""
    known = ours(inputs.layout) | dict(hashes or {})
    inputs = replace(inputs, ours=known, written=written(inputs.layout))
    leaving = left(inputs)
    names = replace(inputs.answers.names, client_host=NAMES[0])
    site = matrix_site.build(replace(inputs.answers, names=names), inputs.layout)
    return leaving, proofs(leaving, site, NAMES, inputs, "Apache")


def test_the_old_one_answers_for_what_is_ordered_by_its_own_file(inputs: Inputs) -> None:
    """Its file for plain HTTP is written anew with a place for proofs, and it takes that up before the orders."""
    _, found = made(inputs)
    (change,) = found.changes
    assert "still by nginx: certificates are ordered before it leaves" in change.title
    (file,) = (each for each in change.operations if isinstance(each, WriteFile))
    assert f"server_name {NAMES[0]};" in file.text.shown
    assert "acme-challenge" in file.text.shown
    assert isinstance(change.activation, ActivateProxy)
    assert change.activation.proxy == "nginx"
    assert {each.name for each in change.activation.expectations} == {*NAMES, "example.com"}
    assert "is ordered first, while nginx still answers" in found.summary
    assert found.responder == ""


def test_what_was_written_for_it_goes_with_the_rest(inputs: Inputs) -> None:
    """Once for each path, a link before its file; and the new names must be gone from the old one too."""
    leaving, found = made(inputs)
    gone = found.left(leaving)
    assert [each.path for each in gone.operations] == [each.path for each in leaving.operations]
    again = {each.path for each in gone.operations if isinstance(each, RemoveWritten)}
    assert again == {each.path for each in found.steps}
    assert {e.name for e in gone.withdrawal.expectations} >= set(NAMES)
    assert all(port == 80 for _, port in gone.meanwhile)
    assert set(gone.meanwhile) <= set(gone.withdrawal.alone)
    kinds = [isinstance(each, RemoveFile) and each.planned.startswith("link ") for each in gone.operations]
    assert kinds == sorted(kinds, reverse=True)


def test_one_that_answers_already_is_told_nothing(inputs: Inputs) -> None:
    """Its file is as it has to be: a certificate that it ordered before has to be ordered again."""
    _, found = made(inputs)
    for each in found.steps:
        assert isinstance(each, WriteFile)
        each.path.write_text(each.text.shown)
    hashes = {str(each.path): state_of(each.path).sha256 for each in found.steps}
    leaving, again = made(inputs, hashes)
    assert again.changes == ()
    assert again.left(leaving).operations == leaving.operations
    assert again.left(leaving).meanwhile == ()


def test_a_proxy_that_does_not_run_cannot_answer(inputs: Inputs) -> None:
    """It is for a person to start it; nothing is ordered before."""
    assert inputs.facts.nginx is not None
    stopped = replace(inputs, facts=replace(inputs.facts, nginx=replace(inputs.facts.nginx, pid=None)))
    with pytest.raises(RefusedPlan, match=r"nginx, which answers on port 80 until then, does not run") as refused:
        made(stopped)
    assert refused.value.next == "Start nginx, then plan again"
