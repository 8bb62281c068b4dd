"""What becomes of nginx in a removal."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts import Facts
from palpo_installer.gates.markers import Former
from palpo_installer.operations.files import MakeLink, RemoveFile
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.removal_of_services import withdrawn_proxy
from palpo_installer.planning.scene import Scene
from palpo_installer.planning.traces import Taken, Trace, Traces
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.found import Listen, Problem
from palpo_installer.proxies.neighbours import UNKNOWN
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.restoration import FRESH, Before
from palpo_installer.proxies.withdrawal import WithdrawProxy
from palpo_installer.serialization import converter
from palpo_installer.services import Service
from tests.planning.made import inputs_on


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """A recorded host on which nothing was applied yet."""
    return inputs_on(tmp_path)


NGINX = Service("nginx", "systemd", unit="nginx.service")
SHOWN = (
    Expectation("192.0.2.10", 443, True, "example.com", "m", Path("/c.pem"), False),
    Expectation("192.0.2.10", 8448, True, "example.com", "m", Path("/c.pem"), False),
)


def nginx_scene(inputs: Inputs, former: Before, **now: object) -> Scene:
    """Return a scene whose first run found nginx so; it runs now, with a site of somebody else's on 443."""
    facts: Facts = inputs.facts
    assert facts.nginx is not None
    block = replace(facts.nginx.servers[0], listens=(Listen("0.0.0.0", 443, ("ssl",), Path("/etc/nginx/shop"), 1),))
    nginx: Nginx = replace(facts.nginx, pid=1, unit_enabled=True, servers=(block,), **now)  # type: ignore[arg-type]
    activation = ActivateProxy("nginx", NGINX, None, SHOWN, (), (), start=True, enable=True)
    began = datetime(2026, 1, 2, tzinfo=UTC)
    taken = (Taken("0001", began, activation, converter.unstructure(former)),)
    return Scene(inputs.host, replace(facts, nginx=nginx), Traces((), taken), 1, None)


def was(*, running: bool, enabled: bool, hours: float) -> Before:
    """Return how nginx was so many hours ago."""
    return Before(NGINX, running, False, enabled, False, None, (), (), at=time.time() - hours * 3600)


@pytest.mark.parametrize(
    ("former", "stop", "disable"),
    [
        (was(running=True, enabled=True, hours=0), False, False),
        (was(running=False, enabled=False, hours=0), True, True),
        (was(running=True, enabled=False, hours=0), False, True),
        (was(running=False, enabled=False, hours=FRESH / 3600 + 1), False, False),
    ],
)
def test_nginx_is_as_before_the_first_run_unless_others_may_rely_on_it(
    inputs: Inputs, former: Before, stop: bool, disable: bool
) -> None:
    """Hours later, with another site on it, it stays as it is, and the review says so with that site."""
    up = withdrawn_proxy(nginx_scene(inputs, former), ())
    assert isinstance(up.activation, WithdrawProxy)
    assert (up.activation.stop, up.activation.disable) == (stop, disable)
    told = [each.reason for each in up.stays]
    assert bool(told) is (former.at < time.time() - FRESH)
    assert all("before run 0001 of 2026-01-02" in reason for reason in told)
    assert set(up.activation.alone) >= {("192.0.2.10", 8448)}
    assert (("192.0.2.10", 443) in up.activation.alone) is stop


def test_a_site_that_comes_back_takes_its_sockets_and_the_requests_without_a_name(inputs: Inputs) -> None:
    """Its port is not to be closed, nor is it compared who answers without a name where it is first again."""
    scene = nginx_scene(inputs, was(running=True, enabled=True, hours=0))
    site = Path("/etc/nginx/sites-enabled/aaa")
    here, there = (replace(each, address="127.0.0.1") for each in SHOWN), SHOWN[1]
    ours = Former("marker", closed=False, silent=False)
    theirs, nobodys = replace(ours, marker=""), replace(ours, marker="", closed=True)
    found = replace(was(running=True, enabled=True, hours=0), sockets=(ours, nobodys, theirs))
    activation = ActivateProxy("nginx", NGINX, None, (*here, there), (), (), start=False, enable=False)
    taken = Taken("0002", datetime(2026, 1, 3, tzinfo=UTC), activation, converter.unstructure(found))
    removal = Trace("0002", RemoveFile(site, "link x"), activation, {}, Path())
    traces = Traces((removal,), (*scene.traces.activations, taken))
    back = MakeLink(site, "x", "")
    now = {kind: withdrawn_proxy(replace(scene, traces=traces), kind).activation for kind in ((), (back,))}
    without, with_it = now[()], now[back,]
    assert isinstance(without, WithdrawProxy)
    assert isinstance(with_it, WithdrawProxy)
    assert set(without.alone) - set(with_it.alone) == {("192.0.2.10", 8448)}
    assert ("127.0.0.1", 8448) in with_it.alone
    left_out = {(each.address, each.port, each.host) for each in set(without.neighbours) - set(with_it.neighbours)}
    assert left_out == {("127.0.0.1", 443, ""), ("127.0.0.1", 443, UNKNOWN)}
    assert ("192.0.2.10", 443, "") in {(each.address, each.port, each.host) for each in with_it.neighbours}


def test_without_any_other_site_nginx_is_stopped_also_much_later(inputs: Inputs) -> None:
    """Nobody can rely on what serves nothing."""
    late = nginx_scene(inputs, was(running=False, enabled=False, hours=100))
    assert late.facts.nginx is not None
    alone = replace(late, facts=replace(late.facts, nginx=replace(late.facts.nginx, servers=())))
    activation = withdrawn_proxy(alone, ()).activation
    assert isinstance(activation, WithdrawProxy)
    assert activation.stop


def test_a_configuration_that_cannot_be_read_is_named(inputs: Inputs) -> None:
    """Where nginx runs it is not known who else is served; where it is gone there is nothing to take up."""
    problem = Problem(Path("/etc/nginx/sites-enabled/shop"), 3, "unexpected }")
    broken = nginx_scene(inputs, was(running=True, enabled=True, hours=0), problems=(problem,))
    with pytest.raises(RefusedPlan, match="unexpected }") as raised:
        withdrawn_proxy(broken, ())
    assert raised.value.where == "/etc/nginx/sites-enabled/shop:3"
    gone = replace(broken, facts=replace(broken.facts, nginx=None))
    assert withdrawn_proxy(gone, ()).activation is None
