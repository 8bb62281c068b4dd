"""What leaves a proxy when the answers choose another one."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.listeners import Listener
from palpo_installer.operations.files import MakeLink, RemoveFile, WriteFile
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.removal_of_services import kinds, proxy_of, withdrawn_proxy
from palpo_installer.planning.scene import Scene
from palpo_installer.planning.switching import Leaving, leaving
from palpo_installer.planning.traces import Taken, Trace, Traces
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.found import Listen
from palpo_installer.proxies.restoration import Before
from palpo_installer.serialization import converter
from palpo_installer.services import Service
from tests.planning.made import carry_out, inputs_on, without_activations

NGINX = Service("nginx", "systemd", unit="nginx.service")
OURS = (
    Expectation("192.0.2.10", 443, True, "example.com", "m", None, False),
    Expectation("192.0.2.10", 8448, True, "example.com", "m", None, False),
)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """A recorded host that a run set up behind nginx, which it had started; the answers choose Apache now."""
    first = inputs_on(tmp_path)
    plan = make(first)
    carry_out(without_activations(plan), first)
    files = [each for change in plan.changes for each in change.operations if "nginx" in str(getattr(each, "path", ""))]
    own = tuple(each.path for each in files if isinstance(each, WriteFile | MakeLink))
    activation = ActivateProxy("nginx", NGINX, None, OURS, (), own, start=True, enable=True)
    before = Before(NGINX, False, False, False, False, None, (), (), at=time.time())
    traces = Traces(
        tuple(_trace(path, activation) for path in own),
        (Taken("0001", datetime(2026, 1, 2, tzinfo=UTC), activation, converter.unstructure(before)),),
    )
    assert first.facts.nginx is not None
    nginx = replace(first.facts.nginx, pid=7, unit_enabled=True, servers=())
    answers = replace(first.answers, proxy="apache")
    return replace(first, facts=replace(first.facts, nginx=nginx), answers=answers, traces=traces)


def _trace(path: Path, activation: ActivateProxy) -> Trace:
    """Return the trace of a file that was not there before."""
    state = {"kind": "absent"}
    found = {"path": str(path), "before": state, "after": {"kind": "file"}, "staged": "", "kept": "", "copy": ""}
    return Trace("0001", RemoveFile(path, ""), activation, found, Path("/nowhere"))


def left(inputs: Inputs) -> Leaving:
    """Return what leaves, where something does."""
    found = leaving(inputs)
    assert found is not None
    return found


def test_links_go_before_the_files_and_a_proxy_that_we_started_stops(inputs: Inputs) -> None:
    """Without other sites it is as it was before the first run; with one it goes on."""
    found = left(inputs)
    planned = [each.planned.startswith("link ") for each in found.operations if isinstance(each, RemoveFile)]
    assert planned == sorted(planned, reverse=True)
    assert any(planned)
    assert found.withdrawal.stop
    assert found.withdrawal.disable


def test_nothing_leaves_a_proxy_that_stays(inputs: Inputs) -> None:
    """Nor where nothing of ours is in it any more."""
    assert leaving(replace(inputs, answers=replace(inputs.answers, proxy="nginx"))) is None
    assert leaving(replace(inputs, traces=Traces())) is None
    for each in left(inputs).operations:
        assert isinstance(each, RemoveFile)
        each.path.unlink()
    assert leaving(inputs) is None


def test_a_socket_that_only_our_sites_have_is_let_go_of(inputs: Inputs) -> None:
    """Not one of another process, nor one that somebody else's site needs where the proxy goes on."""
    found = left(inputs)
    https = Listener("0.0.0.0", 443, False, "nginx", 7, "nginx.service", "")
    assert found.releases(https)
    assert not found.releases(replace(https, pid=8))
    assert inputs.facts.nginx is not None
    listen = Listen("0.0.0.0", 443, ("ssl",), Path("/etc/nginx/shop"), 1)
    recorded = inputs_on(inputs.layout.root).facts.nginx
    assert recorded is not None
    block = replace(recorded.servers[0], listens=(listen,), file=Path("/etc/nginx/shop"))
    goes_on = replace(
        found,
        proxy=replace(inputs.facts.nginx, servers=(block,)),
        withdrawal=replace(found.withdrawal, stop=False),
    )
    assert not goes_on.releases(https)
    assert goes_on.releases(replace(https, port=8448))
    address = inputs.facts.system.addresses[0]
    with pytest.raises(
        RefusedPlan, match=r"nginx would go on holding port 443 .* at /etc/nginx/shop:.* Caddy needs it"
    ):
        goes_on.refuse((replace(OURS[0], address=address),), inputs, "Caddy")
    goes_on.refuse((OURS[1],), inputs, "Caddy")


def test_an_edit_does_not_go_without_a_word(inputs: Inputs) -> None:
    """It is given up by name, and only then."""
    path = next(
        each.path for each in left(inputs).operations if isinstance(each, RemoveFile) and not each.path.is_symlink()
    )
    path.write_text("# mine\n")
    edited = replace(inputs, ours={str(path): "0" * 64})
    with pytest.raises(RefusedPlan, match="was edited by hand, and leaves nginx"):
        leaving(edited)
    assert leaving(replace(edited, overwrite=frozenset({str(path)}))) is not None


def test_a_removal_tells_each_proxy_of_its_own_files(inputs: Inputs) -> None:
    """The one that serves now comes first; one that was left, with nothing of ours, is told nothing."""
    (first,) = inputs.traces.activations
    assert isinstance(first.activation, ActivateProxy)
    other = replace(first, run="0002", activation=replace(first.activation, proxy="apache", own=(Path("/a"),)))
    moved = Trace("0002", RemoveFile(Path("/a"), ""), other.activation, {}, Path("/nowhere"))
    traces = Traces((*inputs.traces.operations, moved), (first, other))
    scene = Scene(inputs.host, inputs.facts, traces, 2, None)
    assert kinds(scene) == ("apache", "nginx")
    assert proxy_of(RemoveFile(Path("/a"), ""), scene) == "apache"
    assert proxy_of(inputs.traces.operations[0].operation, scene) == "nginx"
    assert withdrawn_proxy(scene, (), "nginx").activation is None
    assert "Apache is not there any more" in withdrawn_proxy(scene, (), "apache").summary[0]
