"""Plans for a proxy that orders certificates itself, and for one that reads ours as an account of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer import matrix_site
from palpo_installer.answers import BaseDomain, Delegation, Method
from palpo_installer.certificates import authority, store
from palpo_installer.certificates.directory import Directory
from palpo_installer.errors import RefusedPlan
from palpo_installer.operations.access import LetGroupIn
from palpo_installer.operations.proxy_orders import OrderByProxy
from palpo_installer.operations.security import Withdraw
from palpo_installer.planning import obstacles
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.needs import Needs
from palpo_installer.planning.security import withdrawals
from palpo_installer.planning.serving import Serving
from palpo_installer.planning.steps import Steps
from tests.planning.made import inputs_on
from tests.proxies.caddy.test_caddy_rendering import ORDERING

NAMES = ["matrix.example.com", "example.com"]


def inputs_for(tmp_path: Path, method: Method, user: str = "root") -> Inputs:
    """Return what a plan is made from on a host with Caddy."""
    inputs = inputs_on(tmp_path)
    caddy = replace(ORDERING, user=user, storage=str(tmp_path / "storage"))
    certificates = replace(inputs.answers.certificates, method=method)
    return replace(
        inputs,
        facts=replace(inputs.facts, caddy=caddy),
        answers=replace(inputs.answers, proxy="caddy", certificates=certificates),
    )


@pytest.fixture
def passable() -> Iterator[Path]:
    """A directory through which every account gets, other than those of pytest."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)


def serving(inputs: Inputs) -> Serving:
    """Return the part of the plan."""
    return Serving(inputs, matrix_site.build(inputs.answers, inputs.layout))


def test_each_name_is_ordered_by_the_proxy_and_nothing_is_probed(tmp_path: Path) -> None:
    """Let's Encrypt first at its staging directory; a certificate that the proxy has is used."""
    inputs = inputs_for(tmp_path, Method.PROXY)
    changes = Steps(serving(inputs)).orders()
    orders = [each for change in changes for each in change.operations]
    assert [each.name for each in orders if isinstance(each, OrderByProxy)] == NAMES
    assert len(orders) == len(NAMES)
    first = orders[0]
    assert isinstance(first, OrderByProxy)
    assert first.staging_files is not None
    assert "acme-staging-v02" in str(first.staging_files.chain)

    made = authority.issue(first.name, inputs.layout)
    first.files.chain.parent.mkdir(parents=True)
    first.files.chain.write_bytes(made.chain.read_bytes())
    first.files.key.write_bytes(made.key.read_bytes())
    assert [order.name for order in serving(inputs).certificates.due] == NAMES[1:]


def test_a_name_that_others_answer_for_is_refused(tmp_path: Path) -> None:
    """Should the answers come to this all the same: the file to give, and the way that needs none."""
    inputs = inputs_for(tmp_path, Method.PROXY)
    answers = replace(
        inputs.answers,
        names=replace(inputs.answers.names, base_domain=BaseDomain.ELSEWHERE),
        federation=replace(inputs.answers.federation, delegation=Delegation.SRV),
    )
    with pytest.raises(RefusedPlan, match="Caddy cannot order a certificate for") as refused:
        assert serving(replace(inputs, answers=answers)).certificates.files
    assert refused.value.where == 'certificates.files."example.com"'
    assert "well-known" in refused.value.next


def test_an_authority_with_external_accounts_is_an_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key would stand in a file that all may read; and what the ledger does not see is said."""
    directory = Directory("https://ca.example/dir", "", external_account_required=True, caa_identities=())
    monkeypatch.setattr(obstacles, "_directory", lambda _: directory)
    blocking, _ = obstacles.obstacles(serving(inputs_for(tmp_path, Method.PROXY)))
    assert "certificates.eab_file" in " ".join(blocking)
    open_to_all = replace(directory, external_account_required=False)
    monkeypatch.setattr(obstacles, "_directory", lambda _: open_to_all)
    blocking, others = obstacles.obstacles(serving(inputs_for(tmp_path, Method.PROXY)))
    assert blocking == ()
    assert "renews at other times is not seen" in " ".join(others)


def test_the_account_of_the_proxy_is_let_in_and_root_needs_nothing(passable: Path, tmp_path: Path) -> None:
    """Our directories and the keys, from the top down, each once; as root, or with its own certificates, none."""
    part = serving(inputs_for(passable, Method.HTTP_01, "www-data"))
    (change,) = Steps(part).access()
    lettings = [each for each in change.operations if isinstance(each, LetGroupIn)]
    layout = part.inputs.layout
    assert {each.place for each in lettings} <= set(part.needs.readable)
    assert [each.place for each in lettings if not each.directory] == [
        store.ordered(layout, name).key for name in NAMES
    ]
    assert {(each.account, each.group) for each in lettings} == {("www-data", "www-data")}
    assert all(each.directory is (each.place.suffix != ".pem") for each in lettings)
    assert Steps(serving(inputs_for(tmp_path, Method.HTTP_01))).access() == ()
    assert Steps(serving(inputs_for(tmp_path, Method.PROXY, "www-data"))).access() == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files change their group")
def test_what_an_administrator_gave_to_a_group_is_not_taken(tmp_path: Path) -> None:
    """Another group's access is somebody's decision."""
    inputs = inputs_for(tmp_path, Method.HTTP_01, "www-data")
    inputs.layout.acme.mkdir(parents=True, mode=0o750)
    os.chown(inputs.layout.acme, 0, 1)
    with pytest.raises(RefusedPlan, match="another group") as refused:
        Steps(serving(inputs)).access()
    assert refused.value.where == str(inputs.layout.acme)


def test_no_account_is_no_proxy(tmp_path: Path) -> None:
    """A unit whose account is gone is said before anything is changed."""
    with pytest.raises(RefusedPlan, match="no such account"):
        Steps(serving(inputs_for(tmp_path, Method.HTTP_01, "nobody-there"))).access()


def test_what_is_needed_no_more_is_closed(tmp_path: Path) -> None:
    """A run that let an account in is taken back where no proxy reads as it any more."""
    place = tmp_path / "live"
    place.mkdir(mode=0o700)
    given = str(place.stat().st_gid)
    letting = LetGroupIn(place, directory=True, account="www-data", group="www-data")
    place.chmod(0o710)
    before = {"path": f"access to {place}", "gid": "4711", "mode": "0700", "given": given}
    inputs = replace(inputs_for(tmp_path, Method.PROXY), in_force=(Withdraw(letting, before, "0001"),))
    _, releasing = withdrawals(inputs, Needs((), (), ()))
    assert [each.operations for each in releasing.changes] == [(inputs.in_force[0],)]
    _, kept = withdrawals(inputs, Needs((), (), (), readable=(place,)))
    assert kept.changes == ()
