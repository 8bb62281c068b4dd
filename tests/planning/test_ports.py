"""Ports that another program holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.listeners import Listener
from palpo_installer.plan import make
from palpo_installer.planning.ports import collides, refuse_taken_ports
from palpo_installer.proxies.base import Expectation, Part, Rendering
from tests.planning.made import inputs_on

NGINX = 612


def expectation(port: int, address: str = "192.0.2.10") -> Expectation:
    """Return that an address must show our configuration."""
    return Expectation(address, port, port != 80, "example.com", "marker", None, False)


RENDERING = Rendering(
    Part("", (), (), (expectation(80), expectation(80, "2001:db8::1"))),
    Part("", (), (), (expectation(443), expectation(8448))),
    (),
)


def listener(
    address: str, port: int, process: str = "apache2", pid: int | None = 300, container: str = "", *, both: bool = False
) -> Listener:
    """Return a listener as the facts tell of it."""
    return Listener(address, port, both, process, pid, "apache2.service" if process == "apache2" else "", container)


@pytest.mark.parametrize(
    ("address", "both", "wanted", "taken"),
    [
        ("0.0.0.0", False, "192.0.2.10", True),
        ("0.0.0.0", False, "2001:db8::1", False),
        ("::", False, "192.0.2.10", False),
        ("::", False, "2001:db8::1", True),
        ("::", True, "192.0.2.10", True),
        ("192.0.2.10", False, "192.0.2.10", True),
        ("192.0.2.11", False, "192.0.2.10", False),
        ("2001:db8:0::1", False, "2001:db8::1", True),
    ],
)
def test_which_addresses_a_listener_has(address: str, both: bool, wanted: str, taken: bool) -> None:
    """A wildcard has all of its family, one for both families has all, and another port has none."""
    assert collides(listener(address, 443, both=both), expectation(443, wanted)) is taken
    assert not collides(listener(address, 444, both=both), expectation(443, wanted))


@pytest.mark.parametrize("port", [80, 443, 8448])
def test_a_taken_port_is_refused_with_its_owner(port: int) -> None:
    """Every port that is needed, also that of federation; nothing is stopped for us."""
    with pytest.raises(RefusedPlan, match=r"is held by apache2 \(apache2\.service\), and nginx needs it") as refused:
        refuse_taken_ports(RENDERING, [listener("0.0.0.0", port)], NGINX)
    assert refused.value.where == f"0.0.0.0:{port}"
    assert "Free the port yourself" in refused.value.next


def test_another_nginx_is_another_program() -> None:
    """Its name does not make it ours: one in a container, or a second one, keeps ours from the port."""
    boxed = listener("0.0.0.0", 443, "nginx", 900, "shop")
    for other in (boxed, listener("0.0.0.0", 443, "nginx", 901)):
        with pytest.raises(RefusedPlan, match=f"held by {'container shop' if other is boxed else 'nginx'}"):
            refuse_taken_ports(RENDERING, [other], NGINX)
        with pytest.raises(RefusedPlan):
            refuse_taken_ports(RENDERING, [other], None)


def test_what_is_free_enough() -> None:
    """Nginx's own sockets, other ports, and owners that stay hidden without root, which only the run can tell."""
    free = [
        listener("0.0.0.0", 443, "nginx", NGINX),
        listener("0.0.0.0", 22, "sshd", 500),
        listener("0.0.0.0", 80, "", None),
        listener("192.0.2.99", 8448),
    ]
    refuse_taken_ports(RENDERING, free, NGINX)
    with pytest.raises(RefusedPlan, match="held by sshd"):
        refuse_taken_ports(RENDERING, [*free, listener("0.0.0.0", 443, "sshd", 500)], NGINX)


def test_a_plan_over_a_host_with_a_taken_port_is_refused(tmp_path: Path) -> None:
    """Before anything is written; for a port that these answers do not need it is made."""
    inputs = inputs_on(tmp_path, {"federation.delegation": "srv"})
    taken = replace(inputs.facts, listeners=(listener("0.0.0.0", 8448, "synapse", 77),))
    with pytest.raises(RefusedPlan, match=r"0\.0\.0\.0:8448: is held by synapse \(process 77\)"):
        make(replace(inputs, facts=taken))
    assert make(replace(inputs_on(tmp_path), facts=taken)).changes


def test_a_running_nginx_is_no_obstacle_to_itself(tmp_path: Path) -> None:
    """Its recorded sockets, listed with a worker's number, are those of its master."""
    inputs = inputs_on(tmp_path, recording="debian_sites")
    assert {each.process for each in inputs.facts.listeners} >= {"nginx"}
    assert make(inputs).changes
