"""Ports that another program holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.listeners import Listener
from palpo_installer.layout import Layout
from palpo_installer.plan import make
from palpo_installer.planning.ports import collides, refuse_taken_ports, taken
from palpo_installer.proxies.base import Expectation, Part, Rendering
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.standing import Standing
from palpo_installer.questions import resolve
from tests.planning.made import inputs_on
from tests.situations import FEWEST, facts, nginx_with

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


def refuse(listeners: Sequence[Listener], *standing: Standing, **more: str) -> None:
    """Refuse what somebody holds, for answers with these changes."""
    raw = {**FEWEST, **{key.replace("_", ".", 1): value for key, value in more.items()}}
    answers = resolve(raw, facts(), Layout()).answers
    nginx = replace(nginx_with(), pid=NGINX)
    refuse_taken_ports(RENDERING, listeners, nginx, answers, Layout(), (), standing)


@pytest.mark.parametrize(
    ("address", "both", "wanted", "held"),
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
def test_which_addresses_a_listener_has(address: str, both: bool, wanted: str, held: bool) -> None:
    """A wildcard has all of its family, one for both families has all, and another port has none."""
    assert collides(listener(address, 443, both=both), expectation(443, wanted)) is held
    assert not collides(listener(address, 444, both=both), expectation(443, wanted))


@pytest.mark.parametrize("port", [80, 443, 8448])
def test_a_taken_port_is_refused_with_its_owner(port: int) -> None:
    """Every port that is needed, also that of federation; nothing is stopped for us."""
    who = rf"0\.0\.0\.0:{port} \(IPv4\) is held by apache2 \(process 300, unit apache2\.service\)\. nginx needs it"
    with pytest.raises(RefusedPlan, match=who) as refused:
        refuse([listener("0.0.0.0", port)])
    assert refused.value.where == f"port {port}"
    assert "stops nothing for it" in refused.value.next


def test_another_nginx_is_another_program() -> None:
    """Its name does not make it ours: one in a container, or a second one, keeps ours from the port."""
    boxed = listener("0.0.0.0", 443, "nginx", 900, "shop")
    for other in (boxed, listener("0.0.0.0", 443, "nginx", 901)):
        with pytest.raises(RefusedPlan, match=rf"held by nginx \(process \d+{', container shop' * (other is boxed)}\)"):
            refuse([other])
        assert taken(RENDERING, [other], ())


def test_all_of_them_are_told_at_once_for_each_family() -> None:
    """One socket for both families takes both; two programs are two sentences, and what both need is said once."""
    held = [listener("0.0.0.0", 80), listener("::", 443, "haproxy", 301, both=True), listener("::", 80, "nc", 9)]
    with pytest.raises(RefusedPlan) as refused:
        refuse(held)
    assert refused.value.what == (
        "0.0.0.0:80 (IPv4) is held by apache2 (process 300, unit apache2.service); "
        "[::]:443 (IPv4) is held by haproxy (process 301); [::]:80 (IPv6) is held by nc (process 9). nginx needs them"
    )


def test_what_freeing_the_ports_takes_is_said() -> None:
    """Whose sites nobody would answer for, every unit, and of two that share the ports only the one that would do."""
    caddy = replace(listener("0.0.0.0", 80, "caddy", 301), unit="caddy.service")
    standing = [
        Standing("apache", "Apache", True, (443,), 2, "apache2.service"),
        Standing("caddy", "Caddy", True, (80,), 1, "caddy.service"),
        Standing("haproxy", "HAProxy", True, (8080,), 3, ""),
    ]
    with pytest.raises(RefusedPlan) as refused:
        refuse([caddy, listener("0.0.0.0", 443)], *standing)
    assert refused.value.next == (
        "apache2 is a proxy that can serve Palpo itself: --set proxy.kind=apache. "
        "Apache serves 2 other sites, which nobody would answer for then: move them to nginx first. "
        "Caddy serves one other site, which nobody would answer for then: move it to nginx first. "
        "Or free the ports yourself (systemctl disable --now caddy.service apache2.service): "
        "palpo-installer stops nothing for it."
    )


@pytest.mark.parametrize(
    ("holder", "answers", "offer"),
    [
        (listener("0.0.0.0", 8448), {"federation_delegation": "srv"}, "--set federation.delegation=well-known"),
        (listener("0.0.0.0", 8448), {"federation_delegation": "srv"}, "--set federation.port="),
        (listener("0.0.0.0", 80, "python3"), {}, "--set certificates.method=files"),
        (listener("0.0.0.0", 443), {}, "apache2 is a proxy"),
    ],
)
def test_what_can_be_offered_is(holder: Listener, answers: dict[str, str], offer: str) -> None:
    """As the very setting, and only where it frees the port."""
    with pytest.raises(RefusedPlan) as refused:
        refuse([holder], **answers)
    assert offer in refused.value.next
    elsewhere = listener("0.0.0.0", 443, "python3")
    with pytest.raises(RefusedPlan) as refused:
        refuse([elsewhere])
    assert "--set" not in refused.value.next


def test_plain_http_is_left_to_who_holds_it_where_no_proof_needs_it(tmp_path: Path) -> None:
    """The TLS half is made without it, with a finding; but not where another site of nginx needs the port too."""
    inputs = inputs_on(tmp_path)
    held = replace(inputs.facts, listeners=(listener("0.0.0.0", 80, "python3", 77),))
    with pytest.raises(RefusedPlan, match=r"0\.0\.0\.0:80 \(IPv4\) is held by python3 \(process 77\)"):
        make(replace(inputs, facts=held))
    assert held.nginx is not None
    held = replace(held, nginx=replace(held.nginx, servers=()))
    plan = make(replace(inputs, facts=held))
    assert plan.changes[0].title != "plain HTTP on port 80"
    assert any("0.0.0.0:80 (IPv4) is held by python3 (process 77): plain HTTP is left" in f for f in plan.findings)
    assert any("HTTPS on port 443" in change.title for change in plan.changes)


def test_what_is_free_enough() -> None:
    """Nginx's own sockets, other ports, and owners that stay hidden without root, which only the run can tell."""
    free = [
        listener("0.0.0.0", 443, "nginx", NGINX),
        listener("0.0.0.0", 22, "sshd", 500),
        listener("0.0.0.0", 80, "", None),
        listener("192.0.2.99", 8448),
    ]
    assert taken(RENDERING, free, {NGINX}) == ()


def test_another_loopback_address_keeps_a_proxy_from_all_addresses() -> None:
    """127.0.0.2 is one of all addresses; where the proxy has 127.0.0.1 alone, or not at all, it is free."""
    other, loopback = listener("127.0.0.2", 8448), expectation(8448, "127.0.0.1")
    alone = Part("", (), (), (loopback,))
    everywhere = replace(RENDERING, plain=alone)
    assert [(each.holder, each.families) for each in taken(everywhere, [other], ())] == [(other, (4,))]
    assert taken(RENDERING, [other], ()) == taken(Rendering(alone, alone, ()), [other], ()) == ()


def test_a_plan_over_a_host_with_a_taken_port_is_refused(tmp_path: Path) -> None:
    """Before anything is written; for a port that these answers do not need it is made."""
    inputs = inputs_on(tmp_path, {"federation.delegation": "srv"})
    taken = replace(inputs.facts, listeners=(listener("0.0.0.0", 8448, "synapse", 77),))
    with pytest.raises(RefusedPlan, match=r"0\.0\.0\.0:8448 \(IPv4\) is held by synapse \(process 77\)"):
        make(replace(inputs, facts=taken))
    assert make(replace(inputs_on(tmp_path), facts=taken)).changes


def test_a_running_nginx_is_no_obstacle_to_itself(tmp_path: Path) -> None:
    """Its recorded sockets, listed with a worker's number, are those of its master."""
    inputs = inputs_on(tmp_path, recording="debian_sites")
    assert {each.process for each in inputs.facts.listeners} >= {"nginx"}
    assert make(inputs).changes


def test_the_workers_of_haproxy_are_haproxy() -> None:
    """Its main process holds no socket; another HAProxy is another program."""
    where = Path("/etc/haproxy/haproxy.cfg")
    found = HAProxy(
        Path("/usr/sbin/haproxy"),
        (2, 6, 12),
        where,
        (),
        (),
        (),
        (),
        "",
        "",
        "",
        300,
        "",
        unit_enabled=None,
        workers=(301,),
    )
    assert taken(RENDERING, [listener("0.0.0.0", 443, "haproxy", 301)], found.pids) == ()
    assert taken(RENDERING, [listener("0.0.0.0", 443, "haproxy", 302)], found.pids)
    assert replace(found, pid=None, workers=()).pids == frozenset()
